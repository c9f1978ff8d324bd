import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from labeling_assets.gateway.bodies import FileBody
from labeling_assets.gateway.disk_cache import DiskCache
from labeling_assets.identity import sha256_of


def cache_of(folder: Path, limit_bytes: int = 100) -> DiskCache:
    return DiskCache(folder / "cache", limit_bytes)


def put(cache: DiskCache, data: bytes, *, used_s_ago: float = 0) -> str:
    """Keep a content that was used a while ago; its digest."""
    sha256 = sha256_of(data)
    cache.put(sha256, data)
    if used_s_ago:
        os.utime(cache.path(sha256), (time.time() - used_s_ago,) * 2)
    return sha256


def content(body: FileBody | None) -> bytes | None:
    return None if body is None else b"".join(body.everything())


def test_what_was_put_is_there(tmp_path: Path) -> None:
    cache = cache_of(tmp_path)
    assert content(cache.open(put(cache, b"film"))) == b"film"


def test_putting_opens_it(tmp_path: Path) -> None:
    assert content(cache_of(tmp_path).put(sha256_of(b"film"), b"film")) == b"film"


def test_another_gateway_finds_it(tmp_path: Path) -> None:
    sha256 = put(cache_of(tmp_path), b"film")
    assert content(cache_of(tmp_path).open(sha256)) == b"film"


def test_what_was_never_put_is_not_there(tmp_path: Path) -> None:
    assert cache_of(tmp_path).open(sha256_of(b"film")) is None


def test_what_was_not_used_for_the_longest_time_goes(tmp_path: Path) -> None:
    cache = cache_of(tmp_path)
    oldest, older = put(cache, b"a" * 50, used_s_ago=300), put(cache, b"b" * 50, used_s_ago=200)
    newest = put(cache, b"c" * 50)
    assert [content(cache.open(name)) is not None for name in (oldest, older, newest)] == [False, True, True]


def test_opening_counts_as_using(tmp_path: Path) -> None:
    cache = cache_of(tmp_path)
    first, second = put(cache, b"a" * 50, used_s_ago=300), put(cache, b"b" * 50, used_s_ago=200)
    cache.open(first)
    put(cache, b"c" * 50)
    assert [cache.path(name).exists() for name in (first, second)] == [True, False]


def test_what_goes_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    cache = cache_of(tmp_path)
    body = cache.open(put(cache, b"a" * 90, used_s_ago=300))
    put(cache, b"b" * 90)
    assert content(body) == b"a" * 90


def test_what_is_larger_than_all_is_not_kept_and_displaces_nothing(tmp_path: Path) -> None:
    cache = cache_of(tmp_path)
    small = put(cache, b"small")
    assert cache.put(sha256_of(bytes(101)), bytes(101)) is None
    assert content(cache.open(small)) == b"small"


def test_putting_twice_is_putting_once(tmp_path: Path) -> None:
    cache = cache_of(tmp_path)
    put(cache, b"film")
    put(cache, b"film")
    assert names(tmp_path) == [sha256_of(b"film")]


def test_only_its_owner_can_read(tmp_path: Path) -> None:
    path = cache_of(tmp_path).path(put(cache_of(tmp_path), b"film"))
    assert [entry.stat().st_mode & 0o077 for entry in (path, path.parent)] == [0, 0]


def test_a_file_that_was_left_unfinished_goes_after_an_hour(tmp_path: Path) -> None:
    cache = cache_of(tmp_path)
    folder = cache.path(put(cache, b"film")).parent
    for name, age_s in (("old", 4000), ("new", 0)):
        (folder / f".unfinished-{name}").write_bytes(b"half")
        os.utime(folder / f".unfinished-{name}", (time.time() - age_s,) * 2)
    put(cache, b"another")
    assert [path.name for path in folder.glob(".unfinished*")] == [".unfinished-new"]


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file")
    cache = cache_of(tmp_path)
    with cache.reading(sha256_of(b"film")):
        assert cache.put(sha256_of(b"film"), b"film") is None


def test_one_content_is_read_by_one_at_a_time(tmp_path: Path) -> None:
    sha256, order, inside = sha256_of(b"film"), [], threading.Event()

    def second() -> None:
        inside.wait(20)
        with cache_of(tmp_path).reading(sha256):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with cache_of(tmp_path).reading(sha256):
        inside.set()
        thread.join(0.2)
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"]


WRITER = """
import hashlib, sys
from pathlib import Path
from labeling_assets.gateway.disk_cache import DiskCache
cache = DiskCache(Path(sys.argv[1]), 100_000)
wrong = 0
for number in range(150):
    data = bytes([number % 50]) * (1000 + 300 * (number % 50))
    name = hashlib.sha256(data).hexdigest()
    body = cache.open(name) or cache.put(name, data)
    wrong += b"".join(body.everything()) != data
print(wrong)
"""


def test_processes_share_a_folder(tmp_path: Path) -> None:
    """Every content that is read is whole, and all of them stay below the limit."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "cache")]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    wrong = [writer.communicate(timeout=120)[0].strip() for writer in writers]
    kept_bytes = sum(path.stat().st_size for path in (tmp_path / "cache").glob("??/*"))
    assert (wrong, 0 < kept_bytes <= 100_000) == (["0"] * 3, True)


def names(folder: Path) -> list[str]:
    return [path.name for path in (folder / "cache").glob("??/*")]


@pytest.mark.parametrize("name", ["zz", "locks"])
def test_other_folders_are_left_alone(tmp_path: Path, name: str) -> None:
    cache = cache_of(tmp_path, 10)
    (tmp_path / "cache" / name).mkdir(parents=True)
    (tmp_path / "cache" / name / "file").write_bytes(bytes(50))
    put(cache, b"film")
    assert (tmp_path / "cache" / name / "file").exists()
