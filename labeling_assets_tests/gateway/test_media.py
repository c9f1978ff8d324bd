"""Which questions the gateway asks of ApertureDB, and what it keeps."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling_assets.clients.constraints import equal
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.gateway.bodies import FileBody, MemoryBody
from labeling_assets.gateway.disk_cache import DiskCache
from labeling_assets.gateway.media import MediaCaches, MediaReader
from labeling_assets.gateway.ranges import Part
from labeling_assets.gateway.records import find_records
from labeling_assets_tests.gateway.running import WatchedDatabase, add_medium, add_object, gateway_client, link

FILM = bytes(range(256)) * 5000  # larger than what is kept in memory
NOT_TRUSTED = MediaCaches(record_age_s=0)


@pytest.fixture
def reader(watched: WatchedDatabase) -> Iterator[MediaReader]:
    calls = BlockingCalls(threads=2, timeout_s=20)
    yield MediaReader(lambda: watched, calls, caches=NOT_TRUSTED)
    calls.close()


@pytest.fixture
def film(watched: WatchedDatabase) -> Iterator[str]:
    """The GUID of a medium that is only in this test's database."""
    add_medium(watched, "film", FILM, mime_type="video/mp4")
    yield "film"
    watched.one("DeleteBlob", {"constraints": equal("guid", "film")})


def on_disk(folder: Path, limit_bytes: int = 10_000_000) -> MediaCaches:
    return MediaCaches(DiskCache(folder, limit_bytes), record_age_s=0)


def test_head_reads_no_bytes(watched: WatchedDatabase) -> None:
    with gateway_client(watched) as client:
        client.head(link("recording"))
    assert watched.byte_reads == 0


def test_not_modified_reads_no_bytes(watched: WatchedDatabase) -> None:
    with gateway_client(watched) as client:
        tag = client.head(link("note")).headers["etag"]
    watched.byte_reads = 0
    with gateway_client(watched) as client:
        assert client.get(link("note"), headers={"If-None-Match": tag}).status_code == 304
    assert watched.byte_reads == 0


def test_head_of_an_adopted_medium_has_to_read(watched: WatchedDatabase) -> None:
    with gateway_client(watched) as client:
        client.head(link("adopted"))
    assert watched.byte_reads == 1


def test_all_parts_of_a_medium_are_one_read(watched: WatchedDatabase) -> None:
    with gateway_client(watched) as client:
        for first in range(0, 1_000_000, 100_000):
            client.get(link("recording"), headers={"Range": f"bytes={first}-{first + 9}"})
    assert watched.byte_reads == 1


def test_what_does_not_fit_is_read_again(watched: WatchedDatabase) -> None:
    with gateway_client(watched, caches=MediaCaches(memory_bytes=1_003_999)) as client:
        for _ in range(2):
            client.get(link("recording"))
    assert watched.byte_reads == 2


def test_other_bytes_under_the_same_guid_are_seen(watched: WatchedDatabase) -> None:
    with gateway_client(watched, caches=NOT_TRUSTED) as client:
        add_medium(watched, "edited", b"before", mime_type="text/plain")
        before = client.get(link("edited")).content
        watched.one("DeleteBlob", {"constraints": equal("guid", "edited")})
        add_medium(watched, "edited", b"after", mime_type="text/plain")
        assert (before, client.get(link("edited")).content) == (b"before", b"after")


def test_other_bytes_of_an_adopted_medium_are_seen(watched: WatchedDatabase) -> None:
    adopted = {"guid": "adopted-twice", "LS_role": "media"}
    with gateway_client(watched, caches=NOT_TRUSTED) as client:
        add_object(watched, b"before", adopted)
        before = client.get(link("adopted-twice")).content
        watched.one("DeleteBlob", {"constraints": equal("guid", "adopted-twice")})
        add_object(watched, b"after", adopted)
        assert (before, client.get(link("adopted-twice")).content) == (b"before", b"after")


def test_what_was_deleted_is_gone_although_it_is_kept(watched: WatchedDatabase) -> None:
    with gateway_client(watched, caches=NOT_TRUSTED) as client:
        add_medium(watched, "deleted", b"x", mime_type="text/plain")
        client.get(link("deleted"))
        watched.one("DeleteBlob", {"constraints": equal("guid", "deleted")})
        assert client.get(link("deleted")).status_code == 404


def test_deleted_between_finding_and_reading(watched: WatchedDatabase, reader: MediaReader) -> None:
    add_medium(watched, "hasty", b"x", mime_type="text/plain")
    record = find_records(watched, ["hasty"])["hasty"].record
    watched.one("DeleteBlob", {"constraints": equal("guid", "hasty")})
    assert asyncio.run(reader.content(record)) is None


