"""The way back into a real Label Studio: every label once, nobody's work touched, what is refused is said."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_records import PUSH_FIELDS
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError, InputError, TransientError
from labeling_assets.identity import is_as_sent
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.sync.push.push_labels import push_labels
from labeling_assets.sync.push.report import PushReport, PushRequest
from labeling_assets_tests.faults.contents import expire_leases
from labeling_assets_tests.sync.world import World, box, note, outline, picture, pictures

PREDICTIONS = "/import/predictions"
KILLED = """
import os, sys, httpx
from pathlib import Path
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.projects import load_project
from labeling_assets.sync.push.push_labels import push_labels
from labeling_assets.sync.push.report import PushRequest

class Dies(httpx.HTTPTransport):
    def handle_request(self, request):
        response = super().handle_request(request)
        if request.method == "POST" and "predictions" in request.url.path:
            response.read()
            os.kill(os.getpid(), 9)
        return response

key, folder, url, token = sys.argv[1:]
with ApertureDB(key) as db, LabelStudio(url, token, transport=Dies()) as ls:
    push_labels(db, ls, load_project(Path(folder)), PushRequest("predictions", "predictions", "cars"))
"""


class LosesAnswers(httpx.BaseTransport):
    """Gives every request to the server and loses the first answer to each path that ends like this."""

    def __init__(self, *ends: str) -> None:
        self._real = httpx.HTTPTransport()
        self._ends = list(ends)
        self.lost: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._real.handle_request(request)
        for end in self._ends:
            if request.method != "GET" and request.url.path.endswith(end):
                self._ends.remove(end)
                self.lost.append(end)
                response.read()
                raise httpx.ReadTimeout("timed out", request=request)
        return response


@pytest.fixture
def losing(label_studio: LabelStudio, label_studio_key: str) -> Iterator[Callable[..., LabelStudio]]:
    """`losing("/annotations/")`: a client whose first answer to such a path is lost, and one was."""
    made: list[tuple[LabelStudio, LosesAnswers, tuple[str, ...]]] = []

    def make(*ends: str) -> LabelStudio:
        transport = LosesAnswers(*ends)
        made.append((LabelStudio(label_studio.url, label_studio_key, transport=transport), transport, ends))
        return made[-1][0]

    yield make
    for client, transport, ends in made:
        client.close()
        assert sorted(transport.lost) == sorted(ends)


def push(world: World, target: str = "predictions", source: str = "", **options: Any) -> PushReport:
    """Push to the world's project; `ls`, `slept` and the fields of a request are options."""
    ls = options.pop("ls", world.ls)
    settle_s = options.pop("settle_s", 5)
    origin = options.pop("from_project", world.project.slug)
    request = PushRequest(target, source or target, origin, **options)  # type: ignore[arg-type]
    return push_labels(world.db, ls, world.project, request, settle_s=settle_s, sleep=lambda seconds: None)


def say(
    world: World, guid: str, *result: Any, version: str = "m1", score: float | None = 0.5, data: Any = None
) -> None:
    """What a model says of a picture, as it puts it into ApertureDB."""
    query = Query()
    image, key = query.reference(), f"{guid}|{version}|{json.dumps(result)}"
    query.add("FindImage", {"_ref": image, "constraints": equal(names.GUID, guid), "blobs": False})
    properties = {names.LS_GUID: key, "LS_model_version": version, "LS_data": data or json.dumps(result)}
    if score is not None:
        properties["LS_score"] = score
    reference = query.reference()
    query.add("AddEntity", {"_ref": reference, "class": names.PREDICTION, "properties": properties})
    query.connect(names.ANNOTATION_IMAGE, key, source=reference, destination=image)
    world.db.run(query)


def forget(world: World) -> None:
    """A model takes back what it said."""
    query = Query()
    query.add("DeleteEntity", {"with_class": names.PREDICTION, "constraints": equal("LS_score", 0.5)})
    world.db.run(query)


def shown(world: World) -> list[dict[str, Any]]:
    """The tasks as a push reads them, in the order of the pictures' names."""
    tasks = {
        str(task["data"]["guid"]): task for task in world.ls.iterate_by_id(world.record.project_id, include=PUSH_FIELDS)
    }
    return [dict(tasks[guid]) for row in world.media(names.GUID) if (guid := str(row[names.GUID])) in tasks]


