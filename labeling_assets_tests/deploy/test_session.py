"""deploy/nginx/session.conf: a link opens only for people who are logged in at Label Studio."""

from collections.abc import Iterator

import httpx
import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets.sync.link_rules import allow_medium, deny_medium
from labeling_assets_tests.deploy.conftest import FILM, Site, site
from labeling_assets_tests.waiting import eventually


@pytest.fixture(scope="module")
def host(
    nginx: str, media: ApertureDB, label_studio_server: LabelStudioServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("session")
    with site("session.conf", media, folder, label_studio=label_studio_server.url) as host:
        host.log_in(label_studio_server.account)
        yield host


def stranger(host: Site, raw_path: str, **headers: str) -> httpx.Response:
    """Somebody without a session, who may write any path."""
    return httpx.get(httpx.URL(host.url).copy_with(raw_path=raw_path.encode()), headers=headers)


def path(link: str) -> str:
    return httpx.URL(link).raw_path.decode()


def test_a_link_is_no_capability(host: Site) -> None:
    assert stranger(host, path(host.link("picture"))).status_code == 401


def test_who_is_logged_in_sees_the_medium(host: Site) -> None:
    assert host.client.get(host.link("film")).content == FILM
    part = host.client.get(host.link("film"), headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, FILM[5:10])


def test_a_session_without_a_link_opens_nothing(host: Site) -> None:
    assert host.client.get("/gateway/media/film").status_code == 403
    assert host.client.get(host.link("film")[:-1]).status_code == 403


def test_an_invented_session_opens_nothing(host: Site) -> None:
    assert stranger(host, path(host.link("film")), Cookie="sessionid=invented; csrftoken=x").status_code == 401


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/gateway/", "/gateway/gateway/"),
        ("/gateway/", "/gateway//"),
        ("/gateway/", "/gateway/x/../"),
        ("/gateway/", "/gateway/./"),
        ("/media/", "//media/"),
        ("/media/", "/%6dedia/"),
        ("/media/", "/media%2f"),
        ("/media/", "/healthz/../media/"),
        ("/media/", "/projects/../media/"),
        ("/media/", "/projects/..%2fmedia/"),
        ("/media/", "/batches/%2e%2e/media/"),
        ("/gateway/media", "/gateway/auth/media"),
        ("/gateway/media", "/media"),
    ],
)
def test_no_other_way_of_writing_a_link_opens_it(host: Site, before: str, after: str) -> None:
    """For strangers. nginx and the gateway must not understand a path in two ways."""
    answer = stranger(host, path(host.link("film")).replace(before, after, 1))
    assert answer.status_code in (301, 302, 400, 401, 403, 404)
    assert FILM[:100] not in answer.content


@pytest.mark.parametrize("header", ["X-Original-URI", "X-Accel-Redirect", "X-Original-URL", "X-Rewrite-URL"])
def test_no_header_opens_a_link(host: Site, header: str) -> None:
    assert stranger(host, path(host.link("film")), **{header: "/gateway/healthz"}).status_code == 401


@pytest.mark.parametrize(
    "other", ["/gateway/auth/media", "/gateway/metrics", "/gateway/docs", "/_may_open", "/gateway/"]
)
def test_nothing_else_of_the_gateway_is_reached(host: Site, other: str) -> None:
    assert "labeling_gateway" not in host.client.get(other).text
    if other != "/_may_open":  # which Label Studio answers, as any path that it does not know
        assert host.client.get(other).status_code == 404


@pytest.mark.parametrize(
    ("allowed", "status"), [("/gateway/healthz", 200), ("/gateway/webhooks/label_studio/x/y", 404)]
)
def test_what_has_a_secret_of_its_own_is_reached(host: Site, allowed: str, status: int) -> None:
    assert stranger(host, allowed).status_code == status


def test_a_denied_medium_is_refused_before_it_is_asked_for(host: Site) -> None:
    deny_medium(host.db, "picture", "a face")
    try:
        eventually(lambda: host.client.get(host.link("picture")).status_code == 403)
    finally:
        allow_medium(host.db, "picture")
    eventually(lambda: host.client.get(host.link("picture")).status_code == 200)
