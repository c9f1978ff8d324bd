"""The steps of the pipeline, each with a state to begin in that is set up again and again, and what it must lead to."""

import itertools
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from labeling_assets import names
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.errors import TransientError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets_tests import mixed_labels as mixed
from labeling_assets_tests.faults.contents import Contents, contents, differences, expire_leases
from labeling_assets_tests.faults.proxies import database_proxy, label_studio_proxy
from labeling_assets_tests.faults.referee import Boundary, Referee
from labeling_assets_tests.faults.steps import Step
from labeling_assets_tests.faults.victims import Victims
from labeling_assets_tests.sync.world import WatchedDatabase, World, pictures, write_files, write_project

NAMES: Final = ("ingest", "publish", "collect", "push predictions", "push annotations")
# Every form that ApertureDB gets: boxes, polygons, outlines and masks, clips, key frames, labels of the whole medium.
CONFIG: Final = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="car"/><Label value="dog"/></RectangleLabels>
  <PolygonLabels name="outline" toName="image"><Label value="road"/></PolygonLabels>
  <EllipseLabels name="ellipse" toName="image"><Label value="scratch"/></EllipseLabels>
  <BrushLabels name="brush" toName="image"><Label value="scratch"/></BrushLabels>
  <Choices name="weather" toName="image"><Choice value="sunny"/><Choice value="dry"/></Choices>
  <Video name="video" value="$video"/>
  <TimelineLabels name="moment" toName="video"><Label value="goal"/></TimelineLabels>
  <Labels name="who" toName="video"><Label value="player"/></Labels>
  <VideoRectangle name="track" toName="video"/>
