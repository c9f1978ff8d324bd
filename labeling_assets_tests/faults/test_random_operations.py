"""Three annotators do anything that can be done, syncs come at any moment: ApertureDB equals Label Studio in the end.

`--operations-seed 7` replays one seed, `--operations-seed 100-119` runs twenty, `--operations 300` does more in each.
"""

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.stack.label_studio import Account, LabelStudioServer
from labeling_assets.stack.label_studio_install import DATABASE_NAME
from labeling_assets.sync.verify import verify_annotations
from labeling_assets_tests.faults.contents import differences
from labeling_assets_tests.faults.fresh_database import current_work, fresh_database
from labeling_assets_tests.faults.office import CONFIG, Office
from labeling_assets_tests.faults.operations import repair
from labeling_assets_tests.faults.people import Person, people
from labeling_assets_tests.faults.raw_label_studio import RawLabelStudio
from labeling_assets_tests.faults.stages import Stages
from labeling_assets_tests.faults.steps import Step
from labeling_assets_tests.faults.syncs import Syncs, both_sides
from labeling_assets_tests.sync.world import WatchedDatabase, World, write_project


@dataclass(frozen=True)
class Building:
    """One Label Studio, and the people who work with it."""

    ls: LabelStudio
    key: str
    people: list[Person]
    raw: RawLabelStudio


@pytest.fixture(scope="module")
def building(label_studio_database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Building]:
    """Of its own: SQLite gives ids again, and nobody else shall take them."""
    with LabelStudioServer(tmp_path_factory.mktemp("label_studio"), Account.random()) as server:
        key = server.personal_access_token()
        with LabelStudio(server.url, key) as ls, people(ls, "Ada", "Ben", "Cleo") as three:
            yield Building(ls, key, three, RawLabelStudio(server.data_dir / DATABASE_NAME))


@pytest.fixture
def office(building: Building, tmp_path: Path, operations_seed: int) -> Iterator[tuple[Office, Step]]:
    """A project in which nothing has happened, in an empty database."""
    chance = random.Random(operations_seed)
    project = write_project(
        tmp_path / "cars", config=CONFIG, yaml=f"title: random operations {operations_seed}\nmax_deleted_share: 1"
    )
    with LocalServer(tmp_path / "aperturedb") as server, WatchedDatabase(server.key) as db:
        world = World(db, project, tmp_path / "inbox", building.ls)
        step = Step(
            "",
            server.key,
            str(project.folder),
            str(world.inbox),
            building.ls.url,
            building.key,
            tasks_an_import=chance.choice([2, 3, 100]),
            tasks_a_query=chance.choice([2, 3, 100]),
            large=chance.choice([3, 500]),
            overlap_s=chance.choice([0, 1, None]),
        )
        yield Office(world, building.people, building.raw, chance), step


def test_aperturedb_equals_label_studio_after_anything(
    office: tuple[Office, Step], stages: Stages, operations_seed: int, operations: int, tmp_path: Path
):
    desk, step = office
    syncs = Syncs(desk, stages, step)
    _say(f"--operations-seed {operations_seed} --operations {operations}: {step.tasks_a_query} tasks a query,")
    _say(f"a snapshot from {step.large} tasks on, an overlap of {step.overlap_s} s")
    for number in range(operations):
        _say(f"{number:4} {_one(desk, syncs, number)}")
    for batch in list(desk.unfinished):
        _say(syncs.finish(batch))
    _say(syncs.run("sync project"))
    _say(syncs.run("reconcile"))
    _assert_equal(desk)
    while (repaired := repair(desk)) is not None:
        _say(repaired)
    _say(syncs.run("sync project"))
    _say(syncs.run("reconcile"))
    _assert_equal(desk)
    _assert_at_rest(desk)
    with fresh_database(desk.world, tmp_path / "fresh", desk.batches) as fresh:
        assert differences(current_work(desk.world), current_work(fresh)) == {}


def _one(desk: Office, syncs: Syncs, number: int) -> str:
    """One thing that somebody does."""
    chance = desk.chance.random()
    if number == 0 or chance < 0.03:
        return syncs.publish()
    if desk.unfinished and chance < 0.06:
        return syncs.finish(desk.chance.choice(desk.unfinished), kill=desk.chance.random() < 0.3)
    if not desk.batches:
        return syncs.finish(desk.unfinished[0])
    if chance < 0.08:
        return syncs.add_a_label()
    return syncs.sync() if chance < 0.25 else syncs.work()


def _say(line: str) -> None:
    """pytest shows it where the test fails: what was done, in order."""
    sys.stdout.write(f"{line}\n")


def _assert_equal(desk: Office) -> None:
    found = both_sides(desk).differences()
    assert not found, "\n".join(found)


def _assert_at_rest(desk: Office) -> None:
    """A sync has nothing to do, and the checks find nothing, but for tasks that show no medium."""
    world, tasks = desk.world, desk.tasks().values()
    lost = {task.batch for task in tasks if desk.history.trouble(task)}
    for batch in desk.batches:
        world.collect(batch)  # the overlap is another one now
        world.db.writes.clear()
        assert batch in lost or (world.collect(batch).idle, world.db.writes) == (True, [])
        outcomes = verify_annotations(world.db, world.ls, world.project, batch, full=True)
        failed = [outcome.offenders for outcome in (outcomes.mapping, outcomes.links, outcomes.counts)]
        assert batch in lost or failed == [[], [], []]
