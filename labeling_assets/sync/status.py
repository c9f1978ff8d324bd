"""How far every project and batch is, counted in ApertureDB; asks Label Studio nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, equal, missing, not_equal, present
from labeling_assets.clients.query import Query
from labeling_assets.projects import Project
from labeling_assets.sync.media_store import KINDS
from labeling_assets.sync.sync_project import batches_of
from labeling_assets.sync.watermark import load_states


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """Counts of one project and batch. `waiting` media have no task yet; `watermark` is empty before the first sync."""

    project: str
    batch: str
    media: int
    waiting: int
    tasks: int
    done: int
    annotations: int
    deleted: int
    quarantined: int
    watermark: str


def project_status(db: ApertureDB, projects: Sequence[Project]) -> list[BatchStatus]:
    """One line for each project and each batch that it wants or has tasks of."""
    batches = [
        str(row[names.KEY]) for row in db.find("FindEntity", None, class_name=names.BATCH, properties=[names.KEY])
    ]
    lines: list[BatchStatus] = []
    for project in projects:
        states = _states(db, project)
        wanted = {batch for batch in batches if project.wants(batch)} | set(batches_of(db, project.slug))
        lines += [_status(db, project, batch, *states.get(batch, ("", 0))) for batch in sorted(wanted)]
    return lines


def _states(db: ApertureDB, project: Project) -> dict[str, tuple[str, int]]:
    """Batch -> watermark and number of quarantined tasks."""
    found = db.find("FindEntity", equal(names.SLUG, project.slug), class_name=names.PROJECT, properties=[names.KEY])
    return {
        batch: (state.watermark, len(state.quarantined))
        for row in found
        for batch, state in load_states(db, str(row[names.KEY])).items()
    }


def _status(db: ApertureDB, project: Project, batch: str, watermark: str, quarantined: int) -> BatchStatus:
    here = all_of(equal("LS_project", project.slug), equal("LS_batch", batch))
    query = Query()
    source = query.reference()
    query.add("FindEntity", {"_ref": source, "with_class": names.BATCH, "constraints": equal(names.KEY, batch)})
    edge = {"ref": source, "connection_class": names.BATCH_MEDIA, "direction": "out"}
    count = {"results": {"count": True}}
    media = [query.add(f"Find{kind}", {"is_connected_to": edge, "blobs": False, **count}) for kind in KINDS]
    new = equal(project.state, "new")
    waiting = [
        query.add(f"Find{kind}", {"is_connected_to": edge, "constraints": new, "blobs": False, **count})
        for kind in KINDS
    ]
    tasks = [
        query.add("FindEntity", {"with_class": names.TASK, "constraints": all_of(here, condition), **count})
        for condition in (not_equal("LS_state", "withdrawn"), equal("LS_state", "done"))
    ]
    annotations = [
        query.add("FindEntity", {"with_class": names.ANNOTATION, "constraints": all_of(here, condition), **count})
        for condition in (missing("LS_deleted_at"), present("LS_deleted_at"))
    ]
    reply = db.run(query)
    return BatchStatus(
        project.slug,
        batch,
        media=sum(map(reply.count, media)),
        waiting=sum(map(reply.count, waiting)),
        tasks=reply.count(tasks[0]),
        done=reply.count(tasks[1]),
        annotations=reply.count(annotations[0]),
        deleted=reply.count(annotations[1]),
        quarantined=quarantined,
        watermark=watermark,
    )
