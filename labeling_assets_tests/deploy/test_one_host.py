"""deploy/nginx/one_host.conf: Label Studio and the gateway behind one name, with TLS and without."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.stack.label_studio import Account, LabelStudioServer
from labeling_assets.stack.processes import free_port
from labeling_assets_tests.deploy import nginx as nginx_module
from labeling_assets_tests.deploy.conftest import FILM, Site, TrustingServer, site


@pytest.fixture(scope="module")
def host(
    nginx: str, media: ApertureDB, label_studio_server: LabelStudioServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("one_host")
    with site("one_host.conf", media, folder, label_studio=label_studio_server.url) as host:
        yield host


def test_media_have_the_origin_of_label_studio(host: Site, label_studio_server: LabelStudioServer) -> None:
    host.log_in(label_studio_server.account)
    assert host.client.get("/api/current-user/whoami").json()["email"] == label_studio_server.account.username
    answer = host.client.get(host.link("picture"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert httpx.URL(host.link("picture")).netloc == httpx.URL(host.url).netloc


def test_parts_of_a_film_go_through(host: Site) -> None:
    answer = host.client.get(host.link("film"), headers={"Range": "bytes=1000000-1000009"})
    assert (answer.status_code, answer.content) == (206, FILM[1_000_000:1_000_010])
    tag = {"If-None-Match": answer.headers["etag"]}
    assert host.client.get(host.link("film"), headers=tag).status_code == 304


def test_a_wrong_link_is_refused(host: Site) -> None:
    assert host.client.get(host.link("picture")[:-1]).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/gateway/metrics",
        "/gateway//metrics",
        "/gateway/%6detrics",
        "/gateway/x/../metrics",
        "/gateway/gateway/metrics",
    ],
)
def test_metrics_are_not_for_the_public(host: Site, path: str) -> None:
    answer = host.client.get(httpx.URL(host.url).copy_with(raw_path=path.encode()))
    assert (answer.status_code, "labeling_gateway" in answer.text) == (404, False)


def test_no_signature_is_in_the_log(host: Site) -> None:
    host.client.get(host.link("picture"), headers={"Referer": host.link("film")})
    log = host.log.read_text()
    assert '"GET /gateway/media/picture" 200' in log
    assert "s=" not in log


def test_behind_tls_a_person_can_log_in(
    nginx: str, label_studio_database: None, media: ApertureDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what the head of the file says of Label Studio's settings, and not without."""
    port = free_port("127.0.0.1")
    monkeypatch.setattr(nginx_module, "free_port", lambda host: port)
    account = Account.random()
    trusting = TrustingServer(tmp_path / "label_studio", account)
    trusting.origins = f"https://127.0.0.1:{port}"
    with (
        trusting as server,
        site("one_host.conf", media, tmp_path / "nginx", label_studio=server.url, tls=True) as host,
    ):
        host.log_in(account)
        assert host.client.get("/api/current-user/whoami").json()["email"] == account.username
        assert host.client.get(host.link("film")).content == FILM
