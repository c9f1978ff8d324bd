"""Sensors and schedules: they look, decide with pure functions, and ask for runs; the runs do the work."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from labeling_assets.assets import MEDIA, key_of
from labeling_assets.checks import annotation_checks_op
from labeling_assets.errors import ConfigurationError
from labeling_assets.jobs import IMPORT_JOB, sync_job_name
from labeling_assets.partitions import IMPORT_BATCH
from labeling_assets.projects import Project, claimed_by
from labeling_assets.resources import ApertureDBResource, LabelStudioResource
from labeling_assets.settings import Settings
from labeling_assets.sync.changes import Cursor, config_warning, observe, plan
from labeling_assets.sync.inbox import Inbox, InboxBatch
from labeling_assets.sync.new_batches import (
    ImportRequest,
    InboxCursor,
    Seen,
    attempt,
    finish,
    observed,
    plan_imports,
)

_IN_FLIGHT: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_INBOX_SECONDS: Final = 10
_NOTES_SECONDS: Final = 5
_RUNS: Final = 20  # asked for in one look; Dagster submits one in 0.2 s
_AFTER_OTHERS: Final = {"dagster/priority": "-1"}  # in Dagster's queue
_PARTITION_TAG: Final = "dagster/partition"
_BY_HAND: Final = "__ASSET_JOB"  # what Dagster runs for "Materialize" in the asset graph, and for backfills
_SET: Final = IMPORT_BATCH.name or "import_batch"

Clock = Callable[[], float]  # seconds since the epoch


def _status(settings: Settings) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if settings.sensors == "on" else dg.DefaultSensorStatus.STOPPED


def in_flight(instance: dg.DagsterInstance, job_name: str) -> set[str]:
    """Batches that a run of this job is working on or waiting for, or a run that somebody started on an asset."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_IN_FLIGHT))
    return {
        run.tags[_PARTITION_TAG] for run in runs if _PARTITION_TAG in run.tags and run.job_name in (job_name, _BY_HAND)
    }


def covered(instance: dg.DagsterInstance, job_name: str, changed_at: Mapping[str, float]) -> set[str]:
    """Those of the batches in flight whose last change, seconds since the epoch, a run will read: it begins later.

    A run that has begun may have read before that, so another one may be asked for, which Dagster's queue starts when
    the first has ended.
    """
    records = instance.get_run_records(dg.RunsFilter(statuses=_IN_FLIGHT))
    batches = set()
    for record in records:
        batch = record.dagster_run.tags.get(_PARTITION_TAG, "")
        of_job = record.dagster_run.job_name in (job_name, _BY_HAND)
        if of_job and (record.start_time is None or changed_at.get(batch, 0.0) <= record.start_time):
            batches.add(batch)
    return batches


def newest(instance: dg.DagsterInstance, key: dg.AssetKey, batch: str) -> tuple[float, dict[str, Any]]:
    """Time (seconds since the epoch) and metadata of the last materialization of a batch; 0.0 if there is none."""
    condition = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[batch])
    records = instance.fetch_materializations(condition, limit=1).records
    if not records or records[0].asset_materialization is None:
        return 0.0, {}
    values = {name: value.value for name, value in records[0].asset_materialization.metadata.items()}
    return records[0].timestamp, values


