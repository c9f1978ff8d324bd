"""Media above the limit: ApertureDB knows all of them but their bytes, which stay where they are."""

import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import TransientError
from labeling_assets.identity import content_guid, sha256_of
from labeling_assets.mapping.annotation import MappedAnnotation
from labeling_assets.media_sources import MediaSources
from labeling_assets.sync.claim_media import claim_media, claimable
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.media_store import media_by_guid, media_of_batch
from labeling_assets.sync.register_media import answer_version, file_version
from labeling_assets.sync.report import IngestReport
from labeling_assets_tests.s3_store import s3_store
from labeling_assets_tests.sync.desk import MOMENT, RECORD, TRACK, Desk
from labeling_assets_tests.sync.recordings import film, pdf, sound
from labeling_assets_tests.sync.world import Stock, picture, write_project
from labeling_assets_tests.web_folder import web_folder

LIMIT = 500
FILM = film()
GUID = content_guid(sha256_of(FILM))
REGISTERED = ("guid", "LS_role", "LS_sha256", "LS_size_bytes", "LS_stored_at", "LS_stored_version", "LS_media_type")


@pytest.fixture
def films(stock: Stock, tmp_path: Path) -> Stock:
    """A stock of videos."""
    stock.project = write_project(tmp_path / "projects" / "films", yaml="media_types: [video]")
    return stock


def hand_in(stock: Stock, files: dict[str, bytes | str], **options: Any) -> IngestReport:
    options = {"size_limit_bytes": LIMIT, "sources": MediaSources.of([stock.inbox]), **options}
    return stock.hand_in(files, **options)


def blob_of(stock: Stock, *properties: str) -> dict[str, Any]:
    (blob,) = stock.media(*properties, command="FindBlob")
    return blob


def test_a_film_above_the_limit_stays_where_it_is(films: Stock) -> None:
    report = hand_in(films, {"film.mp4": FILM})
    path = films.inbox / "May" / "film.mp4"
    assert (report.created, report.registered, report.bytes_stored, report.failed) == (1, 1, 0, [])
    assert [blob_of(films, *REGISTERED)[key] for key in REGISTERED] == [
        GUID,
        "media",
        sha256_of(FILM),
        len(FILM),
        path.as_uri(),
        file_version(path.stat()),
        "video",
    ]


def test_facts_are_those_of_a_stored_film(films: Stock) -> None:
    facts = ("LS_mime_type", "LS_width", "LS_height", "LS_fps", "LS_frame_count", "LS_duration_s", "LS_state_films")
    hand_in(films, {"film.mp4": FILM})
    assert [blob_of(films, *facts)[key] for key in facts] == ["video/mp4", 64, 48, 10, 12, 1.2, "new"]


@pytest.mark.parametrize(
    ("name", "data", "media_type", "mime_type"),
    [
        ("a.png", picture(0, (400, 300), "PNG"), "image", "image/png"),
        ("a.wav", sound(), "audio", "audio/x-wav"),
        ("a.pdf", pdf(), "pdf", "application/pdf"),
        ("a.txt", b"word " * 200, "text", "text/plain; charset=utf-8"),
        ("a.csv", b"a,b\n" * 200, "csv", "text/csv; charset=utf-8"),
    ],
)
def test_media_of_every_kind(stock: Stock, name: str, data: bytes, media_type: str, mime_type: str) -> None:
    hand_in(stock, {name: data}, size_limit_bytes=100)
    blob = blob_of(stock, "LS_media_type", "LS_mime_type")
    assert (blob["LS_media_type"], blob["LS_mime_type"]) == (media_type, mime_type)


def test_what_is_stored_says_where_the_bytes_are(films: Stock) -> None:
    hand_in(films, {"film.mp4": FILM})
    query = Query()
    query.add("FindBlob", {"constraints": equal("guid", GUID), "blobs": True})
    (marker,) = films.db.run(query).blobs
    assert json.loads(marker)["stored_at"] == (films.inbox / "May" / "film.mp4").as_uri()


def test_it_is_a_medium_of_its_batch(films: Stock) -> None:
    report = hand_in(films, {"film.mp4": FILM, "small.mp4": film(frames=1)}, size_limit_bytes=len(FILM) - 1)
    kinds = {medium.guid: medium.kind for medium in media_of_batch(films.db, "May")}
    assert (sorted(report.guids), kinds[GUID], len(kinds)) == (sorted(kinds), "Blob", 2)


def test_a_second_run_writes_nothing(films: Stock) -> None:
    hand_in(films, {"film.mp4": FILM})
    films.db.writes.clear()
    report = hand_in(films, {})
    assert (report.created, report.known, report.registered, films.db.writes) == (0, 1, 0, [])


