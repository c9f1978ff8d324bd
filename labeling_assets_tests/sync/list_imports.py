"""What a person does with a task list: upload it, or give Label Studio its address."""

import io
from typing import Any

import httpx

from labeling_assets.sync.labeling_project import ensure_project
from labeling_assets.sync.report import PublishReport
from labeling_assets.sync.task_lists import Format, TaskList
from labeling_assets_tests.sync.world import LINKS, Stock, World


def listed(stock: Stock, form: Format = "json", **options: Any) -> bytes:
    """The bytes of a list."""
    file = io.BytesIO()
    TaskList(stock.db, stock.project, LINKS).write(file, form, **options)
    return file.getvalue()


def project_id(world: World) -> int:
    """The project in Label Studio, made if it is not there."""
    return ensure_project(world.db, world.ls, world.project).project_id


def upload(world: World, content: bytes, form: Format = "json") -> httpx.Response:
    """Import a file as the browser does."""
    return _import(world, files={"file": (f"tasks.{form}", content)})


def import_from(world: World, url: str) -> httpx.Response:
    """Import by the address of a list, which Label Studio reads itself."""
    return _import(world, data={"url": url})


def upload_and_publish(world: World, form: Format = "json", **options: Any) -> PublishReport:
    """Import what is listed, then publish the batch."""
    answer = upload(world, listed(world, form, **options), form)
    assert answer.status_code == 201, answer.text
    return world.publish()


def _import(world: World, **body: Any) -> httpx.Response:
    address = f"{world.ls.url}/api/projects/{project_id(world)}/import"
    return httpx.post(address, headers={"Authorization": world.ls.authorization()}, timeout=60, **body)
