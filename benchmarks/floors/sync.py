"""The floor of the sync: raw HTTP calls to Label Studio, and bare writes of the same objects, without any logic."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import httpx

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Reply
from labeling_assets.clients.label_studio import SYNC_FIELDS
from labeling_assets.clients.label_studio_query import Filter, query_text, view_filters
from labeling_assets.clients.query import Query

WRITING = ("Add", "Update", "Delete", "Create", "Remove")
# What a sync does for its own safety: lease, watermark, indexes.
_OF_THE_SYNC = (names.SYNC,)


class RecordingDatabase(ApertureDB):
    """Keeps the queries that write objects, so that they can be sent again to a copy of the database."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key
        self.recorded: list[Query] = []

    def run(self, query: Query) -> Reply:
        if any(name.startswith(WRITING) and _is_of_objects(body) for name, body in query.commands):
            self.recorded.append(_bare(query))
        return super().run(query)


def _is_of_objects(body: dict[str, Any]) -> bool:
    return body.get("class", body.get("with_class")) not in _OF_THE_SYNC


def _bare(query: Query) -> Query:
    """The same objects without lease and watermark; an update or delete stands as it was."""
    bare = Query()
    bare.commands = [(name, body) for name, body in query.commands if _is_of_objects(body)]
    bare.blobs = list(query.blobs)
    return bare


def replay(db: ApertureDB, recorded: Iterable[Query]) -> None:
    for query in recorded:
        db.run(query)


class RawLabelStudio:
    """`httpx` and nothing else."""

    def __init__(self, url: str, authorization: Callable[[], str]) -> None:
        def signed(request: httpx.Request) -> httpx.Request:
            request.headers["Authorization"] = authorization()
            return request

        self._http = httpx.Client(base_url=url, timeout=600, trust_env=False, auth=signed)

    def close(self) -> None:
        self._http.close()

    def import_tasks(self, project_id: int, tasks: list[dict[str, Any]], chunk: int) -> None:
        for start in range(0, len(tasks), chunk):
            path, params = f"/api/projects/{project_id}/import", {"return_task_ids": "true"}
            self._http.post(path, params=params, json=tasks[start : start + chunk]).raise_for_status()

    def listed(self, project_id: int, filters: list[Filter], page_size: int = 200) -> list[dict[str, Any]]:
        """One page of tasks with their annotations, as a sync asks for it."""
        params = {
            "project": project_id,
            "page_size": page_size,
            "resolve_uri": "false",
            "fields": "all",
            "include": ",".join(SYNC_FIELDS),
            "query": query_text(filters, "tasks:updated_at"),
        }
        found: list[dict[str, Any]] = self._http.get("/api/tasks", params=params).raise_for_status().json()["tasks"]
        return found

    def snapshot(self, project_id: int, filters: list[Filter]) -> list[dict[str, Any]]:
        """The cheapest way to read many tasks: view, snapshot export, download, and both deleted again."""
        data = {"title": "floor", "filters": view_filters(filters), "ordering": []}
        body: dict[str, Any] = {"project": project_id, "data": data}
        view = self._http.post("/api/dm/views/", json=body).raise_for_status().json()["id"]
        body = {"title": "floor", "task_filter_options": {"view": view}}
        exports = f"/api/projects/{project_id}/exports/"
        made = self._http.post(exports, json=body).raise_for_status().json()["id"]
        answer = self._http.get(f"{exports}{made}/download", params={"exportType": "JSON"}).raise_for_status()
        self._http.delete(f"{exports}{made}")
        self._http.delete(f"/api/dm/views/{view}/")
        tasks: list[dict[str, Any]] = json.loads(answer.content)
        return tasks