def test_a_film_that_was_moved_is_found_again(films: Stock) -> None:
    hand_in(films, {"film.mp4": FILM})
    (films.inbox / "May" / "film.mp4").rename(films.inbox / "May" / "moved.mp4")
    report = hand_in(films, {})
    assert (report.known, blob_of(films, "LS_stored_at")["LS_stored_at"]) == (
        1,
        (films.inbox / "May" / "moved.mp4").as_uri(),
    )


def test_a_new_date_is_noted(films: Stock) -> None:
    hand_in(films, {"film.mp4": FILM})
    path = films.inbox / "May" / "film.mp4"
    os.utime(path, (time.time() - 5000,) * 2)
    hand_in(films, {})
    assert blob_of(films, "LS_stored_version")["LS_stored_version"] == file_version(path.stat())


def test_a_film_that_is_stored_stays_stored(films: Stock) -> None:
    hand_in(films, {"film.mp4": FILM}, size_limit_bytes=10_000_000)
    report = hand_in(films, {"again.mp4": FILM}, batch="June")
    (video,) = films.media("LS_stored_at", command="FindVideo")
    assert (report.known, report.registered, video["LS_stored_at"]) == (1, 0, None)


def test_a_file_that_may_not_stay_where_it_is(films: Stock) -> None:
    report = hand_in(films, {"film.mp4": FILM, "a.txt": b"text"}, sources=MediaSources.of(["/elsewhere"]))
    assert report.failed[0].text == (
        f"it is larger than 0.0005 MB, so it would only be registered, and its bytes would stay in "
        f"{films.inbox / 'May'}, which is not allowed: add that, or more of the address, to "
        "LABELING_ASSETS_MEDIA_SOURCES for Dagster and for the media gateway; or raise "
        "LABELING_ASSETS_MEDIA_SIZE_LIMIT_MB and ApertureDB's message limit"
    )


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("bad.png", b"no picture" * 100, "bad.png is not a picture"),
        ("cut.mp4", FILM[: len(FILM) - 500], "cut.mp4 cannot be read as a video"),
        ("cut.pdf", pdf()[:-30] + bytes(1000), "cut.pdf cannot be read to its end as a PDF"),
    ],
)
def test_what_is_no_medium_is_not_registered(stock: Stock, name: str, data: bytes, message: str) -> None:
    report = hand_in(stock, {name: data, "a.txt": b"text"})
    assert (report.created, message in report.failed[0].text) == (1, True)


# From the web


def test_a_film_of_a_web_server(films: Stock, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(FILM)
    with web_folder(tmp_path) as address:
        sources = MediaSources.of([address])
        report = hand_in(films, {"manifest.csv": f"url\n{address}/film.mp4\n"}, sources=sources)
    blob = blob_of(films, *REGISTERED, "LS_duration_s")
    assert (report.registered, report.warnings, blob["guid"], blob["LS_stored_at"], blob["LS_duration_s"]) == (
        1,
        [],
        GUID,
        f"{address}/film.mp4",
        1.2,
    )
    assert blob["LS_stored_version"].startswith('"')


def test_a_film_of_a_bucket(films: Stock, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a film.mp4").write_bytes(FILM)
    with s3_store(tmp_path):
        sources = MediaSources.of(["s3://films/"])
        report = hand_in(films, {"manifest.csv": "url\ns3://films/a film.mp4\n"}, sources=sources)
    blob = blob_of(films, *REGISTERED)
    assert (report.registered, report.warnings, blob["guid"], blob["LS_stored_at"]) == (
        1,
        [],
        GUID,
        "s3://films/a film.mp4",
    )
    assert blob["LS_stored_version"].startswith('"')


def test_a_small_object_of_a_bucket_is_stored(films: Stock, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "film.mp4").write_bytes(FILM)
    with s3_store(tmp_path):
        report = hand_in(films, {"manifest.csv": "url\ns3://films/film.mp4\n"}, size_limit_bytes=10**6)
    assert (report.created, report.registered, report.bytes_stored) == (1, 0, len(FILM))


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://films/none.mp4", "s3://films/none.mp4 answered 404 NoSuchKey"),
        ("s3://others/film.mp4", "would stay in s3://others/, which is not allowed"),
        ("s3://films", "is no address in S3: write s3://bucket/key"),
    ],
)
def test_an_object_that_cannot_be_used(films: Stock, tmp_path: Path, uri: str, message: str) -> None:
    for bucket in ("films", "others"):
        (tmp_path / bucket).mkdir()
        (tmp_path / bucket / "film.mp4").write_bytes(FILM)
    with s3_store(tmp_path):
        rows = f"url,path\n{uri},\n,a.txt\n"
        sources = MediaSources.of(["s3://films/"])
        report = hand_in(films, {"manifest.csv": rows, "a.txt": b"text"}, sources=sources)
    assert (report.created, message in report.failed[0].text) == (1, True), report.failed


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({"etag": '"a"', "last-modified": "Monday"}, '"a"'),
        ({"etag": 'W/"a"', "last-modified": "Monday"}, "Monday"),
        ({"etag": '""', "last-modified": "Monday"}, "Monday"),
        ({}, ""),
    ],
)
def test_what_tells_that_other_bytes_are_at_an_address(headers: dict[str, str], version: str) -> None:
    assert answer_version(httpx.Headers(headers)) == version


