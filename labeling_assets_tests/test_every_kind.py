"""The example with a project for each type of media: labeled, synced, changed, synced again, and sent back."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import in_batch
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import load_project
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.labeling_project import recorded_project
from labeling_assets.sync.publish_tasks import publish_tasks
from labeling_assets.sync.push.push_labels import push_labels
from labeling_assets.sync.push.report import PushReport, PushRequest
from labeling_assets.sync.report import CollectReport

pytestmark = pytest.mark.label_studio

EXAMPLE = Path(__file__).parent.parent / "examples" / "every_kind"
PROJECTS = sorted(path.name for path in (EXAMPLE / "projects").iterdir())
LINKS = MediaLinks("http://gateway.example.org", {"k1": "a secret of the tests"}, "k1")


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApertureDB]:
    with LocalServer(tmp_path_factory.mktemp("aperturedb"), port=0) as server, ApertureDB(server.key) as db:
        yield db


class Example:
    """One project of the example and what is done to it."""

    def __init__(self, db: ApertureDB, ls: LabelStudio, name: str) -> None:
        self.db, self.ls, self.name = db, ls, name
        self.project = load_project(EXAMPLE / "projects" / name)
        self.fresh = self.project.model_copy(
            update={"slug": f"{name}_again", "title": f"Every kind, {name}, again", "batches": (name,)}
        )
        self.labels: Mapping[str, Mapping[str, Any]] = json.loads(
            (EXAMPLE / "annotations" / f"{name}.json").read_text()
        )

    def publish(self) -> None:
        rows = read_rows(EXAMPLE / "media" / self.name)
        report = ingest_media(self.db, rows, batch=self.name, projects=[self.project])
        assert report.failed == []
        assert len(report.guids) == len(self.labels)
        publish_tasks(self.db, self.ls, self.project, batch=self.name, links=LINKS)

    @property
    def project_id(self) -> int:
        record = recorded_project(self.db, self.ls, self.project)
        assert record is not None
        return record.project_id

    def tasks(self) -> dict[str, Mapping[str, Any]]:
        """File name -> task."""
        files = self.files()
        tasks = self.ls.iterate_by_id(self.project_id, [in_batch(self.name)])
        return {files[task["data"]["guid"]]: task for task in tasks}

    def files(self) -> dict[str, str]:
        """GUID -> file name, as the batch has them in ApertureDB."""
        found: dict[str, str] = {}
        for command in ("FindImage", "FindVideo", "FindBlob"):
            for row in self.db.find(command, None, properties=("guid", "LS_source_uri")):
                found[str(row["guid"])] = Path(str(row["LS_source_uri"])).name
        return found

    def annotate(self) -> None:
        for file, task in self.tasks().items():
            self.ls.create_annotation(task["id"], {"result": self.labels[file]["first"], "lead_time": 3.5})

    def change(self) -> None:
        for file, task in self.tasks().items():
            (annotation,) = task["annotations"]
            self.ls.update_annotation(annotation["id"], {"result": self.labels[file]["changed"]})

    def push(self) -> PushReport:
        """To a project that has only tasks."""
        publish_tasks(self.db, self.ls, self.fresh, batch=self.name, links=LINKS)
        return self.push_again()

    def push_again(self) -> PushReport:
        request = PushRequest(
            target="predictions", source="annotations", from_project=self.name, model_version="people"
        )
        return push_labels(self.db, self.ls, self.fresh, request)

    def predicted(self) -> dict[str, list[Any]]:
        """File name -> results of the predictions in the fresh project."""
        files = self.files()
        record = recorded_project(self.db, self.ls, self.fresh)
        assert record is not None
        tasks = self.ls.tasks_to_push_to(record.project_id, files)
        return {files[task["data"]["guid"]]: [it["result"] for it in task["predictions"]] for task in tasks}

    def sync(self) -> CollectReport:
        return collect_annotations(self.db, self.ls, self.project, batch=self.name)

    def stored(self) -> dict[str, list[Any]]:
        """File name -> results of its annotations in ApertureDB."""
        files = self.files()
        wanted = ("LS_data", "LS_media_guid")
        rows = self.db.find("FindEntity", equal("LS_project", self.name), class_name="LS_annotation", properties=wanted)
        return {files[str(row["LS_media_guid"])]: json.loads(str(row["LS_data"]))["result"] for row in rows}


@pytest.fixture(scope="module")
def label_studio(label_studio_server: LabelStudioServer, label_studio_key: str) -> Iterator[LabelStudio]:
    with LabelStudio(label_studio_server.url, label_studio_key) as label_studio:
        yield label_studio


@pytest.fixture(scope="module")
def examples(db: ApertureDB, label_studio: LabelStudio) -> Iterator[dict[str, Example]]:
    """All projects, labeled in Label Studio and not synced yet."""
    made = {name: Example(db, label_studio, name) for name in PROJECTS}
    for example in made.values():
        example.publish()
        example.annotate()
    yield made
    for project in label_studio.projects("Every kind, "):
        label_studio.delete_project(project.id)


@pytest.mark.parametrize("name", PROJECTS)
def test_labels_of_every_kind_come_and_change(examples: dict[str, Example], name: str) -> None:
    example = examples[name]
    first = example.sync()
    assert first.problems == []
    assert first.raw_kinds == {}
    assert example.stored() == {file: labels["first"] for file, labels in example.labels.items()}

    example.change()
    second = example.sync()
    assert (second.updated, second.created, second.problems) == (len(example.labels), 0, [])
    assert example.stored() == {file: labels["changed"] for file, labels in example.labels.items()}
    assert example.sync().idle


@pytest.mark.parametrize("name", PROJECTS)
def test_labels_go_back_as_predictions(examples: dict[str, Example], name: str) -> None:
    example = examples[name]
    example.sync()
    pushed = example.push()
    assert (pushed.refused, pushed.created) == (0, len(example.labels))
    assert example.predicted() == {file: [result] for file, result in example.stored().items()}

    again = example.push_again()
    assert (again.created, again.replaced, again.unchanged) == (0, 0, len(example.labels))
