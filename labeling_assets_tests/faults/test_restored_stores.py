"""Each of the three stores alone goes back to an older copy: noticed, reported, repaired, and nothing is lost."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import dagster as dg
import pytest

from labeling_assets import names
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.errors import DataError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.projects import load_project, load_projects
from labeling_assets.resources import ApertureDBResource, LabelStudioResource
from labeling_assets.sensors import changed_annotations_sensor, closed_batches_sensor, new_batches_sensor
from labeling_assets.stack.label_studio import Account, LabelStudioServer
from labeling_assets.stack.label_studio_install import DATABASE_NAME
from labeling_assets.sync.changes import Cursor, observe
from labeling_assets.sync.sync_project import sync_project
from labeling_assets.sync.watermark import load_states
from labeling_assets_tests.faults.contents import Contents, contents, differences
from labeling_assets_tests.pipeline import Pipeline, pipelines
from labeling_assets_tests.sync.world import WatchedDatabase, World, box, outline, pictures, write_project
from labeling_assets_tests.ticks import asked, launch, tick

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")

JUNE: Final = {"first": 100}


def looked(world: World, cursor: Cursor) -> Cursor:
    """What the sensor remembers after one more look."""
    return observe(world.db, world.ls, world.record, load_states(world.db, world.record.key), cursor=cursor)


def labels(world: World) -> Contents:
    """Everything but what the sync notes about itself."""
    found = contents(world.db)
    del found[names.SYNC]
    return found


def shown(world: World) -> list[tuple[int, Any]]:
    """Id and result of every annotation in Label Studio."""
    return sorted((one["id"], one["result"]) for task in world.tasks() for one in task["annotations"])


def held(world: World) -> list[tuple[int, Any]]:
    """The same of those that ApertureDB holds as current."""
    rows = [row for row in world.annotations() if row.get("LS_deleted_at") is None]
    return sorted((int(row["LS_annotation_id"]), json.loads(row["LS_data"])["result"]) for row in rows)


# ApertureDB


@pytest.fixture
def world(tmp_path: Path, label_studio: LabelStudio) -> World:
    """Each test opens its databases itself."""
    project = write_project(tmp_path / "cars", yaml=f"title: restored {tmp_path.name}")
    return World(None, project, tmp_path / "inbox", label_studio)  # type: ignore[arg-type]


def test_an_older_aperturedb_catches_up_with_label_studio(tmp_path: Path, world: World):
    folder, older = tmp_path / "aperturedb", tmp_path / "older"
    with LocalServer(folder) as server, WatchedDatabase(server.key) as world.db:
        world.hand_in(pictures(4))
        world.publish()
        first, second, third, _ = world.task_ids()
        edited, deleted = world.annotate(first, box()), world.annotate(second, box(), outline())
        world.collect()
    shutil.copytree(folder, older)
    with LocalServer(folder) as server, WatchedDatabase(server.key) as world.db:
        world.ls.update_annotation(edited["id"], {"result": [box(label="dog")]})
        world.ls.delete_annotation(deleted["id"])
        world.annotate(third, outline())
        world.hand_in(pictures(2, **JUNE), batch="June")
        world.publish("June")
        world.annotate(world.task_ids()[-1], box())
        world.collect()
        world.collect("June")
        cursor, expected, tasks = looked(world, Cursor()), labels(world), world.task_ids()
    with LocalServer(older) as server, WatchedDatabase(server.key) as world.db:
        assert looked(world, cursor).pending.keys() == {"May", "June"}
        may, june = sorted(sync_project(world.db, world.ls, world.project), key=lambda report: report.batch != "May")
        assert (may.created, may.updated, may.deleted) == (1, 1, 1)
        assert ["no medium in ApertureDB has the GUID" in note.text for note in june.quarantined] == [True, True]
        world.hand_in({}, batch="June")
        published = world.publish("June")
        assert (published.created, published.adopted) == (0, 2)
        sync_project(world.db, world.ls, world.project, full=True)
        assert differences(labels(world), expected) == {}
        assert world.task_ids() == tasks


def test_an_aperturedb_from_before_the_project_was_made_tells_of_it(
    tmp_path: Path, world: World, caplog: pytest.LogCaptureFixture
):
    """Its server got a new identity, so that nothing may be matched by title; the old project stays as it is."""
    folder, older = tmp_path / "aperturedb", tmp_path / "older"
    with LocalServer(folder) as server, WatchedDatabase(server.key) as world.db:
        world.hand_in(pictures(2))
    shutil.copytree(folder, older)
    with LocalServer(folder) as server, WatchedDatabase(server.key) as world.db:
        world.publish()
        world.annotate(world.task_ids()[0], box())
        world.collect()
    with LocalServer(older) as server, WatchedDatabase(server.key) as world.db:
        world.publish()
        old, new = world.ls.find_projects_by_title(world.project.title)
        assert f"Project {old.id} in {world.ls.url} has the title" in caplog.text
        assert (old.total_annotations_number, new.id) == (1, world.record.project_id)


# Label Studio


@pytest.fixture
def own_label_studio(label_studio_database: None, tmp_path: Path) -> Iterator[LabelStudioServer]:
    with LabelStudioServer(tmp_path / "label_studio", Account.random()) as server:
        yield server


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as old, sqlite3.connect(target) as new:
        old.backup(new)


def test_an_older_label_studio_is_noticed_and_compared_in_full(tmp_path: Path, own_label_studio: LabelStudioServer):
    server, live, older = own_label_studio, own_label_studio.data_dir / DATABASE_NAME, tmp_path / "older.sqlite3"
    token = server.personal_access_token()
    project = write_project(tmp_path / "cars", yaml="title: restored Label Studio")
    with (
        LocalServer(tmp_path / "aperturedb") as aperturedb,
        WatchedDatabase(aperturedb.key) as db,
        LabelStudio(server.url, token) as ls,
    ):
        world = World(db, project, tmp_path / "inbox", ls)
        world.hand_in(pictures(3))
        world.publish()
        first, second, _ = world.task_ids()
        edited = world.annotate(first, box())
        world.collect()
        _copy(live, older)
        ls.update_annotation(edited["id"], {"result": [box(label="dog")]})
        lost = world.annotate(second, outline())
        world.hand_in(pictures(2, **JUNE), batch="June")
        world.publish("June")
        world.annotate(world.task_ids()[-1], box())
        world.collect()
        world.collect("June")
        cursor = looked(world, Cursor())
        server.stop()
        with sqlite3.connect(older) as backup:  # a day old
            backup.execute("UPDATE task SET updated_at = datetime(updated_at, '-1 day') || '.000001'")
        backup.close()
        older.replace(live)
        server.start()

        assert looked(world, cursor).pending.keys() == {"May", "June"}
        reports = {report.batch: report for report in sync_project(db, ls, project)}
        assert "restored to an older copy" in reports["May"].problems[0].text
        assert (reports["May"].updated, reports["May"].deleted) == (1, 1)
        newest = max(task["updated_at"] for task in world.tasks())
        assert load_states(db, world.record.key)["May"].watermark == newest
        assert (reports["June"].tasks_withdrawn, reports["June"].deleted) == (2, 1)
        assert held(world) == shown(world) == [(edited["id"], [box()])]
        # Label Studio gives the number of an annotation that was lost to the next one.
        again = world.annotate(world.task_ids()[2], box(label="dog"))
        assert again["id"] == lost["id"]
        sync_project(db, ls, project)
        assert held(world) == shown(world)
        full = {report.batch: report.unchanged for report in sync_project(db, ls, project, full=True)}
        assert full == {"May": 2, "June": 0}
        buried = [row for row in world.annotations() if row.get("LS_deleted_at") is not None]
        assert [json.loads(row["LS_data"])["result"] for row in buried] == [[outline()], [box()]]
        (version,) = [row for row in world.stored(names.REVISION) if "dog" in row["LS_data"]]
        assert version["LS_annotation_id"] == edited["id"]


def test_work_that_goes_on_in_an_older_label_studio_before_anybody_looks(
    tmp_path: Path, own_label_studio: LabelStudioServer
):
    """It gives ids again, and its new times hide that it is older: one full comparison settles it."""
    server, live, older = own_label_studio, own_label_studio.data_dir / DATABASE_NAME, tmp_path / "older.sqlite3"
    project = write_project(tmp_path / "cars", yaml="title: restored and used")
    with (
        LocalServer(tmp_path / "aperturedb") as aperturedb,
        WatchedDatabase(aperturedb.key) as db,
        LabelStudio(server.url, server.personal_access_token()) as ls,
    ):
        world = World(db, project, tmp_path / "inbox", ls)
        world.hand_in(pictures(4))
        world.publish()
        first, second, third, last = world.task_ids()
        edited, deleted = world.annotate(first, box()), world.annotate(second, box())
        _copy(live, older)
        ls.update_annotation(edited["id"], {"result": [box(label="dog")]})
        ls.delete_annotation(deleted["id"])
        lost = world.annotate(third, outline())
        ls.delete_task(last)
        world.collect()
        server.stop()
        older.replace(live)
        server.start()
        again = world.annotate(third, box("r9"))
        assert again["id"] == lost["id"]
        sync_project(db, ls, project)
        sync_project(db, ls, project, full=True)
        assert held(world) == shown(world)
        assert {row["LS_task_id"]: row["LS_state"] for row in world.stored(names.TASK)} == {
            **dict.fromkeys((first, second, third), "done"),
            last: "open",
        }
        versions = [json.loads(row["LS_data"])["result"] for row in world.stored(names.REVISION)]
        assert [box(label="dog")] in versions
        (buried,) = [row for row in world.annotations() if row.get("LS_deleted_at") is not None]
        assert json.loads(buried["LS_data"])["result"] == [outline()]


def test_a_label_studio_that_was_set_up_anew_is_not_taken_for_the_old_one(
    tmp_path: Path, own_label_studio: LabelStudioServer
):
    """The same address, and its first project has the number 1 again: nothing is read, written or deleted."""
    server = own_label_studio
    project = write_project(tmp_path / "cars", yaml="title: set up anew")
    with LocalServer(tmp_path / "aperturedb") as aperturedb, WatchedDatabase(aperturedb.key) as db:
        with LabelStudio(server.url, server.personal_access_token()) as ls:
            world = World(db, project, tmp_path / "inbox", ls)
            world.hand_in(pictures(2))
            world.publish()
            world.annotate(world.task_ids()[0], box())
            world.collect()
            record, before = world.record, world.annotations()
        server.stop()
        (server.data_dir / DATABASE_NAME).unlink()
        server.start()
        with LabelStudio(server.url, server.personal_access_token()) as world.ls:
            again = world.ls.create_project("not ours", project.label_config())
            assert again.id == record.project_id
            world.ls.import_tasks(again.id, [{"data": {"image": "http://elsewhere.example.org/x.png"}}])
            db.writes.clear()
            for refused in (
                lambda: world.collect(full=True, allow_mass_deletion=True),
                lambda: sync_project(db, world.ls, project, allow_mass_deletion=True),
                world.publish,
            ):
                with pytest.raises(DataError, match="Label Studio was rebuilt or restored"):
                    refused()
            assert world.annotations() == before
            assert world.ls.project(again.id).task_number == 1


# Dagster


@pytest.fixture
def pipeline(tmp_path: Path, label_studio_server: LabelStudioServer, label_studio_key: str) -> Iterator[Pipeline]:
    with pipelines(tmp_path, label_studio_server, label_studio_key) as make:
        yield make()


def test_a_dagster_that_remembers_nothing_makes_nothing_twice(pipeline: Pipeline):
    """From the inbox it knows its batches again; what was labeled meanwhile comes with the first sync."""
    first, second = pipeline.imported("b1", 2)
    pipeline.label(first)
    pipeline.synced("b1")
    pipeline.label(second)
    home = str(pipeline.settings.home)
    resources = {"aperturedb": ApertureDBResource(home=home), "label_studio": LabelStudioResource(home=home)}
    (pipeline.settings.home / "dagster_anew").mkdir()
    with dg.DagsterInstance.local_temp(str(pipeline.settings.home / "dagster_anew")) as pipeline.instance:
        inbox = new_batches_sensor(load_projects(pipeline.settings.projects), pipeline.settings)
        (imported,) = launch(pipeline, "import_batch", tick(inbox, pipeline.settings, pipeline.instance))
        assert imported.success
        project = load_project(pipeline.settings.projects / "cars")
        watch = changed_annotations_sensor(project, pipeline.settings)
        ticked = tick(watch, pipeline.settings, pipeline.instance, resources=resources)
        (synced,) = launch(pipeline, "sync_cars", ticked)
        assert synced.success
        ticked = tick(watch, pipeline.settings, pipeline.instance, cursor=ticked.cursor, resources=resources)
        assert asked(ticked) == {}
    assert [task["id"] for task in pipeline.tasks("b1")] == [first["id"], second["id"]]
    assert pipeline.db.count("FindEntity", None, class_name=names.ANNOTATION) == 2


def test_a_dagster_that_remembers_nothing_finds_batches_whose_folders_are_gone(pipeline: Pipeline):
    """From ApertureDB it knows them again: their media and tasks are materialized anew, and nothing is made twice."""
    first, second = pipeline.imported("b1", 2)
    pipeline.label(first)
    pipeline.synced("b1")
    pipeline.label(second)
    shutil.rmtree(pipeline.settings.inbox / "b1")
    home = str(pipeline.settings.home)
    resources = {"aperturedb": ApertureDBResource(home=home), "label_studio": LabelStudioResource(home=home)}
    (pipeline.settings.home / "dagster_anew").mkdir()
    with dg.DagsterInstance.local_temp(str(pipeline.settings.home / "dagster_anew")) as pipeline.instance:
        project = load_project(pipeline.settings.projects / "cars")
        forgotten = closed_batches_sensor([project], pipeline.settings)
        of_database = {"aperturedb": resources["aperturedb"]}
        ticked = tick(forgotten, pipeline.settings, pipeline.instance, resources=of_database)
        assert asked(ticked) == {"b1": {"media", "cars/tasks"}}
        (imported,) = launch(pipeline, "import_batch", ticked)
        assert imported.success
        ticked = tick(forgotten, pipeline.settings, pipeline.instance, cursor=ticked.cursor, resources=of_database)
        assert asked(ticked) == {}
        watch = changed_annotations_sensor(project, pipeline.settings)
        (synced,) = launch(
            pipeline, "sync_cars", tick(watch, pipeline.settings, pipeline.instance, resources=resources)
        )
        assert synced.success
    assert [task["id"] for task in pipeline.tasks("b1")] == [first["id"], second["id"]]
    assert pipeline.db.count("FindEntity", None, class_name=names.ANNOTATION) == 2
