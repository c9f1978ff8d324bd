"""What a sync costs in a project of 5,000 tasks, counted in requests, tasks read and objects written."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from labeling_assets import names
from labeling_assets.clients.aperturedb import Reply
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.query import Query
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.sync import changes, watermark
from labeling_assets.sync.collect import read_tasks
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.sync_project import sync_project
from labeling_assets_tests.sync.world import WatchedDatabase, World, box, picture, write_project

pytestmark = pytest.mark.slow

TASKS = 5000
CHANGED = 10


class CountedDatabase(WatchedDatabase):
    """Counts the annotations, tasks and boxes that are written, and the queries that write."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.written: dict[str, int] = {}

    def run(self, query: Query) -> Reply:
        for name, body in query.commands:
            if name in ("AddEntity", "AddBoundingBox"):
                what = str(body.get("class", name))
                self.written[what] = self.written.get(what, 0) + 1
        return super().run(query)


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, label_studio_server: object, label_studio_key: str
) -> Iterator[World]:
    """5,000 pictures with a task each, none labelled, in sync. An hour later: nothing of it lies in the overlap."""
    folder = tmp_path_factory.mktemp("cost")
    project = write_project(folder / "cars", yaml="title: cost of a sync")
    url: str = label_studio_server.url  # type: ignore[attr-defined]
    with (
        pytest.MonkeyPatch.context() as later,
        LocalServer(folder / "aperturedb") as server,
        CountedDatabase(server.key) as db,
        LabelStudio(url, label_studio_key) as ls,
    ):
        for module in (watermark, changes, read_tasks):
            later.setattr(module, "OVERLAP", timedelta(0))
        world = World(db, project, folder / "inbox", ls)
        prepare_database(db, (project.state,))
        _add_media(world)
        assert world.publish().created == TASKS
        report = world.collect()
        assert (report.read_by, report.tasks_read >= TASKS) == ("snapshot", True)
        sync_project(db, ls, project)
        yield world


def _add_media(world: World) -> None:
    content = picture()
    world.db.one("AddEntity", {"class": names.BATCH, "properties": {names.KEY: "May"}})
    for start in range(0, TASKS, 500):
        query = Query()
        batch = query.reference()
        query.add("FindEntity", {"_ref": batch, "with_class": names.BATCH, "constraints": equal(names.KEY, "May")})
        for number in range(start, start + 500):
            image, guid = query.reference(), f"cost-{number}"
            properties = {names.GUID: guid, "LS_role": "media", "LS_media_type": "image", world.project.state: "new"}
            properties |= {"LS_width": 40, "LS_height": 30, "LS_orientation": 1}
            query.add("AddImage", {"_ref": image, "properties": properties}, content)
            query.connect(names.BATCH_MEDIA, f"May|{guid}", source=batch, destination=image, LS_batch="May")
        world.db.run(query)


@pytest.fixture
def counted(world: World) -> Callable[[], tuple[int, int, dict[str, int]]]:
    """Requests, writing commands and objects written since the test began."""
    db = world.db
    assert isinstance(db, CountedDatabase)
    requests, writes = world.ls.request_count, len(db.writes)
    db.written.clear()
    return lambda: (world.ls.request_count - requests, len(db.writes) - writes, dict(db.written))


def test_an_idle_sync_of_the_project_makes_two_requests_and_writes_nothing(
    world: World, counted: Callable[[], tuple[int, int, dict[str, int]]]
):
    assert sync_project(world.db, world.ls, world.project) == []
    assert counted() == (2, 0, {})


def test_an_idle_sync_of_the_batch_makes_two_requests_and_writes_nothing(
    world: World, counted: Callable[[], tuple[int, int, dict[str, int]]]
):
    assert world.collect().idle
    assert counted() == (2, 0, {})


def test_a_change_that_is_known_is_read_without_a_look(
    world: World, counted: Callable[[], tuple[int, int, dict[str, int]]]
):
    task = int(world.ls.list_tasks(world.record.project_id, page_size=1).tasks[0]["id"])
    world.annotate(task, box(label="dog"))
    before, _, _ = counted()
    report = world.collect(changed=True)
    # The project, its users, the tasks that changed, how many there are.
    assert (counted()[0] - before, report.created, report.idle) == (4, 1, False)


def test_ten_changed_tasks_are_read_and_ten_annotations_written(
    world: World, counted: Callable[[], tuple[int, int, dict[str, int]]]
):
    tasks = [int(task["id"]) for task in world.ls.list_tasks(world.record.project_id, page_size=CHANGED).tasks]
    for task in tasks:
        world.annotate(task, box())
    before, _, _ = counted()
    report = world.collect()
    after, _, written = counted()
    # The watermark itself is read once more: others may have its time.
    assert (report.created, CHANGED <= report.tasks_read <= CHANGED + 1) == (CHANGED, True)
    assert after - before <= 5
    # What a task has already is added again on the condition that it is missing.
    assert written == {
        names.SYNC: 1,
        names.TASK: CHANGED,
        names.ANNOTATION: CHANGED,
        names.LABEL: 1,
        "AddBoundingBox": CHANGED,
    }
    assert world.db.count("FindEntity", None, class_name=names.TASK) == TASKS
