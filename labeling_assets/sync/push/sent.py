"""What ApertureDB knows of annotations in Label Studio before a push: sent before, deleted there, never synced."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal, one_of
from labeling_assets.clients.label_studio_query import format_time
from labeling_assets.clients.label_studio_records import Task
from labeling_assets.clients.query import Query
from labeling_assets.identity import is_sent_for, labels_guid
from labeling_assets.mapping.annotation import content_hash
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.media_store import chunks
from labeling_assets.sync.push.plan import UNSYNCED, TaskPlan
from labeling_assets.sync.push.sources import Wanted
from labeling_assets.sync.stored_annotations import annotation_guid, annotations_by_guid, annotations_of_tasks

_PER_QUERY = 200
Pairs = Sequence[tuple[Task, Wanted]]


def unique_id(record: ProjectRecord, task: Task, one: Wanted) -> str:
    """The same for the same annotation in the same task; another task, also one with its id again, is another."""
    return labels_guid("pushed", record.key, int(task["id"]), str(task["created_at"]), one.key)


def sent_before(db: ApertureDB, record: ProjectRecord, wanted: Pairs) -> set[tuple[int, str]]:
    """Task id and key of those that an earlier push has sent, whether they are still there or not."""
    places = {unique_id(record, task, one): (int(task["id"]), one.key) for task, one in wanted}
    found = set()
    for chunk in chunks(places, 500):
        condition = one_of(names.LS_GUID, chunk)
        for row in db.find("FindEntity", condition, class_name=names.SENT, properties=[names.LS_GUID]):
            found.add(places[str(row[names.LS_GUID])])
    return found


def lost_originals(db: ApertureDB, record: ProjectRecord, wanted: Pairs) -> set[tuple[int, str]]:
    """Task id and key of copies whose original was in that task: ApertureDB has it, or had it."""
    copies = [(int(task["id"]), one) for task, one in wanted if one.import_id is not None]
    if not copies:
        return set()
    stored = annotations_of_tasks(db, record, {task_id for task_id, _ in copies})
    return {
        (task_id, one.key)
        for task_id, one in copies
        if any(is_sent_for(one.import_id, guid) for guid in stored.get(task_id, ()))
    }


def settle_edited(db: ApertureDB, record: ProjectRecord, plans: Iterable[TaskPlan]) -> None:
    """What a person changed may be replaced once ApertureDB has it: the next sync keeps it as an earlier version."""
    edited = [(plan, given, one) for plan in plans for given, one in plan.edited]
    stored = annotations_by_guid(db, [annotation_guid(record, given) for _, given, _ in edited])
    for plan, given, one in edited:
        known = stored.get(annotation_guid(record, given))
        if known is not None and not known.deleted and known.content_hash == content_hash(given):
            plan.replace.append((int(given["id"]), one))
        else:
            plan.leave(one, UNSYNCED)
        plan.edited.remove((given, one))


def note_sent(db: ApertureDB, record: ProjectRecord, there: Mapping[str, tuple[TaskPlan, Wanted]]) -> None:
    """Remember what is in Label Studio now, by its `unique_id`, so that it is not made again once it was deleted."""
    now = {"_date": format_time(datetime.now(UTC))}
    for chunk in chunks(there, _PER_QUERY):
        query = Query()
        for number in chunk:
            plan, one = there[number]
            properties = {
                names.LS_GUID: number,
                "LS_source_guid": one.key,
                "LS_project": record.slug,
                "LS_instance": record.instance,
                "LS_project_id": record.project_id,
                "LS_task_id": plan.task_id,
                "LS_media_guid": one.media_guid,
                "LS_sent_at": now,
            }
            found = equal(names.LS_GUID, number)
            query.add("AddEntity", {"class": names.SENT, "properties": properties, "if_not_found": found})
        db.run(query)
