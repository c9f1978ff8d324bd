"""kill -9 in the middle of a sync that takes several queries, then the sync again: as if nobody had disturbed it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.faults.contents import contents
from labeling_assets_tests.faults.killing_proxy import Moment, killing_proxy
from labeling_assets_tests.faults.stages import Stages
from labeling_assets_tests.faults.steps import Step
from labeling_assets_tests.sync.world import (
    LINKS,
    WatchedDatabase,
    World,
    box,
    outline,
    pictures,
    write_project,
)


def killed(world: World, stages: Stages, aperturedb: LocalServer, *, at: int, moment: Moment) -> None:
    """Collect in a process that dies at its writing query number `at`."""
    with killing_proxy(aperturedb.key, at=at, moment=moment) as proxy:
        folder, inbox = str(world.project.folder), str(world.inbox)
        proxy.victim = stages.victims.start(Step("collect", proxy.key, folder, inbox, world.ls.url, stages.api_key))
        status = stages.victims.wait()
        stages.victims.forget()
    assert (status, proxy.writes) == (-9, at)


@pytest.fixture(scope="module")
def changed(
    tmp_path_factory: pytest.TempPathFactory, label_studio_server: LabelStudioServer, label_studio_key: str
) -> Iterator[tuple[World, Path]]:
    """A project that was in sync, and in which much happened since: its database is to be copied."""
    folder = tmp_path_factory.mktemp("changed")
    project = write_project(folder / "cars", yaml="title: fault test collect\nmax_deleted_share: 1")
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
    [(2, "after"), (3, "before"), (5, "after")],
    ids=["one of two queries", "only the second is left", "the last task is withdrawn and nobody knows"],
)
def test_collect(
    tmp_path: Path, changed: tuple[World, Path], expected: object, stages: Stages, at: int, moment: Moment
):
    world, folder = changed
    copy = shutil.copytree(folder, tmp_path / "aperturedb")
    with LocalServer(copy) as server, WatchedDatabase(server.key) as world.db:
        killed(world, stages, server, at=at, moment=moment)
        world.collect()
        assert contents(world.db) == expected


@pytest.mark.parametrize(("at", "moment"), [(2, "after"), (4, "before")])
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
