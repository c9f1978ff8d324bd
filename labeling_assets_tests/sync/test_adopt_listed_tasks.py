"""Tasks that came from a list of links get their keys, once, and never at the cost of a second task."""

from collections.abc import Callable

import httpx

from labeling_assets import names
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets_tests.sync.list_imports import listed, project_id, upload, upload_and_publish
from labeling_assets_tests.sync.world import World, box, picture, pictures


class ChangesMeanwhile(httpx.BaseTransport):
    """Somebody changes tasks between the moment in which they were found and their change."""

    def __init__(self, change: Callable[[], None]) -> None:
        self._real = httpx.HTTPTransport()
        self._change = change
        self._changed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params.get("query", "")
        if "filter:tasks:id" in asked and "in_list" in asked and not self._changed:
            self._changed = True
            self._change()
        return self._real.handle_request(request)


class RefusesChanges(httpx.BaseTransport):
    """Label Studio with a user who may not change tasks."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH" and request.url.path.startswith("/api/tasks/"):
            return httpx.Response(403, json={"detail": "You do not have permission"}, request=request)
        return self._real.handle_request(request)


def links(world: World) -> list[str]:
    return listed(world, "txt").decode().splitlines()


def test_all_other_keys_stay(world: World) -> None:
    world.hand_in(pictures(1))
    upload_and_publish(world, "txt")
    (task,) = world.tasks()
    assert list(task["data"]) == ["image", "guid", "import_batch"]


def test_labels_that_were_made_before_stay(world: World) -> None:
    world.hand_in(pictures(1))
    upload(world, listed(world, "txt"), "txt")
    task = next(world.ls.iterate_by_id(project_id(world)))
    world.annotate(task["id"], box())
    world.publish()
    assert (world.collect().created, world.task_ids()) == (1, [task["id"]])


def test_a_link_that_was_imported_twice_keeps_its_older_task(world: World) -> None:
    world.hand_in(pictures(1))
    for _ in range(2):
        upload(world, listed(world, "txt"), "txt")
    report = world.publish()
    first, second = world.tasks()
    assert (report.adopted, "guid" in first["data"], "guid" in second["data"]) == (1, True, False)
    assert [note.subject for note in report.warnings] == [f"task {second['id']}"]


def test_a_link_of_a_medium_that_has_its_task_is_named_and_left_alone(published: World) -> None:
    upload(published, listed(published, "txt", everything=True), "txt")
    report = published.publish()
    assert (report.created, report.adopted) == (0, 0)
    assert "which has another task" in report.warnings[0].text
    assert len(report.warnings) == 3


def test_links_of_other_batches_wait_for_theirs(world: World) -> None:
    world.hand_in({"a.png": picture(1)}, batch="June")
    world.hand_in({"b.png": picture(2)}, batch="May")
    upload(world, listed(world, "txt"), "txt")
    assert (world.publish("May").adopted, world.publish("June").adopted, len(world.tasks())) == (1, 1, 2)


def test_tasks_of_other_people_are_left_alone(world: World) -> None:
    world.hand_in(pictures(1))
    upload(world, b"http://elsewhere.example.org/a.png\n", "txt")
    report = world.publish()
    assert (report.created, report.adopted, report.warnings) == (1, 0, [])
    assert {"image": "http://elsewhere.example.org/a.png"} in [task["data"] for task in world.tasks()]


def test_a_task_with_a_link_that_contradicts_its_guid_is_left_alone(world: World) -> None:
    guids = world.hand_in(pictures(2)).guids
    wrong = next(link for link in links(world) if guids[0] not in link)
    upload(world, f'[{{"data": {{"guid": "{guids[0]}", "image": "{wrong}"}}}}]'.encode())
    report = world.publish()
    assert "but its media link names" in report.warnings[0].text


def test_a_task_that_changes_meanwhile_gets_no_twin(world: World, label_studio_key: str) -> None:
    world.hand_in(pictures(1))
    upload(world, listed(world, "txt"), "txt")

    def change() -> None:
        (task,) = world.tasks()
        world.ls.patch_task_data(task["id"], {**task["data"], "remark": "by hand"})

    with LabelStudio(world.ls.url, label_studio_key, transport=ChangesMeanwhile(change)) as ls:
        report = world.publish(ls=ls)
    assert "its data changed just now. Run the tasks of this batch again" in report.warnings[0].text
    assert (report.created, len(world.tasks())) == (0, 1)
    assert (world.publish().adopted, world.tasks()[0]["data"]["remark"]) == (1, "by hand")


def test_a_refused_change_is_named_and_makes_no_twin(world: World, label_studio_key: str) -> None:
    world.hand_in(pictures(1))
    upload(world, listed(world, "txt"), "txt")
    with LabelStudio(world.ls.url, label_studio_key, transport=RefusesChanges()) as ls:
        report = world.publish(ls=ls)
    assert (report.created, len(world.tasks()), len(world.stored(names.TASK))) == (0, 1, 0)
    assert "it is not adopted" in report.warnings[0].text


def test_a_medium_whose_task_was_deleted_is_taken_up_again(published: World) -> None:
    """The list of everything has it, and somebody wants it back."""
    gone = published.task_ids()[0]
    published.ls.delete_task(gone)
    published.collect()
    link = listed(published, "txt", everything=True).decode().splitlines()[0]
    upload(published, link.encode(), "txt")
    report = published.publish()
    assert (report.warnings, len(published.tasks())) == ([], 3)
    assert published.tasks()[-1]["data"]["import_batch"] == "May"
