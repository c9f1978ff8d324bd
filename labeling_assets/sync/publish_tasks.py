"""Tasks in Label Studio: exactly one for each medium and labeling project, however often this runs or is killed."""

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal, one_of
from labeling_assets.clients.label_studio import LabelStudio, MaybeDoneError, TaskRow
from labeling_assets.clients.label_studio_query import format_time, id_between
from labeling_assets.clients.label_studio_records import ROW_FIELDS
from labeling_assets.clients.query import Query
from labeling_assets.errors import InputError, TransientError
from labeling_assets.mapping.frame_rate import FrameRates
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import Project
from labeling_assets.sync.adopt_listed_tasks import adopt_listed_tasks
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.labeling_project import ProjectRecord, ensure_project, project_key
from labeling_assets.sync.lease import PUBLISHING, Lease, lease
from labeling_assets.sync.link_rules import refuse_retired_key
from labeling_assets.sync.media_store import STORED_AT, Medium, chunks, media_condition, media_of_batch
from labeling_assets.sync.report import Note, Progress, PublishReport
from labeling_assets.sync.resolve_tasks import claimed_guid
from labeling_assets.sync.task_data import TaskData, data_sources, needed_properties
from labeling_assets.sync.task_record import add_task, find_project, task_guid

# Seconds for 500, 1,000, 2,000 tasks: 0.16, 0.22, 0.49. More at once gains nothing and is done again after a failure.
CHUNK: Final = 1000
# Label Studio refuses 250 MB.
_CHUNK_CHARACTERS: Final = 30_000_000
# Below the life of a lease; 500 tasks take a second, and after a longer silence they are looked for.
_ANSWER_S: Final = 60.0
_FIRST_LOOK_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 30.0


def publish_tasks(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    *,
    batch: str,
    links: MediaLinks,
    run_id: str = "",
    progress: Progress = lambda _: None,
    settle_s: float = 600.0,
    sleep: Callable[[float], None] = time.sleep,
) -> PublishReport:
    """Make the tasks of a batch that do not exist yet and record them in ApertureDB.

    The whole batch is validated before the first task is sent: media that cannot become tasks are in `failed`,
    the others go on. An import that gave no answer is waited for, up to `settle_s` seconds.

    Raises:
        ConfigurationError: label configuration, `data` mapping, or a retired key that signs links; nothing was sent.
        DataError: Label Studio is not the server it was.
        TransientError: a service went away or another process publishes; running again completes the batch.
    """
    started, requests = time.monotonic(), ls.request_count
    prepare_database(db, (project.state,))
    report = PublishReport(project.slug, batch)
    config = LabelConfig.parse(project.label_config())
    sources = data_sources(project, config)
    links = links.for_project(project.slug)
    refuse_retired_key(db, links)
    data = TaskData(sources, links, lambda medium: read_bytes(db, medium))
    # One importer a project: Label Studio serializes them anyway, and two could make one task, or the project, twice.
    # No batch has a name that begins with a slash. The wait outlasts the lease of one that was killed in an import.
    with lease(db, f"{project_key(db, ls, project)}|{PUBLISHING}", wait_s=130) as held:
        record = ensure_project(db, ls, project)
        report.project_id, report.project_url = record.project_id, record.url
        publisher = _Publisher(
            db,
            ls,
            record,
            report,
            held=held,
            batch=batch,
            run_id=run_id,
            state=project.state,
            settle_s=settle_s,
            sleep=sleep,
        )
        pending, states = _media(db, project, batch, data, report)
        done = {guid for guid, state in states.items() if state != "withdrawn"}
        waiting = {*states, *(medium.guid for medium, _ in pending)} - done
        listed = adopt_listed_tasks(db, ls, record, batch=batch, waiting=waiting, done=done, held=held)
        report.warnings += listed.notes
        pending = [(medium, values) for medium, values in pending if medium.guid not in listed.left]
        report.warnings += _other_frame_rates(pending, config)
        publisher.publish(list(_chunked(pending)), progress)
    report.task_guids = sorted(_task_guids(db, record, batch))
    report.requests = ls.request_count - requests
    report.seconds = time.monotonic() - started
    return report