def predictions(task: Mapping[str, Any]) -> list[tuple[str, float | None, list[Any]]]:
    found = sorted(task["predictions"], key=lambda given: given["id"])
    return [(given["model_version"], given["score"], given["result"]) for given in found]


def counts(report: PushReport) -> tuple[int, int, int, int, int]:
    return report.created, report.replaced, report.removed, report.unchanged, report.refused


@pytest.fixture
def guids(published: World) -> list[str]:
    """Of the three pictures, in the order of their names."""
    return [str(row[names.GUID]) for row in published.media(names.GUID)]


def test_predictions_are_there_once_and_replaced_where_they_differ(published: World, guids: list[str]):
    for guid in guids:
        say(published, guid, box(), note("seen"))
    say(published, guids[0], box("other"), version="m0")
    writes = len(published.db.writes)
    report = push(published, plan=True)
    assert len(published.db.writes) == writes
    assert (counts(report), report.tasks, len(report.examples)) == ((4, 0, 0, 0, 0), 3, 4)
    assert [task["predictions"] for task in shown(published)] == [[], [], []]

    report = push(published)
    assert (counts(report), report.verified, report.objects) == ((4, 0, 0, 0, 0), 4, 4)
    first, second, _ = shown(published)
    assert sorted(predictions(first))[1] == ("m1", 0.5, [box(), note("seen")])
    assert predictions(second) == [("m1", 0.5, [box(), note("seen")])]

    writes = len(published.db.writes)
    assert counts(push(published)) == (0, 0, 0, 4, 0)
    assert "AddEntity" in published.db.writes[writes:]  # the lease, and nothing else
    assert {*published.db.writes[writes:]} <= {"AddEntity", "UpdateEntity"}
    assert [task["predictions"] for task in shown(published)] == [
        first["predictions"],
        second["predictions"],
        shown(published)[2]["predictions"],
    ]

    forget(published)
    say(published, guids[0], box(x=33), version="m1", score=0.75)
    report = push(published, model_version="m1")
    assert counts(report) == (0, 1, 0, 0, 0)
    again = shown(published)[0]
    assert sorted(given["id"] for given in again["predictions"]) == sorted(g["id"] for g in first["predictions"])
    assert sorted(predictions(again)) == [("m0", 0.5, [box("other")]), ("m1", 0.75, [box(x=33)])]


def begin(world: World, task_id: int) -> None:
    """Another person draws something and does not submit it."""
    link = world.ls._connection.get("/api/invite")["invite_url"]
    path = link[link.index("/user/signup/") :]
    email = f"person-{task_id}@example.org"
    with httpx.Client(base_url=world.ls.url, follow_redirects=True, headers={"Referer": world.ls.url}) as browser:
        browser.get(path)
        form = {
            "email": email,
            "password": "a password of the tests",
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        browser.post(path, data=form).raise_for_status()
        browser.headers["X-CSRFToken"] = browser.cookies["csrftoken"]
        browser.post(f"/api/tasks/{task_id}/drafts", json={"result": [box()]}).raise_for_status()


def test_tasks_that_somebody_touched_are_left_alone(published: World, guids: list[str]):
    for guid in guids:
        say(published, guid, box())
    annotated, skipped, drafted = shown(published)
    published.annotate(annotated["id"], box())
    published.annotate(skipped["id"], was_cancelled=True)
    begin(published, drafted["id"])
    report = push(published)
    assert (counts(report), report.touched) == ((0, 0, 0, 0, 0), 3)
    report = push(published, include_touched=True)
    assert (counts(report), report.touched) == ((3, 0, 0, 0, 0), 0)
    assert [len(task["predictions"]) for task in shown(published)] == [1, 1, 1]


def test_what_is_refused_is_not_sent(published: World, guids: list[str]):
    say(published, guids[0], box())
    say(published, guids[1], box(label="Car"))
    say(published, guids[2], data="no json")
    report = push(published, strict=True)
    assert (report.stopped, counts(report)) == (True, (0, 0, 0, 0, 2))
    assert [task["predictions"] for task in shown(published)] == [[], [], []]
    report = push(published)
    assert counts(report) == (1, 0, 0, 0, 2)
    rows = {row.guid: row for row in report.errors}
    assert (rows[guids[1]].control, rows[guids[1]].message) == (
        "label",
        "'label' has no label 'Car'; did you mean 'car'?",
    )
    assert rows[guids[2]].message.startswith("its LS_data is not JSON")
    assert [len(task["predictions"]) for task in shown(published)] == [1, 0, 0]


def test_a_lost_answer_makes_no_second_prediction(
    published: World, guids: list[str], losing: Callable[..., LabelStudio]
):
    for guid in guids:
        say(published, guid, box())
    say(published, guids[0], box(), version="sure", score=1.5)  # more than 1: left out in bulk, without a word
    report = push(published, ls=losing(PREDICTIONS, "/api/predictions/"))
    assert (counts(report), report.verified) == ((4, 0, 0, 0, 0), 4)
    assert [len(task["predictions"]) for task in shown(published)] == [2, 1, 1]
    assert counts(push(published)) == (0, 0, 0, 4, 0)


def test_a_push_that_was_killed_after_it_sent(
    published: World, guids: list[str], aperturedb: LocalServer, label_studio_key: str
):
    for guid in guids:
        say(published, guid, box())
    arguments = [aperturedb.key, str(published.project.folder), published.ls.url, label_studio_key]
    process = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, timeout=60)
    assert process.returncode == -9, process.stderr
    assert [len(task["predictions"]) for task in shown(published)] == [1, 1, 1]
    expire_leases(published.db)
    assert counts(push(published)) == (0, 0, 0, 3, 0)
    assert [len(task["predictions"]) for task in shown(published)] == [1, 1, 1]


