"""What ApertureData's own Label Studio storage wrote, with each of its defects, becomes ours."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from labeling_assets import names
from labeling_assets.cli import main
from labeling_assets.clients.aperturedb import Object
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError, InputError, RefusedError, TransientError
from labeling_assets.identity import content_guid, labels_guid, sha256_of
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.projects import Project
from labeling_assets.sync.adopt import adoption_report as found
from labeling_assets.sync.adopt.adopt_storage import adopt_storage
from labeling_assets.sync.adopt.adoption_report import AdoptionReport
from labeling_assets.sync.adopt.storage_annotations import read_storage_annotations
from labeling_assets.sync.build_dataset import build_dataset
from labeling_assets.sync.status import project_status
from labeling_assets.sync.stored_annotations import annotation_in
from labeling_assets.sync.verify import verify_annotations
from labeling_assets_tests.faults.contents import contents, expire_leases
from labeling_assets_tests.faults.killing_proxy import killing_proxy
from labeling_assets_tests.sync.label_studio_fork import LabelStudioFork
from labeling_assets_tests.sync.world import WatchedDatabase, World, box, note, outline, picture, write_project

ADOPTED = 8  # annotations of `mixed` that can be adopted


@dataclass
class Mixed:
    """A database that the storage filled; `data` is LS_data by LS_id, `images` and `boxes` are `_uniqueid`s by name."""

    db: WatchedDatabase
    fork: LabelStudioFork
    project: Project
    data: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, str] = field(default_factory=dict)

    def adopt(self, **options: Any) -> AdoptionReport:
        return adopt_storage(self.db, self.project, **options)

    def annotation(self, number: int) -> Object:
        body = {"with_class": names.ANNOTATION, "constraints": equal("LS_id", str(number))}
        (row,) = self.db.one("FindEntity", {**body, "results": {"all_properties": True}})["entities"]
        return dict(row)

    def labelled(self, label: str) -> list[Object]:
        """What a plain search by native label finds."""
        body = {"with_label": label, "coordinates": True, "uniqueids": True, "results": {"all_properties": True}}
        return list(self.db.one("FindBoundingBox", body).get("entities") or ())


def fill(db: WatchedDatabase, project: Project) -> Mixed:
    fork = LabelStudioFork(db)
    mixed = Mixed(db, fork, project)
    images, data, boxes = mixed.images, mixed.data, mixed.boxes
    for number, name in enumerate(
        ["plain", "stale", "model", "moved", "shapes", "skipped", "alone", "broken", "other"]
    ):
        images[name] = fork.add_image(number)
    images["named"] = fork.add_image(20, guid="mine-1")
    images["bad"] = fork.add_image(21, guid="not a guid")
    data["1"] = fork.save(1, images["plain"], box("r1"), box("r2", "dog", x=50))
    fork.save(2, images["stale"], box("r3"), box("r4", "dog", x=50))
    data["2"] = fork.save(2, images["stale"], box("r3"))
    boxes["model"] = fork.add_model_box(images["model"], "dog", confidence=0.9)
    data["3"] = fork.save(3, images["model"], box(boxes["model"], "car"))
    data["4"] = fork.save(4, images["moved"], box("r5"))
    fork.ask(
        {
            "UpdateBoundingBox": {
                "constraints": {"LS_id": ["==", "r5"]},
                "rectangle": {"x": 0, "y": 0, "width": 2, "height": 2},
            }
        }
    )
    data["5"] = fork.save(5, images["shapes"], box("r6"), outline("p1"), whole_task=True)
    data["6"] = fork.save(6, images["skipped"], box("r7"), was_cancelled=True)
    data["7"] = fork.save(7, images["alone"])
    fork.ask({"DeleteImage": {"constraints": {"_uniqueid": ["==", images.pop("alone")]}}})
    fork.save(8, images["broken"])
    data["8"] = "{oops"
    fork.ask(
        {
            "UpdateEntity": {
                "with_class": "LS_annotation",
                "constraints": {"LS_id": ["==", "8"]},
                "properties": {"LS_data": "{oops"},
            }
        }
    )
    fork.save(9, images["plain"])
    fork.ask({"AddEntity": {"class": "LS_annotation", "properties": {"LS_id": "9", "LS_project_id": 7}}})
    LabelStudioFork(db, 2, "Another server").save(10, images["plain"], box("r8"))
    fork.save(10, images["other"], box("r9"))
    boxes["unused"] = fork.add_model_box(images["named"], "dog")
    fork.save(11, images["named"], box(boxes["unused"], "dog"), box("r10"))
    data["11"] = fork.save(11, images["named"], box("r10"))
    data["12"] = fork.save(12, images["bad"], box("r11"))
    images["copy"] = fork.add_image(0)
    data["13"] = fork.save(13, images["copy"], box("r12", "dog"))
    orphan = {"image_ref": 1, "rectangle": {"x": 1, "y": 1, "width": 3, "height": 3}, "label": "lost"}
    shown = {"FindImage": {"_ref": 1, "constraints": {"_uniqueid": ["==", images["other"]]}, "blobs": False}}
    fork.ask(shown, {"AddBoundingBox": {**orphan, "properties": {"LS_id": "r99", "LS_annotation": "99"}}})
    return mixed


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mixed]:
    """The folder of a database, to be copied, and what is in it."""
    folder = tmp_path_factory.mktemp("fork")
    project = write_project(folder / "home" / "projects" / "cars")
    with LocalServer(folder / "aperturedb") as server, WatchedDatabase(server.key) as db:
        return folder / "aperturedb", fill(db, project)


Open = Callable[[str], tuple[LocalServer, Mixed]]
Contents = dict[str, Counter[str]]


@pytest.fixture(scope="module")
def finished(filled: tuple[Path, Mixed], tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """What a database holds when all of it was adopted, and nothing went wrong."""
    folder = tmp_path_factory.mktemp("finished")
    copy = shutil.copytree(filled[0], folder / "aperturedb")
    with LocalServer(copy) as server, WatchedDatabase(server.key) as db:
        adopt_storage(db, write_project(folder / "home" / "projects" / "cars"), apply=True)
        return contents(db)


@pytest.fixture
def copied(filled: tuple[Path, Mixed], tmp_path: Path) -> Iterator[Open]:
    """`copied(name)` opens a copy of the filled database."""
    opened: list[Any] = []

    def open_copy(name: str) -> tuple[LocalServer, Mixed]:
        folder, known = filled
        server = LocalServer(shutil.copytree(folder, tmp_path / name))
        db = WatchedDatabase(server.key)
        opened.extend([db.close, server.stop])
        project = write_project(tmp_path / "home" / "projects" / "cars")
        return server, Mixed(db, LabelStudioFork(db), project, known.data, known.images, known.boxes)

    yield open_copy
    for close in opened:
        close()


@pytest.fixture
def mixed(copied: Open) -> Mixed:
    return copied("mixed")[1]


@pytest.fixture
def adopted(mixed: Mixed) -> Mixed:
    mixed.adopt(apply=True)
    return mixed


def test_the_plan_counts_everything_and_writes_nothing(mixed: Mixed):
    before = contents(mixed.db)
    mixed.db.writes.clear()
    plan = mixed.adopt()
    assert (plan.annotations, plan.adopt, plan.changed, plan.unchanged, plan.refused) == (14, ADOPTED, 0, 0, 6)
    assert [(s.id, s.title, s.batch, s.annotations, s.adopt) for s in plan.sources] == [
        (7, "Old cars", "adopted-7", 13, ADOPTED),
        (7, "", "adopted-7", 1, 0),
    ]
    assert (plan.images, plan.images_with_guid, plan.images_to_get_guid) == (9, 2, 6)
    assert plan.regions == {"box": 8, "polygon": 1}
    assert (plan.boxes, plan.boxes_taken_over, plan.boxes_to_add, plan.boxes_to_go) == (14, 8, 0, 2)
    assert plan.skipped_tasks == 1
    assert (mixed.db.writes, contents(mixed.db)) == ([], before)


def test_the_plan_names_what_is_odd(mixed: Mixed):
    findings = {what: [note.subject for note in notes] for what, notes in mixed.adopt().findings.items()}
    named = {number: mixed.annotation(number)["_uniqueid"] for number in (7, 8, 10, 12)}
    refused = {
        found.NO_IMAGE: [f"annotation 7 of project 7 ({named[7]})"],
        found.UNREADABLE: [f"annotation 8 of project 7 ({named[8]})"],
        found.OVERWRITTEN: [f"annotation 10 of project 7 ({named[10]})"],
        found.BAD_IMAGE: [f"annotation 12 of project 7 ({named[12]})"],
    }
    assert {what: findings[what] for what in refused} == refused
    assert len(findings.pop(found.TWICE)) == 2
    assert findings.keys() - refused.keys() == {
        found.STALE,
        found.DIFFERENT,
        found.PREDICTED,
        found.ORPHANS,
        found.DUPLICATES,
    }
    assert findings[found.PREDICTED] == [f"box {mixed.boxes['unused']}"]
    assert findings[found.DUPLICATES] == [f"image {mixed.images['copy']}"]
    texts = [note.text for what in (found.STALE, found.DIFFERENT) for note in mixed.adopt().findings[what]]
    assert [text.split(" of annotation")[0] for text in texts] == [
        "'dog', region r4",
        "'car', region r7",
        "'car' at (0, 0, 2, 2), region r5",
    ]


def test_what_the_storage_wrote_stays_byte_for_byte(adopted: Mixed):
    for number, data in adopted.data.items():
        row = adopted.annotation(int(number))
        assert (row["LS_data"], row["LS_project_id"], row["LS_completed_by"]) == (data, 7, "ada@example.org")


def test_an_adopted_annotation_has_what_ours_have(adopted: Mixed):
    row = adopted.annotation(1)
    assert (row["LS_project"], row["LS_batch"], row["LS_instance"]) == ("cars", "adopted-7", "adopted")
    assert (row["LS_annotation_id"], row["LS_annotator"], row["LS_revision"]) == (1, "ada@example.org", 1)
    assert row["LS_media_guid"] == content_guid(sha256_of(picture(0)))
    assert adopted.annotation(13)["LS_media_guid"] == row["LS_media_guid"]  # equal bytes are one medium
    assert adopted.annotation(11)["LS_media_guid"] == "mine-1"
    assert "LS_guid" not in adopted.annotation(10)


def test_a_search_by_label_finds_each_region_once(adopted: Mixed):
    """Those of 10 and 12, which were not adopted, are there as the storage left them."""
    ids = sorted(str(row["LS_id"]) for row in adopted.labelled("car"))
    assert ids == sorted([adopted.boxes["model"], "r1", "r3", "r5", "r6", "r10", "r8", "r9", "r11"])
    dogs = [row.get("LS_id") for row in adopted.labelled("dog")]
    assert sorted(map(str, dogs)) == ["None", "r12", "r2"]  # None is the model's, which nobody used


def test_boxes_are_where_the_annotation_has_them(adopted: Mixed):
    (moved,) = [row for row in adopted.labelled("car") if row["LS_id"] == "r5"]
    assert moved["_coordinates"] == {"x": 4, "y": 6, "width": 12, "height": 12}


def test_a_box_that_is_taken_over_keeps_what_others_put_on_it(adopted: Mixed):
    (box_,) = [row for row in adopted.labelled("car") if row["_uniqueid"] == adopted.boxes["model"]]
    assert (box_["model"], box_["confidence"], box_["LS_annotation"]) == ("m1", 0.9, "3")
    assert (box_["LS_label"], box_["LS_kind"], box_["LS_source"]) == ("car", "box", "human")
    assert "LS_text" not in box_  # the storage's "[]" is no text


def test_a_removed_box_stays_in_the_revision(adopted: Mixed):
    guid = adopted.annotation(2)["LS_guid"]
    body = {"with_class": names.REVISION, "constraints": equal("LS_annotation_guid", guid)}
    (row,) = adopted.db.one("FindEntity", {**body, "results": {"all_properties": True}})["entities"]
    kept = {item["properties"]["LS_id"]: item for item in json.loads(row["LS_boxes"])}
    assert (kept["r4"]["label"], kept["r4"]["rectangle"]["x"]) == ("dog", 20)
    assert (row["LS_revision"], row["LS_data"]) == (0, adopted.data["2"])


def test_everything_has_one_connection_of_a_kind(adopted: Mixed):
    query = [
        {"FindEntity": {"with_class": "LS_annotation", "constraints": {"LS_id": ["==", "1"]}, "_ref": 1}},
        {"FindConnection": {"with_class": "LS_annotation_image", "src": 1, "results": {"count": True}}},
        {"FindConnection": {"with_class": "LS_annotation_region", "src": 1, "results": {"count": True}}},
    ]
    answer = adopted.fork.ask(*query)
    assert [answer[1]["FindConnection"]["count"], answer[2]["FindConnection"]["count"]] == [1, 2]


def test_crops_by_label(adopted: Mixed):
    answer = adopted.db.one("FindEntity", {"with_class": "LS_label", "results": {"list": ["LS_label"]}})
    assert sorted(row["LS_label"] for row in answer["entities"]) == ["car", "dog", "road"]
    crops = adopted.fork.ask(
        {"FindEntity": {"with_class": "LS_label", "constraints": {"LS_label": ["==", "car"]}, "_ref": 1}},
        {"FindBoundingBox": {"is_connected_to": {"ref": 1}, "blobs": True, "results": {"count": True}}},
    )
    assert crops[1]["FindBoundingBox"]["count"] == 6


def test_the_dataset_of_the_batch(adopted: Mixed, tmp_path: Path):
    report = build_dataset(adopted.db, adopted.project, batch="adopted-7", folder=tmp_path)
    table = pd.read_parquet(report.path)
    assert sorted(table["region_id"]) == sorted(
        [adopted.boxes["model"], "p1", "r1", "r10", "r12", "r2", "r3", "r5", "r6"]
    )
    assert set(table["annotator"]) == {"ada@example.org"}
    assert set(table["annotation_id"]) == {1, 2, 3, 4, 5, 11, 13}


def test_adopting_again_changes_nothing(adopted: Mixed):
    before = contents(adopted.db)
    report = adopted.adopt(apply=True)
    assert (report.adopt, report.changed, report.unchanged, report.refused) == (0, 0, ADOPTED, 6)
    assert contents(adopted.db) == before


def test_two_annotations_with_one_region_id_have_a_box_each(mixed: Mixed):
    """A copied annotation has the region ids of the first; the storage has one box for both."""
    image = mixed.fork.add_image(30)
    mixed.fork.save(70, image, box("r70", "truck"))
    mixed.fork.save(71, image, box("r70", "truck"))
    assert len(mixed.labelled("truck")) == 1
    report = mixed.adopt(apply=True)
    assert [note.text.partition(" of project")[0] for note in report.findings[found.LACKING]] == ["of annotation 70"]
    assert len(report.findings[found.SHARED]) == 1
    assert sorted(row["LS_annotation_id"] for row in mixed.labelled("truck")) == [70, 71]
    for number in ("70", "71"):
        regions = mixed.fork.ask(
            {"FindEntity": {"with_class": "LS_annotation", "constraints": {"LS_id": ["==", number]}, "_ref": 1}},
            {"FindBoundingBox": {"is_connected_to": {"ref": 1}, "results": {"list": ["LS_annotation_id"]}}},
        )
        assert regions[1]["FindBoundingBox"]["entities"] == [{"LS_annotation_id": int(number)}]
    assert mixed.adopt().adopt + mixed.adopt().changed == 0


def test_what_the_storage_writes_later_is_adopted_later(adopted: Mixed):
    adopted.fork.save(1, adopted.images["plain"], box("r1", "dog"), updated_at="2024-05-02T10:00:00Z")
    report = adopted.adopt(apply=True)
    assert (report.adopt, report.changed, report.boxes_to_go) == (0, 1, 1)
    row = adopted.annotation(1)
    assert (row["LS_revision"], json.loads(row["LS_data"])["result"][0]["value"]["rectanglelabels"]) == (2, ["dog"])
    assert sorted(str(b.get("LS_id")) for b in adopted.labelled("dog")) == ["None", "r1", "r12"]
    edges = adopted.fork.ask(
        {"FindBoundingBox": {"constraints": {"LS_id": ["==", "r1"]}, "_ref": 1}},
        {"FindEntity": {"with_class": "LS_label", "is_connected_to": {"ref": 1}, "results": {"list": ["LS_label"]}}},
    )
    assert edges[1]["FindEntity"]["entities"] == [{"LS_label": "dog"}]
    assert (
        len(
            adopted.db.find(
                "FindEntity",
                equal("LS_annotation_guid", row["LS_guid"]),
                class_name=names.REVISION,
                properties=["LS_data"],
            )
        )
        == 2
    )
    assert adopted.adopt(apply=True).changed == 0


def test_the_storage_still_reads_and_deletes_what_was_adopted(adopted: Mixed):
    results = adopted.fork.annotations_of(adopted.images["stale"])
    assert results == [json.loads(adopted.data["2"])["result"]]
    adopted.fork.delete(2)
    assert "r3" not in [row["LS_id"] for row in adopted.labelled("car")]


def test_what_another_project_adopted_stays_there(adopted: Mixed, tmp_path: Path):
    report = adopt_storage(adopted.db, write_project(tmp_path / "home" / "projects" / "trams"), apply=True)
    assert (report.adopt, report.refused, len(report.findings[found.ELSEWHERE])) == (0, 14, ADOPTED)
    assert adopted.annotation(1)["LS_project"] == "cars"


def test_what_is_too_long_for_a_property_is_kept_in_a_blob(mixed: Mixed):
    mixed.fork.save(80, mixed.fork.add_image(31), *[box(f"m{number}", "tram") for number in range(200)])
    mixed.adopt(apply=True)
    assert len(mixed.labelled("tram")) == 200
    condition = equal("LS_annotation_guid", mixed.annotation(80)["LS_guid"])
    rows = mixed.db.find("FindEntity", condition, class_name=names.REVISION, properties=["LS_boxes", "LS_guid"])
    assert [row["LS_boxes"] for row in rows] == [None]
    key = equal(names.LS_GUID, labels_guid("boxes", rows[0]["LS_guid"]))
    query = Query()
    query.add("FindBlob", {"constraints": key, "blobs": True})
    (kept,) = mixed.db.run(query).blobs
    assert sorted(item["properties"]["LS_id"] for item in json.loads(kept))[:2] == ["m0", "m1"]


def test_one_project_of_several(mixed: Mixed):
    LabelStudioFork(mixed.db, 8, "Old dogs").save(50, mixed.images["plain"], box("r50", "dog"))
    report = mixed.adopt(project_id=8, apply=True)
    assert (report.annotations, report.adopt, report.sources[0].title) == (1, 1, "Old dogs")
    assert "LS_guid" not in mixed.annotation(1)


@pytest.mark.parametrize("at", [2, 3])
def test_killed_and_run_again_it_ends_the_same(copied: Open, finished: Contents, tmp_path: Path, at: int):
    """After its write number `at`, which is the same as before the one that follows."""
    server, mixed = copied("killed")
    with killing_proxy(server.key, at=at, moment="after") as proxy:
        command = [sys.executable, "-m", "labeling_assets.cli", "adopt", "storage", "--into", "cars", "--apply"]
        env = {**os.environ, "APERTUREDB_KEY": proxy.key, "LABELING_ASSETS_HOME": str(tmp_path / "home")}
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        proxy.victim = process.pid
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, proxy.writes) == (-9, at), errors
    expire_leases(mixed.db)
    mixed.adopt(apply=True)
    assert contents(mixed.db) == finished


@pytest.mark.parametrize("at", [4, 5, 7])
def test_an_error_between_two_parts(copied: Open, finished: Contents, monkeypatch: pytest.MonkeyPatch, at: int):
    monkeypatch.setattr("labeling_assets.sync.adopt.adopt_storage._CHUNK", 3)
    server, mixed = copied("failing")

    class Failing(WatchedDatabase):
        """Loses its server at its writing query number `at`."""

        def run(self, query: Any) -> Any:
            if any(name.startswith(("Add", "Update")) for name, _ in query.commands):
                self.seen += 1
            if self.seen >= at:
                raise TransientError("the server is gone")
            return super().run(query)

        seen = 0

    with Failing(server.key) as db, pytest.raises(TransientError):
        adopt_storage(db, mixed.project, apply=True)
    expire_leases(mixed.db)
    plan = mixed.adopt()
    assert 0 < plan.unchanged < ADOPTED
    assert plan.unchanged + plan.adopt == ADOPTED
    mixed.adopt(apply=True)
    assert contents(mixed.db) == finished


def test_a_query_that_is_sent_twice(copied: Open, finished: Contents):
    server, mixed = copied("twice")
    with killing_proxy(server.key, at=3, moment="after") as proxy, WatchedDatabase(proxy.key) as db:
        adopt_storage(db, mixed.project, apply=True)
        assert proxy.writes > 3
    assert contents(mixed.db) == finished


def test_an_annotation_that_the_storage_writes_meanwhile_is_named(copied: Open):
    server, mixed = copied("late")

    class Late(WatchedDatabase):
        """The storage writes annotation 1 when it has been read and is about to be written."""

        def run(self, query: Any) -> Any:
            if any("LS_adopted_hash" in body.get("properties", {}) for _, body in query.commands) and not self.late:
                self.late = True
                mixed.fork.save(1, mixed.images["plain"], box("r1", "dog"))
            return super().run(query)

        late = False

    with Late(server.key) as db:
        report = adopt_storage(db, mixed.project, apply=True)
    assert (report.adopt, report.overtaken, report.refused, report.annotations) == (ADOPTED - 1, 1, 6, 14)
    assert [note.subject.split(" (")[0] for note in report.findings[found.OVERTAKEN]] == ["annotation 1 of project 7"]
    assert "LS_guid" not in mixed.annotation(1)
    assert mixed.adopt(apply=True).adopt == 1


def test_reading_without_adopting(mixed: Mixed):
    read = {annotation.id: annotation for annotation in read_storage_annotations(mixed.db, 7)}
    annotation = read["11"].annotation()
    assert (read["11"].media_guid, read["11"].author, read["1"].media_guid) == ("mine-1", "ada@example.org", None)
    assert [item["id"] for item in annotation["result"]] == ["r10"]
    assert annotation["created_at"] == "2024-05-01T10:00:00.123456Z"
    assert [item["id"] for item in read["5"].annotation()["result"]] == ["r6", "p1"]
    with pytest.raises(DataError, match="LS_data is no JSON"):
        read["8"].annotation()


@pytest.mark.parametrize(
    "text", ['{"id": 5, "result": []}', '{"id": 90, "annotations": [{"id": 4}, {"id": 5, "result": []}]}']
)
def test_both_shapes_of_data_are_read(text: str):
    assert annotation_in(text, 5)["result"] == []


@pytest.mark.parametrize("text", ["[]", '{"result": 3}', '{"annotations": [{"id": 4, "result": []}]}', "nul"])
def test_data_without_the_annotation_is_refused(text: str):
    with pytest.raises(DataError, match="LS_data"):
        annotation_in(text, 5)


def test_the_command_prints_the_plan_and_the_result(copied: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server, _ = copied("command")
    monkeypatch.setenv("APERTUREDB_KEY", server.key)
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(tmp_path / "home"))
    plan = CliRunner().invoke(main, ["adopt", "storage", "--into", "cars"])
    assert plan.exit_code == 0, plan.output
    assert "To adopt into cars: 8 new, 0 changed" in plan.stdout
    nothing = CliRunner().invoke(main, ["adopt", "storage", "--into", "cars", "--project-id", "99", "--apply"])
    assert nothing.exit_code == 1
    assert "of a project 99; it has: 7 '', 7 'Old cars'." in nothing.output
    assert "Nothing was written. Add --apply to do it." in plan.stdout
    done = CliRunner().invoke(main, ["adopt", "storage", "--into", "cars", "--apply", "--json"])
    assert json.loads(done.stdout)["adopt"] == ADOPTED
    table = CliRunner().invoke(main, ["dataset", "cars", "--batch", "adopted-7", "--json"])
    (written,) = json.loads(table.stdout)
    assert (written["rows"], len(pd.read_parquet(written["path"]))) == (9, 9)
    again = CliRunner().invoke(main, ["adopt", "storage", "--into", "cars"])
    assert "0 new, 0 changed since they were adopted; 8 need nothing, 6 cannot be adopted." in again.stdout


@pytest.fixture
def empty(database: WatchedDatabase, tmp_path: Path) -> Mixed:
    """A database with nothing in it, to be filled by the storage."""
    return Mixed(database, LabelStudioFork(database), write_project(tmp_path / "home" / "projects" / "cars"))


def save(mixed: Mixed, number: int, *result: Any) -> str:
    """An annotation on an image of its own; returns the `_uniqueid` of that."""
    image = mixed.images.get(str(number)) or mixed.fork.add_image(number)
    mixed.images[str(number)] = image
    mixed.fork.save(number, image, *result, updated_at=f"2024-05-0{len(result) % 9 + 1}T10:00:00Z")
    return image


def boxes(number: int, count: int) -> list[Any]:
    return [box(f"r{number}-{index}") for index in range(count)]


def ours(mixed: Mixed) -> list[Object]:
    return [row for row in mixed.labelled("car") if "LS_guid" in row]


def test_annotations_too_large_for_one_query_together_are_split(empty: Mixed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("labeling_assets.sync.write_regions.MOST_COMMANDS", 80)
    for number in (1, 2, 3):
        save(empty, number, *boxes(number, 6))
    report = empty.adopt(apply=True)
    assert (report.adopt, report.regions, report.findings) == (3, {"box": 18}, {})
    assert len(ours(empty)) == 18


@pytest.mark.parametrize("small", [0, 100_000])
def test_an_annotation_that_no_query_holds_is_named_and_keeps_what_it_has(
    empty: Mixed, monkeypatch: pytest.MonkeyPatch, small: int
):
    monkeypatch.setattr("labeling_assets.sync.write_regions.MOST_COMMANDS", 80)
    monkeypatch.setattr("labeling_assets.sync.adopt.adopt_storage._SMALL_CHARACTERS", small)
    save(empty, 1, *boxes(1, 2))
    empty.adopt(apply=True)
    save(empty, 1, *boxes(1, 20))
    save(empty, 2, *boxes(2, 20))
    save(empty, 3, *boxes(3, 2))
    before = empty.labelled("car")
    report = empty.adopt(apply=True)
    assert (report.adopt, report.changed, report.refused) == (1, 0, 2)
    what = found.REFUSED if small else found.TOO_LARGE
    assert [note.subject.split(" of")[0] for note in report.findings[what]] == ["annotation 1", "annotation 2"]
    assert all("20 regions" in note.text for note in report.findings[what])
    assert [row for row in empty.labelled("car") if row["LS_id"][:3] != "r3-"] == before[:40]
    assert len(ours(empty)) == 4
    if not small:
        save(empty, 4, *boxes(4, 20))
        assert (empty.adopt().refused, empty.adopt().adopt) == (3, 0)


class Refusing(WatchedDatabase):
    """Refuses every query with a command and property of these."""

    command, prop, value = "", "", ""

    def run(self, query: Query) -> Any:
        for name, body in query.commands:
            if name == self.command and body.get("properties", {}).get(self.prop) == self.value:
                raise RefusedError("ApertureDB at db refused UpdateEntity (status -1): no such luck")
        return super().run(query)


def refusing(server: LocalServer, command: str, prop: str, value: Any) -> Refusing:
    db = Refusing(server.key)
    db.command, db.prop, db.value = command, prop, value
    return db


def test_an_annotation_that_the_server_refuses_is_named_and_the_others_are_adopted(
    empty: Mixed, aperturedb: LocalServer
):
    for number in (1, 2, 3):
        save(empty, number, *boxes(number, 1))
    with refusing(aperturedb, "UpdateEntity", "LS_annotation_id", 2) as db:
        report = adopt_storage(db, empty.project, apply=True)
    assert (report.adopt, report.refused, report.boxes_taken_over) == (2, 1, 2)
    (line,) = report.findings[found.REFUSED]
    assert (line.subject.split(" of")[0], line.text) == ("annotation 2", "no such luck")
    assert sorted(row["LS_id"] for row in ours(empty)) == ["r1-0", "r3-0"]
    assert empty.adopt(apply=True).adopt == 1


def test_a_form_that_the_server_refuses_becomes_an_entity(empty: Mixed, aperturedb: LocalServer):
    save(empty, 1, outline("p1"))
    save(empty, 2, *boxes(2, 1))
    with refusing(aperturedb, "AddPolygon", "LS_id", "p1") as db:
        report = adopt_storage(db, empty.project, apply=True)
        assert adopt_storage(db, empty.project).unchanged == 2
    assert (report.adopt, report.refused, len(report.findings[found.REDUCED])) == (2, 0, 1)
    condition = equal("LS_annotation_guid", empty.annotation(1)["LS_guid"])
    (row,) = empty.db.find("FindEntity", condition, class_name=names.REGION, properties=["LS_id", "LS_reason"])
    assert row == {"LS_id": "p1", "LS_reason": "refused by ApertureDB: no such luck"}


def test_what_is_left_of_a_deleted_annotation_goes(empty: Mixed, tmp_path: Path):
    for number in (1, 2):
        save(empty, number, box(f"r{number}"), outline(f"p{number}"), note("text"))
    other = LabelStudioFork(empty.db, 8)
    other.save(3, empty.images["1"], outline("p3"))
    empty.adopt(apply=True)
    empty.fork.delete(1)
    plan = empty.adopt()
    assert (plan.gone, plan.unchanged, empty.adopt(project_id=8).gone) == (1, 2, 0)
    (line,) = plan.findings[found.GONE]
    assert (line.subject, line.text) == ("annotation 1 of adopted-7", "1 polygons, 1 other regions")
    assert empty.db.count("FindPolygon", None) == 3
    assert empty.adopt(apply=True).gone == 1
    rows = empty.db.find("FindPolygon", None, properties=["LS_id"])
    rows += empty.db.find("FindEntity", None, class_name=names.REGION, properties=["LS_annotation_id"])
    assert rows == [{"LS_id": "p2"}, {"LS_id": "p3"}, {"LS_annotation_id": 2}]
    report = build_dataset(empty.db, empty.project, batch="adopted-7", folder=tmp_path)
    assert (report.annotations, report.rows) == (1, 3)
    assert (empty.adopt(apply=True).gone, empty.adopt().findings) == (0, {})


def test_an_annotation_that_was_deleted_and_saved_again_is_adopted_again(empty: Mixed):
    save(empty, 1, box("r1"), outline("p1"))
    empty.adopt(apply=True)
    empty.fork.delete(1)
    save(empty, 1, box("r1"), outline("p1"))
    assert (empty.adopt().gone, empty.adopt().adopt) == (0, 1)
    report = empty.adopt(apply=True)
    assert (report.gone, report.adopt, len(ours(empty)), empty.db.count("FindPolygon", None)) == (0, 1, 1, 1)


@pytest.mark.parametrize("written", [{"LS_id": 5}, {"LS_id": "5", "LS_guid": "ours-5"}])
def test_annotations_of_an_early_version_of_ours_are_not_the_storages(empty: Mixed, written: dict[str, Any]):
    image = empty.fork.add_image(1)
    shown = {"FindImage": {"_ref": 1, "constraints": {"_uniqueid": ["==", image]}, "blobs": False}}
    edge = {"ref": 1, "class": "LS_annotation_image"}
    data = {"LS_data": "{}", "LS_project_id": 7, "LS_guid": "ours-5", **written}
    empty.fork.ask(shown, {"AddEntity": {"class": "LS_annotation", "connect": edge, "properties": data}})
    assert list(read_storage_annotations(empty.db)) == []
    report = empty.adopt(apply=True)
    assert (report.annotations, report.findings) == (0, {})
    with pytest.raises(InputError, match="of a project 7; it has: none"):
        empty.adopt(project_id=7)


def test_a_sync_leaves_adopted_annotations_alone(published: World):
    """The same project, the same batch name for neither: an id of theirs is an id of ours, too."""
    fork = LabelStudioFork(published.db, published.record.project_id)
    first, second, _ = published.tasks()
    ours = published.annotate(first["id"], box())
    image = fork.add_image(77)
    fork.save(ours["id"], image, box("r1", "dog"))
    assert adopt_storage(published.db, published.project, apply=True).adopt == 1
    published.collect()
    published.annotate(second["id"], box("r2"))
    fork.save(ours["id"] + 1, image, box("r3", "dog"))  # a number that is ours as well
    published.collect(full=True)
    outcomes = verify_annotations(published.db, published.ls, published.project, "May", full=True)
    assert [check.offenders for check in (outcomes.mapping, outcomes.links, outcomes.counts)] == [[], [], []]
    old, new = project_status(published.db, [published.project])
    assert (new.batch, new.media, new.waiting, new.tasks, new.annotations) == (f"adopted-{fork.project_id}", 1, 0, 0, 1)
    assert (old.batch, old.annotations, old.deleted) == ("May", 2, 0)
    rows = published.stored(names.ANNOTATION)
    assert len([row for row in rows if row.get("LS_instance") == "adopted"]) == 1
    assert [row for row in rows if "LS_deleted_at" in row] == []
    assert (len(rows), published.boxes("car"), published.boxes("dog")) == (4, 2, 2)
