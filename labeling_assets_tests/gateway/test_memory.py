"""What a gateway takes of memory for large media: measured in its own process, at its highest."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from labeling_assets.clients.constraints import equal
from labeling_assets.clients.s3 import MOUNT, S3Transport
from labeling_assets.identity import sha256_of
from labeling_assets.media_urls import MediaLinks
from labeling_assets.sync.register_media import file_version
from labeling_assets_tests.gateway.running import SECRET, WatchedDatabase, add_object
from labeling_assets_tests.s3_store import s3_store
from labeling_assets_tests.web_folder import web_folder

MB: Final = 10**6
LIMIT_MB: Final = 64
SEEKS: Final = 40
PIECE: Final = MB
STORED: Final = random.Random(1).randbytes(MB) * 100  # 100 MB
LARGE: Final = 1000 * MB

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells and resets the peak of memory"),
]


class Gateway:
    """A process of its own, and the browser in front of it."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.pid = process.pid
        self.links = MediaLinks(url, {"k1": SECRET}, "k1")
        self.http = httpx.Client(timeout=60)

    def part(self, guid: str, first: int) -> bytes:
        headers = {"Range": f"bytes={first}-{first + PIECE - 1}"}
        answer = self.http.get(self.links.link(guid), headers=headers)
        assert answer.status_code == 206, answer.text
        return answer.content

    def grown_mb(self, work: Callable[[], None]) -> float:
        """How far its memory rises above what it is now while it works."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        before = self._kb("VmRSS")
        work()
        return (self._kb("VmHWM") - before) / 1024

    def _kb(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@contextmanager
def gateway_process(key: str, home: Path, *sources: str) -> Iterator[Gateway]:
    environment = {
        **os.environ,
        "APERTUREDB_KEY": key,
        "LABEL_STUDIO_URL": "http://127.0.0.1:8080",
        "LABELING_ASSETS_HOME": str(home),
        "LABELING_ASSETS_GATEWAY_URL": "http://127.0.0.1:8090",
        "LABELING_ASSETS_LINK_KEYS": json.dumps({"k1": SECRET}),
        "LABELING_ASSETS_MEDIA_SOURCES": json.dumps(sources),
    }
    command = [sys.executable, "-m", "labeling_assets.cli", "gateway", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, cwd=home.parent, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield Gateway(process, line.rpartition(" ")[2].strip())
        finally:
            process.terminate()
            process.wait(30)


def seeks(gateway: Gateway, guid: str, size: int, expected: Callable[[int], bytes]) -> Callable[[], None]:
    """Jumps to places all over a film."""

    def work() -> None:
        chance = random.Random(2)
        for _ in range(SEEKS):
            first = chance.randrange(size - PIECE)
            assert gateway.part(guid, first) == expected(first)

    return work


def test_a_film_of_100_mb_in_aperturedb_is_sought_within_64_mb(
    watched: WatchedDatabase, aperturedb_key: str, tmp_path: Path
) -> None:
    described = {"LS_mime_type": "video/mp4", "LS_size_bytes": len(STORED), "LS_sha256": sha256_of(STORED)}
    add_object(watched, STORED, {"guid": "stored", "LS_role": "media", **described})
    try:
        with gateway_process(aperturedb_key, tmp_path / "home") as gateway:
            gateway.part("stored", 0)  # fills the cache on the disk
            work = seeks(gateway, "stored", len(STORED), lambda first: STORED[first : first + PIECE])
            grown = gateway.grown_mb(work)
    finally:
        watched.one("DeleteBlob", {"constraints": equal("guid", "stored")})
    assert grown < LIMIT_MB


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A film of a gigabyte in the bucket `films`: mostly holes, so it takes little of the disk."""
    folder = tmp_path_factory.mktemp("large") / "films"
    folder.mkdir()
    chance = random.Random(3)
    with (folder / "film.mp4").open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
        for _ in range(200):
            file.seek(chance.randrange(LARGE - PIECE))
            file.write(chance.randbytes(PIECE // 4))
        file.truncate(LARGE)
    yield folder / "film.mp4"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def digest(film: Path) -> str:
    """SHA-256 of the film."""
    with film.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.parametrize("place", ["file", "http", "s3"])
def test_a_registered_film_of_1_gb_is_sought_within_64_mb(
    watched: WatchedDatabase, aperturedb_key: str, tmp_path: Path, film: Path, digest: str, place: str
) -> None:
    with ExitStack() as running:
        uri, version, allowed = film.as_uri(), file_version(film.stat()), str(film.parent)
        if place == "http":
            allowed = running.enter_context(web_folder(film.parent))
            uri = f"{allowed}/film.mp4"
            version = httpx.head(uri).headers["etag"]
        elif place == "s3":
            running.enter_context(s3_store(film.parent.parent))
            uri, allowed = "s3://films/film.mp4", "s3://films/"
            http = running.enter_context(httpx.Client(mounts={MOUNT: S3Transport()}, timeout=60))
            version = http.get(uri, headers={"Range": "bytes=0-0"}).headers["etag"]
        properties = {"guid": "large", "LS_role": "media", "LS_mime_type": "video/mp4", "LS_size_bytes": LARGE}
        properties |= {"LS_sha256": digest, "LS_stored_at": uri, "LS_stored_version": version}
        add_object(watched, b"a marker", properties)
        running.callback(watched.one, "DeleteBlob", {"constraints": equal("guid", "large")})
        gateway = running.enter_context(gateway_process(aperturedb_key, tmp_path / "home", allowed))
        file = running.enter_context(film.open("rb"))
        work = seeks(gateway, "large", LARGE, lambda first: os.pread(file.fileno(), PIECE, first))
        assert gateway.grown_mb(work) < LIMIT_MB  # from the very first request
