"""A snapshot export gives what the list gives, and leaves nothing behind."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from labeling_assets.clients import label_studio_snapshot
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import in_batch
from labeling_assets.errors import ServiceError
from labeling_assets_tests.conftest import MakeProject

BOX = {
    "id": "r1",
    "type": "rectanglelabels",
    "from_name": "label",
    "to_name": "image",
    "original_width": 40,
    "original_height": 30,
    "value": {
        "x": 10.125,
        "y": 20,
        "width": 1e-7,
        "height": 40,
        "rotation": 0,
        "rectanglelabels": ["car \u00e9\U0001f600"],
    },
}


@pytest.fixture
def project_id(label_studio: LabelStudio, ls_project: MakeProject) -> int:
    """Six tasks, three of the batch May; one has a label, a skip and a draft, one a prediction."""
    number = ls_project().id
    batches = ["May", "June"] * 3
    data = [
        {"image": f"http://x.example/{i}.png", "guid": f"g{i}", "import_batch": name, "n": 2.5}
        for i, name in enumerate(batches)
    ]
    tasks = label_studio.import_tasks(number, [{"data": values} for values in data])
    label_studio.create_annotation(tasks[2], {"result": [BOX], "lead_time": 2.5})
    label_studio.create_annotation(tasks[2], {"result": [], "was_cancelled": True})
    label_studio._connection.write("POST", f"/api/tasks/{tasks[2]}/drafts", body={"result": [BOX], "lead_time": 1})
    label_studio.import_predictions(number, [{"task": tasks[4], "result": [BOX], "model_version": "m"}])
    return number


def listed(ls: LabelStudio, project_id: int) -> list[dict[str, Any]]:
    tasks = ls.iterate_by_id(project_id, [in_batch("May")])
    return [{key: value for key, value in task.items() if key not in ("is_labeled", "updated_by")} for task in tasks]


def left(ls: LabelStudio, project_id: int) -> int:
    views = ls._connection.get("/api/dm/views/", {"project": project_id})
    return len(views) + len(ls._connection.get(f"/api/projects/{project_id}/exports/"))


def test_it_gives_the_tasks_of_the_filter_as_the_list_does(label_studio: LabelStudio, project_id: int):
    tasks = sorted(label_studio.snapshot(project_id, [in_batch("May")]).tasks, key=lambda task: task["id"])
    snapshot = [{key: value for key, value in task.items() if key != "updated_by"} for task in tasks]
    assert len(snapshot) == 3
    assert snapshot == listed(label_studio, project_id)


def test_it_takes_seven_requests_and_leaves_nothing(label_studio: LabelStudio, project_id: int):
    before = label_studio.request_count
    list(label_studio.snapshot(project_id, [in_batch("May")]).tasks)
    assert label_studio.request_count - before == 7
    assert left(label_studio, project_id) == 0


def test_what_a_killed_one_left_is_deleted_after_hours(
    label_studio: LabelStudio, project_id: int, monkeypatch: pytest.MonkeyPatch
):
    connection, others = label_studio._connection, {"title": "Mine"}
    for title in ("labeling_assets snapshot 2026-01-01T00:00:00.000000Z", "labeling_assets snapshot of Ada"):
        connection.write("POST", "/api/dm/views/", body={"project": project_id, "data": {**others, "title": title}})
    old = {"title": "labeling_assets snapshot 2026-01-01T00:00:00.000000Z"}
    connection.write("POST", f"/api/projects/{project_id}/exports/", body=old)
    list(label_studio.snapshot(project_id, [in_batch("May")]).tasks)
    (view,) = connection.get("/api/dm/views/", {"project": project_id})
    assert view["data"]["title"] == "labeling_assets snapshot of Ada"
    assert left(label_studio, project_id) == 1


class NoExports(httpx.BaseTransport):
    """A server on which exports fail, as where its disk is full."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/exports/"):
            return httpx.Response(500, json={"detail": "No space left on device"}, request=request)
        return self._real.handle_request(request)


def test_a_server_that_makes_none_says_so_and_keeps_no_view(
    label_studio: LabelStudio, label_studio_key: str, project_id: int
):
    with LabelStudio(label_studio.url, label_studio_key, transport=NoExports()) as failing:
        with pytest.raises(ServiceError, match="No space left on device"):
            list(failing.snapshot(project_id, [in_batch("May")]).tasks)
        assert left(failing, project_id) == 0


def test_an_answer_that_is_no_json_is_an_error_of_the_service(
    label_studio: LabelStudio, project_id: int, monkeypatch: pytest.MonkeyPatch
):
    def cut(connection: Any, number: int, filters: Any, file: Any) -> datetime:
        file.write(b'[{"id": 1, "data": {}}, {"id"')
        return datetime.now(UTC)

    monkeypatch.setattr(label_studio_snapshot, "_download", cut)
    with pytest.raises(ServiceError, match=f"snapshot of project {project_id} cannot be read"):
        list(label_studio.snapshot(project_id).tasks)