class NeverArrives(httpx.BaseTransport):
    """Predictions get lost on their way."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(PREDICTIONS):
            raise httpx.ReadTimeout("timed out", request=request)
        return self._real.handle_request(request)


def test_predictions_that_do_not_arrive_are_not_sent_again(published: World, guids: list[str], label_studio_key: str):
    """The server may still be at them: the lease stays taken until it cannot be any more."""
    say(published, guids[0], box())
    with (
        LabelStudio(published.ls.url, label_studio_key, transport=NeverArrives()) as ls,
        pytest.raises(TransientError, match="gave no answer to 1 predictions"),
    ):
        push(published, ls=ls)
    (held,) = [row for row in published.stored(names.SYNC) if row[names.KEY].endswith("|/push")]
    assert (held["LS_lease_firm"], held["LS_lease_owner"]) == (True, "nobody, until it ends")
    expire_leases(published.db)
    assert counts(push(published)) == (1, 0, 0, 0, 0)


def test_twins_are_removed_and_the_project_shows_the_version(published: World, guids: list[str]):
    say(published, guids[0], {**box(), "id": None})
    assert push(published).created == 1
    task = shown(published)[0]
    (made,) = task["predictions"]
    assert made["result"][0]["id"]
    published.ls.create_prediction({"task": task["id"], "result": made["result"], "model_version": "m1", "score": 0.5})
    assert counts(push(published)) == (0, 0, 1, 1, 0)
    assert [given["id"] for given in shown(published)[0]["predictions"]] == [made["id"]]
    assert _version_shown(published) == "m1"

    say(published, guids[0], box(), version="m2")
    report = push(published, model_version="m2")
    assert (report.created, report.shown_version, report.model_versions) == (1, "m1", ["m2"])
    assert _version_shown(published) == "m1"
    report = push(published, model_version="m2", show=True)
    assert (report.created, report.unchanged, report.shown_version) == (0, 1, "")
    assert _version_shown(published) == "m2"


def _version_shown(world: World) -> str:
    return str(world.ls.project(world.record.project_id).raw["model_version"])


def change(world: World, score: float, **properties: Any) -> None:
    """A model says something else."""
    query = Query()
    found = {"with_class": names.PREDICTION, "constraints": equal("LS_score", score)}
    query.add("UpdateEntity", {**found, "properties": properties})
    world.db.run(query)


def test_a_prediction_that_is_refused_takes_none_along(published: World, guids: list[str]):
    say(published, guids[0], box("a"), score=0.25)
    say(published, guids[0], box("b", "dog"), score=0.75)
    assert counts(push(published)) == (2, 0, 0, 0, 0)
    change(published, 0.75, LS_data=json.dumps([box("b", "bus")]))
    assert counts(push(published, plan=True)) == (0, 0, 0, 1, 1)
    report = push(published)
    assert (counts(report), len(shown(published)[0]["predictions"])) == ((0, 0, 0, 1, 1), 2)
    assert "stay: they may be of what is refused" in report.rows[-1].message
    change(published, 0.25, LS_data="no json")  # now none of the two can be sent
    report = push(published, remove_stale=True)
    assert (counts(report), report.stale) == ((0, 0, 0, 0, 2), 0)
    assert len(shown(published)[0]["predictions"]) == 2


def test_predictions_that_the_model_took_back(published: World, guids: list[str]):
    say(published, guids[0], box(), score=0.25)
    say(published, guids[1], box())
    say(published, guids[2], box())
    say(published, guids[2], box(), version="m10", score=0.25)
    assert push(published).created == 4
    published.annotate(shown(published)[2]["id"], box())
    forget(published)
    report = push(published, model_version="m1")
    assert (counts(report), report.stale) == ((0, 0, 0, 1, 0), 2)
    assert report.rows[0].message.startswith("ApertureDB has no 'm1' for it any more")
    # Without a version, those that are in ApertureDB are sent; a batch of which nothing is stale is not searched.
    assert push(published).stale == 2
    report = push(published, remove_stale=True, plan=True)
    assert (report.removed, report.stale) == (1, 1)
    report = push(published, model_version="m1", remove_stale=True)
    assert (counts(report), report.stale) == ((0, 0, 1, 1, 0), 1)  # one is on a task that somebody has worked on
    assert [len(task["predictions"]) for task in shown(published)] == [1, 0, 2]

    query = Query()
    query.add("DeleteEntity", {"with_class": names.PREDICTION, "constraints": equal("LS_model_version", "m1")})
    published.db.run(query)
    report = push(published, model_version="m1", remove_stale=True, include_touched=True)
    assert (report.media, report.removed, report.stale) == (0, 2, 0)
    assert [len(task["predictions"]) for task in shown(published)] == [0, 0, 1]
    with pytest.raises(InputError, match="no LS_prediction of 'm1'"):
        push(published, model_version="m1", remove_stale=True)


# Annotations


def two_projects(make_world: Callable[..., World], count: int = 3) -> tuple[World, World]:
    """A labeling project and a second one for the same pictures, nothing labelled yet."""
    first, second = make_world(), make_world(slug="dogs")
    first.hand_in(pictures(count))
    first.publish()
    second.publish()
    return first, second


def invite(world: World, email: str) -> int:
    """A second user; the server is shared by all tests, so it may be there."""
    known = {address: number for number, address in world.ls.users().items()}
    if email not in known:
        body = {"email": email, "username": email.split("@")[0], "password": "a password of the tests"}
        world.ls._connection.write("POST", "/api/users/", body=body)
        known = {address: number for number, address in world.ls.users().items()}
    return known[email]


def test_annotations_of_another_project(make_world: Callable[..., World], losing: Callable[..., LabelStudio]):
    source, target = two_projects(make_world)
    eve = invite(source, "eve@example.org")
    one, two, three = shown(source)
    source.annotate(one["id"], box("a"), outline("b"), completed_by=eve, lead_time=12.5)
    source.annotate(one["id"], box("a", x=20))
    source.annotate(two["id"], was_cancelled=True)
    source.annotate(three["id"], box("c"), ground_truth=True)
    source.collect()
    first_answers_lost = losing(f"/api/tasks/{shown(target)[0]['id']}/annotations/")
    report = push(target, "annotations", from_project="cars", ls=first_answers_lost)
    assert (counts(report), report.verified, report.errors) == ((4, 0, 0, 0, 0), 4, [])
    assert [is_as_sent(given) for given in every_annotation(target)] == [True] * 4
    assert [is_as_sent(given) for given in every_annotation(source)] == [False] * 4

    def said(world: World) -> list[list[tuple[Any, ...]]]:
        keys = ("result", "completed_by", "lead_time", "was_cancelled", "ground_truth")
        tasks = [world.ls.tasks_by_id(world.record.project_id, [task["id"]])[0] for task in shown(world)]
        return [[tuple(given[key] for key in keys) for given in _by_id(task["annotations"])] for task in tasks]

    assert said(target) == said(source)
    assert said(target)[0][0] == ([box("a"), outline("b")], eve, 12.5, False, False)
    assert counts(push(target, "annotations", from_project="cars")) == (0, 0, 0, 4, 0)

    changed = _by_id(shown(target)[0]["annotations"])[0]
    target.ls.update_annotation(changed["id"], {"result": [box("a", x=50)]})
    assert [is_as_sent(given) for given in every_annotation(target)].count(False) == 1
    report = push(target, "annotations", from_project="cars")
    assert (counts(report), report.differing) == ((0, 0, 0, 3, 0), 1)
    assert "another by now" in report.rows[0].message
    # A person's version that no sync has seen would be lost.
    report = push(target, "annotations", from_project="cars", include_touched=True)
    assert (counts(report), report.differing) == ((0, 0, 0, 3, 0), 1)
    assert "sync the project first" in report.rows[0].message
    target.collect()
    report = push(target, "annotations", from_project="cars", include_touched=True)
    assert (counts(report), report.verified, said(target)) == ((0, 1, 0, 3, 0), 1, said(source))
    assert target.collect().updated == 1
    (kept,) = target.stored(names.REVISION)
    assert json.loads(kept["LS_data"])["result"] == [box("a", x=50)]

    # Back to where they came from, they are there.
    report = push(source, "annotations", from_project="dogs", include_touched=True)
    assert counts(report) == (0, 0, 0, 4, 0)

    # What a push that was killed could not note is noted by the next one.
    query = Query()
    query.add("DeleteEntity", {"with_class": names.SENT, "constraints": equal("LS_project", "dogs")})
    target.db.run(query)
    assert counts(push(target, "annotations", from_project="cars")) == (0, 0, 0, 4, 0)
    assert len(target.stored(names.SENT)) == 4

    # What a person deletes is not made again, whether a sync saw it or not.
    gone = [_by_id(task["annotations"])[0]["id"] for task in shown(target)[:2]]
    target.ls.delete_annotation(gone[0])
    target.collect()
    target.ls.delete_annotation(gone[1])
    report = push(target, "annotations", from_project="cars", include_touched=True)
    assert (counts(report), report.deleted) == ((0, 0, 0, 2, 0), 2)
    assert "was deleted there; --include-deleted" in report.rows[0].message
    assert counts(push(target, "annotations", from_project="cars", include_deleted=True)) == (2, 0, 0, 2, 0)


def every_annotation(world: World) -> list[dict[str, Any]]:
    """Of all tasks, as a sync reads them."""
    return [given for task in world.tasks() for given in task["annotations"]]


def _by_id(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(given, key=lambda one: one["id"])


def test_annotations_of_others_block_and_strangers_are_named(make_world: Callable[..., World]):
    source, target = two_projects(make_world)
    for task in shown(source):
        source.annotate(task["id"], box())
    source.collect()
    query = Query()
    renamed = {"with_class": names.ANNOTATION, "constraints": equal("LS_project", "cars")}
    query.add("UpdateEntity", {**renamed, "properties": {"LS_annotator": "gone@example.org"}})
    source.db.run(query)
    target.annotate(shown(target)[0]["id"], box(label="dog"))
    report = push(target, "annotations", from_project="cars")
    assert (counts(report), report.touched) == ((2, 0, 0, 0, 0), 1)
    (row,) = report.rows
    assert row.message.startswith("Label Studio has no user gone@example.org")
    assert [len(task["annotations"]) for task in shown(target)] == [1, 1, 1]


def test_annotations_of_the_project_itself_are_there(published: World):
    published.annotate(published.task_ids()[0], box())
    published.collect()
    assert counts(push(published, "annotations")) == (0, 0, 0, 1, 0)
    assert len(published.tasks()[0]["annotations"]) == 1


def test_what_people_did_in_the_project_itself_is_never_undone(published: World):
    edited, deleted, _ = published.task_ids()
    first, second = published.annotate(edited, box()), published.annotate(deleted, box())
    published.collect()
    published.ls.update_annotation(first["id"], {"result": [box(x=55)]})
    published.ls.delete_annotation(second["id"])
    for touched in (False, True):
        report = push(published, "annotations", include_touched=touched)
        assert (counts(report), report.differing, report.deleted) == ((0, 0, 0, 0, 0), 1, 1)
    assert [given["result"] for given in every_annotation(published)] == [[box(x=55)]]
    # Who wants it back says so, and the next push knows it.
    assert counts(push(published, "annotations", include_deleted=True)) == (1, 0, 0, 0, 0)
    published.collect()
    assert counts(push(published, "annotations")) == (0, 0, 0, 2, 0)


class EditsMeanwhile(httpx.BaseTransport):
    """A person saves the annotation right after the push has read the tasks."""

    def __init__(self, edit: Callable[[], Any]) -> None:
        self._real = httpx.HTTPTransport()
        self._edit: Callable[[], Any] | None = edit

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._real.handle_request(request)
        if self._edit is not None and request.url.path == "/api/tasks":
            response.read()
            edit, self._edit = self._edit, None
            edit()
        return response


def test_an_edit_while_the_push_runs_is_not_replaced(published: World, guids: list[str], label_studio_key: str):
    draw(published, guids[0], "car")
    push(published, "annotations", "regions")
    (made,) = every_annotation(published)
    draw(published, guids[0], "dog")
    edit = EditsMeanwhile(lambda: published.ls.update_annotation(made["id"], {"result": [box(x=55)]}))
    with LabelStudio(published.ls.url, label_studio_key, transport=edit) as ls:
        report = push(published, "annotations", "regions", include_touched=True, ls=ls)
    assert (counts(report), report.differing, report.errors_found) == ((0, 0, 0, 0, 0), 1, 0)
    assert "while this push ran" in report.rows[0].message
    assert [given["result"] for given in every_annotation(published)] == [[box(x=55)]]


def test_annotations_as_predictions_in_a_fresh_project(make_world: Callable[..., World]):
    source, target = two_projects(make_world, 4)
    results = [[box(), outline(), note("a")], [box(x=95)], []]  # the second goes beyond the border, as people draw
    for task, result in zip(shown(source), results, strict=False):
        source.annotate(task["id"], *result)
    source.annotate(shown(source)[3]["id"], was_cancelled=True)
    source.collect()
    report = push(target, "predictions", "annotations", from_project="cars")
    assert (counts(report), report.verified) == ((3, 0, 0, 0, 0), 3)
    found = [predictions(task) for task in shown(target)]
    assert found == [[("annotations of cars", None, result)] for result in results] + [[]]
    assert {row.severity for row in report.rows} == {"warning"}
    assert counts(push(target, "predictions", "annotations", from_project="cars")) == (0, 0, 0, 3, 0)


# Boxes and polygons


def draw(world: World, guid: str, label: str, *, polygon: bool = False, **properties: Any) -> None:
    """What a model or a person put into ApertureDB without us."""
    query = Query()
    image = query.reference()
    query.add("FindImage", {"_ref": image, "constraints": equal(names.GUID, guid), "blobs": False})
    body: dict[str, Any] = {"image_ref": image, "label": label, "properties": {"seen_by": "a model", **properties}}
    if polygon:
        query.add("AddPolygon", {**body, "polygons": [[[4, 3], [24, 3], [4, 18]]]})
    else:
        query.add("AddBoundingBox", {**body, "rectangle": {"x": 4, "y": 6, "width": 12, "height": 12}})
    world.db.run(query)


def test_boxes_and_polygons_of_a_model(published: World, guids: list[str]):
    draw(published, guids[0], "car", LS_score=0.75)
    draw(published, guids[0], "road", polygon=True, LS_score=0.5)
    draw(published, guids[0], "tree")
    # Corrected in ApertureData's own storage, which gives a model's box an LS_annotation, and no LS_id.
    draw(published, guids[0], "dog", LS_annotation="17")
    draw(published, guids[1], "Dog")
    published.annotate(shown(published)[2]["id"], box())
    published.collect()  # its box is no box of a model
    report = push(published, "predictions", "regions", model_version="yolo 1")
    assert (counts(report), report.media, report.verified) == ((1, 0, 0, 0, 2), 2, 1)
    assert [row.message for row in report.errors] == [
        "no control has the label 'tree'",
        "no control has the label 'Dog'; did you mean 'dog'?",
    ]
    ((version, score, result),) = predictions(shown(published)[0])
    assert (version, score) == ("yolo 1", 0.5)
    assert [(item["from_name"], item["type"], item["score"]) for item in result] == [
        ("label", "rectanglelabels", 0.75),
        ("outline", "polygonlabels", 0.5),
    ]
    assert [result[0]["value"][key] for key in ("x", "y", "width", "height")] == [10, 20, 30, 40]
    assert result[1]["value"]["points"] == [[10, 10], [60, 10], [10, 60]]
    assert counts(push(published, "predictions", "regions", model_version="yolo 1")) == (0, 0, 0, 1, 2)
    draw(published, guids[0], "dog")
    assert counts(push(published, "predictions", "regions", model_version="yolo 1")) == (0, 1, 0, 0, 2)


def test_a_turned_picture(make_world: Callable[..., World]):
    """Stored 40 x 30 with EXIF orientation 6: a browser shows 30 x 40."""
    from PIL import Image

    world = make_world()
    exif = Image.Exif()
    exif[0x0112] = 6
    (guid,) = world.hand_in({"turned.jpg": picture(form="JPEG", exif=exif)}).guids
    world.publish()
    draw(world, guid, "car")
    assert push(world, "annotations", "regions").created == 1
    (annotation,) = world.tasks()[0]["annotations"]
    (item,) = annotation["result"]
    assert (item["original_width"], item["original_height"]) == (30, 40)
    assert [item["value"][key] for key in ("x", "y", "width", "height")] == pytest.approx([40, 10, 40, 30])
    world.collect()
    found = world.db.find("FindBoundingBox", equal("LS_project", "cars"), properties=["LS_id"], coordinates=True)
    assert [row["_coordinates"] for row in found] == [{"x": 4, "y": 6, "width": 12, "height": 12}]


# What is not there


def test_only_a_batch_and_media_without_a_task(published: World, guids: list[str]):
    report = published.hand_in({"b.png": picture(50)}, batch="June")
    (new,) = report.guids
    for guid in (*guids, new):
        say(published, guid, box())
    report = push(published, batch="June")
    assert (report.media, report.without_task, counts(report)) == (1, 1, (0, 0, 0, 0, 0))
    assert report.rows[0].message == "it has no task in project 'cars'"
    report = push(published, batch="May")
    assert (report.media, counts(report)) == (3, (3, 0, 0, 0, 0))
    with pytest.raises(InputError, match="no batch 'July'"):
        push(published, batch="July")


def test_nothing_to_send(published: World):
    with pytest.raises(InputError, match="no LS_prediction of 'm9': there is nothing to send"):
        push(published, model_version="m9")
    with pytest.raises(InputError, match="no current annotation of project 'nobody'"):
        push(published, "annotations", from_project="nobody")
    with pytest.raises(InputError, match="no box or polygon of an image"):
        push(published, "predictions", "regions")


def test_a_project_that_was_never_made(world: World):
    with pytest.raises(DataError, match="make its tasks first"):
        push(world)


def test_a_task_whose_guid_and_link_disagree_gets_nothing(published: World, guids: list[str]):
    say(published, guids[0], box())
    task, other, _ = shown(published)
    published.ls.patch_task_data(task["id"], {**task["data"], "image": other["data"]["image"]})
    report = push(published)
    assert (counts(report), report.errors[0].place) == ((0, 0, 0, 0, 1), "data")
    assert shown(published)[0]["predictions"] == []


def test_a_long_prediction_lies_in_a_blob(published: World, guids: list[str]):
    query = Query()
    image, reference, blob = query.reference(), query.reference(), query.reference()
    query.add("FindImage", {"_ref": image, "constraints": equal(names.GUID, guids[0]), "blobs": False})
    properties = {names.LS_GUID: "p1", "LS_model_version": "m1"}
    query.add("AddEntity", {"_ref": reference, "class": names.PREDICTION, "properties": properties})
    query.connect(names.ANNOTATION_IMAGE, "p1", source=reference, destination=image)
    data = json.dumps({"result": [box()], "score": 0.25}).encode()
    query.add("AddBlob", {"_ref": blob, "properties": {"LS_role": "payload"}}, data)
    query.connect(names.ANNOTATION_PAYLOAD, "p1", source=reference, destination=blob)
    published.db.run(query)
    assert push(published).created == 1
    assert predictions(shown(published)[0]) == [("m1", 0.25, [box()])]
