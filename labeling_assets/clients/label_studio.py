"""Label Studio, as far as the pipeline needs it: projects, tasks, annotations. Measured on 1.23.2 Community.

Plain REST: the SDK repeats POST on its own, swallows 404 while paging, and costs three seconds at its first use.
Tasks and annotations stay the server's raw JSON, because a model would have to know every key to lose none.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

import httpx

from labeling_assets.clients.label_studio_connection import Connection, MaybeDoneError, OnRequest
from labeling_assets.clients.label_studio_keyset import FirstPage, by_id, by_update
from labeling_assets.clients.label_studio_query import (
    Filter,
    data_in,
    groups_for_urls,
    id_in,
    parse_time,
    query_text,
)
from labeling_assets.clients.label_studio_records import (
    PROBED,
    PUSH_FIELDS,
    QUICK_FIELDS,
    ROW_FIELDS,
    SYNC_FIELDS,
    Annotation,
    Prediction,
    Probe,
    Project,
    Task,
    TaskPage,
    TaskRow,
    User,
    Webhook,
)
from labeling_assets.clients.label_studio_snapshot import Snapshot, read_snapshot
from labeling_assets.clients.label_studio_views import page_through_view
from labeling_assets.errors import RefusedError, TransientError

__all__ = ["SYNC_FIELDS", "LabelStudio", "MaybeDoneError", "Probe", "Project", "Task", "TaskPage", "TaskRow", "User"]

# 20,000 tasks take 7 s, with predictions 80 s; the server goes on when we hang up, so better wait.
_IMPORT_TIMEOUT_S: Final = 600.0
_IDS_PER_REQUEST: Final = 100
_PROJECTS_PER_PAGE: Final = 100
# The server goes through its tasks once for each request, of 100 GUIDs in a URL or of thousands in a view: to look up
# 5,000 among 50,000 tasks took 0.5 s through a view and some 7 s by URL.
_GROUPS_BY_URL: Final = 2
_GUIDS_PER_VIEW: Final = 5000

_log = logging.getLogger(__name__)


class LabelStudio:
    """A client for one server and one user. Thread-safe; importing and constructing it sends nothing.

    `api_key` is a personal access token or a legacy token, found out by its form. `on_request` is told method, path,
    status (0 for none) and seconds of every request. Every method raises ConfigurationError for a refused token
    or a wrong URL, RefusedError for any other refusal, TransientError after five attempts of a read, and
    MaybeDoneError for a write that got no answer.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        on_request: OnRequest | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = Connection(
            url, api_key, timeout_s=timeout_s, transport=transport, on_request=on_request, sleep=sleep
        )

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return self._connection.url

    @property
    def request_count(self) -> int:
        """Requests sent so far, repeated ones included, fetching access tokens (`refresh_count`) excluded."""
        return self._connection.request_count

    @property
    def refresh_count(self) -> int:
        """Access tokens fetched so far; 0 with a legacy token."""
        return self._connection.refresh_count

    def authorization(self) -> str:
        """The header that opens uploaded files and storage links; lives for minutes, so ask for each request."""
        return self._connection.authorization()

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Server and people

    def version(self) -> str:
        """The release, such as 1.23.2."""
        return str(self._connection.get("/api/version")["release"])

    def whoami(self) -> User:
        """The owner of the token: `completed_by` of the annotations made with it."""
        raw = self._connection.get("/api/current-user/whoami")
        return User(raw["id"], raw["email"], raw.get("active_organization"))

    def users(self) -> dict[int, str]:
        """E-mail by the user id that stands in `completed_by`."""
        return {raw["id"]: raw["email"] for raw in self._connection.get("/api/users/")}

    # Projects

    def project(self, project_id: int, *, counted: bool = True) -> Project:
        """One project; not `counted`, without what takes the server time: a tenth of a second for 50,000 tasks.

        Raises RefusedError with status 404 when there is none.
        """
        params = None if counted else {"include": ",".join(QUICK_FIELDS)}
        return Project.from_json(self._connection.get(f"/api/projects/{project_id}/", params))

    def projects(self, title_contains: str = "") -> list[Project]:
        """All projects by id, or those whose title contains the text in any case."""
        found: dict[int, Project] = {}
        page, count = 0, 1
        while page * _PROJECTS_PER_PAGE < count:
            page += 1
            params = {"page": page, "page_size": _PROJECTS_PER_PAGE, "ordering": "id", "title": title_contains}
            answer = self._connection.get("/api/projects/", params)
            count = answer["count"]
            found |= {raw["id"]: Project.from_json(raw) for raw in answer["results"]}
        if len(found) < count:
            raise TransientError(f"{self.url}: projects were deleted while their list was read; read it again.")
        return list(found.values())

    def find_projects_by_title(self, title: str) -> list[Project]:
        """Exactly this title; Label Studio allows several."""
        return [project for project in self.projects(title) if project.title == title]

    def create_project(self, title: str, label_config: str, **settings: Any) -> Project:
        """The title has at least 3 characters and need not be unique; sent twice it makes two projects.

        `settings` are the server's names: `maximum_annotations`, `expert_instruction`, `sampling`, ...
        """
        body = {"title": title, "label_config": label_config, **settings}
        return Project.from_json(self._connection.write("POST", "/api/projects/", body=body))

    def update_project(self, project_id: int, **settings: Any) -> Project:
        """Only these settings. A new `label_config` is taken even if it drops labels in use."""
        return Project.from_json(self._connection.write("PATCH", f"/api/projects/{project_id}/", body=settings))

    def delete_project(self, project_id: int) -> None:
        """With all its tasks and annotations, for good."""
        self._connection.write("DELETE", f"/api/projects/{project_id}/")

    def validate_label_config(self, xml: str) -> None:
        """Raises RefusedError with the server's text when it would not take this label configuration."""
        self._connection.write("POST", "/api/projects/validate/", body={"label_config": xml})

    # Tasks

    def import_tasks(
        self, project_id: int, tasks: Sequence[Task], *, timeout_s: float = _IMPORT_TIMEOUT_S
    ) -> list[int]:
        """Task ids in the order sent. All or nothing, never repeated; 500 to 1,000 tasks at a time are fastest.

        Each task is `{"data": {...}}` with `annotations`, `predictions`, `meta` if wanted. After MaybeDoneError the
        server may work on, and shows none of the tasks before all of them: ask `tasks_by_guid` for a while.
        """
        if not tasks:
            return []  # the server answers 400
        answer = self._connection.write(
            "POST",
            f"/api/projects/{project_id}/import",
            body=list(tasks),
            params={"return_task_ids": "true"},
            timeout_s=timeout_s,
        )
        return list(answer["task_ids"])

    def tasks_by_guid(self, project_id: int, guids: Iterable[str], *, views_allowed: bool = False) -> list[TaskRow]:
        """Every task whose `data.guid` is one of these, by id; a GUID may have none or several.

        One request for each 100 GUIDs (fewer if they are long), 0.1 to 0.2 s in a project of 50,000 tasks. With
        `views_allowed` more than 200 of them take half a second in all, and for so long annotators see a tab more.
        """
        groups = list(groups_for_urls(guids))
        if views_allowed and len(groups) > _GROUPS_BY_URL:
            rows = list(self._by_guid_through_views(project_id, [guid for group in groups for guid in group]))
        else:
            filters = [[data_in("guid", some)] for some in groups]
            tasks = [self.iterate_by_id(project_id, some, include=ROW_FIELDS, fields=None) for some in filters]
            rows = [TaskRow.from_json(raw) for found in tasks for raw in found]
        return sorted(rows, key=lambda row: row.id)

    def _by_guid_through_views(self, project_id: int, guids: Sequence[str]) -> Iterator[TaskRow]:
        for start in range(0, len(guids), _GUIDS_PER_VIEW):
            some = guids[start : start + _GUIDS_PER_VIEW]
            filters = [data_in("guid", some)]
            try:
                page = page_through_view(
                    self._connection, project_id, filters, page_size=2 * len(some), include=ROW_FIELDS
                )
            except RefusedError as error:
                _log.warning("Looking for tasks takes longer without a view: %s", error)
                page = TaskPage([], total=-1)
            if page.total == len(page.tasks):
                yield from map(TaskRow.from_json, page.tasks)
            else:  # also where the server capped the page: a view has no second one that loses no rows
                yield from self.tasks_by_guid(project_id, some)

    def list_tasks(
        self,
        project_id: int,
        *,
        filters: Sequence[Filter] = (),
        ordering: str | None = None,
        page_size: int = 200,
        page: int = 1,
        include: Sequence[str] = SYNC_FIELDS,
        fields: str | None = "all",
    ) -> TaskPage:
        """One page, by id unless `ordering` says otherwise. The server may cap `page_size` silently: see `total`.

        `include` names keys of the task and of its annotations (none: everything); `fields` None leaves out
        annotations and derived columns.
        To read more than one page use `iterate_changed` or `iterate_by_id`: page numbers lose rows.
        """
        params: dict[str, Any] = {
            "project": project_id,
            "page": page,
            "page_size": page_size,
            "resolve_uri": "false",
            "query": query_text(filters, ordering),
        }
        if include:
            params["include"] = ",".join(include)
        if fields:
            params["fields"] = fields
        answer = self._connection.get("/api/tasks", params)
        return TaskPage(answer["tasks"], answer["total"])

    def count_tasks(self, project_id: int, filters: Sequence[Filter] = ()) -> int:
        """0.05 to 0.08 s in a project of 50,000 tasks."""
        return self.list_tasks(project_id, filters=filters, page_size=1, include=("id",), fields=None).total

    def newest_task(self, project_id: int) -> tuple[int, int]:
        """How many tasks there are, and the highest id; 0 if there is none."""
        page = self.list_tasks(project_id, ordering="-tasks:id", page_size=1, include=("id",), fields=None)
        return page.total, int(page.tasks[0]["id"]) if page.tasks else 0

    def newest_change(self, project_id: int, filters: Sequence[Filter] = ()) -> Probe:
        """Count and the newest few tasks in one request for their rows."""
        page = self.list_tasks(
            project_id,
            filters=filters,
            ordering="-tasks:updated_at",
            page_size=PROBED,
            include=("id", "updated_at"),
            fields=None,
        )
        return Probe(page.total, tuple((int(task["id"]), parse_time(task["updated_at"])) for task in page.tasks))

    def iterate_by_id(
        self,
        project_id: int,
        filters: Sequence[Filter] = (),
        *,
        page_size: int = 200,
        include: Sequence[str] = SYNC_FIELDS,
        fields: str | None = "all",
    ) -> Iterator[Task]:
        """Every task that matches, in the order of ids. Tasks that come or go meanwhile do no harm to the others."""
        return by_id(self._first_page(project_id, page_size, include, fields), filters)

    def iterate_changed(
        self,
        project_id: int,
        since: datetime | None,
        extra_filters: Sequence[Filter] = (),
        page_size: int = 200,
        include: Sequence[str] = SYNC_FIELDS,
        fields: str | None = "all",
    ) -> Iterator[Task]:
        """Tasks with `updated_at` of `since` or later (None: all), in that order, with all their annotations.

        Create, update, delete and skip of an annotation move `updated_at` of its task. A task that changes while
        this runs may come twice. Deleted tasks do not come. One request for each page, one if nothing changed.
        """
        return by_update(self._first_page(project_id, page_size, include, fields), since, extra_filters)

    def snapshot(self, project_id: int, filters: Sequence[Filter] = ()) -> Snapshot:
        """Every task that matches, in no order, as `iterate_changed` gives it but for `is_labeled`.

        Seven requests, 480 to 900 tasks a second where a list gives 180 to 250. Raises ServiceError where the server
        makes no snapshot, or later, if it cannot be read; then some tasks may have been given.
        """
        return read_snapshot(self._connection, project_id, filters)

    def _first_page(
        self, project_id: int, page_size: int, include: Sequence[str], fields: str | None = "all"
    ) -> FirstPage:
        def first_page(filters: Sequence[Filter], ordering: str) -> TaskPage:
            return self.list_tasks(
                project_id, filters=filters, ordering=ordering, page_size=page_size, include=include, fields=fields
            )

        return first_page

    def tasks_by_id(self, project_id: int, task_ids: Iterable[int]) -> list[Task]:
        """With annotations, in the form of `iterate_changed`; those that no longer exist are left out."""
        wanted = sorted(set(task_ids))
        tasks: list[Task] = []
        for start in range(0, len(wanted), _IDS_PER_REQUEST):
            tasks += self.iterate_by_id(project_id, [id_in(wanted[start : start + _IDS_PER_REQUEST])])
        return tasks

    def task(self, task_id: int) -> Task:
        """One task with all there is, 0.1 to 0.2 s. Only here `completed_by` is a dict and not a number."""
        task: Task = self._connection.get(f"/api/tasks/{task_id}/", {"resolve_uri": "false"})
        return task

    def patch_task_data(self, task_id: int, data: dict[str, Any]) -> Task:
        """Replaces all of `data`, not only the keys given."""
        task: Task = self._connection.write("PATCH", f"/api/tasks/{task_id}/", body={"data": data})
        return task

    def delete_task(self, task_id: int) -> None:
        """With its annotations. On SQLite the next task may get the same id."""
        self._connection.write("DELETE", f"/api/tasks/{task_id}/")

    def delete_tasks_bulk(self, project_id: int, task_ids: Sequence[int]) -> int:
        """With their annotations; returns how many tasks the server deleted."""
        return int(self.run_action(project_id, "delete_tasks", task_ids).get("processed_items", 0))

    def run_action(self, project_id: int, action: str, task_ids: Sequence[int]) -> dict[str, Any]:
        """An action of the data manager on these tasks: `delete_tasks`, `delete_tasks_annotations`, ...

        On no tasks nothing is sent: the server would take an empty selection for its own reasons.
        """
        if not task_ids:
            return {}
        body = {"project": str(project_id), "selectedItems": {"all": False, "included": list(task_ids)}}
        params = {"id": action, "project": project_id}
        answer: dict[str, Any] = self._connection.write("POST", "/api/dm/actions", body=body, params=params)
        return answer

    # Annotations

    def create_annotation(self, task_id: int, body: Annotation) -> Annotation:
        """`body` has `result`, and `was_cancelled`, `ground_truth`, `lead_time` if wanted. Made by the token's user."""
        made: Annotation = self._connection.write("POST", f"/api/tasks/{task_id}/annotations/", body=body)
        return made

    def annotation(self, annotation_id: int) -> Annotation:
        """Raises RefusedError with status 404 when there is none."""
        found: Annotation = self._connection.get(f"/api/annotations/{annotation_id}/")
        return found

    def update_annotation(self, annotation_id: int, body: Annotation) -> Annotation:
        """Only the keys in `body`. Moves `updated_at` of the task even when nothing differs."""
        changed: Annotation = self._connection.write("PATCH", f"/api/annotations/{annotation_id}/", body=body)
        return changed

    def delete_annotation(self, annotation_id: int) -> None:
        """Moves `updated_at` of its task. On SQLite the next annotation may get the same id."""
        self._connection.write("DELETE", f"/api/annotations/{annotation_id}/")

    # Predictions

    def tasks_to_push_to(self, project_id: int, guids: Iterable[str], filters: Sequence[Filter] = ()) -> list[Task]:
        """Tasks whose `data.guid` is one of these and that match, by id, with annotations and predictions.

        `draft_exists` says whether anybody has begun. One request for each 100 GUIDs, 0.4 s with a prediction each.
        """
        tasks: list[Task] = []
        for some in groups_for_urls(guids):
            tasks += self.iterate_by_id(project_id, [data_in("guid", some), *filters], include=PUSH_FIELDS)
        return sorted(tasks, key=lambda task: int(task["id"]))

    def import_predictions(
        self, project_id: int, predictions: Sequence[Prediction], *, timeout_s: float = _IMPORT_TIMEOUT_S
    ) -> int:
        """How many were made. Each is `{"task", "result", "model_version", "score"}`; never repeated.

        An unknown task refuses all of them. What the server's own validation does not like (an unknown label, a score
        above 1, also some that its editor writes) it leaves out without a word: count, and see `create_prediction`.
        100 take 0.2 s, 500 take 0.4 s. `updated_at` of the tasks does not move.
        """
        if not predictions:
            return 0
        path = f"/api/projects/{project_id}/import/predictions"
        answer = self._connection.write("POST", path, body=list(predictions), timeout_s=timeout_s)
        return int(answer["created"])

    def create_prediction(self, prediction: Prediction) -> Prediction:
        """One prediction, which is not validated (Community, 1.23.2). Sent twice it is there twice."""
        made: Prediction = self._connection.write("POST", "/api/predictions/", body=prediction)
        return made

    def update_prediction(self, prediction_id: int, body: Prediction) -> Prediction:
        """Only the keys in `body`: `result`, `score`, `model_version`. May be sent twice."""
        changed: Prediction = self._connection.write("PATCH", f"/api/predictions/{prediction_id}/", body=body)
        return changed

    def delete_prediction(self, prediction_id: int) -> None:
        """Raises RefusedError with status 404 when there is none."""
        self._connection.write("DELETE", f"/api/predictions/{prediction_id}/")

    # Webhooks

    def webhooks(self, project_id: int) -> list[Webhook]:
        """Those of a project, by id; `headers` and `actions` are in them."""
        found = self._connection.get("/api/webhooks/", {"project": project_id})
        return sorted(found, key=lambda hook: int(hook["id"]))

    def create_webhook(self, project_id: int, body: Webhook) -> Webhook:
        """`body` has `url`, `headers`, `actions`, `send_payload`, `send_for_all_actions`, `is_active`.

        Sent twice it is there twice. RefusedError with status 403: the server does not call this address.
        """
        body = {**body, "project": project_id}
        made: Webhook = self._connection.write("POST", "/api/webhooks/", body=body)
        return made

    def update_webhook(self, webhook_id: int, body: Webhook, *, actions: Sequence[str]) -> Webhook:
        """Only the keys in `body`, and `actions`: the server deletes the list of a webhook when it is left out."""
        path = f"/api/webhooks/{webhook_id}/"
        changed: Webhook = self._connection.write("PATCH", path, body={**body, "actions": list(actions)})
        return changed

    def delete_webhook(self, webhook_id: int) -> None:
        """Raises RefusedError with status 404 when there is none."""
        self._connection.write("DELETE", f"/api/webhooks/{webhook_id}/")
