"""A mixed set of labels: two projects, two batches, two annotators, every form, and three syncs.

Label Studio is a list of snapshots here, what it shows at one time; each is synced by the functions that every sync
is made of. What a query must answer is worked out from the snapshots alone.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.projects import Project
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.collect.withdraw_tasks import withdraw_tasks
from labeling_assets.sync.collect.write_tasks import mark_task, task_state
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.lease import lease
from labeling_assets.sync.media_store import FACTS, media_by_guid
from labeling_assets.sync.shown_medium import picture_of
from labeling_assets.sync.stored_annotations import annotation_guid, old_versions, stored_for, task_change
from labeling_assets.sync.task_record import add_task, find_project
from labeling_assets.sync.write_annotation import AnnotationWriter, TaskContext
from labeling_assets_tests.sync.world import picture, write_files, write_project

ANNOTATORS: Final = {1: "ada@example.org", 2: "ben@example.org"}
ADA, BEN = ANNOTATORS
FPS: Final = 10
MADE: Final = "2026-03-02T06:00:00.000000Z"
FILES: Final = {
    "monday": {
        **{f"p{number}.png": picture(number) for number in range(8)},
        "v0.mp4": 50,  # frames
        "v1.mp4": 40,
        "talk.txt": "Ada saw Ben.",
    },
    "tuesday": {f"p{number}.png": picture(number) for number in (0, 8, 9, 10, 11)},
}

Item = dict[str, Any]
Annotation = dict[str, Any]
Task = tuple[str, str]  # project and file name
Snapshot = dict[Task, tuple[Annotation, ...]]


def film(frames: int) -> bytes:
    """An MP4 of 64 x 48 pixels with ten frames a second, other ones for each number."""
    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height = 64, 48
        for number in range(frames):
            shade = np.full((48, 64, 3), (number * 5 + frames) % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def _item(region: str, kind: str, labels: tuple[str, ...], value: Mapping[str, Any], control: str = "label") -> Item:
    size = {"original_width": 40, "original_height": 30, "image_rotation": 0}
    return {
        "id": region,
        "type": kind,
        "from_name": control,
        "to_name": "medium",
        "value": {**value, kind: [*labels]},
        **size,
    }


def box(region: str, *labels: str, rotation: float = 0) -> Item:
    """12 x 12 pixels; turned by 90 degrees it is as large."""
    value = {"x": 40, "y": 20, "width": 30, "height": 40, "rotation": rotation}
    return _item(region, "rectanglelabels", labels, value)


def polygon(region: str, *labels: str, points: int = 0) -> Item:
    """A triangle of 20 x 15 pixels, with more points on its left side if they are asked for."""
    left = [[10, 60 - 50 * (number + 1) / (points + 1)] for number in range(points)]
    return _item(
        region, "polygonlabels", labels, {"points": [[10, 10], [60, 10], [10, 60], *left], "closed": True}, "outline"
    )


def ellipse(region: str, *labels: str) -> Item:
    """8 x 6 pixels."""
    value = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 10, "rotation": 0}
    return _item(region, "ellipselabels", labels, value, "ellipse")


def mask(region: str, *labels: str) -> Item:
    """Two spots in a rectangle of 20 x 10 pixels."""
    import numpy as np
    from label_studio_sdk.converter.brush import encode_rle

    painted = np.zeros((30, 40, 4), np.uint8)
    painted[5:9, 10:14] = painted[11:15, 26:30] = 255
    return _item(region, "brushlabels", labels, {"format": "rle", "rle": encode_rle(painted.ravel())}, "brush")


def moment(region: str, label: str, first: int, last: int) -> Item:
    """Frames of a video, counted from 1, as Label Studio does."""
    value = {"ranges": [{"start": first, "end": last}]}
    return _item(region, "timelinelabels", (label,), value, "moment")


def track(region: str, label: str) -> Item:
    """A box that moves from the first frame to the twentieth."""
    place = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0}
    sequence = [
        {**place, "frame": 1, "time": 0.1, "enabled": True},
        {**place, "frame": 20, "time": 2, "enabled": False},
    ]
    value = {"sequence": sequence, "framesCount": 40, "duration": 4, "labels": [label]}
    return {"id": region, "type": "videorectangle", "from_name": "track", "to_name": "medium", "value": value}


def span(region: str, label: str, start: int, end: int) -> Item:
    """Characters of a text."""
    return _item(region, "labels", (label,), {"start": start, "end": end, "text": "Ada"}, "mention")


def choice(region: str, *chosen: str) -> Item:
    """About the whole medium."""
    return _item(region, "choices", chosen, {}, "weather")


def annotation(number: int, who: int, *items: Item, at: str = MADE, **values: Any) -> Annotation:
    """As Label Studio sends it; ids are unique in one server."""
    return {
        "id": number,
        "completed_by": who,
        "created_at": MADE,
        "updated_at": at,
        "was_cancelled": False,
        "ground_truth": False,
        "lead_time": 7.5,
        "result": [*items],
        **values,
    }


@dataclass(frozen=True)
class Sync:
    """What Label Studio shows, and the run that syncs it at a time."""

    run: str
    at: datetime
    shown: Snapshot


def _syncs() -> list[Sync]:
    street = {("street", f"p{number}.png"): () for number in (0, 1, 2, 3, 4, 5, 7, 8, 9, 10)}
    parking = {("parking", f"p{number}.png"): () for number in (0, 6)}
    empty: Snapshot = {
        **street,
        ("street", "v0.mp4"): (),
        ("street", "v1.mp4"): (),
        ("street", "talk.txt"): (),
        **parking,
    }
    first: Snapshot = {
        **empty,
        ("street", "p0.png"): (
            annotation(1, ADA, box("a", "pedestrian"), polygon("b", "scratch")),
            annotation(2, BEN, box("a", "pedestrian"), choice("c", "sunny", "dry")),
        ),
        ("street", "p1.png"): (
            annotation(3, ADA, box("a", "scratch", rotation=90), box("b", "car", "scratch"), choice("c", "scratch")),
            annotation(4, BEN, box("a", "pedestrian"), was_cancelled=True),
        ),
        ("street", "p2.png"): (annotation(5, ADA, box("a", "pedestrian")), annotation(6, BEN, polygon("a", "road"))),
        ("street", "p3.png"): (annotation(7, ADA, box("a", "pedestrian")),),
        ("street", "p5.png"): (annotation(8, BEN, box("a", "pedestrian")),),
        ("street", "p7.png"): (annotation(9, ADA, box("a", "pedestrian")),),
        ("street", "p8.png"): (
            annotation(10, ADA, box("a", "pedestrian"), ground_truth=True),
            annotation(11, BEN, polygon("a", "road", points=2000)),
        ),
        ("street", "p9.png"): (
            annotation(
                12,
                BEN,
                ellipse("a", "scratch"),
                mask("b", "scratch"),
                mask("c", "road"),
                box("d", "sign"),
                choice("d", "scratch"),
            ),
        ),
        ("street", "v0.mp4"): (annotation(13, ADA, moment("a", "goal", 1, 10), moment("b", "goal", 11, 50)),),
        ("street", "v1.mp4"): (
            annotation(14, ADA, moment("a", "foul", 1, 40), track("b", "player")),
            annotation(15, BEN, moment("a", "goal", 1, 40), was_cancelled=True),
        ),
        ("street", "talk.txt"): (annotation(16, ADA, span("a", "person", 0, 3), span("b", "person", 8, 11)),),
        ("parking", "p0.png"): (annotation(17, ADA, box("a", "scratch")), annotation(18, BEN, box("a", "pedestrian"))),
        ("parking", "p6.png"): (annotation(19, BEN, polygon("a", "pedestrian")),),
    }
    noon = "2026-03-02T12:30:00.000000Z"
    second: Snapshot = {
        **first,
        ("street", "p2.png"): (
            annotation(5, ADA, box("a", "car"), box("b", "scratch"), at=noon),
            annotation(6, BEN, polygon("a", "road"), polygon("b", "pedestrian"), at=noon),
        ),
        ("street", "p3.png"): (),
        ("street", "p5.png"): (),
        ("street", "p8.png"): (
            annotation(10, ADA, box("a", "pedestrian"), ground_truth=True),
            annotation(11, BEN, polygon("a", "road", points=2001), at=noon),
        ),
    }
    del second["street", "p7.png"]
    later = "2026-03-02T15:30:00.000000Z"
    third: Snapshot = {
        **second,
        ("street", "p2.png"): (
            annotation(5, ADA, box("a", "car"), at=later),
            annotation(6, BEN, polygon("a", "road"), polygon("b", "pedestrian"), at=noon),
        ),
        # Somebody undid the deletion in Label Studio's database.
        ("street", "p3.png"): (annotation(7, ADA, box("a", "scratch"), at=later),),
    }
    day = [datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (8, 10, 14, 16)]
    runs = ("tasks-1", "sync-1", "sync-2", "sync-3")
    return [Sync(*sync) for sync in zip(runs, day, (empty, first, second, third), strict=True)]


@dataclass
class Mixed:
    """The database, and what was put into it. `guids` are those of the files."""

    db: ApertureDB
    guids: dict[str, str]
    records: dict[str, ProjectRecord]
    syncs: list[Sync] = field(default_factory=_syncs)

    @property
    def now(self) -> Snapshot:
        """What Label Studio shows at last."""
        return self.syncs[-1].shown

    def key(self, project: str, annotation: Annotation) -> str:
        """The GUID of an annotation."""
        return annotation_guid(self.records[project], annotation)

    def current(self) -> Iterator[tuple[Task, Annotation, list[Item]]]:
        """Every region that stands, as its items, the form first: not those of skipped work."""
        for task, annotations in self.now.items():
            for one in annotations:
                regions: dict[str, list[Item]] = {}
                for item in () if one["was_cancelled"] else one["result"]:
                    regions.setdefault(item["id"], []).append(item)
                yield from ((task, one, items) for items in regions.values())

    def versions(self, project: str, file: str, number: int) -> list[tuple[Sync, Annotation | None]]:
        """Every version of an annotation and the sync that wrote it; None where it was deleted."""
        found: list[tuple[Sync, Annotation | None]] = []
        for sync in self.syncs:
            shown = sync.shown.get((project, file), ())
            there = next((one for one in shown if one["id"] == number), None)
            if (found or there is not None) and (not found or there != found[-1][1]):
                found.append((sync, there))
        return found


def batch_of(file: str) -> str:
    """The batch that a file's tasks are of."""
    return next(batch for batch, files in FILES.items() if file in files)