def new_batches_sensor(
    projects: Sequence[Project], settings: Settings, *, broken: Sequence[str] = (), clock: Clock = time.time
) -> dg.SensorDefinition:
    """Watches the inbox, and batches that a new labeling project wants; tells what is `broken` in the projects."""
    inbox = Inbox(settings.inbox, clock=clock)  # lives as long as the code server, and so remembers its last look

    @dg.sensor(
        name="new_batches",
        job_name=IMPORT_JOB,
        minimum_interval_seconds=_INBOX_SECONDS,
        default_status=_status(settings),
        description="New or changed folders and manifests in the inbox become batches: a partition and a run.",
    )
    def new_batches(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        now = clock()
        cursor = InboxCursor.load(context.cursor)
        batches, problems = inbox.look({name for name, seen in cursor.seen.items() if seen.done})
        problems = [*broken, *problems]
        for problem in problems:
            context.log.warning(problem)
        batches, waiting = _with_earlier_batches(context.instance, batches, projects)
        cursor = observed(_reopened(cursor, waiting, now=now), batches, now=now)
        requests = _planned(context, cursor, batches, projects, signature="inbox_signature", now=now)
        if not requests:
            return dg.SkipReason("; ".join(problems) or f"Nothing new in {settings.inbox}.")
        return _imports(requests)

    return new_batches


def closed_batches_sensor(
    projects: Sequence[Project], settings: Settings, *, clock: Clock = time.time
) -> dg.SensorDefinition:
    """Watches ApertureDB for batches that were pushed and closed, or that Dagster forgot: one query a look."""

    @dg.sensor(
        name="closed_batches",
        job_name=IMPORT_JOB,
        minimum_interval_seconds=_INBOX_SECONDS,
        default_status=_status(settings),
        description="Batches that were pushed to the media gateway and closed get a partition and a run; so do batches "
        "with tasks or imported media that Dagster does not know, after its storage was lost.",
    )
    def closed_batches(
        context: dg.SensorEvaluationContext, aperturedb: ApertureDBResource
    ) -> dg.SensorResult | dg.SkipReason:
        from labeling_assets.sync.known_batches import forgotten_batches
        from labeling_assets.sync.pushed_batches import batch_marks

        now = clock()
        partitions = context.instance.get_dynamic_partitions(_SET)
        with aperturedb.connect() as db:
            marks = batch_marks(db)
            closed = {name for name, mark in marks.items() if mark}
            forgotten = forgotten_batches(db, projects, marks.keys() - closed - {*partitions}, now=now)
        batches = [InboxBatch(name, mark, True) for name, mark in marks.items() if name in closed | forgotten]
        cursor = observed(InboxCursor.load(context.cursor), batches, now=now)
        requests = _planned(context, cursor, batches, projects, signature="closed_mark", now=now)
        return _imports(requests) if requests else dg.SkipReason("No batch was closed since the last look.")

    return closed_batches


def _planned(
    context: dg.SensorEvaluationContext,
    cursor: InboxCursor,
    batches: Sequence[InboxBatch],
    projects: Sequence[Project],
    *,
    signature: str,
    now: float,
) -> list[ImportRequest]:
    """The runs to ask for; remembers them. `signature` names the metadata of `media` that a batch's own is for."""
    lacking = {
        batch.name: _lacking(context.instance, batch, projects, signature)
        for batch in batches
        if not cursor.seen[batch.name].done
    }
    cursor = finish(cursor, [name for name, assets in lacking.items() if not assets])
    busy = in_flight(context.instance, IMPORT_JOB)
    cursor, requests = plan_imports(cursor, batches, lacking=lacking, in_flight=busy, now=now)
    context.update_cursor(cursor.dump())
    return requests


def _imports(requests: Sequence[ImportRequest]) -> dg.SensorResult:
    return dg.SensorResult(
        run_requests=[_import_request(request) for request in requests],
        dynamic_partitions_requests=[IMPORT_BATCH.build_add_request([request.batch for request in requests])],
    )


def _with_earlier_batches(
    instance: dg.DagsterInstance, batches: Sequence[InboxBatch], projects: Sequence[Project]
) -> tuple[list[InboxBatch], set[str]]:
    """The batches of the inbox and those that are no longer there, if a project wants them and has no tasks for them.

    Also the names of all batches that wait for a project in this way: it may have been added after their import.
    """
    present = [batch.name for batch in batches]
    known = {*present, *instance.get_dynamic_partitions(_SET)}
    waiting: set[str] = set()
    for project in projects:
        wanted = {name for name in known if project.wants(name)}
        if wanted:
            waiting |= wanted - instance.get_materialized_partitions(key_of(project, "tasks"))
    return [*batches, *(InboxBatch(name, "", True) for name in sorted(waiting.difference(present)))], waiting


def _reopened(cursor: InboxCursor, waiting: Collection[str], *, now: float) -> InboxCursor:
    """The cursor in which batches that a project waits for are not done, whatever they were before it was added."""
    seen = cursor.seen.items()
    return InboxCursor({n: Seen(s.signature, now) if s.done and n in waiting else s for n, s in seen})


def _lacking(
    instance: dg.DagsterInstance, batch: InboxBatch, projects: Sequence[Project], signature: str
) -> tuple[str, ...]:
    """The assets that a batch as it is now still needs, in order."""
    imported_at, metadata = newest(instance, MEDIA, batch.name)
    current = imported_at > 0 and (not batch.signature or metadata.get(signature) == batch.signature)
    keys = [] if current else [MEDIA]
    for project in projects:
        if project.wants(batch.name):
            tasks = key_of(project, "tasks")
            if not current or newest(instance, tasks, batch.name)[0] < imported_at:
                keys.append(tasks)
    return tuple(key.to_user_string() for key in keys)


def _import_request(request: ImportRequest) -> dg.RunRequest:
    selection = [dg.AssetKey.from_user_string(asset) for asset in request.assets]
    return dg.RunRequest(run_key=request.run_key, partition_key=request.batch, asset_selection=selection)


def changed_annotations_sensor(
    project: Project, settings: Settings, *, clock: Clock = time.time
) -> dg.SensorDefinition:
    """Watches Label Studio for changes of one project, at two requests a look when there are none.

    With webhooks it looks at once when Label Studio called, and otherwise as often as without them.
    """
    webhooks = settings.webhooks == "on"
    poll_s = project.poll_seconds - _NOTES_SECONDS / 2 if webhooks else 0.0  # ticks come a little early or late

    @dg.sensor(
        name=f"changed_annotations_{project.slug}",
        job_name=sync_job_name(project),
        minimum_interval_seconds=min(project.poll_seconds, _NOTES_SECONDS) if webhooks else project.poll_seconds,
        default_status=_status(settings),
        description=f"Runs the sync of {project.title!r} for the batches in which somebody labelled something.",
    )
    def changed_annotations(
        context: dg.SensorEvaluationContext, aperturedb: ApertureDBResource, label_studio: LabelStudioResource
    ) -> dg.SensorResult | dg.SkipReason:
        from labeling_assets.sync.labeling_project import recorded_project
        from labeling_assets.sync.watermark import load_states
        from labeling_assets.sync.webhook_notes import News, news_of
        from labeling_assets.sync.webhook_wake import Wake, due

        with aperturedb.connect() as db, label_studio.connect() as ls:
            record = recorded_project(db, ls, project)
            if record is None:
                return dg.SkipReason(f"{project.title!r} has no tasks yet.")
            states = load_states(db, record.key)
            cursor, wake = Cursor.load(context.cursor), Wake.load(context.cursor)
            news = news_of(db, record).of(states) if webhooks else News()
            if wake.is_due(news, cursor.pending, now=clock(), poll_s=poll_s):
                before, unsynced = cursor, _unsynced(context.instance, project) | news.batches
                cursor = observe(db, ls, record, states, cursor=before, unsynced=unsynced, clock=clock)
                wake = wake.after_look(news, before, cursor, now=clock())
        if cursor.config_changed:
            context.log.warning(config_warning(record))
        now = clock()
        candidates = due(
            cursor,
            wake.woken,
            lambda batch: _synced_at(context.instance, project, batch),
            in_flight=covered(
                context.instance,
                sync_job_name(project),
                {batch: pending.last for batch, pending in cursor.pending.items()},
            )
            if cursor.pending
            else (),
            known=context.instance.get_dynamic_partitions(_SET) if cursor.pending else (),
            now=now,
            min_interval_s=project.min_interval_seconds,
            max_lag_s=project.max_lag_seconds,
            limit=2 * _RUNS,  # each costs two look-ups, and some turn out to be done
        )
        cursor, requests = plan(
            cursor,
            candidates,
            finished=candidates,
            watermarks={batch: state.watermark for batch, state in states.items()},
            now=now,
            limit=_RUNS,
        )
        context.update_cursor(wake.dump_into(cursor.dump()) if webhooks else cursor.dump())
        if not requests:
            waiting = f"{len(cursor.pending)} batches wait to become quiet." if cursor.pending else "Nothing changed."
            return dg.SkipReason(f"{waiting} {config_warning(record)}" if cursor.config_changed else waiting)
        runs = [dg.RunRequest(run_key=request.run_key, partition_key=request.batch) for request in requests]
        return dg.SensorResult(run_requests=runs)

    return changed_annotations


def _unsynced(instance: dg.DagsterInstance, project: Project) -> set[str]:
    """Batches that have tasks and were never synced, as Dagster knows."""
    made = instance.get_materialized_partitions(key_of(project, "tasks"))
    return made - instance.get_materialized_partitions(key_of(project, "annotations"))


def _synced_at(instance: dg.DagsterInstance, project: Project, batch: str) -> float:
    """When the last sync began whose dataset was built; a blocked or broken one does not count."""
    annotated_at, metadata = newest(instance, key_of(project, "annotations"), batch)
    built_at, _ = newest(instance, key_of(project, "dataset"), batch)
    return float(metadata.get("started_at", 0.0)) if built_at >= annotated_at > 0 else 0.0


def claim_sensor(project: Project, settings: Settings, *, clock: Clock = time.time) -> dg.SensorDefinition:
    """Watches ApertureDB for media that match the project's query and carry no mark of it."""

    @dg.sensor(
        name=f"new_media_{project.slug}",
        job_name=IMPORT_JOB,
        minimum_interval_seconds=project.poll_seconds,
        default_status=_status(settings),
        description=f"Media in ApertureDB that match the query of {project.title!r} become a batch of their own.",
    )
    def new_media(
        context: dg.SensorEvaluationContext, aperturedb: ApertureDBResource
    ) -> dg.SensorResult | dg.SkipReason:
        from labeling_assets.sync.claim_media import claimable, next_claim

        with aperturedb.connect() as db:
            found = claimable(db, project)
            batch = next_claim(db, project) if found else ""
        if not found:
            return dg.SkipReason("ApertureDB holds no media that wait to be claimed.")
        if any(claimed_by(busy) == project.slug for busy in in_flight(context.instance, IMPORT_JOB)):
            return dg.SkipReason(f"{found} media wait; a claim is running.")
        key, since = _claim_attempt(context.cursor, batch, now=clock())
        context.update_cursor(f"{batch} {since}")
        assets = [MEDIA, key_of(project, "tasks")]
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=key, partition_key=batch, asset_selection=assets)],
            dynamic_partitions_requests=[IMPORT_BATCH.build_add_request([batch])],
        )

    return new_media