def test_a_server_without_ranges_is_warned_about(films: Stock, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(FILM)
    with web_folder(tmp_path) as address:
        row = f"url\n{address}/whole/film.mp4\n"
        report = hand_in(films, {"manifest.csv": row}, sources=MediaSources.of([address]))
    assert (report.registered, report.warnings[0].text) == (
        1,
        "its server gives no ranges, so every jump in it reads it from the beginning: use another server",
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("film.mp4?X-Amz-Signature=s3cret", "its address holds what gives access"),
        ("to?http://localhost:{port}/film.mp4", "would stay in http://localhost:{port}/, which is not allowed"),
    ],
)
def test_an_address_that_cannot_stay(films: Stock, tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "film.mp4").write_bytes(FILM)
    with web_folder(tmp_path) as address:
        port = address.rpartition(":")[2]
        rows = f"url,path\n{address}/{path.format(port=port)},\n,a.txt\n"
        report = hand_in(films, {"manifest.csv": rows, "a.txt": b"text"}, sources=MediaSources.of([address]))
    assert (report.created, message.format(port=port) in report.failed[0].text) == (1, True)
    assert "s3cret" not in repr(report)


def test_a_film_that_breaks_off_is_asked_for_again(films: Stock, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(FILM)
    (tmp_path / "small.txt").write_bytes(b"text")
    with web_folder(tmp_path) as address:
        rows = f"url\n{address}/short/film.mp4\n{address}/small.txt\n"
        with pytest.raises(TransientError, match="could not be downloaded now"):
            hand_in(films, {"manifest.csv": rows}, sources=MediaSources.of([address]))
    assert films.media(command="FindBlob") == [{"LS_source_uri": f"{address}/small.txt"}]


# In other projects


def test_another_project_can_claim_it(films: Stock, tmp_path: Path) -> None:
    hand_in(films, {"film.mp4": FILM})
    other = write_project(tmp_path / "projects" / "other", yaml='media_types: [video]\nquery: [[LS_width, "==", 64]]')
    waiting = claimable(films.db, other)
    report = claim_media(films.db, other, batch="claim-other-0001")
    (medium,) = media_by_guid(films.db, [GUID], ("guid", "LS_sha256", "LS_size_bytes", "LS_state_other"))[GUID]
    assert (waiting, report.guids, report.media_types) == (1, [GUID], {"video": 1})
    assert medium.properties == {
        "guid": GUID,
        "LS_sha256": sha256_of(FILM),
        "LS_size_bytes": len(FILM),
        "LS_state_other": "new",
    }


def test_a_project_of_pictures_claims_no_texts(stock: Stock, tmp_path: Path) -> None:
    stock.hand_in({"a.txt": b"text", "manifest.csv": "path,shop\na.txt,Bern\n"})
    other = write_project(tmp_path / "projects" / "other", yaml='query: [[shop, "==", Bern]]')
    assert claimable(stock.db, other) == 0


# With labels on them


def test_labels_on_it_are_regions_without_a_clip(films: Stock) -> None:
    """A clip needs a video in ApertureDB. Everything else of the label is the same."""
    (guid,) = hand_in(films, {"film.mp4": FILM}).guids
    prepare_database(films.db)
    films.db.one("AddEntity", {"class": names.PROJECT, "properties": {names.KEY: RECORD.key}})
    desk = Desk(films, guid)
    desk.create(MappedAnnotation((MOMENT, TRACK)))
    regions = desk.find("FindEntity", "LS_label", "LS_reason", with_class=names.REGION)
    assert (desk.counts()["FindClip"], desk.counts()[names.REGION_MEDIA]) == (0, 2)
    assert [(row["LS_label"], row["LS_reason"]) for row in regions] == [
        ("goal", "the medium is stored as Blob, not as Video"),
        ("car", None),
    ]
