"""What is asked of ApertureDB, in either dialect."""

import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.gateway.records import SMALL_BYTES, Record, find_records, find_small, read_bytes
from labeling_assets_tests.gateway.running import WatchedDatabase, add_medium, add_object

DIALECTS = pytest.mark.parametrize("dialect", ["legacy", "expression"])


def record_of(database: ApertureDB, guid: str) -> Record | None:
    found = find_records(database, [guid]).get(guid)
    return found.record if found else None


def test_a_record_is_what_was_registered(watched: WatchedDatabase) -> None:
    record = record_of(watched, "recording")
    assert record is not None
    assert (record.kind, record.content_type, record.size_bytes, record.sha256) == (
        "Blob",
        "audio/wav",
        1_004_000,
        "04f0fb1fe490f7315fa76881081092237a25559f2f56e2f3cccfc336fa9fe699",
    )


@DIALECTS
def test_media_are_found_and_read(aperturedb_key: str, dialect: str, recording: bytes) -> None:
    with ApertureDB(aperturedb_key, dialect=dialect) as database:
        record = record_of(database, "recording")
        assert record is not None
        assert read_bytes(database, record) == recording


def test_a_picture_is_found_as_a_picture(watched: WatchedDatabase) -> None:
    record = record_of(watched, "picture")
    assert record is not None
    assert record.kind == "Image"


def test_of_an_adopted_medium_nothing_is_known(watched: WatchedDatabase) -> None:
    record = record_of(watched, "adopted")
    assert record is not None
    assert (record.content_type, record.size_bytes, record.sha256) == (None, None, None)


@pytest.mark.parametrize("find", [find_records, find_small])
@pytest.mark.parametrize("guid", ["missing", "mask", "no-role", ""])
def test_not_found(watched: WatchedDatabase, guid: str, find) -> None:
    assert find(watched, [guid]) == {}


@pytest.mark.parametrize("find", [find_records, find_small])
def test_of_two_with_one_guid_the_first_is_meant(watched: WatchedDatabase, find) -> None:
    for data in (b"first", b"second"):
        add_medium(watched, "twice", data, mime_type="text/plain")
    assert read_bytes(watched, find(watched, ["twice", "note"])["twice"].record) == b"first"


def test_the_first_is_meant_whichever_is_small(watched: WatchedDatabase) -> None:
    large = bytes(SMALL_BYTES + 1)
    for data in (large, b"small"):
        add_medium(watched, "large-first", data, mime_type="text/plain")
    assert find_small(watched, ["large-first"])["large-first"].record.size_bytes == len(large)


def test_a_guid_that_many_bear_does_not_hide_another(watched: WatchedDatabase) -> None:
    for number in range(9):
        add_object(watched, str(number).encode(), {"guid": "many", "LS_role": "media"})
    found = find_records(watched, ["many", "adopted-sound"])
    assert sorted(found) == ["adopted-sound", "many"]


def test_finding_reads_no_bytes(watched: WatchedDatabase) -> None:
    find_records(watched, ["recording", "note"])
    assert watched.byte_reads == 0


@DIALECTS
def test_small_media_bring_their_bytes(aperturedb_key: str, dialect: str, picture: bytes) -> None:
    with ApertureDB(aperturedb_key, dialect=dialect) as database:
        found = find_small(database, ["note", "picture", "recording", "adopted", "missing"])
    assert {guid: found[guid].data for guid in found} == {
        "note": "grüße\n".encode(),
        "picture": picture,
        "recording": None,
        "adopted": None,
    }


def test_many_are_one_query(watched: WatchedDatabase) -> None:
    watched.check()
    asked = watched.queries
    find_small(watched, ["note", "picture", "clip", "page", "drawing"])
    assert watched.queries - asked == 1