def read_bytes(db: ApertureDB, medium: Medium) -> bytes:
    """The bytes of a medium.

    Raises:
        InputError: ApertureDB does not hold it any more, or holds only where its bytes are.
    """
    query = Query()
    condition = media_condition(medium.kind, equal(names.GUID, medium.guid))
    listed = {"results": {"list": [STORED_AT]}, "blobs": True, "limit": 1}
    place = query.add(f"Find{medium.kind}", {"constraints": condition, **listed})
    reply = db.run(query)
    if not reply.blobs:
        raise InputError(f"ApertureDB holds no medium {medium.guid} any more.")
    if reply.objects(place)[0].get(STORED_AT) is not None:
        raise InputError(
            'its bytes are not in ApertureDB, so they cannot stand in a task: show it by its link (valueType="url").'
        )
    return reply.blobs[0]


Pending = tuple[Medium, dict[str, Any]]


def _media(
    db: ApertureDB, project: Project, batch: str, data: TaskData, report: PublishReport
) -> tuple[list[Pending], dict[str, str]]:
    """Media of the batch that never had a task in this project, with the data of their tasks; states of the others."""
    pending: list[Pending] = []
    states: dict[str, str] = {}
    for medium in media_of_batch(db, batch, properties=needed_properties(data, project.state)):
        if medium.properties.get("LS_media_type") not in project.taken_types:
            continue
        report.media += 1
        if medium.properties.get("LS_duplicate_of"):
            report.failed.append(Note(medium.guid, f"a duplicate of {medium.properties['LS_duplicate_of']}; no task"))
        elif medium.properties.get(project.state) not in (None, "new"):
            report.known += 1
            states[medium.guid] = str(medium.properties[project.state])
        else:
            try:
                pending.append((medium, data.build(medium, batch)))
            except InputError as error:
                report.failed.append(Note(medium.guid, str(error)))
    return pending, states


def _chunked(pending: Iterable[Pending]) -> Iterator[list[Pending]]:
    """What goes into one call."""
    chunk: list[Pending] = []
    characters = 0
    for medium, data in pending:
        chunk.append((medium, data))
        characters += len(json.dumps(data))
        if len(chunk) == CHUNK or characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _other_frame_rates(pending: Iterable[Pending], config: LabelConfig) -> Iterator[Note]:
    """Videos in which annotators will see other numbers of frames than the file has."""
    for medium, data in pending:
        fps = float(medium.properties.get("LS_fps") or 0)
        for tag, rate in config.frame_rates(data).items() if fps else ():
            if not FrameRates(rate, fps, None).is_same:
                text = f"the Video tag {tag!r} counts {rate:g} frames a second, the file has {fps:g}: annotators see "
                advice = 'other numbers of frames. Write frameRate="$fps" into the tag and data: {fps: column:LS_fps}'
                yield Note(medium.guid, f"{text}{advice}")


def _task_guids(db: ApertureDB, record: ProjectRecord, batch: str) -> list[str]:
    condition = record.condition(equal("LS_batch", batch))
    found = db.find("FindEntity", condition, class_name=names.TASK, properties=["LS_media_guid"])
    return [str(task["LS_media_guid"]) for task in found]