</View>
"""
_numbers = itertools.count(1)
Result = tuple[Contents, Any]


def _on(medium: str, *items: mixed.Item) -> list[mixed.Item]:
    return [{**item, "to_name": medium} for item in items]


def _labels(number: int) -> list[mixed.Item]:
    """Of a picture; other ones for each number."""
    forms = (
        mixed.box("a", "car"),
        mixed.polygon("b", "road"),
        mixed.ellipse("c", "scratch"),
        mixed.mask("d", "scratch"),
    )
    return _on("image", *forms[: 1 + number % 4], mixed.box("e", "dog", rotation=30), mixed.choice("w", "sunny", "dry"))


def _film_labels(last: int) -> list[mixed.Item]:
    return _on("video", mixed.moment("a", "goal", 1, last), mixed.track("b", "player"))


@dataclass
class Stand:
    """One state that a step begins in, and the world around it."""

    step: Step
    world: World

    @property
    def db(self) -> WatchedDatabase:
        return self.world.db


@dataclass
class Stages:
    """Makes the state before each step once, and copies of it.

    Label Studio cannot be copied: publishing gets a project of its own each time, pushing one that is emptied.
    """

    folder: Path
    ls: LabelStudio
    api_key: str
    victims: Victims
    _expected: dict[str, Result] = field(default_factory=dict)

    @contextmanager
    def open(self, name: str) -> Iterator[Stand]:
        """A database in which the step is still to be done."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self.folder)))
            shutil.copytree(self._before(name), folder / "aperturedb")
            server = stack.enter_context(LocalServer(folder / "aperturedb"))
            db = stack.enter_context(WatchedDatabase(server.key))
            world = self._world(db, {"push predictions": "again", "push annotations": "again"}.get(name, "cars"))
            if name == "publish":
                title = f"title: fault test, project {next(_numbers)}\nmedia_types: [image, video]\n"
                world.project = write_project(folder / "cars", config=CONFIG, yaml=title)
            if name.startswith("push"):
                for labels in ("predictions", "annotations"):
                    self.ls.run_action(world.record.project_id, f"delete_tasks_{labels}", world.task_ids())
                self.ls.update_project(world.record.project_id, model_version="")
            place = (server.key, str(world.project.folder), str(world.inbox), self.ls.url, self.api_key)
            step = Step(name, *place, tasks_an_import=3)
            yield Stand(step, world)

    def expected(self, name: str) -> Result:
        """What a run leaves that nobody disturbs."""
        if name not in self._expected:
            with self.open(name) as stand:
                self.finish(stand)
                self._expected[name] = self.result(stand)
        return self._expected[name]

    def finish(self, stand: Stand) -> None:
        """Run the step in peace, two minutes later."""
        expire_leases(stand.db)
        stand.step.run(lambda _: None)

    def assert_as_expected(self, stand: Stand) -> None:
        """Both databases are what a run in peace makes of them, object by object."""
        found, expected = self.result(stand), self.expected(stand.step.name)
        assert differences(found[0], expected[0]) == {}
        assert found[1] == expected[1]

    def result(self, stand: Stand) -> Result:
        """Both databases, as far as the step writes to them."""
        name, world = stand.step.name, stand.world
        if name in ("ingest", "collect"):
            return contents(world.db), None
        tasks = world.tasks() if name == "publish" else self._labeled(world)
        shown = {int(task["id"]): str(task["data"]["guid"]) for task in tasks}
        known = {int(row["LS_task_id"]): str(row["LS_media_guid"]) for row in self._recorded(world)}
        assert known == shown, "ApertureDB and Label Studio know other tasks"
        aliases = {world.record.instance: "the server", world.project.title: "the title"}
        aliases |= {str(row[names.LS_GUID]): f"task of {row['LS_media_guid']}" for row in self._recorded(world)}
        made = self.ls.find_projects_by_title(world.project.title)
        projects = [(project.label_config, project.raw.get("model_version")) for project in made]
        return contents(world.db, aliases), (projects, Counter(_without_ids(task) for task in tasks))

    def _recorded(self, world: World) -> list[dict[str, Any]]:
        return [row for row in world.stored(names.TASK) if row["LS_project"] == world.project.slug]

    def _labeled(self, world: World) -> list[dict[str, Any]]:
        guids = [str(row["LS_media_guid"]) for row in self._recorded(world)]
        return [dict(task) for task in self.ls.tasks_to_push_to(world.record.project_id, guids)]

    # Before each step

    def _world(self, db: WatchedDatabase, slug: str = "cars") -> World:
        folder = self.folder / slug
        title = f"title: fault test of {slug}\nmedia_types: [image, video]\n"
        return World(db, write_project(folder, config=CONFIG, yaml=title), self.folder / "inbox", self.ls)

    def _before(self, name: str) -> Path:
        makers = {
            "ingest": self._empty,
            "publish": self._ingested,
            "collect": self._changed,
            "push predictions": self._to_push,
            "push annotations": self._to_push,
        }
        return self._made(makers[name])

    def _made(self, make: Callable[[Path], None]) -> Path:
        folder = self.folder / make.__name__
        if not folder.exists():
            make(folder)
        return folder

    @contextmanager
    def _from(self, before: Path, folder: Path) -> Iterator[WatchedDatabase]:
        shutil.copytree(before, folder)
        with LocalServer(folder) as server, WatchedDatabase(server.key) as db:
            yield db

    def _empty(self, folder: Path) -> None:
        files = {**pictures(52), "film.mp4": mixed.film(40)}  # two queries' worth
        files["twin.png"] = files["a00.png"]
        write_files(self.folder / "inbox" / "May", files)
        with LocalServer(folder):
            pass

    def _ingested(self, folder: Path) -> None:
        write_files(self.folder / "inbox" / "few", {**pictures(4), "film.mp4": mixed.film(40)})
        with LocalServer(folder) as server, WatchedDatabase(server.key) as db:
            self._few(db)

    def _few(self, db: WatchedDatabase, slug: str = "cars") -> World:
        world = self._world(db, slug)
        ingest_media(db, read_rows(self.folder / "inbox" / "few"), batch="May", projects=[world.project])
        return world

    def _synced(self, folder: Path) -> None:
        with self._from(self._made(self._ingested), folder) as db:
            world = self._world(db)
            world.publish()
            self._annotate(world)
            world.collect()

    def _annotate(self, world: World) -> None:
        *on_pictures, film = self._in_order(world)
        for number, task in enumerate(on_pictures):
            world.annotate(task, *_labels(number + 1))
        world.annotate(film, *_film_labels(20))

    def _in_order(self, world: World) -> list[int]:
        """Task ids in the order of the file names, the film last."""
        rows = world.media(names.GUID) + world.media(names.GUID, command="FindVideo")
        tasks = {str(task["data"]["guid"]): int(task["id"]) for task in world.tasks()}
        return [tasks[str(row[names.GUID])] for row in rows if str(row[names.GUID]) in tasks]

    def _changed(self, folder: Path) -> None:
        """Changes of every form: new, redrawn, deleted, skipped, a task deleted."""
        with self._from(self._made(self._synced), folder) as db:
            world = self._world(db)
            first, second, third, fourth, film = self._in_order(world)
            annotations = {task["id"]: task["annotations"][0]["id"] for task in world.tasks()}
            world.annotate(first, *_labels(3))
            self.ls.update_annotation(annotations[second], {"result": _labels(0)})
            self.ls.delete_annotation(annotations[third])
            self.ls.delete_task(fourth)
            self.ls.update_annotation(annotations[film], {"result": _film_labels(30)})
            world.annotate(film, *_film_labels(10), was_cancelled=True)

    def _to_push(self, folder: Path) -> None:
        """A second project with the same media and no labels."""
        before = self._made(self._changed)
        with self._from(before, folder) as db:
            self._world(db).collect()
            world = self._few(db, "again")
            world.publish()


