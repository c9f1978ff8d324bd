import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from labeling_assets.errors import ConfigurationError
from labeling_assets.gateway.serve import media_caches, serve
from labeling_assets.settings import Settings, load_settings

SERVE = """
from labeling_assets.gateway.serve import serve
from labeling_assets.settings import load_settings
raise SystemExit(serve(load_settings(), host="127.0.0.1", port=0, announce=lambda line: print(line, flush=True)))
"""


@pytest.fixture
def process(aperturedb_key: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A gateway in a process of its own, configured by the environment alone."""
    environment = {
        **os.environ,
        "APERTUREDB_KEY": aperturedb_key,
        "LABEL_STUDIO_URL": "http://127.0.0.1:8080",
        "LABELING_ASSETS_HOME": str(tmp_path / "home"),
        "LABELING_ASSETS_GATEWAY_URL": "http://127.0.0.1:8090",
    }
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_it_says_where_it_listens(process: subprocess.Popen[str]) -> None:
    line = ready_line(process)
    assert line.startswith("media gateway ready at http://127.0.0.1:")


def test_it_serves_the_links_that_the_settings_make(process: subprocess.Popen[str], tmp_path: Path) -> None:
    url = ready_line(process).rpartition(" ")[2]
    links = load_settings(home=tmp_path / "home", gateway_url=url).links()
    assert httpx.get(links.link("picture")).status_code == 200


def test_label_studio_may_load_media_in_both_spellings(process: subprocess.Popen[str]) -> None:
    url = ready_line(process).rpartition(" ")[2]
    headers = httpx.get(f"{url}/healthz", headers={"Origin": "http://localhost:8080"}).headers
    assert headers["access-control-allow-origin"] == "http://localhost:8080"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_to(process: subprocess.Popen[str], number: signal.Signals) -> None:
    url = ready_line(process).rpartition(" ")[2]
    httpx.get(f"{url}/readyz")
    process.send_signal(number)
    assert process.wait(20) == 0


def test_a_port_that_is_taken_is_named(aperturedb_key: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}"):
            serve(_settings(aperturedb_key, tmp_path), host="127.0.0.1", port=port, announce=print)


def test_a_missing_database_is_said_before_listening(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, gateway_url="http://127.0.0.1:8090")
    with pytest.raises(ConfigurationError, match="No ApertureDB"):
        serve(settings, host="127.0.0.1", port=0, announce=print)


def test_a_cache_that_holds_not_one_medium_is_refused(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, gateway_cache_mb=199)
    with pytest.raises(ConfigurationError, match="GATEWAY_CACHE_MB is 199, and media may have 200 MB"):
        media_caches(settings)


def test_the_cache_lies_in_the_home_folder(tmp_path: Path) -> None:
    disk = media_caches(load_settings(home=tmp_path, gateway_cache_mb=500)).disk
    assert disk is not None
    assert (disk.path("ab12").parent, disk.limit_bytes) == (tmp_path / "gateway_cache" / "ab", 500_000_000)


def test_the_cache_lies_where_the_settings_say(tmp_path: Path) -> None:
    disk = media_caches(load_settings(home=tmp_path, gateway_cache=tmp_path / "quick")).disk
    assert disk is not None
    assert disk.path("ab12") == tmp_path / "quick" / "ab" / "ab12"


def _settings(key: str, home: Path) -> Settings:
    return load_settings(home=home, gateway_url="http://127.0.0.1:8090", aperturedb_key=key)
