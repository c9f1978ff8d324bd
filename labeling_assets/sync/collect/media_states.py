"""How far a medium is in a project: it follows from all its tasks, of which people may make several."""

from collections.abc import Iterable
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal, one_of
from labeling_assets.clients.query import Query
from labeling_assets.projects import Project
from labeling_assets.sync.labeling_project import OF_PROJECT, ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.media_store import chunks, media_by_guid

_FURTHEST_FIRST: Final = ("done", "skipped", "open", "withdrawn")


def media_of_tasks(db: ApertureDB, record: ProjectRecord, batch: str) -> list[str]:
    """GUIDs of the media that have, or had, a task in this batch."""
    condition = record.condition(equal("LS_batch", batch))
    rows = db.find("FindEntity", condition, class_name=names.TASK, properties=["LS_media_guid"])
    return [str(row["LS_media_guid"]) for row in rows]


def settle_media_states(
    db: ApertureDB, project: Project, record: ProjectRecord, guids: Iterable[str], *, held: Lease
) -> int:
    """Let media be as far as the furthest of their tasks; returns how many were not. Writes nothing if none was."""
    settled = 0
    for some in chunks(guids, 500):
        condition, wanted = one_of("LS_media_guid", some), ["LS_media_guid", "LS_state", *OF_PROJECT]
        states: dict[str, set[str]] = {}
        for row in filter(record.has, db.find("FindEntity", condition, class_name=names.TASK, properties=wanted)):
            states.setdefault(str(row["LS_media_guid"]), set()).add(str(row["LS_state"]))
        query = Query()
        for guid, media in media_by_guid(db, states, (names.GUID, project.state)).items():
            state = next((state for state in _FURTHEST_FIRST if state in states[guid]), None)
            for medium in media:
                if state is not None and medium.properties.get(project.state) != state:
                    body = {"constraints": equal(names.GUID, guid), "properties": {project.state: state}}
                    query.add(f"Update{medium.kind}", body)
        if query.commands:
            settled += len(query.commands)
            held.run(db, query)
    return settled
