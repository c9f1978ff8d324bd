"""A labeling project with its two systems, and the few moves that the tests of the sync are made of."""

import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Object, Reply
from labeling_assets.clients.constraints import Condition
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.query import Query
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import Project, load_project
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.labeling_project import ProjectRecord, recorded_project
from labeling_assets.sync.publish_tasks import publish_tasks
from labeling_assets.sync.report import CollectReport, IngestReport, PublishReport

LINKS: Final = MediaLinks("http://gateway.example.org", {"k1": "a secret of the tests"}, "k1")
_WRITING: Final = ("Add", "Update", "Delete", "Create", "Remove")
BOXES: Final = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="car"/><Label value="dog"/></RectangleLabels>
  <PolygonLabels name="outline" toName="image"><Label value="road"/></PolygonLabels>
  <TextArea name="note" toName="image"/>
</View>
"""


class WatchedDatabase(ApertureDB):
    """A connection that notes every writing command it sends."""

    def __init__(self, key: str, dialect: str = "auto") -> None:
        super().__init__(key, dialect=dialect)
        self.key = key
        self.writes: list[str] = []

    def run(self, query: Query) -> Reply:
        self.writes += [name for name, _ in query.commands if name.startswith(_WRITING)]
        return super().run(query)


def picture(number: int = 0, size: tuple[int, int] = (40, 30), form: str = "PNG", **options: Any) -> bytes:
    """A picture of one colour, another one for each number."""
    file = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256, 99)).save(file, form, **options)
    return file.getvalue()


def pictures(count: int, first: int = 0) -> dict[str, bytes]:
    """`count` different pictures, named a00.png, a01.png, ..."""
    return {f"a{number:02}.png": picture(number) for number in range(first, first + count)}


def box(region_id: str = "r1", label: str = "car", *, x: float = 10, rotation: float = 0) -> dict[str, Any]:
    """A rectangle of 30 x 40 percent."""
    value = {"x": x, "y": 20, "width": 30, "height": 40, "rotation": rotation, "rectanglelabels": [label]}
    return _item(region_id, "rectanglelabels", "label", value)


def outline(region_id: str = "p1") -> dict[str, Any]:
    """A triangle labelled road."""
    value = {"points": [[10, 10], [60, 10], [10, 60]], "closed": True, "polygonlabels": ["road"]}
    return _item(region_id, "polygonlabels", "outline", value)


def note(text: str) -> dict[str, Any]:
    """A text about the whole picture."""
    return {"id": "t1", "type": "textarea", "from_name": "note", "to_name": "image", "value": {"text": [text]}}


def _item(region_id: str, kind: str, control: str, value: dict[str, Any]) -> dict[str, Any]:
    size = {"original_width": 40, "original_height": 30, "image_rotation": 0}
    return {"id": region_id, "type": kind, "from_name": control, "to_name": "image", "value": value, **size}


def write_project(folder: Path, *, config: str = BOXES, yaml: str = "") -> Project:
    """A project's folder, as a person would write it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "label_config.xml").write_text(config)
    (folder / "project.yaml").write_text(yaml)
    return load_project(folder)


def write_files(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """Files in a folder that is made for them."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@dataclass
class Stock:
    """One project, one ApertureDB, one inbox."""

    db: WatchedDatabase
    project: Project
    inbox: Path

    def hand_in(self, files: Mapping[str, bytes | str], batch: str = "May", **options: Any) -> IngestReport:
        """Put files into the inbox and import the batch."""
        rows = read_rows(write_files(self.inbox / batch, files))
        return ingest_media(self.db, rows, batch=batch, projects=[self.project], **options)

    def stored(self, class_name: str, condition: Condition | None = None) -> list[Object]:
        """Every entity of a class with all its properties."""
        body: dict[str, Any] = {"with_class": class_name, "results": {"all_properties": True}}
        if condition is not None:
            body["constraints"] = condition
        return list(self.db.one("FindEntity", body).get("entities") or ())

    def media(self, *properties: str, command: str = "FindImage") -> list[Object]:
        """The media of one kind, in the order of their file names."""
        wanted = [*properties, "LS_source_uri"]
        body = {"results": {"list": wanted}, "blobs": False}
        found = self.db.one(command, body).get("entities") or ()
        return sorted(found, key=lambda row: str(row["LS_source_uri"]))


@dataclass
class World(Stock):
    """A project in Label Studio as well."""

    ls: LabelStudio

    def publish(self, batch: str = "May", ls: LabelStudio | None = None, **options: Any) -> PublishReport:
        options = {"sleep": lambda seconds: None, **options}
        return publish_tasks(self.db, ls or self.ls, self.project, batch=batch, links=LINKS, **options)

    def publish_twice_at_once(self) -> list[PublishReport]:
        """Two publishers of one batch, each with a connection of its own."""
        with WatchedDatabase(self.db.key) as other, ThreadPoolExecutor(2) as publishers:
            twin = World(other, self.project, self.inbox, self.ls)
            return [done.result() for done in [publishers.submit(each.publish) for each in (self, twin)]]

    def collect(self, batch: str = "May", **options: Any) -> CollectReport:
        return collect_annotations(self.db, self.ls, self.project, batch=batch, **options)

    def rewrite(self, *, config: str = BOXES, yaml: str = "") -> None:
        """Change the project's folder."""
        title = f"title: {self.project.title}\n"
        self.project = write_project(self.project.folder, config=config, yaml=title + yaml)

    @property
    def record(self) -> ProjectRecord:
        record = recorded_project(self.db, self.ls, self.project)
        assert record is not None
        return record

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks of the project as Label Studio has them, by id."""
        return list(self.ls.iterate_by_id(self.record.project_id))

    def task_ids(self) -> list[int]:
        return [int(task["id"]) for task in self.tasks()]

    def annotate(self, task_id: int, *result: Mapping[str, Any], **values: Any) -> dict[str, Any]:
        """Label a task through Label Studio's own API."""
        return self.ls.create_annotation(task_id, {"result": list(result), **values})

    def annotations(self) -> list[Object]:
        """Annotations in ApertureDB, tombstones included, by id."""
        return sorted(
            self.stored(names.ANNOTATION), key=lambda row: (row["LS_annotation_id"], row["LS_created_at"]["_date"])
        )

    def boxes(self, label: str) -> int:
        """How many boxes a plain search by native label finds."""
        body = {"with_label": label, "results": {"count": True}}
        return int(self.db.one("FindBoundingBox", body)["count"])
