"""Chromium and ChromeDriver of the system, one of each for all browser tests; without them they are skipped."""

import os
import shutil
from collections.abc import Iterator

import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.gateway.app import create_app
from labeling_assets.gateway.disk_cache import DiskCache
from labeling_assets.gateway.media import MediaCaches
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.media_sources import MediaSources
from labeling_assets.media_urls import MediaLinks
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.browser.studio import Studio, Watch, chromium
from labeling_assets_tests.gateway.running import running_gateway

KEYS = {"k1": "a secret of the browser tests"}
os.environ["SE_AVOID_STATS"] = "true"  # or Selenium tells its makers that it runs


@pytest.fixture(scope="session")
def chromium_programs() -> tuple[str, str]:
    """Where browser and driver are; the test is skipped with the reason if one is not there."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium chromium-driver)")
    return browser, driver


@pytest.fixture(scope="session")
def studio(
    chromium_programs: tuple[str, str],
    label_studio_server: LabelStudioServer,
    label_studio_key: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Studio]:
    """An annotator who has logged in."""
    folder = tmp_path_factory.mktemp("studio")
    with (
        LocalServer(folder / "aperturedb", port=0) as server,
        ApertureDB(server.key) as db,
        LabelStudio(label_studio_server.url, label_studio_key) as ls,
    ):
        caches = MediaCaches(DiskCache(folder / "cache", 200_000_000))
        links = MediaLinks("http://not.yet.known", KEYS, "k1")
        sources, origins = MediaSources.of([folder]), (label_studio_server.url,)
        watch = Watch(create_app(lambda: db, links, origins, caches=caches, sources=sources))
        with running_gateway(watch) as url, chromium(*chromium_programs, folder / "chromium") as browser:
            links = MediaLinks(url, KEYS, "k1")
            person = Studio(browser, label_studio_server, ls, db, links, watch, folder)
            person.log_in()
            yield person
