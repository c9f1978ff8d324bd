"""Look-ups through a view of the data manager, against a real Label Studio."""

import httpx

from labeling_assets.clients.label_studio import LabelStudio, Project
from labeling_assets.clients.label_studio_views import is_left, new_title
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.clients.test_label_studio import MakeProject, new_tasks, numbered

OLD = "labeling_assets look-up 2026-01-01T00:00:00.000000Z"


def views(label_studio: LabelStudio, project: Project) -> list[str]:
    """The titles of a project's tabs."""
    found = label_studio._connection.get("/api/dm/views/", {"project": project.id})
    return [view["data"]["title"] for view in found]


class NoViews(httpx.BaseTransport):
    """Label Studio for somebody who may make no views, as the roles of Enterprise have it."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/dm/views/" and request.method == "POST":
            return httpx.Response(403, json={"detail": "You do not have permission to perform this action."})
        return self._real.handle_request(request)


def test_thousands_of_guids_are_asked_for_in_four_requests_and_nothing_is_left(
    label_studio: LabelStudio, ls_project: MakeProject
):
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks(*numbered(300)))
    before = label_studio.request_count
    rows = label_studio.tasks_by_guid(project.id, numbered(3000), views_allowed=True)
    assert [row.guid for row in rows] == numbered(300)
    assert label_studio.request_count - before == 4
    assert views(label_studio, project) == []


def test_the_view_of_a_killed_process_is_deleted_after_hours(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks("g-1"))
    titles = ["a person's", "labeling_assets look-up of Ada", new_title("look-up")]
    for title in (OLD, *titles):
        body = {"project": project.id, "data": {"title": title}}
        label_studio._connection.write("POST", "/api/dm/views/", body=body)
    assert len(label_studio.tasks_by_guid(project.id, numbered(300), views_allowed=True)) == 1
    assert views(label_studio, project) == titles


def test_only_what_is_ours_and_old_counts_as_left():
    assert is_left(OLD)
    assert is_left(OLD.replace("look-up", "snapshot"))
    assert not any(map(is_left, (None, "", "labeling_assets", new_title("snapshot"), f"my {OLD}")))


def test_guids_are_asked_for_in_hundreds_where_no_view_may_be_made(
    label_studio_server: LabelStudioServer, label_studio_key: str, ls_project: MakeProject
):
    project = ls_project()
    with LabelStudio(label_studio_server.url, label_studio_key, transport=NoViews()) as client:
        client.import_tasks(project.id, new_tasks(*numbered(250)))
        assert len(client.tasks_by_guid(project.id, numbered(250), views_allowed=True)) == 250


def test_guids_are_asked_for_in_hundreds_where_the_page_of_a_view_is_too_short(
    label_studio: LabelStudio, ls_project: MakeProject
):
    """As on a server with TASK_API_PAGE_SIZE_MAX: there are more tasks than the page holds."""
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks(*["g-1"] * 700))
    assert len(label_studio.tasks_by_guid(project.id, numbered(300), views_allowed=True)) == 700
