"""A gateway with media in a database of its own, behind nginx; without nginx the tests are skipped."""

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.gateway.app import create_app
from labeling_assets.gateway.disk_cache import DiskCache
from labeling_assets.gateway.link_gate import LinkGate
from labeling_assets.gateway.media import MediaCaches
from labeling_assets.gateway.sessions import LabelStudioSessions, MediaAccess
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.media_urls import MediaLinks
from labeling_assets.stack.label_studio import Account, LabelStudioServer
from labeling_assets_tests.deploy.nginx import program, running_nginx
from labeling_assets_tests.gateway.running import LINKS, add_medium, running_gateway
from labeling_assets_tests.sync.world import picture

FILM = os.urandom(3_000_000)


class TrustingServer(LabelStudioServer):
    """A Label Studio as it must be started behind TLS: it takes forms from the address of nginx."""

    origins = "https://127.0.0.1"

    def _account_variables(self) -> dict[str, str]:
        return {**super()._account_variables(), "CSRF_TRUSTED_ORIGINS": self.origins}


@dataclass
class Site:
    """What a person sees: one host."""

    url: str
    client: httpx.Client
    links: MediaLinks
    db: ApertureDB
    log: Path
    gateway: str

    def link(self, guid: str) -> str:
        return self.links.for_project("cars").link(guid)

    def log_in(self, account: Account) -> None:
        """As a browser does, which says where the form came from."""
        self.client.get("/user/login/").raise_for_status()
        form = {"email": account.username, "password": account.password}
        token = {
            "X-CSRFToken": self.client.cookies["csrftoken"],
            "Origin": self.url,
            "Referer": f"{self.url}/user/login/",
        }
        answer = self.client.post("/user/login/", data=form, headers=token)
        assert answer.status_code == 302, answer.text


@pytest.fixture(scope="session")
def nginx() -> str:
    """Where nginx is; the test is skipped with the reason if it is not there."""
    found = program()
    if found is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx)")
    return found


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApertureDB]:
    """A picture, and a film that is large enough for the disk."""
    with LocalServer(tmp_path_factory.mktemp("deploy"), port=0) as server, ApertureDB(server.key) as db:
        add_medium(db, "picture", picture(), mime_type="image/png", command="AddImage")
        add_medium(db, "film", FILM, mime_type="video/mp4")
        add_medium(db, "page", b"<script>alert(1)</script>" + b" " * 2_000_000, mime_type="text/html; charset=utf-8")
        yield db


@contextmanager
def site(
    name: str, db: ApertureDB, folder: Path, *, label_studio: str, tls: bool = False, accel: bool = False
) -> Iterator[Site]:
    """The example `name` of deploy/nginx/ in front of a Label Studio and a gateway."""
    links = dataclasses.replace(LINKS, base_url="https://labels.example.org/gateway")
    cache = folder / "cache"
    caches = MediaCaches(DiskCache(cache, 100_000_000), accel_path="/cached_media/" if accel else "")
    access = MediaAccess(LabelStudioSessions(label_studio), LinkGate(links, lambda: db))
    app = create_app(lambda: db, links, (label_studio,), parts=[access], caches=caches)
    place = {"label_studio": label_studio, "tls": tls, "cache": cache if accel else None}
    with (
        running_gateway(app) as gateway,
        running_nginx(folder, name, gateway=gateway, **place) as url,
        httpx.Client(base_url=url, verify=False, timeout=30) as client,  # the certificate signs itself
    ):
        public = dataclasses.replace(links, base_url=f"{url}/gateway")
        yield Site(url, client, public, db, folder / "access.log", gateway)