def build(db: ApertureDB, folder: Path) -> Mixed:
    """Import two batches, make the tasks, sync three times."""
    street = write_project(folder / "projects" / "street", yaml="media_types: [image, video, text]")
    parking = write_project(folder / "projects" / "parking")
    for batch, files in FILES.items():
        contents = {name: film(given) if isinstance(given, int) else given for name, given in files.items()}
        rows = read_rows(write_files(folder / "inbox" / batch, contents))
        ingest_media(db, rows, batch=batch, projects=[street, parking], run_id=f"media-{batch}")
    guids = {}
    for command in ("FindImage", "FindVideo", "FindBlob"):
        for found in db.find(command, equal("LS_role", "media"), properties=[names.GUID, "LS_source_uri"], blobs=False):
            guids[str(found["LS_source_uri"]).rpartition("/")[2]] = str(found[names.GUID])
    projects = {project.slug: project for project in (street, parking)}
    records = {slug: _record(db, slug, number) for number, slug in enumerate(projects, start=1)}
    mixed = Mixed(db, guids, records)
    for sync in mixed.syncs:
        for project in projects.values():
            _sync(mixed, project, sync)
    return mixed


def _record(db: ApertureDB, slug: str, number: int) -> ProjectRecord:
    key = f"server|{slug}"
    body = {"class": names.PROJECT, "properties": {names.KEY: key, names.SLUG: slug, "LS_instance": "server"}}
    db.one("AddEntity", body)
    return ProjectRecord(key, slug, "server", number, MADE, "a hash", f"http://ls.example.org/projects/{number}")


