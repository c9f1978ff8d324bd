"""A Label Studio project that people made and worked in becomes a labeling project: nothing guessed, nothing lost."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from labeling_assets.cli import main
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio import Project as ProjectThere
from labeling_assets.clients.label_studio_query import parse_time
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError, DataError, InputError, TransientError
from labeling_assets.identity import content_guid, sha256_of
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.media_sources import MediaSources
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets.sync.adopt import project_adoption_report as found
from labeling_assets.sync.adopt.adopt_project import Matching, adopt_project
from labeling_assets.sync.adopt.project_adoption_report import ProjectAdoption
from labeling_assets.sync.labeling_project import project_key
from labeling_assets.sync.sync_project import sync_project
from labeling_assets_tests.conftest import MakeProject
from labeling_assets_tests.faults.contents import contents
from labeling_assets_tests.faults.killing_proxy import Moment, killing_proxy
from labeling_assets_tests.sync.push.test_push_labels import invite
from labeling_assets_tests.sync.served_files import served
from labeling_assets_tests.sync.world import BOXES, LINKS, WatchedDatabase, World, box, picture

FILES = {f"shop/a{number}.png": picture(number) for number in range(8)} | {
    "shop/broken.png": b"no picture",
    "shop/words.txt": b"no picture either",
}


@pytest.fixture(scope="session")
def web() -> Iterator[str]:
    """Where the files of the projects are."""
    with served(FILES) as url:
        yield url


@pytest.fixture
def there(ls_project: MakeProject) -> ProjectThere:
    """A project that people made."""
    return ls_project(BOXES, description="Cars of the shop.")


def give(world: World, there: ProjectThere, *data: dict[str, Any], **more: Any) -> list[int]:
    return world.ls.import_tasks(there.id, [{"data": one, **more} for one in data])


def upload(world: World, there: ProjectThere, files: dict[str, bytes]) -> None:
    """As a person drops files into the project; each becomes a task."""
    for name, content in files.items():
        header = {"Authorization": world.ls.authorization()}
        url = f"{world.ls.url}/api/projects/{there.id}/import"
        httpx.post(url, headers=header, files={"file": (name, content, "image/png")}, timeout=60).raise_for_status()


def adopt(world: World, there: ProjectThere, by: str = "link", **options: Any) -> ProjectAdoption:
    own = ("ingest", "link_key", "size_limit_bytes", "sources")
    matching = Matching(by, **{key: options.pop(key) for key in own if key in options})
    return adopt_project(world.db, world.ls, world.project, project_id=there.id, matching=matching, **options)


def tasks_of(world: World, there: ProjectThere) -> list[dict[str, Any]]:
    return list(world.ls.iterate_by_id(there.id))


def guid_of(number: int) -> str:
    return content_guid(sha256_of(picture(number)))


def counts(report: ProjectAdoption) -> tuple[int, int, int, int]:
    """Tasks, to adopt, unchanged, refused."""
    return report.tasks, report.adopt, report.unchanged, report.refused


def what(report: ProjectAdoption) -> dict[str, Any]:
    """All that a plan and what is done of it have in common."""
    return {k: v for k, v in asdict(report).items() if k not in ("applied", "requests", "seconds")}


def refused(report: ProjectAdoption, *kinds: str) -> dict[str, list[str]]:
    """Finding -> tasks, of these kinds or of all."""
    return {
        kind: [note.subject for note in notes] for kind, notes in report.findings.items() if not kinds or kind in kinds
    }


def without_ours(task: dict[str, Any]) -> dict[str, Any]:
    """A task without what an adoption may change."""
    data = {key: value for key, value in task["data"].items() if key not in ("guid", "import_batch")}
    return {**task, "data": data, "updated_at": ""}


def settings(project: ProjectThere) -> tuple[Any, ...]:
    """What an adoption has no business with, and the description."""
    return project.title, project.label_config, project.maximum_annotations, project.raw["description"]


def test_a_project_with_work_in_it(world: World, there: ProjectThere, web: str):
    """Tasks by URL and by upload, labelled by two people; the plan writes nothing and says what is done."""
    world.hand_in({"known.png": picture(1)})
    eve = invite(world, "eve@example.org")
    ids = give(world, there, *({"image": f"{web}/shop/a{n}.png", "shop": {"n": n}} for n in range(3)))
    upload(world, there, {"car.png": picture(50)})
    made = [
        world.ls.create_annotation(ids[0], {"result": [box()], "completed_by": eve, "lead_time": 3.5}),
        world.ls.create_annotation(ids[0], {"result": [box(label="dog")]}),
        world.ls.create_annotation(ids[1], {"result": [], "was_cancelled": True}),
    ]
    before, rows = tasks_of(world, there), contents(world.db)
    world.db.writes.clear()

    plan = adopt(world, there)
    assert (counts(plan), plan.changed, plan.ingested, plan.annotations) == ((4, 4, 0, 0), 4, 3, 2)
    assert (plan.matched, plan.batches) == ({"hash": 1, "ingested": 3}, {f"project-{there.id}": 4})
    assert (world.db.writes, contents(world.db), tasks_of(world, there)) == ([], rows, before)
    assert settings(world.ls.project(there.id)) == settings(there)

    done = adopt(world, there, apply=True)
    assert what(done) == what(plan)
    after = tasks_of(world, there)
    assert [without_ours(task) for task in after] == [without_ours(task) for task in before]
    assert [task["data"]["guid"] for task in after] == [guid_of(n) for n in (0, 1, 2, 50)]
    assert {task["data"]["import_batch"] for task in after} == {done.batch}
    assert world.ls.project(there.id).raw["description"].startswith("Cars of the shop. [labeling_assets:")
    assert {row["LS_state_cars"] for row in world.media("LS_state_cars")} == {"open"}

    (synced,) = sync_project(world.db, world.ls, world.project)
    assert (synced.created, synced.tasks_read, synced.quarantined, synced.problems) == (3, 4, [], [])
    me = world.ls.whoami().email
    kept = [(row["LS_annotator"], row.get("LS_lead_time_s"), row["LS_was_cancelled"]) for row in world.annotations()]
    assert kept == [("eve@example.org", 3.5, False), (me, None, False), (me, None, True)]
    for row, annotation in zip(world.annotations(), made, strict=True):
        for name in ("created_at", "updated_at"):
            assert parse_time(row[f"LS_{name}"]["_date"]) == parse_time(annotation[name])
    assert (world.boxes("car"), world.boxes("dog")) == (1, 1)

    rows = contents(world.db)
    again = adopt(world, there, apply=True)
    assert (counts(again), again.changed, again.ingested, again.connected) == ((4, 0, 4, 0), 0, 0, 0)
    assert (contents(world.db), tasks_of(world, there)) == (rows, after)


def test_further_media_are_published_to_an_adopted_project(world: World, there: ProjectThere, web: str):
    give(world, there, {"image": f"{web}/shop/a0.png"})
    adopt(world, there, apply=True)
    world.hand_in({"same.png": picture(0), "new.png": picture(70)})
    assert (world.publish().created, world.record.project_id) == (1, there.id)
    assert [task["data"]["guid"] for task in tasks_of(world, there)] == [guid_of(0), guid_of(70)]


# How media are found


def test_by_link_nothing_is_fetched(world: World, there: ProjectThere, web: str):
    """Both the link of a medium and those of its batches count; what gives access to a link does not."""
    rows = f"url\n{web}/shop/a0.png\n{web}/shop/a1.png?token=old\n"
    world.hand_in({"manifest.csv": rows})
    world.hand_in({"manifest.csv": f"url\n{web}/shop/a0.png?v=2\n"}, batch="June")
    wanted = [f"{web}/shop/a0.png", f"{web}/shop/a1.png?token=new", f"{web}/shop/a0.png?v=2"]
    give(world, there, *({"image": link} for link in wanted), {"image": f"{web}/shop/a2.png"})
    report = adopt(world, there, ingest=False, batch="June", apply=True)
    assert (counts(report), report.matched, report.connected) == ((4, 3, 0, 1), {"link": 3}, 1)
    tasks = tasks_of(world, there)
    assert refused(report) == {
        found.UNMATCHED: [f"task {tasks[3]['id']}"],
        found.SHARED: [f"medium {guid_of(0)}"],
    }
    assert [task["data"].get("guid") for task in tasks] == [guid_of(0), guid_of(1), guid_of(0), None]
    assert tasks[3]["data"] == {"image": f"{web}/shop/a2.png"}


def test_by_name(world: World, there: ProjectThere):
    world.hand_in({"x/a.png": picture(1), "x/b.png": picture(2), "y/b.png": picture(3), "e f.png": picture(4)})
    names_ = ("http://old.example.org/1/a.png?s=1", "s3://bucket/b.png", "/data/local-files/?d=in/e%20f.png", "c.png")
    give(world, there, *({"image": link} for link in names_))
    upload(world, there, {"a.png": picture(99)})
    report = adopt(world, there, by="name", ingest=False)
    one, two, three, four, five = (f"task {task['id']}" for task in tasks_of(world, there))
    assert (counts(report), report.matched) == ((5, 3, 0, 2), {"name": 3})
    assert refused(report, found.AMBIGUOUS, found.UNMATCHED) == {found.AMBIGUOUS: [two], found.UNMATCHED: [four]}
    (note,) = report.findings[found.AMBIGUOUS]
    assert note.text == f"2 media match by name: {', '.join(sorted((guid_of(2), guid_of(3))))}"
    (shared,) = report.findings[found.SHARED]
    assert shared.text == f"tasks {one[5:]}, {five[5:]}"
    assert three not in str(report.findings)


def test_by_a_column_of_media_that_somebody_else_stored(world: World, there: ProjectThere):
    """They become media: a GUID from their bytes, the facts, the batch; what they have stays."""
    query = Query()
    for number in (1, 2, 3, 4):
        shelf = {"shelf": 7.0 if number < 3 else 3.0 + number, "sku": f"s{number}"}
        query.add("AddImage", {"properties": shelf}, picture(number))
    world.db.run(query)
    give(world, there, {"image": "gone.png", "sku": "s1"}, {"image": "gone.png", "sku": "s9"}, {"image": "gone.png"})
    give(world, there, {"image": "gone.png", "place": "6"}, {"image": "gone.png", "place": 7})
    first, second, third, fourth, fifth = (f"task {task['id']}" for task in tasks_of(world, there))
    with pytest.raises(InputError, match=r"No medium in ApertureDB has the property 'place'; they have .*shelf, sku"):
        adopt(world, there, by="column:place")
    plan = adopt(world, there, by="column:place=shelf", ingest=False)
    assert refused(plan) == {found.AMBIGUOUS: [fifth], found.UNMATCHED: [first, second, third]}
    report = adopt(world, there, by="column:sku", ingest=False, apply=True)
    assert (counts(report), report.matched) == ((5, 1, 0, 4), {"column": 1})
    assert refused(report) == {found.UNMATCHED: [second, third, fourth, fifth]}
    found_image = {"constraints": equal("guid", guid_of(1)), "results": {"list": ["sku", "LS_state_cars", "LS_width"]}}
    (image,) = world.db.one("FindImage", {**found_image, "blobs": False})["entities"]
    assert (image["sku"], image["LS_state_cars"], image["LS_width"]) == ("s1", "open", 40)
    assert adopt(world, there, by="column:sku", ingest=False, apply=True).unchanged == 1


def test_by_hash_and_what_cannot_be_fetched(world: World, there: ProjectThere, web: str):
    world.hand_in({"other name.png": picture(3)})
    links = [f"{web}/shop/{name}" for name in ("a3.png", "a4.png", "gone.png", "words.txt", "broken.png")]
    links += ["s3://bucket/a.png", "a.png", f"{web}/down"]
    give(world, there, *({"image": link} for link in links), {"image": ["a", "b"]})
    tasks = [f"task {task['id']}" for task in tasks_of(world, there)]
    report = adopt(world, there, by="hash", ingest=False)
    assert (report.matched, report.adopt) == ({"hash": 1}, 1)
    assert refused(report) == {
        found.UNMATCHED: [tasks[1]],
        found.UNREADABLE: [tasks[2], *tasks[4:8]],
        found.OTHER_TYPE: [tasks[3]],
        found.NO_LINK: [tasks[8]],
    }


def test_missing_media_may_be_registered_only(world: World, there: ProjectThere, web: str):
    give(world, there, {"image": f"{web}/shop/a0.png"}, {"image": f"{web}/shop/a1.png"})
    options = {"size_limit_bytes": 0, "sources": MediaSources.of([web])}
    plan = adopt(world, there, **options)
    done = adopt(world, there, **options, apply=True)
    assert (what(plan) == what(done), counts(done), done.registered, done.bytes_ingested) == (True, (2, 2, 0, 0), 2, 0)
    blobs = world.media("guid", "LS_stored_at", "LS_state_cars", command="FindBlob")
    assert [(row["guid"], row["LS_stored_at"], row["LS_state_cars"]) for row in blobs] == [
        (guid_of(number), f"{web}/shop/a{number}.png", "open") for number in range(2)
    ]
    assert counts(adopt(world, there, **options)) == (2, 0, 2, 0)


def test_what_may_not_stay_where_it_is_is_left_alone(world: World, there: ProjectThere, web: str):
    give(world, there, {"image": f"{web}/shop/a0.png"})
    upload(world, there, {"b.png": picture(1)})
    report = adopt(world, there, size_limit_bytes=0)
    assert counts(report) == (2, 0, 0, 2)
    said = " ".join(note.text for note in report.findings[found.UNREADABLE])
    assert [f"would stay in {url}/, which is not allowed" in said for url in (web, world.ls.url)] == [True, True]


def test_a_server_that_is_down_is_not_asked_for_every_file(world: World, there: ProjectThere, web: str):
    give(world, there, *({"image": f"{web}/down"} for _ in range(52)))
    with pytest.raises(TransientError, match=r"^50 files could not be fetched now, so the others were not tried"):
        adopt(world, there)


def test_what_the_data_says_already(world: World, there: ProjectThere, web: str):
    """A guid and a batch are kept; those that cannot be ours, and contradictions, are left as they are."""
    known = world.hand_in({"a.png": picture(1)}).guids[0]
    link = f"{web}/shop/a2.png"
    give(
        world,
        there,
        {"image": link, "guid": known, "import_batch": "May"},
        {"image": LINKS.link(known)},
        {"image": link, "guid": "mine-17"},
        {"image": link, "guid": known, "import_batch": "no/batch"},
        {"image": LINKS.link(known), "guid": guid_of(2)},
        {"image": link, "guid": guid_of(2)},
    )
    report = adopt(world, there, apply=True)
    tasks = tasks_of(world, there)
    named = [f"task {task['id']}" for task in tasks]
    assert refused(report, found.CONTRADICTORY) == {found.CONTRADICTORY: [named[3], named[4], named[2]]}
    assert (report.matched, report.changed) == ({"guid": 2, "ingested": 1}, 2)
    assert report.batches == {"May": 1, report.batch: 2}
    assert tasks[2]["data"] == {"image": link, "guid": "mine-17"}
    assert tasks[5]["data"] == {"image": link, "guid": guid_of(2), "import_batch": report.batch}


# What is refused as a whole


def test_a_configuration_that_differs(make_world: Callable[..., World], there: ProjectThere):
    config = BOXES.replace('<Label value="dog"/>', "").replace('"note"', '"text"')
    world = make_world(config=config, yaml="annotators: 2")
    assert adopt(world, there).differences == [
        "'label' lacks 'dog'",
        "it lacks the control 'note', in the project a <TextArea>",
        "project.yaml has annotators: 2, the project an overlap of 1: set annotators: 1",
    ]
    with pytest.raises(ConfigurationError, match=r"cannot become 'cars'.*\n  - 'label' lacks 'dog'"):
        adopt(world, there, apply=True)
    assert (world.db.writes, world.ls.project(there.id).raw["description"]) == ([], "Cars of the shop.")


def test_a_project_belongs_to_one_folder(make_world: Callable[..., World], ls_project: MakeProject):
    world, other = make_world(), make_world("dogs")
    first, second = ls_project(BOXES), ls_project(BOXES)
    assert counts(adopt(world, first, apply=True)) == (0, 0, 0, 0)
    with pytest.raises(DataError, match=rf"'cars' is project {first.id} in .* already"):
        adopt(world, second, apply=True)
    with pytest.raises(DataError, match=rf"Project {first.id} in .* is that of 'cars' already"):
        adopt(other, first)
    with pytest.raises(InputError, match="There is no project 1000000 in"):
        adopt_project(other.db, other.ls, other.project, project_id=10**6)


def test_bad_options(make_world: Callable[..., World], there: ProjectThere):
    for by in ("", "names", "column", "column:", "column:a="):
        with pytest.raises(InputError, match=f"cannot be matched by {by!r}"):
            Matching(by)
    world = make_world(yaml="batches: [May]")
    with pytest.raises(InputError, match=r"'project-\d+' is none of 'cars': its project.yaml takes May"):
        adopt(world, there)


def test_tasks_of_several_files(make_world: Callable[..., World], ls_project: MakeProject, web: str):
    config = '<View><Image name="a" value="$left"/><Image name="b" value="$right"/>'
    config += '<Pairwise name="p" toName="a,b"/></View>'
    world, there = make_world(config=config), ls_project(config)
    give(world, there, {"left": f"{web}/shop/a0.png", "right": f"{web}/shop/a1.png"})
    with pytest.raises(InputError, match=r"in data.left, data.right.*--link KEY"):
        adopt(world, there)
    adopt(world, there, link_key="right", apply=True)
    assert tasks_of(world, there)[0]["data"]["guid"] == guid_of(1)


# Interrupted, and with others at work


class Interrupted(BaseException):
    """As Ctrl-C."""


def interrupted(server: LabelStudioServer, key: str, number: int) -> LabelStudio:
    """A client that is stopped right after its change number `number` of a task was done."""
    left = [number]

    def stop(method: str, path: str, status: int, seconds: float) -> None:
        left[0] -= method == "PATCH" and path.startswith("/api/tasks/")
        if left[0] == 0:
            raise Interrupted

    return LabelStudio(server.url, key, on_request=stop)


def test_stopped_between_two_tasks(
    world: World, there: ProjectThere, web: str, label_studio_server: LabelStudioServer, label_studio_key: str
):
    """Nobody makes a second task for its media meanwhile, and going on does what is left."""
    give(world, there, *({"image": f"{web}/shop/a{n}.png"} for n in range(3)))
    with interrupted(label_studio_server, label_studio_key, 2) as ls, pytest.raises(Interrupted):
        adopt_project(world.db, ls, world.project, project_id=there.id, apply=True)
    assert ["guid" in task["data"] for task in tasks_of(world, there)] == [True, True, False]
    assert world.publish(f"project-{there.id}").created == 0
    left = adopt(world, there, apply=True)
    assert (counts(left), left.changed, left.ingested) == ((3, 3 - left.unchanged, left.unchanged, 0), 1, 0)
    assert [task["data"]["guid"] for task in tasks_of(world, there)] == [guid_of(n) for n in range(3)]


def test_a_task_that_a_person_changes_meanwhile(world: World, there: ProjectThere, web: str, label_studio_key: str):
    """A change replaces all of the data, so what came in between would be lost."""
    first, second = give(world, there, *({"image": f"{web}/shop/a{n}.png"} for n in range(2)))
    changed = []

    def change(method: str, path: str, status: int, seconds: float) -> None:
        if path == "/api/tasks" and not changed:
            changed.append(world.ls.patch_task_data(first, {"image": f"{web}/shop/a0.png", "note": "new"}))

    with LabelStudio(world.ls.url, label_studio_key, on_request=change) as ls:
        report = adopt_project(world.db, ls, world.project, project_id=there.id, apply=True)
    assert (refused(report), report.adopt) == ({found.OVERTAKEN: [f"task {first}"]}, 1)
    assert "note" in world.ls.task(first)["data"]
    assert "guid" in world.ls.task(second)["data"]
    assert counts(adopt(world, there, apply=True)) == (2, 1, 1, 0)
    assert world.ls.task(first)["data"]["note"] == "new"


class LosingTransport(httpx.HTTPTransport):
    """Loses the answer to the first change of a task."""

    lost = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if request.method == "PATCH" and request.url.path.startswith("/api/tasks/") and not self.lost:
            self.lost = 1
            response.read()
            raise httpx.ReadTimeout("lost")
        return response


def test_a_lost_answer(world: World, there: ProjectThere, web: str, label_studio_key: str):
    (task,) = give(world, there, {"image": f"{web}/shop/a0.png", "n": 0})
    with LabelStudio(world.ls.url, label_studio_key, transport=(transport := LosingTransport())) as ls:
        report = adopt_project(world.db, ls, world.project, project_id=there.id, apply=True)
    assert (transport.lost, counts(report)) == (1, (1, 1, 0, 0))
    assert world.ls.task(task)["data"].keys() == {"image", "n", "guid", "import_batch"}


@pytest.mark.parametrize(
    ("at", "moment"),
    [(6, "after"), (7, "before")],
    ids=["media there and tasks unchanged", "tasks changed and not noted"],
)
def test_killed_and_done_again(
    tmp_path: Path, world: World, there: ProjectThere, web: str, label_studio_key: str, at: int, moment: Moment
):
    """ApertureDB is as after a run that nobody disturbed, and so is Label Studio."""
    ids = give(world, there, *({"image": f"{web}/shop/a{n}.png", "n": n} for n in range(2)))
    world.annotate(ids[0], box())
    with LocalServer(tmp_path / "clean") as server, WatchedDatabase(server.key) as db:
        project_key(db, world.ls, world.project)  # the server gets its random id, the same for both
    shutil.copytree(tmp_path / "clean", tmp_path / "killed")
    with LocalServer(tmp_path / "killed") as server:
        killed(server, world, label_studio_key, there, at=at, moment=moment)
        with WatchedDatabase(server.key) as world.db:
            report = adopt(world, there, apply=True)
            assert (report.tasks, report.refused) == (2, 0)
            sync_project(world.db, world.ls, world.project)
            after_kill = contents(world.db)
    assert [task["data"] for task in tasks_of(world, there)] == [
        {"image": f"{web}/shop/a{n}.png", "n": n, "guid": guid_of(n), "import_batch": report.batch} for n in range(2)
    ]
    with LocalServer(tmp_path / "clean") as server, WatchedDatabase(server.key) as world.db:
        assert adopt(world, there, apply=True).ingested == 2
        sync_project(world.db, world.ls, world.project)
        assert contents(world.db) == after_kill


def killed(server: LocalServer, world: World, api_key: str, there: ProjectThere, *, at: int, moment: Moment) -> None:
    """Adopt in a process that dies at its writing query number `at`."""
    with killing_proxy(server.key, at=at, moment=moment) as proxy:
        arguments = [proxy.key, str(world.project.folder), world.ls.url, api_key, str(there.id)]
        command = [sys.executable, "-m", "labeling_assets_tests.sync.adopt_one_project", *arguments]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        proxy.victim = process.pid
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, proxy.writes) == (-9, at), errors


def test_the_command(
    aperturedb: LocalServer,
    make_world: Callable[..., World],
    there: ProjectThere,
    web: str,
    label_studio_key: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    """The tests' worlds keep their projects where a home folder does."""
    world = make_world()
    give(world, there, {"image": f"{web}/shop/a0.png"}, {"image": f"{web}/shop/gone.png"})
    for name, value in (
        ("LABELING_ASSETS_HOME", str(tmp_path)),
        ("APERTUREDB_KEY", aperturedb.key),
        ("LABEL_STUDIO_URL", world.ls.url),
        ("LABEL_STUDIO_API_KEY", label_studio_key),
    ):
        monkeypatch.setenv(name, value)
    words = ["adopt", "project", str(there.id), "--into", "cars"]
    plan = CliRunner().invoke(main, words)
    assert plan.exit_code == 0, plan.output
    assert f"1 tasks (1 in batch project-{there.id}); 0 need nothing, 1 are left alone." in plan.stdout
    assert "gone.png answered 404 Not Found" in plan.stdout
    assert "Nothing was written. Add --apply to do it." in plan.stdout
    done = CliRunner().invoke(main, [*words, "--apply", "--json"])
    assert (json.loads(done.stdout)["adopt"], json.loads(done.stdout)["applied"]) == (1, True)
    again = CliRunner().invoke(main, [*words, "--match", "hash"])
    assert "0 tasks (none); 1 need nothing, 1 are left alone." in again.stdout
    contrary = CliRunner().invoke(main, [*words, "--register", "--no-ingest"])
    assert (contrary.exit_code, "contradict each other" in contrary.output) == (2, True)
    bad = CliRunner().invoke(main, [*words, "--match", "luck"])
    assert (bad.exit_code, "cannot be matched by 'luck'" in bad.output) == (1, True)
