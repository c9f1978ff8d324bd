"""A gateway with task lists and pushes, for a database and labeling projects of its own."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from labeling_assets.gateway.api_token import ApiToken
from labeling_assets.gateway.link_gate import LinkGate
from labeling_assets.gateway.metrics import Metrics
from labeling_assets.gateway.push import Push, PushRules
from labeling_assets.gateway.sessions import LabelStudioSessions, MediaAccess
from labeling_assets.gateway.task_lists import TaskLists
from labeling_assets.projects import readable_projects
from labeling_assets.settings import Settings
from labeling_assets_tests.gateway.running import LINKS, gateway_client
from labeling_assets_tests.sync.world import WatchedDatabase, write_project

TOKEN = "a token of the tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
MB = 1_000_000


@dataclass
class Api:
    """A client with the token, and what stands behind the gateway."""

    client: httpx.Client
    db: WatchedDatabase
    projects: Path
    metrics: Metrics = field(default_factory=Metrics)

    def push(self, files: dict[str, bytes], batch: str = "May", **fields: str) -> httpx.Response:
        """Files of a form, the fields before them."""
        return self.client.post(
            f"/batches/{batch}/media", data=fields, files=[("file", (name, data)) for name, data in files.items()]
        )

    def push_urls(self, *media: Any, batch: str = "May") -> httpx.Response:
        """Addresses as JSON."""
        return self.client.post(f"/batches/{batch}/media", json={"media": list(media)})

    def pushed(self, files: dict[str, bytes], batch: str = "May", **fields: str) -> list[dict[str, Any]]:
        """The rows of a push that was taken."""
        answer = self.push(files, batch, **fields)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["media"])

    @property
    def url(self) -> str:
        """The address of the gateway, for requests without the token."""
        return str(self.client.base_url).rstrip("/")

    def add_project(self, slug: str = "cars", **files: str) -> None:
        write_project(self.projects / slug, **files)

    def stored(self, command: str = "FindImage", *properties: str) -> list[dict[str, Any]]:
        return self.db.find(command, None, properties=[*properties, "guid", "LS_source_uri"], blobs=False)


def rules(**values: Any) -> PushRules:
    """The limits of the tests, which leave loopback addresses out."""
    return PushRules(
        **{
            "body_bytes": 20 * MB,
            "file_bytes": 5 * MB,
            "media_types": frozenset(Settings.model_fields["push_types"].default),
            **values,
        }
    )


@contextmanager
def running_api(key: str, projects: Path, *, push_rules: PushRules | None = None, **options: Any) -> Iterator[Api]:
    """The gateway, and a client with the token."""
    token, metrics = ApiToken(TOKEN), Metrics()
    with WatchedDatabase(key) as database:
        known = lambda: readable_projects(projects)  # noqa: E731  # shorter than a function
        lists = TaskLists(lambda: database, known, LINKS, token)
        push = Push(lambda: database, known, token, push_rules or rules(), pushed=metrics.count_pushed)
        access = MediaAccess(LabelStudioSessions("http://127.0.0.1:9"), LinkGate(LINKS, lambda: database))
        with gateway_client(database, parts=[lists, push, access], metrics=metrics, **options) as client:
            client.headers.update(BEARER)
            yield Api(client, database, projects, metrics)


def raw_request(url: str, data: bytes) -> bytes:
    """What a server answers to bytes that no HTTP library would send."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 80), timeout=20) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def body_of(answer: bytes) -> Any:
    """The JSON of a raw answer."""
    return json.loads(answer.partition(b"\r\n\r\n")[2])