def test_a_reader_that_gives_up_does_not_take_the_others_along(watched: WatchedDatabase, reader: MediaReader) -> None:
    record = find_records(watched, ["recording"])["recording"].record
    watched.gate.clear()

    async def two() -> int:
        first, second = (asyncio.create_task(reader.content(record)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        watched.gate.set()
        content = await second
        assert content is not None
        return content.medium.size_bytes

    assert asyncio.run(two()) == 1_004_000


def test_a_record_is_believed_for_a_while(watched: WatchedDatabase) -> None:
    with gateway_client(watched) as client:
        client.get(link("note"))
        asked = watched.queries
        assert (client.get(link("note")).status_code, watched.queries - asked) == (200, 0)


def test_small_media_come_with_their_records(watched: WatchedDatabase) -> None:
    watched.check()
    with gateway_client(watched) as client:
        asked = watched.queries
        client.get(link("note"))
        assert (watched.byte_reads, watched.queries - asked) == (1, 1)


def test_a_record_that_grew_old_brings_no_bytes_again(watched: WatchedDatabase) -> None:
    with gateway_client(watched, caches=NOT_TRUSTED) as client:
        texts = [client.get(link("note")).text for _ in range(3)]
    assert (texts, watched.byte_reads) == (["grüße\n"] * 3, 1)


def test_large_media_are_on_the_disk_for_the_next_gateway(watched: WatchedDatabase, film: str, tmp_path: Path) -> None:
    for _ in range(2):
        with gateway_client(watched, caches=on_disk(tmp_path)) as client:
            assert client.get(link(film), headers={"Range": "bytes=1000000-1000009"}).content == FILM[1000000:1000010]
    assert watched.byte_reads == 1


def test_large_media_are_not_in_memory(watched: WatchedDatabase, film: str, tmp_path: Path) -> None:
    assert body_of(watched, film, on_disk(tmp_path)) is FileBody


def test_small_media_are_in_memory(watched: WatchedDatabase, tmp_path: Path) -> None:
    assert body_of(watched, "note", on_disk(tmp_path)) is MemoryBody


def body_of(watched: WatchedDatabase, guid: str, caches: MediaCaches) -> type:
    """How a second request gets the bytes."""
    calls = BlockingCalls(threads=1, timeout_s=20)
    reader = MediaReader(lambda: watched, calls, caches=caches)

    async def second() -> type:
        for _ in range(2):
            record = await reader.record(guid, for_bytes=True)
            assert record is not None
            content = await reader.content(record)
            assert content is not None
            await content.body.close()
        return type(content.body)

    kind = asyncio.run(second())
    calls.close()
    return kind


@pytest.mark.parametrize("limit_bytes", [0, len(FILM) - 1])
def test_what_the_disk_does_not_take_is_served_all_the_same(
    watched: WatchedDatabase, film: str, tmp_path: Path, limit_bytes: int
) -> None:
    with gateway_client(watched, caches=on_disk(tmp_path, limit_bytes)) as client:
        assert client.get(link(film)).content == FILM


def test_a_folder_that_cannot_be_used_is_logged(
    watched: WatchedDatabase, film: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with gateway_client(watched, caches=on_disk(tmp_path / "file")) as client:
        content = client.get(link(film)).content
    assert (content == FILM, f"The folder {tmp_path / 'file'} of the media cache cannot be used" in caplog.text) == (
        True,
        True,
    )


def test_ranges_that_come_together_are_one_read(watched: WatchedDatabase, film: str, tmp_path: Path) -> None:
    """Each gets a file of its own, so that the first to end does not close those of the others."""
    calls = BlockingCalls(threads=2, timeout_s=20)
    reader = MediaReader(lambda: watched, calls, caches=on_disk(tmp_path))
    record = find_records(watched, [film])[film].record

    async def read(first: int) -> bytes:
        content = await reader.content(record)
        assert content is not None
        piece = b"".join([bytes(piece) async for piece in content.body.pieces(Part(first, first + 9))])
        await content.body.close()
        return piece

    async def all_of_them() -> list[bytes]:
        return await asyncio.gather(*(read(first) for first in range(0, 100, 10)))

    pieces = asyncio.run(all_of_them())
    calls.close()
    assert (b"".join(pieces), watched.byte_reads) == (FILM[:100], 1)


def test_a_text_on_the_disk_keeps_its_charset(watched: WatchedDatabase, tmp_path: Path) -> None:
    add_medium(watched, "book", "grüße\n".encode() * 200_000, mime_type="text/plain")
    types = []
    for _ in range(2):
        with gateway_client(watched, caches=on_disk(tmp_path)) as client:
            types.append(client.head(link("book")).headers["content-type"])
    assert (types, watched.byte_reads) == (["text/plain; charset=utf-8"] * 2, 1)


def test_bytes_that_are_not_those_registered_are_logged(
    watched: WatchedDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    with gateway_client(watched) as client:
        client.get(link("changed"))
    assert "The bytes of changed are not those that were registered" in caplog.text
