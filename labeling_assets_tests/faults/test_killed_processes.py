"""kill -9 in the middle of a step, then the step again: the databases are those of a run that nobody disturbed."""

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling_assets import names
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.faults.contents import contents, expire_leases
from labeling_assets_tests.faults.killing_proxy import Moment, killing_proxy
from labeling_assets_tests.sync.world import (
    LINKS,
    WatchedDatabase,
    World,
    box,
    outline,
    pictures,
    write_files,
    write_project,
)

_numbers = itertools.count(1)


def killed(world: World, step: str, aperturedb: LocalServer, api_key: str, *, at: int, moment: Moment) -> None:
    """Run a step in a process that dies at its writing query number `at`."""
    with killing_proxy(aperturedb.key, at=at, moment=moment) as proxy:
        arguments = {
            "step": step,
            "key": proxy.key,
            "folder": str(world.project.folder),
            "inbox": str(world.inbox),
            "url": world.ls.url,
            "api_key": api_key,
        }
        command = [sys.executable, "-m", "labeling_assets_tests.faults.one_step", json.dumps(arguments)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        proxy.victim = process.pid
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, proxy.writes) == (-9, at), errors


@pytest.fixture
def world(tmp_path: Path, label_studio: LabelStudio) -> World:
    """A project of its own; each test opens its databases itself."""
    project = write_project(tmp_path / "cars", yaml=f"title: fault test {next(_numbers)}")
    return World(None, project, tmp_path / "inbox", label_studio)  # type: ignore[arg-type]


@pytest.mark.parametrize(("at", "moment"), [(1, "after"), (2, "after"), (3, "before")])
def test_ingest(tmp_path: Path, world: World, label_studio_key: str, at: int, moment: Moment):
    write_files(world.inbox / "May", pictures(60))
    with LocalServer(tmp_path / "clean") as clean, WatchedDatabase(clean.key) as world.db:
        world.hand_in({})
        expected = contents(world.db)
    with LocalServer(tmp_path / "killed") as server, WatchedDatabase(server.key) as world.db:
        killed(world, "ingest", server, label_studio_key, at=at, moment=moment)
        world.hand_in({})
        assert contents(world.db) == expected


@pytest.mark.parametrize(
    ("at", "moment"),
    [(3, "before"), (4, "before"), (4, "after")],
    ids=["project made and not recorded", "tasks made and not recorded", "tasks recorded and nobody told"],
)
def test_publish(tmp_path: Path, world: World, label_studio_key: str, at: int, moment: Moment):
    with LocalServer(tmp_path / "aperturedb") as server, WatchedDatabase(server.key) as world.db:
        world.hand_in(pictures(5))
        killed(world, "publish", server, label_studio_key, at=at, moment=moment)
        expire_leases(world.db)
        world.publish()
        guids = sorted(row["guid"] for row in world.media("guid"))
        assert sorted(task["data"]["guid"] for task in world.tasks()) == guids
        assert sorted(row["LS_media_guid"] for row in world.stored(names.TASK)) == guids
        assert {row["LS_state_cars"] for row in world.media("LS_state_cars")} == {"open"}
        assert len(world.ls.find_projects_by_title(world.project.title)) == 1


@pytest.fixture(scope="module")
def changed(
    tmp_path_factory: pytest.TempPathFactory, label_studio_server: LabelStudioServer, label_studio_key: str
) -> Iterator[tuple[World, Path]]:
    """A project that was in sync, and in which much happened since: its database is to be copied."""
    folder = tmp_path_factory.mktemp("changed")
    project = write_project(folder / "cars", yaml="title: fault test collect")
    with LabelStudio(label_studio_server.url, label_studio_key) as ls:
        with LocalServer(folder / "aperturedb") as server, WatchedDatabase(server.key) as db:
            world = World(db, project, folder / "inbox", ls)
            _label_and_collect(world)
            _change(world)
        yield world, folder / "aperturedb"


def _label_and_collect(world: World) -> None:
    world.hand_in(pictures(1, first=500), batch="June")
    world.publish("June")
    guids = world.hand_in(pictures(130)).guids
    data = [{"guid": guid, "import_batch": "May", "image": LINKS.link(guid)} for guid in guids]
    tasks = [{"data": values, "annotations": [{"result": [box(), outline()]}]} for values in data]
    world.ls.import_tasks(world.record.project_id, tasks)
    world.publish()
    world.collect()


def _change(world: World) -> None:
    tasks = [task for task in world.tasks() if task["data"]["import_batch"] == "May"]
    world.ls.run_action(world.record.project_id, "delete_tasks_annotations", [task["id"] for task in tasks[:110]])
    for task in tasks[105:108]:
        world.annotate(task["id"], box(label="dog"))
    for task in tasks[110:113]:
        world.ls.update_annotation(task["annotations"][0]["id"], {"result": [box(label="dog")]})
    world.ls.delete_task(tasks[120]["id"])


@pytest.fixture(scope="module")
def expected(changed: tuple[World, Path], tmp_path_factory: pytest.TempPathFactory) -> object:
    """What a run that nobody disturbs makes of the changes."""
    world, folder = changed
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("clean") / "aperturedb")
    with LocalServer(copy) as server, WatchedDatabase(server.key) as world.db:
        report = world.collect()
        assert (report.created, report.updated, report.deleted, report.tasks_withdrawn) == (3, 3, 111, 1)
        return contents(world.db)


@pytest.mark.parametrize(
    ("at", "moment"),
    [(2, "before"), (2, "after"), (4, "before"), (4, "after"), (5, "after")],
)
def test_collect(
    tmp_path: Path, changed: tuple[World, Path], expected: object, label_studio_key: str, at: int, moment: Moment
):
    world, folder = changed
    copy = shutil.copytree(folder, tmp_path / "aperturedb")
    with LocalServer(copy) as server, WatchedDatabase(server.key) as world.db:
        killed(world, "collect", server, label_studio_key, at=at, moment=moment)
        world.collect()
        assert contents(world.db) == expected


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("at", [2, 4])
def test_a_query_that_is_sent_twice_because_its_answer_was_lost(
    tmp_path: Path, changed: tuple[World, Path], expected: object, at: int, moment: Moment
):
    world, folder = changed
    copy = shutil.copytree(folder, tmp_path / "aperturedb")
    with (
        LocalServer(copy) as server,
        killing_proxy(server.key, at=at, moment=moment) as proxy,
        WatchedDatabase(proxy.key) as world.db,
    ):
        world.collect()
        assert proxy.writes > at
        assert contents(world.db) == expected