class _Publisher:
    """Looks once what exists; then one chunk at a time: sends the rest, records all of it while the next one is sent.

    It is `alone` as long as nothing else makes tasks: then no chunk has to be looked for again. That there are as many
    tasks as ApertureDB knows says nothing: a killed run may have made as many as a person deleted since.
    """

    def __init__(
        self,
        db: ApertureDB,
        ls: LabelStudio,
        record: ProjectRecord,
        report: PublishReport,
        *,
        held: Lease,
        batch: str,
        run_id: str,
        state: str,
        settle_s: float,
        sleep: Callable[[float], None],
    ) -> None:
        self._db, self._ls, self._record, self._report = db, ls, record, report
        self._held, self._batch, self._run_id, self._state = held, batch, run_id, state
        self._settle_s, self._sleep = settle_s, sleep
        self._alone = True
        self._last = 0
        self._before: dict[str, TaskRow] = {}

    def publish(self, chunks: Sequence[Sequence[Pending]], progress: Progress) -> None:
        if not chunks:
            return
        # First the highest id, then the look: a task that comes between them has a higher one.
        total, self._last = self._ls.newest_task(self._record.project_id)
        self._before = _oldest(self._found([medium.guid for chunk in chunks for medium, _ in chunk])) if total else {}
        with ThreadPoolExecutor(1, thread_name_prefix="record-tasks") as recorder:
            recorded: Future[None] | None = None
            for number, chunk in enumerate(chunks, start=1):
                rows = self._make(chunk)
                if recorded is not None:
                    recorded.result()
                # The lease stays firm while the next import is under way. Only the writing goes on beside it: Label
                # Studio takes longer for two requests at once than for one after the other.
                media, firm = [medium for medium, _ in chunk], number < len(chunks)
                recorded = recorder.submit(self._write, media, rows, firm=firm)
                progress(f"{self._report.created + self._report.adopted} of {sum(map(len, chunks))} tasks")
            if recorded is not None:
                recorded.result()
        if self._alone and self._ls.count_tasks(self._record.project_id) != total + self._report.created:
            self._remove_twins([medium.guid for chunk in chunks for medium, _ in chunk])

    def _make(self, chunk: Sequence[Pending]) -> dict[str, TaskRow]:
        """The task of every medium of a chunk, made if there was none."""
        guids = [medium.guid for medium, _ in chunk]
        existing = self._before if self._alone else _oldest(self._found(guids))
        existing = {guid: existing[guid] for guid in guids if guid in existing}
        absent = [(medium, data) for medium, data in chunk if medium.guid not in existing]
        made = self._import([data for _, data in absent]) if absent else []
        rows = {**existing, **self._made(made, {medium.guid for medium, _ in absent})}
        if len(rows) < len(chunk):
            self._alone = False
            rows = self._sorted_out(guids, made)
        lost = [guid for guid in guids if guid not in rows]
        if lost:
            raise TransientError(
                f"Label Studio accepted {len(absent)} tasks but shows none for {lost[0]} and {len(lost) - 1} others. "
                "Run the tasks of this batch again."
            )
        self._report.created += len(absent)
        self._report.adopted += len(existing)
        return rows

    def _made(self, made: Sequence[int], guids: Set[str]) -> dict[str, TaskRow]:
        """What was just made, if nothing else came meanwhile: else a killed import may have gone on and made twins."""
        if not self._alone or not made:
            return {}
        since = [id_between(self._last + 1, max(made))]
        self._last = max(made)
        listed = self._ls.iterate_by_id(
            self._record.project_id, since, page_size=2 * CHUNK, include=ROW_FIELDS, fields=None
        )
        rows = [TaskRow.from_json(task) for task in listed]
        found = {row.guid: row for row in rows if row.guid is not None}
        return found if len(rows) == len(made) and found.keys() == guids else {}

    def _sorted_out(self, guids: Sequence[str], made: Sequence[int]) -> dict[str, TaskRow]:
        """The oldest task of each medium; of what was just made, later ones go."""
        found = self._found(guids)
        rows = _oldest(found)
        self._delete({row.id for row in found}.intersection(made) - {row.id for row in rows.values()})
        return rows

    def _remove_twins(self, guids: Sequence[str]) -> None:
        """Somebody made or deleted tasks meanwhile: perhaps a killed import went on, after the last look."""
        known = self._record.live_tasks(equal("LS_batch", self._batch))
        rows = self._db.find("FindEntity", known, class_name=names.TASK, properties=["LS_task_id"])
        recorded = {int(row["LS_task_id"]) for row in rows}
        found = self._found(guids)
        double = {guid for guid, count in Counter(row.guid for row in found).items() if count > 1}
        self._delete({row.id for row in found if row.guid in double} - recorded)

    def _found(self, guids: Sequence[str]) -> list[TaskRow]:
        """The tasks of these media.

        Not those whose data somebody changed: they contradict themselves or were made for other media, and a sync puts
        them into quarantine.
        """
        named = self._ls.tasks_by_guid(self._record.project_id, guids, views_allowed=True)
        rows = [row for row in named if claimed_guid(row.data)[1] is None]
        keys = {task_guid(self._record, row.id, format_time(row.created_at)): row for row in rows}
        for some in chunks(keys, 500):
            wanted = [names.LS_GUID, "LS_media_guid"]
            for known in self._db.find(
                "FindEntity", one_of(names.LS_GUID, some), class_name=names.TASK, properties=wanted
            ):
                key = str(known[names.LS_GUID])
                if known["LS_media_guid"] != keys[key].guid:
                    rows.remove(keys[key])
        return rows

    def _import(self, tasks: list[dict[str, Any]]) -> list[int]:
        """The ids of the tasks that were made; none if the answer was lost.

        The server works on after a lost answer, and shows nothing until it commits: to send the tasks again
        meanwhile would make them twice.
        """
        self._held.run(self._db, Query(), firm=True)
        body = [{"data": data} for data in tasks]
        try:
            return self._ls.import_tasks(self._record.project_id, body, timeout_s=_ANSWER_S)
        except MaybeDoneError as error:
            arrived = False
            try:
                arrived = self._wait_for([str(data["guid"]) for data in tasks])
            finally:
                if not arrived:
                    self._held.leave_to_expire(self._db)
            if not arrived:
                raise TransientError(
                    f"Label Studio gave no answer to an import of {len(tasks)} tasks, and they are not there after "
                    f"{self._settle_s:g} s. Run the tasks of this batch again: those that exist will be found."
                ) from error
            return []

    def _wait_for(self, guids: Sequence[str]) -> bool:
        """Whether every GUID got a task in time. The lease is renewed meanwhile."""
        waited, pause = 0.0, _FIRST_LOOK_S
        while set(guids) - _oldest(self._found(guids)).keys():
            if waited >= self._settle_s:
                return False
            self._sleep(pause)
            self._held.run(self._db, Query(), firm=True)
            waited, pause = waited + pause, min(2 * pause, _LONGEST_PAUSE_S)
        return True

    def _delete(self, twins: Collection[int]) -> None:
        """Undo what an import just made for media that a killed one, still going on, gave tasks first."""
        for task in self._ls.tasks_by_id(self._record.project_id, twins):
            if not task.get("annotations"):
                self._ls.delete_task(int(task["id"]))

    def _write(self, media: Sequence[Medium], rows: dict[str, TaskRow], *, firm: bool) -> None:
        query = Query()
        project = find_project(query, self._record)
        of_kind: dict[str, list[str]] = {}
        for medium in media:
            row = rows[medium.guid]
            add_task(
                query,
                self._record,
                project=project,
                task_id=row.id,
                created_at=format_time(row.created_at),
                batch=row.import_batch or self._batch,
                medium=medium,
                run_id=self._run_id,
            )
            of_kind.setdefault(medium.kind, []).append(medium.guid)
        for kind, guids in of_kind.items():  # a command for each medium takes a tenth longer
            condition = media_condition(kind, one_of(names.GUID, guids))
            query.add(f"Update{kind}", {"constraints": condition, "properties": {self._state: "open"}})
        self._held.run(self._db, query, firm=firm)


def _oldest(found: Iterable[TaskRow]) -> dict[str, TaskRow]:
    """The task of each GUID, the oldest if there are several; the one-task check names the others."""
    rows: dict[str, TaskRow] = {}
    for row in found:
        if row.guid is not None:
            rows.setdefault(row.guid, row)
    return rows
