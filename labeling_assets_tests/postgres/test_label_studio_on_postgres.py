"""Publishing and syncing with a Label Studio that keeps its tables in PostgreSQL, as large installations do."""

import itertools
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from labeling_assets import names
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.stack.label_studio import Account, LabelStudioServer
from labeling_assets_tests.faults.killing_proxy import killing_proxy
from labeling_assets_tests.faults.steps import Step
from labeling_assets_tests.faults.victims import victims
from labeling_assets_tests.postgres.server import Database, binaries, make_tables, postgres_server
from labeling_assets_tests.sync.world import WatchedDatabase, World, box, outline, pictures, write_project

_numbers = itertools.count(1)
_PEOPLE = 16


@pytest.fixture(scope="module")
def database(label_studio_database: None) -> Iterator[Database]:
    """With the tables of Label Studio, on a PostgreSQL server of its own."""
    programs = binaries()
    if programs is None:
        pytest.skip("there is no PostgreSQL server here: install Debian's package postgresql")
    with postgres_server(programs) as server:
        yield make_tables(server, "labels")


@pytest.fixture(scope="module")
def on_postgres(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    folder = tmp_path_factory.mktemp("label_studio_on_postgres")
    with LabelStudioServer(folder, Account.random(), postgres=database.address) as label_studio:
        assert not list(folder.glob("*.sqlite3"))
        yield label_studio


@pytest.fixture(scope="module")
def token(on_postgres: LabelStudioServer) -> str:
    return on_postgres.personal_access_token()


@pytest.fixture
def world(on_postgres: LabelStudioServer, token: str, tmp_path: Path) -> Iterator[World]:
    """Forty pictures, handed in."""
    project = write_project(tmp_path / "cars", yaml=f"title: on PostgreSQL {next(_numbers)}\nmax_deleted_share: 1")
    with (
        LocalServer(tmp_path / "aperturedb") as server,
        WatchedDatabase(server.key) as db,
        LabelStudio(on_postgres.url, token) as ls,
    ):
        world = World(db, project, tmp_path / "inbox", ls)
        world.hand_in(pictures(40))
        yield world


def there(world: World) -> list[tuple[int, int, bool, Any]]:
    """Task, id, skip and result of every annotation in Label Studio; PostgreSQL keeps the keys in another order."""
    return sorted(
        (task["id"], one["id"], one["was_cancelled"], json.dumps(one["result"], sort_keys=True))
        for task in world.tasks()
        for one in task["annotations"]
    )


def here(world: World) -> list[tuple[int, int, bool, Any]]:
    """The same of those that ApertureDB holds as current."""
    return sorted(
        (
            int(row["LS_task_id"]),
            int(row["LS_annotation_id"]),
            bool(row["LS_was_cancelled"]),
            json.dumps(json.loads(row["LS_data"])["result"], sort_keys=True),
        )
        for row in world.annotations()
        if row.get("LS_deleted_at") is None
    )


def test_two_publishers_at_once_make_one_task_each(world: World):
    reports = world.publish_twice_at_once()
    assert sorted(report.created for report in reports) == [0, 40]
    assert len(world.tasks()) == len(world.stored(names.TASK)) == 40
    assert world.publish().known == 40


def test_what_is_made_edited_skipped_and_deleted_comes_back(world: World):
    world.publish()
    first, second, third, fourth, *_ = world.task_ids()
    made = [world.annotate(task, box(), outline()) for task in (first, second, third, fourth)]
    assert world.collect().created == 4
    world.ls.update_annotation(made[0]["id"], {"result": [box(label="dog")]})
    world.ls.delete_annotation(made[1]["id"])
    world.annotate(third, was_cancelled=True)
    world.ls.delete_task(fourth)
    report = world.collect()
    assert (report.created, report.updated, report.deleted, report.tasks_withdrawn) == (1, 1, 2, 1)
    assert here(world) == there(world)
    assert (world.collect().requests, world.boxes("car"), world.boxes("dog")) == (2, 1, 1)


def test_ids_are_not_given_again(world: World):
    world.publish()
    last = world.task_ids()[-1]
    deleted = world.annotate(last, box())
    world.ls.delete_annotation(deleted["id"])
    assert world.annotate(last, box())["id"] > deleted["id"]
    world.ls.delete_task(last)
    assert world.ls.import_tasks(world.record.project_id, [{"data": {"image": "x"}}])[0] > last


def test_many_tasks_of_one_microsecond_are_all_read(world: World):
    world.publish()
    tasks = world.task_ids()
    for task in tasks:
        world.annotate(task, box())
    assert world.collect().created == 40
    world.ls.run_action(world.record.project_id, "delete_tasks_annotations", tasks)
    assert len({task["updated_at"] for task in world.tasks()}) == 1
    assert world.collect().deleted == 40


def test_syncs_among_sixteen_people_lose_nothing(world: World, token: str):
    """A row may be committed after a newer one was read; the last sync compares nothing in full."""
    world.publish()
    tasks = world.task_ids()

    def label(seed: int) -> None:
        chance = random.Random(seed)
        with LabelStudio(world.ls.url, token) as ls:
            for number in range(8):
                made = ls.create_annotation(chance.choice(tasks), {"result": [box(f"r{seed}-{number}")]})
                if chance.random() < 0.4:
                    ls.update_annotation(made["id"], {"result": [box(label="dog")]})
                if chance.random() < 0.2:
                    ls.delete_annotation(made["id"])

    with ThreadPoolExecutor(_PEOPLE) as office:
        people = [office.submit(label, seed) for seed in range(_PEOPLE)]
        while not all(person.done() for person in people):
            world.collect()
        for person in people:
            person.result()
    world.collect()
    assert here(world) == there(world)
    assert world.collect().idle


def test_a_change_that_is_committed_after_a_newer_one_was_read_is_not_lost(world: World, database: Database):
    """Label Studio stamps a change before it commits it: the watermark is past it when it can be seen."""
    world.publish()
    first, second, third, *_ = world.task_ids()
    database.sql("UPDATE task SET updated_at = updated_at - interval '1 day'")
    world.annotate(third, box())
    world.collect()
    with ThreadPoolExecutor(1) as late, database.held_back(first) as wait_until_stamped:
        made = late.submit(world.annotate, first, box())
        wait_until_stamped()
        world.annotate(second, box())
        assert world.collect().created == 1
    made.result()
    stamps = {task["id"]: task["updated_at"] for task in world.tasks()}
    assert stamps[third] < stamps[first] < stamps[second]
    assert world.collect().created == 1
    assert here(world) == there(world)


def test_a_sync_that_is_killed_is_completed_by_the_next(world: World, token: str):
    world.hand_in(pictures(12, first=100), batch="June")
    world.publish("June")
    for task in world.task_ids():
        world.annotate(task, box())
    folder, inbox = str(world.project.folder), str(world.inbox)
    with victims() as process, killing_proxy(world.db.key, at=3, moment="after") as proxy:
        step = Step("collect", proxy.key, folder, inbox, world.ls.url, token, batch="June", tasks_a_query=4)
        proxy.victim = process.start(step)
        assert process.wait() == -9
        process.forget()
    assert len(world.annotations()) == 8
    world.collect("June")
    assert here(world) == there(world)
    assert (len(world.annotations()), world.boxes("car")) == (12, 12)
