"""Label Studio and ApertureDB after a sync: created, edited, emptied, skipped, deleted, once or in bulk."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labeling_assets import names
from labeling_assets.clients.aperturedb import Reply
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import format_time, parse_time
from labeling_assets.clients.query import Query
from labeling_assets.errors import RefusedError, TransientError
from labeling_assets.identity import sent_import_id
from labeling_assets.local_aperturedb.limits import Limits
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.mapping.annotation import MAPPING_VERSION
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.sync import write_regions
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.stored_annotations import payload_of
from labeling_assets.sync.watermark import load_state
from labeling_assets_tests.faults.contents import expire_leases
from labeling_assets_tests.sync.world import BOXES, LINKS, WatchedDatabase, World, box, note, outline, picture, pictures

# How much at once


@pytest.fixture
def small_world(make_world: Callable[..., World], tmp_path: Path) -> Iterator[World]:
    """Four tasks; ApertureDB takes messages of 1 MB."""
    world = make_world()
    limits = Limits(message_bytes=1_000_000)
    with LocalServer(tmp_path / "small", limits=limits) as server, WatchedDatabase(server.key) as db:
        world.db = db
        world.hand_in(pictures(4))
        world.publish()
        yield world


class SlicedDatabase(WatchedDatabase):
    """Notes how many annotations each query adds."""

    def run(self, query: Query) -> Reply:
        added = [body for name, body in query.commands if name == "AddEntity" and body["class"] == names.ANNOTATION]
        if added:
            self.writes.append(f"{len(added)} annotations")
        return super().run(query)


def test_tasks_with_many_regions_take_several_queries(published: World, aperturedb: LocalServer):
    for task in published.task_ids():
        published.annotate(task, *(box(f"r{number}") for number in range(1000)))
    with SlicedDatabase(aperturedb.key) as db:
        report = collect_annotations(db, published.ls, published.project, batch="May")
        assert [text for text in db.writes if "annotations" in text] == ["2 annotations", "1 annotations"]
    assert (report.created, report.regions) == (3, 3000)


def test_annotations_that_are_too_large_for_one_message_together_are_split(small_world: World):
    for task in small_world.task_ids():
        small_world.annotate(task, note("x" * 400_000))
    report = small_world.collect()
    assert (report.created, report.tasks_read, report.regions) == (4, 4, 4)
    assert small_world.collect().idle


def test_what_comes_after_a_task_that_is_refused_is_not_skipped_by_the_watermark(small_world: World):
    first, second, third, _ = small_world.tasks()
    small_world.annotate(first["id"], box())
    too_large = small_world.annotate(second["id"], note("x" * 1_200_000))
    small_world.annotate(third["id"], box())
    with pytest.raises(RefusedError):
        small_world.collect()
    assert [row["LS_task_id"] for row in small_world.annotations()] == [first["id"]]
    watermark = load_state(small_world.db, small_world.record.sync_key("May")).watermark
    assert watermark == format_time(parse_time(small_world.ls.task(first["id"])["updated_at"]))
    small_world.ls.delete_annotation(too_large["id"])
    assert small_world.collect().created == 1


# What comes


def test_a_new_annotation_is_created_with_its_regions(published: World):
    published.annotate(published.task_ids()[0], box(), outline())
    report = published.collect()
    assert (report.created, report.updated, report.deleted, report.regions) == (1, 0, 0, 2)


def test_the_json_of_an_annotation_is_kept_as_it_is(published: World):
    task = published.task_ids()[0]
    published.annotate(task, box(), outline(), note("grüße 😀"), lead_time=12.5)
    published.collect()
    (theirs,) = published.ls.tasks_by_id(published.record.project_id, [task])[0]["annotations"]
    (ours,) = published.annotations()
    assert json.loads(ours["LS_data"]) == theirs


def test_an_annotation_knows_its_task_medium_batch_and_annotator(published: World):
    task = published.tasks()[1]
    published.annotate(task["id"], box())
    published.collect(run_id="run-7")
    (ours,) = published.annotations()
    assert ours["LS_task_id"] == task["id"]
    assert ours["LS_media_guid"] == task["data"]["guid"]
    assert (ours["LS_project"], ours["LS_batch"], ours["LS_run_id"]) == ("cars", "May", "run-7")
    assert ours["LS_annotator"] == published.ls.whoami().email


def test_boxes_are_found_by_their_native_label(published: World):
    first, second, _ = published.task_ids()
    published.annotate(first, box("r1"), box("r2"), box("r3", "dog"))
    published.annotate(second, box("r1"))
    published.collect()
    assert (published.boxes("car"), published.boxes("dog")) == (3, 1)


def test_a_box_has_the_pixels_of_the_picture(published: World):
    published.annotate(published.task_ids()[0], box(x=10))
    published.collect()
    found = published.db.find("FindBoundingBox", equal("LS_label", "car"), properties=["LS_x"], coordinates=True)
    assert found[0]["_coordinates"] == {"x": 4, "y": 6, "width": 12, "height": 12}
    assert found[0]["LS_x"] == 10


def test_the_box_around_a_polygon_is_marked_as_derived_and_has_no_native_label(published: World):
    published.annotate(published.task_ids()[0], outline())
    published.collect()
    assert published.boxes("road") == 0
    assert published.db.count("FindBoundingBox", equal("LS_derived", True)) == 1
    assert published.db.count("FindPolygon", equal("LS_derived", False)) == 1


def test_a_text_about_the_whole_picture_is_a_region_entity(published: World):
    published.annotate(published.task_ids()[0], note("too dark"))
    published.collect()
    (region,) = published.stored(names.REGION)
    assert (region["LS_kind"], region["LS_text"], region["LS_task_level"]) == ("text", "too dark", True)


def test_a_second_annotation_of_a_task_is_one_of_its_own(published: World):
    task = published.task_ids()[0]
    published.annotate(task, box())
    published.annotate(task, box())
    assert published.collect().created == 2
    assert published.boxes("car") == 2


def test_drafts_are_ignored(published: World):
    task = published.task_ids()[0]
    body = {"result": [box()], "lead_time": 1}
    published.ls._connection.write("POST", f"/api/tasks/{task}/drafts", body=body)
    report = published.collect()
    assert (report.created, published.annotations()) == (0, [])


def test_a_large_annotation_lies_in_a_blob(published: World):
    task = published.task_ids()[0]
    published.annotate(task, note("x" * 40_000))
    published.collect()
    (ours,) = published.annotations()
    (theirs,) = published.ls.tasks_by_id(published.record.project_id, [task])[0]["annotations"]
    stored = payload_of(published.db, ours["LS_guid"], ours["LS_content_hash"])
    assert "LS_data" not in ours
    assert stored is not None
    assert json.loads(stored) == theirs


def test_a_payload_blob_is_no_medium(published: World):
    published.annotate(published.task_ids()[0], note("x" * 40_000))
    published.collect()
    assert published.db.count("FindBlob", equal("LS_role", "payload")) == 1
    assert published.db.count("FindBlob", equal("LS_role", "media")) == 0


def test_the_task_and_its_medium_are_done(published: World):
    first, *_ = published.tasks()
    published.annotate(first["id"], box())
    published.collect()
    assert [row["LS_state"] for row in published.stored(names.TASK, equal("LS_task_id", first["id"]))] == ["done"]
    states = {row["guid"]: row["LS_state_cars"] for row in published.media("guid", "LS_state_cars")}
    assert states.pop(first["data"]["guid"]) == "done"
    assert set(states.values()) == {"open"}


# What changes


def test_an_edited_annotation_is_updated(published: World):
    made = published.annotate(published.task_ids()[0], box(label="car"))
    published.collect()
    published.ls.update_annotation(made["id"], {"result": [box(label="dog")]})
    report = published.collect()
    assert (report.created, report.updated, report.deleted) == (0, 1, 0)
    assert (published.boxes("car"), published.boxes("dog")) == (0, 1)


def test_every_earlier_version_is_kept(published: World):
    made = published.annotate(published.task_ids()[0], box(x=1))
    for x in (2, 3):
        published.collect()
        published.ls.update_annotation(made["id"], {"result": [box(x=x)]})
    published.collect()
    revisions = sorted(published.stored(names.REVISION), key=lambda row: row["LS_revision"])
    kept = [json.loads(row["LS_data"])["result"][0]["value"]["x"] for row in revisions]
    assert (kept, [row["LS_revision"] for row in revisions]) == ([1, 2], [1, 2])
    assert published.annotations()[0]["LS_revision"] == 3


def test_a_large_earlier_version_is_kept_in_its_blob(published: World):
    made = published.annotate(published.task_ids()[0], note("x" * 40_000))
    published.collect()
    published.ls.update_annotation(made["id"], {"result": [box()]})
    published.collect()
    (ours,), (revision,) = published.annotations(), published.stored(names.REVISION)
    stored = payload_of(published.db, ours["LS_guid"], revision["LS_content_hash"])
    assert stored is not None
    assert json.loads(stored)["result"][0]["value"]["text"] == ["x" * 40_000]
    assert json.loads(ours["LS_data"])["result"][0]["id"] == "r1"


def test_a_removed_region_disappears(published: World):
    made = published.annotate(published.task_ids()[0], box("r1"), box("r2"), outline())
    published.collect()
    published.ls.update_annotation(made["id"], {"result": [box("r2")]})
    published.collect()
    assert published.boxes("car") == 1
    assert published.db.count("FindBoundingBox", None) == 1
    assert published.db.count("FindPolygon", None) == 0


def test_an_emptied_annotation_stays_without_regions(published: World):
    made = published.annotate(published.task_ids()[0], box())
    published.collect()
    published.ls.update_annotation(made["id"], {"result": []})
    assert published.collect().updated == 1
    assert published.boxes("car") == 0
    assert json.loads(published.annotations()[0]["LS_data"])["result"] == []


def test_saving_without_a_change_makes_no_version(published: World):
    made = published.annotate(published.task_ids()[0], box())
    published.collect()
    published.ls.update_annotation(made["id"], {})
    report = published.collect()
    assert (report.updated, report.unchanged) == (0, 1)
    assert published.stored(names.REVISION) == []


def test_what_a_push_sent_is_imported_until_somebody_edits_it(published: World):
    task = published.task_ids()[0]
    sent = {"result": [box(label="dog")], "was_cancelled": False, "ground_truth": False}
    made = published.ls.create_annotation(task, {**sent, "import_id": sent_import_id("a model's boxes", sent)})
    published.collect()
    found = published.db.find("FindBoundingBox", equal("LS_label", "dog"), properties=["LS_source"])
    assert ([row["LS_source"] for row in found], published.boxes("dog")) == (["imported"], 0)
    assert published.annotations()[0]["LS_source"] == "imported"
    published.ls.update_annotation(made["id"], {"result": [box(label="dog", x=33)]})
    published.collect()
    found = published.db.find("FindBoundingBox", equal("LS_label", "dog"), properties=["LS_source"])
    assert ([row["LS_source"] for row in found], published.boxes("dog")) == (["human"], 1)
    (revision,) = published.stored(names.REVISION)
    assert (published.annotations()[0]["LS_source"], revision["LS_source"]) == ("human", "imported")


def test_a_skipped_annotation_has_no_boxes(published: World):
    made = published.annotate(published.task_ids()[0], box())
    published.collect()
    published.ls.update_annotation(made["id"], {"was_cancelled": True})
    published.collect()
    assert published.boxes("car") == 0
    assert published.annotations()[0]["LS_was_cancelled"] is True
    assert published.media("LS_state_cars")[0]["LS_state_cars"] == "skipped"


def test_an_annotation_that_is_no_longer_skipped_has_its_boxes_again(published: World):
    made = published.annotate(published.task_ids()[0], box(), was_cancelled=True)
    published.collect()
    published.ls.update_annotation(made["id"], {"was_cancelled": False})
    published.collect()
    assert published.boxes("car") == 1
    assert published.annotations()[0]["LS_was_cancelled"] is False


def test_ground_truth_is_told_apart(published: World):
    published.annotate(published.task_ids()[0], box(), ground_truth=True)
    published.collect()
    assert published.db.count("FindBoundingBox", equal("LS_source", "ground_truth")) == 1


# What goes


def test_a_deleted_annotation_is_a_tombstone_that_keeps_its_json(published: World):
    made = published.annotate(published.task_ids()[0], box())
    published.collect()
    published.ls.delete_annotation(made["id"])
    report = published.collect()
    (ours,) = published.annotations()
    assert report.deleted == 1
    assert "LS_deleted_at" in ours
    assert json.loads(ours["LS_data"])["result"][0]["id"] == "r1"
    assert published.boxes("car") == 0


def test_where_the_project_allows_deletions_nothing_of_a_deleted_annotation_stays(published: World):
    published.rewrite(yaml="allow_deletions: true")
    first, second, _ = published.task_ids()
    alone, with_task = published.annotate(first, box()), published.annotate(second, outline())
    published.collect()
    published.ls.update_annotation(alone["id"], {"result": [box(label="dog")]})
    published.collect()
    published.ls.delete_annotation(alone["id"])
    published.ls.delete_task(second)
    assert published.collect().deleted == 2
    assert [published.stored(name) for name in (names.ANNOTATION, names.REVISION, names.REGION)] == [[], [], []]
    assert (published.boxes("car"), with_task["id"] > 0) == (0, True)


def test_a_task_whose_annotation_was_deleted_is_open_again(published: World):
    made = published.annotate(published.task_ids()[0], box())
    published.collect()
    published.ls.delete_annotation(made["id"])
    published.collect()
    assert {row["LS_state_cars"] for row in published.media("LS_state_cars")} == {"open"}


def test_annotations_deleted_in_bulk_are_all_tombstones(published: World):
    tasks = published.task_ids()
    for task in tasks:
        published.annotate(task, box())
    published.collect()
    published.ls.run_action(published.record.project_id, "delete_tasks_annotations", tasks)
    assert published.collect().deleted == 3
    assert published.boxes("car") == 0


def test_a_deleted_task_is_withdrawn_with_its_annotations(published: World):
    task = published.tasks()[0]
    published.annotate(task["id"], box())
    published.collect()
    published.ls.delete_task(task["id"])
    report = published.collect()
    assert (report.tasks_withdrawn, report.deleted) == (1, 1)
    assert [row["LS_state"] for row in published.stored(names.TASK, equal("LS_task_id", task["id"]))] == ["withdrawn"]
    states = {row["guid"]: row["LS_state_cars"] for row in published.media("guid", "LS_state_cars")}
    assert states[task["data"]["guid"]] == "withdrawn"
    assert published.boxes("car") == 0


def test_tasks_deleted_in_bulk_are_withdrawn(published: World):
    first, second, third = published.task_ids()
    published.annotate(first, box())
    published.annotate(third, box())
    published.collect()
    published.ls.delete_tasks_bulk(published.record.project_id, [first, second])
    report = published.collect()
    assert (report.tasks_withdrawn, report.deleted) == (2, 1)
    assert published.boxes("car") == 1


def test_a_task_that_took_the_id_of_a_deleted_one_does_not_hide_the_deletion(published: World):
    """SQLite gives the id of the newest deleted task to the next one, here in another batch."""
    old = published.task_ids()[-1]
    published.annotate(old, box(label="car"))
    published.collect()
    published.ls.delete_task(old)
    published.hand_in({"b.png": picture(50)}, batch="June")
    published.publish("June")
    assert published.task_ids()[-1] == old
    published.annotate(old, box(label="dog"))
    published.collect("June")
    report = published.collect("May")
    assert (report.tasks_withdrawn, report.quarantined) == (1, [])
    assert (published.boxes("car"), published.boxes("dog")) == (0, 1)


def test_an_annotation_that_moved_to_a_twin_task_is_not_lost(published: World):
    """ "Remove Duplicated Tasks" moves annotations to the first copy, and no timestamp shows it."""
    first = published.tasks()[0]
    published.ls.import_tasks(published.record.project_id, [{"data": first["data"]}])
    twin = published.task_ids()[-1]
    published.annotate(first["id"], box(label="dog"))
    published.annotate(twin, box(label="car"))
    published.collect()
    published.ls.run_action(published.record.project_id, "remove_duplicates", published.task_ids())
    assert twin not in published.task_ids()
    published.collect()
    assert (published.boxes("car"), published.boxes("dog")) == (1, 1)


# Nothing to do


def test_an_idle_sync_makes_two_requests_and_writes_nothing(published: World):
    published.annotate(published.task_ids()[0], box())
    published.collect()
    published.db.writes.clear()
    report = published.collect()
    assert (report.idle, report.requests, published.db.writes) == (True, 2, [])


def test_an_idle_sync_of_one_of_many_batches_makes_two_requests(world: World):
    for number in range(4):
        world.hand_in({"a.png": picture(number)}, batch=f"b{number}")
        world.publish(f"b{number}")
        world.collect(f"b{number}")
    world.db.writes.clear()
    reports = [world.collect(f"b{number}") for number in range(4)]
    assert [report.requests for report in reports] == [2] * 4
    assert world.db.writes == []


def test_an_idle_sync_after_a_deletion_makes_two_requests(published: World):
    published.collect()
    published.ls.delete_task(published.task_ids()[0])
    published.collect()
    published.db.writes.clear()
    report = published.collect()
    assert (report.requests, published.db.writes) == (2, [])


def test_an_idle_sync_makes_two_requests_where_people_added_tasks_of_their_own(published: World):
    published.ls.import_tasks(published.record.project_id, [{"data": {"image": "http://elsewhere/x.png"}}])
    published.collect()
    published.db.writes.clear()
    report = published.collect()
    assert (report.requests, published.db.writes) == (2, [])


def test_a_full_sync_writes_again_what_an_older_mapping_made(published: World):
    made = published.annotate(published.task_ids()[0], box())
    published.collect(run_id="run-1")
    old = {"with_class": names.ANNOTATION, "constraints": equal("LS_annotation_id", made["id"])}
    published.db.one("UpdateEntity", {**old, "properties": {"LS_mapping_version": 1}})
    published.db.one("DeleteBoundingBox", {"constraints": equal("LS_annotation_id", made["id"])})
    report = published.collect(full=True)
    assert (report.updated, report.unchanged, report.rewritten, published.boxes("car")) == (0, 0, 1, 1)
    (now,) = published.annotations()
    assert (now["LS_mapping_version"], now["LS_revision"], now["LS_run_id"]) == (MAPPING_VERSION, 1, "run-1")
    assert published.stored(names.REVISION) == []
    published.db.writes.clear()
    assert published.collect(full=True).rewritten == 0
    assert not [name for name in published.db.writes if "BoundingBox" in name]


def test_a_full_sync_without_changes_changes_no_annotation(published: World):
    published.annotate(published.task_ids()[0], box())
    published.collect()
    before = published.annotations()
    report = published.collect(full=True)
    assert (report.tasks_read, report.created, report.updated, report.unchanged) == (3, 0, 0, 1)
    assert published.annotations() == before


# How far


def test_the_watermark_is_the_newest_time_in_the_data(published: World):
    published.annotate(published.task_ids()[1], box())
    report = published.collect()
    assert report.watermark == max(task["updated_at"] for task in published.tasks())


def test_a_batch_does_not_read_what_changed_in_another(published: World):
    published.hand_in({"b.png": picture(50)}, batch="June")
    published.publish("June")
    published.collect("June")
    for task in published.task_ids()[:3]:
        published.annotate(task, box())
    assert published.collect("June").requests == 2
    assert load_state(published.db, published.record.sync_key("May")).watermark == ""


def test_many_tasks_of_one_microsecond_are_all_read(world: World):
    """A bulk action gives all its tasks the same `updated_at`; a page holds 200 of them."""
    tasks = _annotated(world, 230)
    assert world.collect().created == 230
    world.ls.run_action(world.record.project_id, "delete_tasks_annotations", tasks)
    assert len({task["updated_at"] for task in world.tasks()}) == 1
    assert world.collect(allow_mass_deletion=True).deleted == 230
    assert world.boxes("car") == 0


class StoppedDatabase(WatchedDatabase):
    """Its server ends when the first annotations have been written."""

    def __init__(self, server: LocalServer) -> None:
        super().__init__(server.key)
        self._server = server

    def run(self, query: Query) -> Reply:
        reply = super().run(query)
        if any(name == "AddEntity" and body["class"] == names.ANNOTATION for name, body in query.commands):
            self._server.stop()
        return reply


def test_a_sync_that_stops_half_way_is_completed_by_the_next(world: World, aperturedb: LocalServer, tmp_path: Path):
    """The database stops after the first hundred tasks; the watermark is that of the data that was written."""
    _annotated(world, 130)
    with StoppedDatabase(aperturedb) as db, pytest.raises(TransientError):
        collect_annotations(db, world.ls, world.project, batch="May")
    with LocalServer(tmp_path / "aperturedb") as server, WatchedDatabase(server.key) as world.db:
        state = load_state(world.db, world.record.sync_key("May"))
        expire_leases(world.db)
        assert len(world.annotations()) == 100
        assert state.watermark == sorted(task["updated_at"] for task in world.tasks())[99]
        assert world.collect().created == 30
        assert world.boxes("car") == 130


def _annotated(world: World, count: int) -> list[int]:
    """That many labelled tasks, in two requests; returns their ids."""
    world.hand_in({"z.png": picture(500)}, batch="June")
    world.publish("June")
    guids = world.hand_in(pictures(count)).guids
    data = [{"guid": guid, "import_batch": "May", "image": LINKS.link(guid)} for guid in guids]
    tasks = world.ls.import_tasks(
        world.record.project_id, [{"data": values, "annotations": [{"result": [box()]}]} for values in data]
    )
    world.ls.delete_task(world.task_ids()[0])
    world.collect("June")
    assert world.publish().adopted == count
    return tasks


# Not alone


class Interrupted(LabelStudio):
    """Reads the changed tasks, and lets something happen before they are worked on."""

    meanwhile: Callable[[], object]

    def iterate_changed(self, *arguments: Any, **options: Any) -> Iterator[dict[str, Any]]:
        tasks = list(super().iterate_changed(*arguments, **options))
        self.meanwhile()
        yield from tasks


def test_two_syncs_of_one_batch_exclude_each_other(published: World, label_studio_key: str):
    published.annotate(published.task_ids()[0], box())
    with Interrupted(published.ls.url, label_studio_key) as ls:
        seen = []

        def meanwhile() -> None:
            with pytest.raises(TransientError, match=r"Another process is writing .*\|cars\|May") as refused:
                published.collect(wait_s=1)
            seen.append(refused.value)

        ls.meanwhile = meanwhile
        report = collect_annotations(published.db, ls, published.project, batch="May")
    assert (len(seen), report.created) == (1, 1)


class InterruptedDatabase(WatchedDatabase):
    """Lets something happen once, before the first query that writes boxes is sent."""

    meanwhile: Callable[[], object] | None = None

    def run(self, query: Query) -> Reply:
        if self.meanwhile and any(name == "AddBoundingBox" for name, _ in query.commands):
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return super().run(query)


@pytest.mark.parametrize("first", ["unknown", "known"])
def test_a_sync_that_lost_its_lease_does_not_spoil_what_a_newer_one_wrote(
    published: World, aperturedb: LocalServer, first: str
):
    """It read two boxes; then it hung for minutes, and another one read and wrote that there is one."""
    made = published.annotate(published.task_ids()[0], box("r0", label="dog"))
    if first == "known":
        published.collect()
    published.ls.update_annotation(made["id"], {"result": [box("r1"), box("r2")]})

    def meanwhile() -> None:
        expire_leases(published.db)
        published.ls.update_annotation(made["id"], {"result": [box("r1", label="dog")]})
        published.collect()

    with InterruptedDatabase(aperturedb.key) as db:
        db.meanwhile = meanwhile
        with pytest.raises(TransientError):
            collect_annotations(db, published.ls, published.project, batch="May")
    expire_leases(published.db)
    published.collect()
    assert (published.boxes("car"), published.boxes("dog")) == (0, 1)
    assert json.loads(published.annotations()[0]["LS_data"])["result"][0]["value"]["rectanglelabels"] == ["dog"]


# One writer


class TakenOver(WatchedDatabase):
    """Another process takes every lease just before this one writes a box."""

    def run(self, query: Query) -> Reply:
        if any(name == "AddBoundingBox" for name, _ in query.commands):
            body = {"with_class": names.SYNC, "properties": {"LS_lease_owner": "another process"}}
            self.one("UpdateEntity", body)
        return super().run(query)


def test_a_writer_that_lost_its_lease_writes_nothing(published: World, aperturedb: LocalServer):
    annotation = published.annotate(published.task_ids()[0], box())
    published.collect()
    before = load_state(published.db, published.record.sync_key("May"))
    published.ls.update_annotation(annotation["id"], {"result": [box(label="dog")]})
    with TakenOver(aperturedb.key) as db, pytest.raises(TransientError, match="Another process took over"):
        collect_annotations(db, published.ls, published.project, batch="May")
    assert (published.boxes("car"), published.boxes("dog"), len(published.stored(names.REVISION))) == (1, 0, 0)
    assert load_state(published.db, before.key) == before
    expire_leases(published.db)
    published.collect()
    assert (published.boxes("car"), published.boxes("dog")) == (0, 1)


def test_a_task_that_a_sync_finds_is_connected_to_its_project(published: World):
    data = published.tasks()[0]["data"]
    published.hand_in({"b.png": picture(50)}, batch="June")
    (new,) = published.db.find("FindImage", equal("LS_state_cars", "new"), properties=["guid"], blobs=False)
    task = {**data, "guid": new["guid"], "image": LINKS.link(new["guid"])}
    published.ls.import_tasks(published.record.project_id, [{"data": task}])
    published.collect(full=True)
    tasks = published.stored(names.TASK)
    edges = published.db.find("FindConnection", None, class_name=names.PROJECT_TASK, properties=[names.KEY])
    assert sorted(f"{row[names.LS_GUID]}|project" for row in tasks) == sorted(row[names.KEY] for row in edges)
    assert len(edges) == 4


# What ApertureDB refuses


def test_one_refused_form_costs_its_task_the_forms_and_nobody_else_anything(published: World):
    """ApertureDB holds a smaller picture than it says, so the server knows better than the mapping."""
    first, second, third = published.tasks()
    wrong = {"properties": {"LS_width": 400}, "constraints": equal("guid", second["data"]["guid"])}
    published.db.one("UpdateImage", wrong)
    published.annotate(first["id"], box())
    made = published.annotate(second["id"], box("r7") | {"original_width": 400}, note("dark"))
    published.annotate(third["id"], box())
    report = published.collect()
    assert (report.created, report.regions, published.boxes("car")) == (3, 4, 2)
    (problem,) = [note.text for note in report.problems if note.subject == f"annotation {made['id']}"]
    assert problem.startswith("without its boxes, as ApertureDB refused them: JSON Command ")
    (kept,) = published.stored(names.REGION, equal("LS_id", "r7"))
    assert kept["LS_reason"].startswith("refused by ApertureDB: JSON Command ")
    assert (kept["LS_label"], kept["LS_x"]) == ("car", 10)
    assert published.collect().idle
    (incomplete,) = [row for row in published.annotations() if row.get("LS_incomplete")]
    assert (incomplete["LS_annotation_id"], incomplete["LS_incomplete"]) == (made["id"], problem)
    right = {"properties": {"LS_width": 40}, "constraints": equal("guid", second["data"]["guid"])}
    published.db.one("UpdateImage", right)
    again = published.collect(full=True)
    assert (again.unchanged, again.rewritten, published.boxes("car")) == (2, 1, 3)
    assert published.collect(full=True).unchanged == 3
    assert published.stored(names.REVISION) == []


class NoPolygons(WatchedDatabase):
    """Takes no polygon, and counts the queries."""

    queries = 0

    def run(self, query: Query) -> Reply:
        self.queries += 1
        if any(name == "AddPolygon" for name, _ in query.commands):
            raise RefusedError("ApertureDB at x refused it (status -1): the polygon is not simple")
        return super().run(query)


def test_a_refused_polygon_costs_its_neighbours_nothing(published: World, aperturedb: LocalServer):
    for task in published.task_ids():
        published.annotate(task, box(), outline())
    with NoPolygons(aperturedb.key) as db:
        report = collect_annotations(db, published.ls, published.project, batch="May")
        assert db.queries <= 40
    assert (report.created, published.boxes("car")) == (3, 3)
    assert {note.text for note in report.problems} == {
        "without its polygons, as ApertureDB refused them: the polygon is not simple"
    }
    found = published.db.find("FindBoundingBox", equal("LS_derived", True), properties=["LS_label"])
    assert [row["LS_label"] for row in found] == ["road"] * 3


def test_tasks_whose_objects_are_too_many_for_one_query_are_split(
    published: World, aperturedb: LocalServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(write_regions, "MOST_COMMANDS", 120)
    for task in published.task_ids():
        published.annotate(task, *(box(f"r{number}") for number in range(20)))
    with SlicedDatabase(aperturedb.key) as db:
        report = collect_annotations(db, published.ls, published.project, batch="May")
        assert [text for text in db.writes if "annotations" in text] == ["1 annotations"] * 3
    assert (report.created, report.regions, report.problems) == (3, 60, [])


def test_a_task_that_is_too_large_alone_keeps_its_json_and_says_so(published: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(write_regions, "MOST_COMMANDS", 120)
    first, second, _ = published.task_ids()
    made = published.annotate(first, *(box(f"r{number}") for number in range(80)))
    published.annotate(second, box())
    report = published.collect()
    assert [(note.subject, note.text) for note in report.problems] == [
        (
            f"annotation {made['id']}",
            "its 80 regions: in its JSON only, they do not fit into one query",
        )
    ]
    assert (len(published.annotations()), published.boxes("car")) == (2, 1)
    assert published.collect().idle


# Other media


def test_places_in_a_text_are_counted_in_characters(make_world: Callable[..., World]):
    config = """<View><Text name="text" value="$text"/>
    <Labels name="label" toName="text"><Label value="name"/></Labels></View>"""
    world = make_world(config=config, yaml="media_types: [text]\n")
    world.hand_in({"a.txt": "Grüße an 😀 Ada"})
    world.publish()
    value = {"start": 12, "end": 15, "text": "Ada", "labels": ["name"]}  # as older versions counted: the emoji is two
    world.annotate(
        world.task_ids()[0],
        {"id": "s1", "type": "labels", "from_name": "label", "to_name": "text", "value": value},
    )
    assert world.collect().problems == []
    (found,) = world.stored(names.REGION)
    wanted = ("LS_kind", "LS_start", "LS_start_codepoint", "LS_end_codepoint", "LS_quote", "LS_label")
    assert [found[name] for name in wanted] == ["text_span", 12, 11, 14, "Ada", "name"]


def test_a_video_has_clips_and_keyframes(make_world: Callable[..., World], tiny_video: bytes):
    config = """<View><Video name="video" value="$video"/>
    <TimelineLabels name="moment" toName="video"><Label value="goal"/></TimelineLabels>
    <VideoRectangle name="box" toName="video"/>
    <Labels name="label" toName="video"><Label value="ball"/></Labels></View>"""
    world = make_world(config=config, yaml="media_types: [video]\n")
    world.hand_in({"a.mp4": tiny_video})
    (warning,) = world.publish().warnings
    assert warning.text.startswith("the Video tag 'video' counts 24 frames a second, the file has 10: annotators see")
    place = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, "enabled": True}
    sequence = [{**place, "frame": 1, "time": 0.1}, {**place, "frame": 3, "time": 0.3, "enabled": False}]
    item = {"to_name": "video"}
    moment = {"ranges": [{"start": 4, "end": 7}], "timelinelabels": ["goal"]}
    track = {"sequence": sequence, "framesCount": 8, "duration": 0.3}
    made = world.annotate(
        world.task_ids()[0],
        {**item, "id": "m1", "type": "timelinelabels", "from_name": "moment", "value": moment},
        {**item, "id": "b1", "type": "videorectangle", "from_name": "box", "value": track},
        {**item, "id": "b1", "type": "labels", "from_name": "label", "value": {**track, "labels": ["ball"]}},
    )
    assert world.collect(run_id="run-3").problems == []
    wanted = ["LS_id", "LS_derived", "LS_label", "LS_run_id", "LS_start_frame", "LS_end_frame", "LS_start_s"]
    found = world.db.find("FindClip", None, properties=wanted)
    assert [[row[name] for name in ("LS_start_frame", "LS_end_frame", "LS_start_s")] for row in found] == [
        [1, 2, 0.125],
        [0, 1, 0],
    ]
    assert [[row[name] for name in ("LS_id", "LS_derived", "LS_label", "LS_run_id")] for row in found] == [
        ["m1", False, "goal", "run-3"],
        ["b1", True, "ball", "run-3"],
    ]
    assert [(row["LS_frame"], row["LS_shown_frame"]) for row in world.stored(names.KEYFRAME)] == [(0, 1), (0, 3)]
    world.ls.update_annotation(made["id"], {"result": []})
    world.collect()
    assert world.db.count("FindClip", None) + len(world.stored(names.KEYFRAME)) + len(world.stored(names.REGION)) == 0


def test_annotations_name_the_configuration_that_label_studio_had(published: World):
    first, second, _ = published.task_ids()
    published.annotate(first, box())
    published.collect()
    config = BOXES.replace('<Label value="dog"/>', '<Label value="cat"/>')
    published.ls.update_project(published.record.project_id, label_config=config)
    published.annotate(second, box(label="cat"))
    (problem,) = published.collect().problems
    assert problem.subject == "label configuration"
    hashes = [row["LS_config_hash"] for row in published.annotations()]
    assert hashes == [LabelConfig.parse(xml).hash for xml in (BOXES, config)]
    held = {row["LS_hash"]: row["LS_xml"] for row in published.stored(names.CONFIG)}
    assert [LabelConfig.parse(held[it]).labels_of("label") for it in hashes] == [("car", "dog"), ("car", "cat")]
