"""A database that is filled from Label Studio once, beside one that has seen everything happen."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.query import Query
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.sync_project import sync_project
from labeling_assets_tests.faults.contents import Contents, objects_as_text
from labeling_assets_tests.sync.world import WatchedDatabase, World

_FORMS: Final = ("FindBoundingBox", "FindPolygon")
_EDGES: Final = (names.ANNOTATION_REGION, names.REGION_LABEL, names.REGION_MEDIA, names.REGION_RELATION)
# Saving without a change moves the time of an annotation in Label Studio, and makes no version.
_TIMES: Final = ("LS_updated_at",)


@contextmanager
def fresh_database(world: World, folder: Path, batches: Sequence[str]) -> Iterator[World]:
    """The same media and project in an empty database; what people did comes with one sync."""
    with LocalServer(folder) as server, WatchedDatabase(server.key) as db:
        prepare_database(db)
        query = Query()
        for class_name in (names.INSTANCE, names.PROJECT):
            for row in world.stored(class_name):
                properties = {key: value for key, value in row.items() if value is not None and key != "_uniqueid"}
                query.add("AddEntity", {"class": class_name, "properties": properties})
        db.run(query)
        fresh = replace(world, db=db)
        for batch in batches:
            fresh.hand_in({}, batch=batch)
        sync_project(db, world.ls, world.project, batches=batches, full=True)
        yield fresh


def current_work(world: World) -> Contents:
    """What a user finds of what is current: no earlier versions, no tombstones, nothing about syncs."""
    db = world.db
    found = {command: objects_as_text(db, command, without=_TIMES) for command in _FORMS}
    found[names.REGION] = objects_as_text(db, "FindEntity", {"with_class": names.REGION}, without=_TIMES)
    found |= {name: objects_as_text(db, "FindConnection", {"with_class": name}) for name in _EDGES}
    wanted = (names.LS_GUID, "LS_content_hash", "LS_media_guid", "LS_task_id", "LS_batch", "LS_annotator", "LS_source")
    alive = [row for row in world.stored(names.ANNOTATION) if row.get("LS_deleted_at") is None]
    found["annotations"] = Counter(str(_of(row, wanted)) for row in alive)
    tasks = [row for row in world.stored(names.TASK) if row["LS_state"] != "withdrawn"]
    found["tasks"] = Counter(str(_of(row, (names.LS_GUID, "LS_state", "LS_batch", "LS_media_guid"))) for row in tasks)
    # Of a medium whose tasks were deleted a fresh database cannot know that it ever had one.
    media = world.media(names.GUID, world.project.state)
    states = {str(row[names.GUID]): str(row[world.project.state]) for row in media}
    found["media"] = Counter(f"{guid}: {'new' if state == 'withdrawn' else state}" for guid, state in states.items())
    return found


def _of(row: dict[str, Any], wanted: Sequence[str]) -> list[Any]:
    return [row.get(name) for name in wanted]