def _without_ids(task: Mapping[str, Any]) -> str:
    labels = sorted(
        str([kind, one.get("result"), one.get("model_version"), one.get("was_cancelled"), one.get("lead_time")])
        for kind in ("annotations", "predictions")
        for one in task.get(kind) or ()
    )
    return str([sorted(task["data"].items()), labels])


# What is done to a run


def killed(stages: Stages, stand: Stand, chooses: Callable[[Boundary], bool]) -> Referee:
    """Run the step in a process that dies at the first boundary chosen, if there is one."""
    referee = Referee(chooses, kills=True)
    with _through_proxies(stand.step, referee) as step:
        referee.watch(stages.victims.start(step))
        status = _ended(stages, referee)
    # With its last answer a process may be through before the signal comes; no server would hear of anything more.
    expected = {0} if not referee.hit else {-9, 0} if referee.hit[0].moment == "answered" else {-9}
    assert status in expected, f"the process ended with {status}, hit at {referee.hit}"
    return referee


def killed_after(stages: Stages, stand: Stand, delay_s: float) -> bool:
    """Run the step in a process that is killed after a time; whether that was before it had ended by itself."""
    referee = Referee(lambda _: False, kills=True)
    with _through_proxies(stand.step, referee) as step:
        referee.watch(stages.victims.start(step))
        timer = threading.Timer(delay_s, referee.strike)
        timer.start()
        status = _ended(stages, referee)
        timer.cancel()
    assert status in (0, -9)
    return status == -9


def _ended(stages: Stages, referee: Referee) -> int:
    status = stages.victims.wait()
    referee.end()
    stages.victims.forget()
    return status


def cut(stand: Stand, chooses: Callable[[Boundary], bool]) -> Referee:
    """Run the step here, its connections cut at every boundary chosen; it may give up and say so."""
    referee = Referee(chooses)
    with _through_proxies(stand.step, referee) as step:
        try:
            step.run(lambda _: None)
        except TransientError:
            assert referee.hit
    return referee


@contextmanager
def _through_proxies(step: Step, referee: Referee) -> Iterator[Step]:
    with database_proxy(step.key, referee) as key, label_studio_proxy(referee) as proxy:
        yield replace(step, key=key, proxy=proxy)
