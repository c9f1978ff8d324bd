"""Writes what makes tasks that were there already tasks of ours: in ApertureDB, then in their data, then the record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, any_of, equal, missing, one_of
from labeling_assets.clients.label_studio import LabelStudio, TaskRow
from labeling_assets.clients.label_studio_query import format_time
from labeling_assets.clients.query import Query
from labeling_assets.projects import Project
from labeling_assets.sync.adopt import project_adoption_report as found
from labeling_assets.sync.adopt.find_task_media import TaskMedium
from labeling_assets.sync.adopt.project_adoption_report import ProjectAdoption
from labeling_assets.sync.change_tasks import change_tasks
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import Lease
from labeling_assets.sync.media_store import KINDS, Medium
from labeling_assets.sync.task_record import add_task, find_project


@dataclass(frozen=True, slots=True)
class Adoption:
    """A task to adopt: its medium, its batch, the link as it is kept, and what of it is done already."""

    medium: TaskMedium
    batch: str
    source: str
    connected: bool
    recorded: bool

    @property
    def task(self) -> TaskRow:
        return self.medium.task

    @property
    def data(self) -> dict[str, Any]:
        """The data that the task gets: all keys that it has, and ours."""
        return {**self.task.data, names.GUID: self.medium.guid, "import_batch": self.batch}

    @property
    def differs(self) -> bool:
        return self.data != self.task.data

    @property
    def is_done(self) -> bool:
        return self.connected and self.recorded and self.medium.claim is None and not self.differs


def media_in_batch(db: ApertureDB, batch: str, guids: Sequence[str]) -> set[str]:
    """Those of the media that are in the batch."""
    query = Query()
    source = query.reference()
    query.add("FindEntity", {"_ref": source, "with_class": names.BATCH, "constraints": equal(names.KEY, batch)})
    edge = {"ref": source, "connection_class": names.BATCH_MEDIA, "direction": "out"}
    condition = one_of(names.GUID, guids)
    places = [
        query.add(
            f"Find{kind}",
            {"is_connected_to": edge, "constraints": condition, "results": {"list": [names.GUID]}, "blobs": False},
        )
        for kind in KINDS
    ]
    reply = db.run(query)
    return {str(row[names.GUID]) for place in places for row in reply.objects(place)}


class AdoptionWriter:
    """Writes tasks in an order that may end anywhere: a task names a medium only when that is there.

    A medium is marked as having a task before anything else, so that nobody makes a second one for it meanwhile.
    """

    def __init__(
        self,
        db: ApertureDB,
        ls: LabelStudio,
        project: Project,
        record: ProjectRecord,
        report: ProjectAdoption,
        *,
        held: Lease,
    ) -> None:
        self._db, self._ls, self._project, self._record = db, ls, project, record
        self._report, self._held = report, held

    def write(self, adoptions: Sequence[Adoption]) -> list[Adoption]:
        """Write these, fewer than 200; returns those that are adopted now."""
        if not adoptions:
            return []
        self._connect(adoptions)
        changed = self._change([adoption for adoption in adoptions if adoption.differs])
        done = [adoption for adoption in adoptions if not adoption.differs or adoption.task.id in changed]
        self._note([adoption for adoption in done if not adoption.recorded])
        return done

    def _connect(self, adoptions: Sequence[Adoption]) -> None:
        """Media get what a medium needs, their place in the batch, and the mark that they have a task."""
        query = Query()
        batches: dict[str, int] = {}
        for adoption in {(a.batch, a.medium.guid): a for a in reversed(adoptions)}.values():
            if adoption.batch not in batches:
                batches[adoption.batch] = _add_batch(query, adoption.batch)
            self._connect_one(query, adoption, batches[adoption.batch])
        self._held.run(self._db, query)

    def _connect_one(self, query: Query, adoption: Adoption, batch: int) -> None:
        medium = adoption.medium
        own = equal("_uniqueid", medium.unique) if medium.claim else equal(names.GUID, medium.guid)
        first = all_of(own, missing("LS_duplicate_of"))
        reference = query.reference()
        query.add(f"Find{medium.kind}", {"_ref": reference, "constraints": first, "blobs": False})
        if medium.claim is not None:
            query.add(f"Update{medium.kind}", {"ref": reference, "properties": medium.claim.properties})
        state = self._project.state
        unmarked = all_of(first, any_of(missing(state), one_of(state, ["new", "withdrawn"])))
        query.add(f"Update{medium.kind}", {"constraints": unmarked, "properties": {state: "open"}})
        if not adoption.connected:
            query.connect(
                names.BATCH_MEDIA,
                f"{adoption.batch}|{medium.guid}|{adoption.source}",
                source=batch,
                destination=reference,
                LS_batch=adoption.batch,
                LS_row=adoption.task.id,
                LS_source_uri=adoption.source,
            )

    def _change(self, adoptions: Sequence[Adoption]) -> set[int]:
        """Add the keys to the data in Label Studio; the ids of the tasks that have them now."""
        if not adoptions:
            return set()
        wanted = [(adoption.task, adoption.data) for adoption in adoptions]
        unchanged = change_tasks(self._ls, self._record.project_id, wanted)
        for task_id, why in unchanged.items():
            self._report.refuse(found.OVERTAKEN if why.overtaken else found.REFUSED, task_id, why.text)
        return {adoption.task.id for adoption in adoptions}.difference(unchanged)

    def _note(self, adoptions: Sequence[Adoption]) -> None:
        if not adoptions:
            return
        query = Query()
        project = find_project(query, self._record)
        for adoption in adoptions:
            add_task(
                query,
                self._record,
                project=project,
                task_id=adoption.task.id,
                created_at=format_time(adoption.task.created_at),
                batch=adoption.batch,
                medium=Medium(adoption.medium.guid, adoption.medium.kind, {}),
            )
        self._held.run(self._db, query)


def _add_batch(query: Query, batch: str) -> int:
    reference = query.reference()
    condition = equal(names.KEY, batch)
    body = {"_ref": reference, "class": names.BATCH, "properties": {names.KEY: batch}, "if_not_found": condition}
    query.add("AddEntity", body)
    return reference
