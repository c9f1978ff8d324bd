"""A sync of a whole labeling project without Dagster: only the batches in which something changed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.errors import DataError, LabelingAssetsError, TransientError
from labeling_assets.projects import Project
from labeling_assets.sync.changes import Cursor, config_warning, observe
from labeling_assets.sync.collect.planned_changes import BatchPlan
from labeling_assets.sync.collect_annotations import collect_annotations, plan_annotations
from labeling_assets.sync.counts import count_by
from labeling_assets.sync.labeling_project import ProjectRecord, recorded_project
from labeling_assets.sync.report import CollectReport, Progress
from labeling_assets.sync.watermark import load_states


def sync_project(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    *,
    batches: Iterable[str] = (),
    full: bool = False,
    run_id: str = "",
    progress: Progress = lambda _: None,
    warn: Progress = lambda _: None,
    done: Callable[[CollectReport], None] = lambda _: None,
    allow_mass_deletion: bool = False,
    agreed: Mapping[str, BatchPlan] | None = None,
) -> list[CollectReport]:
    """Sync the batches that changed since the last call, or those named, or with `full` all of them.

    With nothing to do it makes two requests to Label Studio, whatever the number of batches, and writes nothing. A
    batch that fails does not hold up the others; the next call tries it again.

    Args:
        db: Where annotations and sync states are.
        ls: The project's Label Studio.
        project: As its folder describes it.
        batches: Only these.
        full: Compare everything again.
        run_id: Written to what this call adds.
        progress: Gets a line for each few tasks.
        warn: Gets what a person should know although nothing failed.
        done: Gets the report of each batch at once, also if another one fails later.
        allow_mass_deletion: A person has said that it is meant when much of a batch, or the project, is gone.
        agreed: Batch -> plan; only these batches, and only what their plans have.

    Raises:
        DataError: the project was never made, is gone, or Label Studio was rebuilt.
        LabelingAssetsError: some batches failed; names them all. TransientError if one may work later.
    """
    record = _recorded(db, ls, project)

    def collect(batch: str) -> CollectReport:
        report = collect_annotations(
            db,
            ls,
            project,
            batch=batch,
            full=full if agreed is None else agreed[batch].full,
            run_id=run_id,
            progress=progress,
            allow_mass_deletion=allow_mass_deletion,
            agreed=agreed[batch] if agreed is not None else None,
        )
        done(report)
        return report

    wanted = list(agreed) if agreed is not None else list(batches) or (_every_batch(db, record) if full else [])
    if agreed is not None and not wanted:
        return []
    if wanted:
        failures: dict[str, LabelingAssetsError] = {}
        reports = _collected(wanted, collect, failures)
        _raise(failures)
        return reports
    return _sync_changed(db, ls, record, collect, warn)


def plan_project(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    *,
    batches: Iterable[str] = (),
    full: bool = False,
    progress: Progress = lambda _: None,
) -> list[BatchPlan]:
    """What `sync_project` would do now, for the same batches; writes nothing, not even how far it looked.

    Raises:
        DataError: the project was never made, is gone, or Label Studio was rebuilt.
    """
    record = _recorded(db, ls, project)
    wanted = list(batches) or (_every_batch(db, record) if full else sorted(_look(db, ls, record)[1].pending))
    return [plan_annotations(db, ls, project, batch=batch, full=full, progress=progress) for batch in wanted]


def _recorded(db: ApertureDB, ls: LabelStudio, project: Project) -> ProjectRecord:
    record = recorded_project(db, ls, project)
    if record is None:
        raise DataError(f"Project {project.slug!r} has no tasks in {ls.url} yet: import a batch first.")
    return record


def batches_of(db: ApertureDB, record: ProjectRecord) -> list[str]:
    """The batches that have tasks in a project of this Label Studio, by name; ApertureDB counts, no task is read."""
    live = record.live_tasks()
    return sorted(batch for (batch,) in count_by(db, names.TASK, live, by=["LS_batch"]))


def _every_batch(db: ApertureDB, record: ProjectRecord) -> list[str]:
    """Also those whose tasks are all withdrawn: a restored Label Studio has them again, with their old times."""
    return sorted({*batches_of(db, record), *load_states(db, record.key)})


def _sync_changed(
    db: ApertureDB,
    ls: LabelStudio,
    record: ProjectRecord,
    collect: Callable[[str], CollectReport],
    warn: Progress,
) -> list[CollectReport]:
    before, cursor = _look(db, ls, record)
    if cursor.config_changed:
        warn(config_warning(record))
    failures: dict[str, LabelingAssetsError] = {}
    reports = _collected(sorted(cursor.pending), collect, failures)
    cursor = replace(cursor, pending={batch: p for batch, p in cursor.pending.items() if batch in failures})
    if reports:
        stored = max((state.watermark for state in load_states(db, record.key).values()), default="")
        cursor = replace(cursor, stored=stored)
    if cursor != before:
        _save_cursor(db, record, cursor)
    _raise(failures)
    return reports


def _look(db: ApertureDB, ls: LabelStudio, record: ProjectRecord) -> tuple[Cursor, Cursor]:
    """What the last sync remembered, and the same after a look at Label Studio."""
    states = load_states(db, record.key)
    before = _load_cursor(db, record)
    unsynced = set(batches_of(db, record)) - states.keys()
    return before, observe(db, ls, record, states, cursor=before, unsynced=unsynced)


def _collected(
    batches: Iterable[str], collect: Callable[[str], CollectReport], failures: dict[str, LabelingAssetsError]
) -> list[CollectReport]:
    """The reports of the batches that worked; the errors of the others go into `failures`."""
    reports = []
    for batch in batches:
        try:
            reports.append(collect(batch))
        except LabelingAssetsError as error:
            failures[batch] = error
    return reports


def _raise(failures: Mapping[str, LabelingAssetsError]) -> None:
    """One error for all of them; transient if any is."""
    if not failures:
        return
    first = next((e for e in failures.values() if isinstance(e, TransientError)), next(iter(failures.values())))
    named = "\n".join(f"  - {batch}: {error}" for batch, error in failures.items())
    raise type(first)(f"{len(failures)} batches were not synced; the others were.\n{named}") from first


def _load_cursor(db: ApertureDB, record: ProjectRecord) -> Cursor:
    condition = equal(names.KEY, f"{record.key}|")
    found = db.find("FindEntity", condition, class_name=names.SYNC, properties=["LS_cursor"])
    return Cursor.load(found[0]["LS_cursor"] if found else None)


def _save_cursor(db: ApertureDB, record: ProjectRecord, cursor: Cursor) -> None:
    key = f"{record.key}|"  # no batch has an empty name
    properties = {names.KEY: key, "LS_cursor": cursor.dump()}
    condition = equal(names.KEY, key)
    db.one("AddEntity", {"class": names.SYNC, "properties": properties, "if_not_found": condition})
    db.one("UpdateEntity", {"with_class": names.SYNC, "constraints": condition, "properties": properties})