def _claim_attempt(cursor: str | None, batch: str, *, now: float) -> tuple[str, float]:
    """The run key of a claim, with an attempt that counts from when the batch was first asked for."""
    asked, _, since = (cursor or "").partition(" ")
    first = float(since) if asked == batch and since else now
    return f"{batch}:{int(first)}:{attempt(now - first)}", first


def reconcile_schedule(project: Project, settings: Settings) -> dg.ScheduleDefinition:
    """Compares everything of a project in full, one run a batch.

    Raises:
        ConfigurationError: `reconcile_cron` is no cron schedule.
    """

    def reconcile(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        made = context.instance.get_materialized_partitions(key_of(project, "tasks"))
        wanted = made - in_flight(context.instance, sync_job_name(project))
        batches = [batch for batch in context.instance.get_dynamic_partitions(_SET) if batch in wanted]
        full = {"config": {"full": True}}
        annotations = "__".join(key_of(project, "annotations").path)
        run_config = {"ops": {annotations: full, annotation_checks_op(project): full}}
        if not batches:
            return dg.SkipReason("Every batch is being synced." if made else "There are no tasks yet.")
        # Dagster wants a key where there are several requests; it counts within one tick of the schedule.
        return [
            dg.RunRequest(run_key=batch, partition_key=batch, run_config=run_config, tags=_AFTER_OTHERS)
            for batch in batches
        ]

    on = settings.sensors == "on"
    as_schedule = dg.schedule(
        name=f"reconcile_{project.slug}",
        job_name=sync_job_name(project),
        cron_schedule=project.reconcile_cron,
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
        description=f"Compares all of {project.title!r} with ApertureDB, whatever the watermarks say.",
    )
    try:
        return as_schedule(reconcile)
    except dg.DagsterInvalidDefinitionError as error:
        raise ConfigurationError(
            f"{project.folder / 'project.yaml'} is wrong: reconcile_cron: {project.reconcile_cron!r} is no cron "
            "schedule; give five fields, as in '0 3 * * *'."
        ) from error
