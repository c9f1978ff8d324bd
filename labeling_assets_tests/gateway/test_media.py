"""Which questions the gateway asks of ApertureDB."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.gateway.media import MediaReader, find_record, read_content
from labeling_assets_tests.gateway.running import WatchedDatabase, add_medium, add_object, gateway_client, link


@pytest.fixture
def reader(watched: WatchedDatabase) -> Iterator[MediaReader]:
    calls = BlockingCalls(threads=2, timeout_s=20)
    yield MediaReader(lambda: watched, calls, cache_bytes=1_004_000)
    calls.close()


def test_a_record_is_what_was_registered(watched: WatchedDatabase) -> None:
    record = find_record(watched, "recording")
    assert record is not None
    assert (record.kind, record.content_type, record.size_bytes, record.sha256) == (
        "Blob",
        "audio/wav",
        1_004_000,
        "04f0fb1fe490f7315fa76881081092237a25559f2f56e2f3cccfc336fa9fe699",
    )


@pytest.mark.parametrize("dialect", ["legacy", "expression"])
def test_media_are_found_and_read_in_either_dialect(aperturedb_key: str, dialect: str, recording: bytes) -> None:
    with ApertureDB(aperturedb_key, dialect=dialect) as database:
        record = find_record(database, "recording")
        assert record is not None
        content = read_content(database, record)
    assert content is not None
    assert content.data == recording


def test_a_picture_is_found_as_a_picture(watched: WatchedDatabase) -> None:
    record = find_record(watched, "picture")
    assert record is not None
    assert record.kind == "Image"


def test_of_an_adopted_medium_nothing_is_known(watched: WatchedDatabase) -> None:
    record = find_record(watched, "adopted")
    assert record is not None
    assert (record.content_type, record.size_bytes, record.sha256) == (None, None, None)


@pytest.mark.parametrize("guid", ["missing", "mask", "no-role", ""])
def test_not_found(watched: WatchedDatabase, guid: str) -> None:
    assert find_record(watched, guid) is None


def test_of_two_with_one_guid_the_first_is_meant(watched: WatchedDatabase) -> None:
    for data in (b"first", b"second"):
        add_medium(watched, "twice", data, mime_type="text/plain")
    record = find_record(watched, "twice")
    assert record is not None
    content = read_content(watched, record)
    assert content is not None
    assert content.data == b"first"


def test_finding_reads_no_bytes(watched: WatchedDatabase) -> None:
    find_record(watched, "recording")
    assert watched.byte_reads == 0


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
    with gateway_client(watched, cache_bytes=1_003_999) as client:
        for _ in range(2):
            client.get(link("recording"))
    assert watched.byte_reads == 2


def test_other_bytes_under_the_same_guid_are_seen(watched: WatchedDatabase) -> None:
    with gateway_client(watched) as client:
        add_medium(watched, "edited", b"before", mime_type="text/plain")
        before = client.get(link("edited")).content
        watched.one("DeleteBlob", {"constraints": equal("guid", "edited")})
        add_medium(watched, "edited", b"after", mime_type="text/plain")
        assert (before, client.get(link("edited")).content) == (b"before", b"after")


def test_other_bytes_of_an_adopted_medium_are_seen(watched: WatchedDatabase) -> None:
    adopted = {"guid": "adopted-twice", "LS_role": "media"}
    with gateway_client(watched) as client:
        add_object(watched, b"before", adopted)
        before = client.get(link("adopted-twice")).content
        watched.one("DeleteBlob", {"constraints": equal("guid", "adopted-twice")})
        add_object(watched, b"after", adopted)
        assert (before, client.get(link("adopted-twice")).content) == (b"before", b"after")


def test_what_was_deleted_is_gone_although_it_is_kept(watched: WatchedDatabase) -> None:
    with gateway_client(watched) as client:
        add_medium(watched, "deleted", b"x", mime_type="text/plain")
        client.get(link("deleted"))
        watched.one("DeleteBlob", {"constraints": equal("guid", "deleted")})
        assert client.get(link("deleted")).status_code == 404


def test_deleted_between_finding_and_reading(watched: WatchedDatabase, reader: MediaReader) -> None:
    add_medium(watched, "hasty", b"x", mime_type="text/plain")
    record = find_record(watched, "hasty")
    assert record is not None
    watched.one("DeleteBlob", {"constraints": equal("guid", "hasty")})
    assert asyncio.run(reader.content(record)) is None


def test_bytes_that_are_not_those_registered_are_logged(
    watched: WatchedDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    record = find_record(watched, "changed")
    assert record is not None
    with caplog.at_level(logging.WARNING):
        read_content(watched, record)
    assert "The bytes of changed are not those that were registered" in caplog.text


def test_a_reader_that_gives_up_does_not_take_the_others_along(watched: WatchedDatabase, reader: MediaReader) -> None:
    record = find_record(watched, "recording")
    assert record is not None
    watched.gate.clear()

    async def two() -> int:
        first, second = (asyncio.create_task(reader.content(record)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        watched.gate.set()
        content = await second
        assert content is not None
        return len(content.data)

    assert asyncio.run(two()) == 1_004_000