def _task_id(project: str, file: str) -> int:
    return sorted(name for files in FILES.values() for name in files).index(file) + (
        100 if project == "street" else 200
    )


def _sync(mixed: Mixed, project: Project, sync: Sync) -> None:
    db, record = mixed.db, mixed.records[project.slug]
    shown = {file: given for (slug, file), given in sync.shown.items() if slug == project.slug}
    media = media_by_guid(db, [mixed.guids[file] for file in shown], (*FACTS,))
    tasks = {_task_id(project.slug, file): (mixed.guids[file], given) for file, given in shown.items()}
    stored = stored_for(db, record, tasks)
    changes = {task: task_change(record, given, stored[task], task_id=task) for task, (_, given) in tasks.items()}
    old = old_versions(db, [known.guid for change in changes.values() for _, known in change.updated])
    query = Query()
    writer = AnnotationWriter(query, now=sync.at)
    reference = find_project(query, record)
    for file in shown:
        task_id, (medium,) = _task_id(project.slug, file), media[mixed.guids[file]]
        task, source = add_task(
            query,
            record,
            project=reference,
            task_id=task_id,
            created_at=MADE,
            batch=batch_of(file),
            medium=medium,
            run_id=sync.run,
        )
        context = TaskContext(record, batch_of(file), task_id, medium, source, task, ANNOTATORS, sync.run)
        for given in changes[task_id].created:
            writer.create(context, given, map_annotation(given["result"], picture_of(medium)))
        for given, known in changes[task_id].updated:
            mapped = map_annotation(given["result"], picture_of(medium))
            writer.update(context, given, mapped, stored=known, old=dict(old[known.guid]))
        for known in changes[task_id].removed:
            writer.bury(known, sync.run)
        mark_task(query, context, project.state, task_state(shown[file]))
    db.run(query)
    _withdraw(mixed, project, sync, set(tasks))


def _withdraw(mixed: Mixed, project: Project, sync: Sync, there: set[int]) -> None:
    db, record = mixed.db, mixed.records[project.slug]
    wanted = [names.LS_GUID, "LS_task_id", "LS_task_created_at", "LS_media_guid"]
    found = db.find("FindEntity", record.condition(), class_name=names.TASK, properties=wanted)
    gone = [row for row in found if row["LS_task_id"] not in there]
    with lease(db, record.sync_key("")) as held:
        withdraw_tasks(db, project, gone, shown=(), held=held, run_id=sync.run)
