"""How far every project and batch is, counted in ApertureDB; asks Label Studio nothing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import Condition, all_of, equal, missing, not_equal, present
from labeling_assets.clients.query import Query
from labeling_assets.projects import Project
from labeling_assets.sync.counts import Counts, add_counts, counts
from labeling_assets.sync.media_store import KINDS, chunks
from labeling_assets.sync.watermark import SyncState, load_all_states

_BATCHES_AT_ONCE: Final = 200  # in a query that counts batch by batch
_BY_BATCH: Final = ("LS_instance", "LS_batch")
_COUNT: Final = {"results": {"count": True}, "blobs": False}


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """Counts of one project and batch. `waiting` media have no task yet; `watermark` is empty before the first sync.

    `server` is the Label Studio that has the tasks, empty where there are none. A batch whose project was made on two
    servers has a line for each.
    """

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
    server: str = ""


def project_status(db: ApertureDB, projects: Sequence[Project]) -> list[BatchStatus]:
    """One line for each project and each batch that it wants or has tasks of.

    Costs a few queries for each project, whatever the number of batches; and one for each 200 batches in which media
    wait, or have no task of their own.
    """
    servers = {
        str(row[names.LS_GUID]): str(row["LS_url"])
        for row in db.find("FindEntity", None, class_name=names.INSTANCE, properties=[names.LS_GUID, "LS_url"])
    }
    media = _Media(db)
    found = [_Found.of(db, project, media) for project in projects]
    settled = {batch for one in found for batch in one.settled(media.rows)}
    media.count_exactly(batch for one in found for batch in one.batches(media.rows) if batch not in settled)
    states = load_all_states(db)
    return [line for one in found for line in one.lines(media, states, servers)]


@dataclass(slots=True)
class _Media:
    """Media by batch. `rows` is batch -> connections to media; a batch may have the same medium in several rows."""

    db: ApertureDB
    rows: dict[str, int] = field(init=False)
    _exact: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        batches = self.db.find("FindEntity", None, class_name=names.BATCH, properties=[names.KEY])
        self.rows = dict.fromkeys((str(row[names.KEY]) for row in batches), 0)
        answer = self.db.one("FindConnection", {"with_class": names.BATCH_MEDIA, "results": {"group": ["LS_batch"]}})
        for group in answer.get("groups") or ():
            self.rows[str(group["LS_batch"])] = int(group["_group_count"])

    def count_exactly(self, batches: Iterable[str]) -> None:
        """Count the media of these batches themselves, not their rows."""
        self._exact = self.counted(batches, None)

    def of(self, batch: str) -> int:
        return self._exact.get(batch, self.rows.get(batch, 0))

    def counted(self, batches: Iterable[str], condition: Condition | None) -> dict[str, int]:
        """Batch -> how many of its media match, each once."""
        found: dict[str, int] = {}
        asked = {"constraints": condition, **_COUNT} if condition else _COUNT
        for chunk in chunks(sorted(set(batches) & self.rows.keys()), _BATCHES_AT_ONCE):
            query, places = Query(), {}
            for batch in chunk:
                ref = query.reference()
                query.add(
                    "FindEntity", {"_ref": ref, "with_class": names.BATCH, "constraints": equal(names.KEY, batch)}
                )
                edge = {"ref": ref, "connection_class": names.BATCH_MEDIA, "direction": "out"}
                places[batch] = [query.add(f"Find{kind}", {"is_connected_to": edge, **asked}) for kind in KINDS]
            reply = self.db.run(query)
            found |= {batch: sum(map(reply.count, numbers)) for batch, numbers in places.items()}
        return found

    def batches_with(self, condition: Condition) -> set[str]:
        """The batches that have media which match."""
        query = Query()
        places = [query.add(f"Find{kind}", {"constraints": condition, **_COUNT}) for kind in KINDS]
        reply = self.db.run(query)
        kinds = [kind for kind, place in zip(KINDS, places, strict=True) if reply.count(place)]
        query, places = Query(), []
        for kind in kinds:
            ref = query.reference()
            query.add(f"Find{kind}", {"_ref": ref, "constraints": condition, "blobs": False})
            body = {"with_class": names.BATCH_MEDIA, "dst": ref, "results": {"group": ["LS_batch"]}}
            places.append(query.add("FindConnection", body))
        reply = self.db.run(query)
        return {batch for place in places for (batch,) in counts(reply, place, by=["LS_batch"])}


@dataclass(slots=True)
class _Found:
    """What ApertureDB counted for one project; keys are instance and batch."""

    project: Project
    waiting: dict[str, int]
    tasks: Counts
    done: Counts
    annotations: Counts
    deleted: Counts

    @classmethod
    def of(cls, db: ApertureDB, project: Project, media: _Media) -> "_Found":
        own = equal("LS_project", project.slug)
        query = Query()
        places = [
            add_counts(query, class_name, all_of(own, condition), by=_BY_BATCH)
            for class_name, condition in (
                (names.TASK, not_equal("LS_state", "withdrawn")),
                (names.TASK, equal("LS_state", "done")),
                (names.ANNOTATION, missing("LS_deleted_at")),
                (names.ANNOTATION, present("LS_deleted_at")),
            )
        ]
        reply = db.run(query)
        tasks, done, annotations, deleted = (counts(reply, place, by=_BY_BATCH) for place in places)
        new = equal(project.state, "new")
        return cls(project, media.counted(media.batches_with(new), new), tasks, done, annotations, deleted)

    def settled(self, rows: Mapping[str, int]) -> set[str]:
        """Batches with a task for each row; as a medium has one task, none of their media is in several rows."""
        return {batch for (_, batch), number in self.tasks.items() if rows.get(batch) == number}

    def batches(self, known: Collection[str]) -> set[str]:
        """Those of the known ones that the project wants, and those it has tasks of."""
        return {batch for batch in known if self.project.wants(batch)} | {batch for _, batch in self.tasks}

    def lines(
        self,
        media: _Media,
        states: Mapping[tuple[str, str, str], SyncState],
        servers: Mapping[str, str],
    ) -> list[BatchStatus]:
        here: dict[str, set[str]] = {}
        for instance, batch in [*self.tasks, *self.annotations, *self.deleted]:
            here.setdefault(batch, set()).add(instance)
        lines = []
        for batch in sorted(self.batches(media.rows)):
            for instance in sorted(here.get(batch, {""}), key=lambda one: servers.get(one, "")):
                state = states.get((instance, self.project.slug, batch))
                key = (instance, batch)
                lines.append(
                    BatchStatus(
                        self.project.slug,
                        batch,
                        media=media.of(batch),
                        waiting=self.waiting.get(batch, 0),
                        tasks=self.tasks.get(key, 0),
                        done=self.done.get(key, 0),
                        annotations=self.annotations.get(key, 0),
                        deleted=self.deleted.get(key, 0),
                        quarantined=len(state.quarantined) if state else 0,
                        watermark=state.watermark if state else "",
                        server=servers.get(instance, ""),
                    )
                )
        return lines
