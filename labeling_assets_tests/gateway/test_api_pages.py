"""The OpenAPI document is that of the routes, and its page needs nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from labeling_assets.gateway.api_pages import ApiPages, document
from labeling_assets.gateway.api_token import ApiToken
from labeling_assets.gateway.app import create_app
from labeling_assets.gateway.link_gate import LinkGate
from labeling_assets.gateway.push import Push
from labeling_assets.gateway.sessions import LabelStudioSessions, MediaAccess
from labeling_assets.gateway.task_lists import TaskLists
from labeling_assets.gateway.webhook import WebhookInbox
from labeling_assets_tests.gateway.api import TOKEN, Api, rules
from labeling_assets_tests.gateway.running import LINKS

PATHS = document()["paths"]


@pytest.fixture
def routes(api: Api, tmp_path: Path) -> set[tuple[str, str]]:
    """Path and method of everything that is served; HEAD only where it is of use."""
    token, known = ApiToken(TOKEN), lambda: ([], [])
    access = MediaAccess(LabelStudioSessions("http://127.0.0.1:9"), LinkGate(LINKS, lambda: api.db))
    parts = [TaskLists(lambda: api.db, known, LINKS, token), Push(lambda: api.db, known, token, rules()), access]
    inbox = WebhookInbox("a secret of webhooks", tmp_path / "notes", lambda: api.db)
    app = create_app(lambda: api.db, LINKS, (), inbox=inbox, parts=parts)
    assert all(isinstance(route, Route) for route in app.routes)
    return {(route.path, method.lower()) for route in app.routes for method in route.methods or ()}


def test_every_route_is_in_the_document(routes: set[tuple[str, str]]) -> None:
    documented = {(path, method) for path, methods in PATHS.items() for method in methods}
    assert {route for route in routes if route[1] != "head"} == {route for route in documented if route[1] != "head"}
    assert documented - routes == set()


def test_every_reference_leads_somewhere() -> None:
    page = "\n".join(_strings(document()))
    names = re.findall(r"#/components/(\w+)/(\w+)", page)
    assert len(names) > 20
    assert [name for group, name in names if name not in document()["components"][group]] == []


def _strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [str(value)]


def test_the_document_is_served(gateway: httpx.Client) -> None:
    answer = gateway.get("/openapi.json")
    assert (answer.status_code, answer.json()["paths"]) == (200, PATHS)


def test_the_page_has_every_operation(gateway: httpx.Client) -> None:
    page = gateway.get("/docs").text
    wanted = [f"{method.upper()} {path}" for path, methods in PATHS.items() for method in methods]
    assert [operation for operation in wanted if operation not in page] == []


def test_the_page_loads_nothing_and_runs_nothing(gateway: httpx.Client) -> None:
    answer = gateway.get("/docs")
    tags: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.add(tag)  # type: ignore[method-assign]
    parser.feed(answer.text)
    assert tags.isdisjoint({"script", "link", "img", "iframe", "a", "form"})
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_texts_cannot_become_html() -> None:
    page = bytes(ApiPages("http://x/<script>alert(1)</script>")._page, "utf-8")
    assert b"<script>" not in page
