import logging
import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from labeling_assets.gateway.access_log import AccessLog
from labeling_assets_tests.gateway.running import SECRET, WatchedDatabase, gateway_client, link, running_gateway


async def _hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def _broken(request: Request) -> PlainTextResponse:
    raise ZeroDivisionError


APP = Starlette(routes=[Route("/broken", _broken), Route("/{rest:path}", _hello)], middleware=[Middleware(AccessLog)])


def logged(caplog: pytest.LogCaptureFixture, path: str) -> str:
    """The line that a request of this path leaves."""
    with caplog.at_level(logging.INFO, logger="labeling_assets"), running_gateway(APP) as url:
        httpx.get(url + path)
    return next(record.getMessage() for record in caplog.records if record.name.endswith("access_log"))


def test_one_line_per_request(caplog: pytest.LogCaptureFixture) -> None:
    assert re.fullmatch(r"GET '/x' 200 5 bytes \d+\.\d ms from '127\.0\.0\.1'", logged(caplog, "/x"))


def test_no_query(caplog: pytest.LogCaptureFixture) -> None:
    assert "secret" not in logged(caplog, "/x?k=secret&s=secret")


def test_a_path_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    assert r"GET '/x\nGET /y'" in logged(caplog, "/x%0AGET%20/y")


def test_our_own_bugs_are_500(caplog: pytest.LogCaptureFixture) -> None:
    assert "'/broken' 500 0 bytes" in logged(caplog, "/broken")


@pytest.mark.parametrize("path", [link("recording"), link("missing"), link("picture") + "x", "/media/x?k=k7&s=zzzz9"])
def test_no_key_or_signature_in_any_log(watched: WatchedDatabase, path: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), gateway_client(watched) as client:
        client.get(path)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    signature = path.partition("&s=")[2]
    assert [line for line in ours if line.startswith("GET '/media/")] != []
    assert [line for line in ours if signature in line or "k=k" in line or SECRET in line] == []
