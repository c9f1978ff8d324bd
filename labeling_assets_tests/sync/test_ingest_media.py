"""Media of a batch in ApertureDB: each once, with its facts; what cannot be used is named and stops nothing else."""

import time
from pathlib import Path

import pytest
from PIL import Image

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError, DataError, InputError, TransientError
from labeling_assets.identity import content_guid, sha256_of
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.mapping.medium import Medium as MappedMedium
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.media_store import media_of_batch
from labeling_assets.sync.report import IngestReport
from labeling_assets.sync.shown_medium import picture_of as medium_of
from labeling_assets_tests.sync.recordings import film, pdf, sound, turned
from labeling_assets_tests.sync.served_files import served
from labeling_assets_tests.sync.world import Stock, picture, pictures, write_files, write_project

FIRST = content_guid(sha256_of(picture(0)))


def failed(stock: Stock, files: dict[str, bytes | str], **options: object) -> str:
    """The one note about a row that failed, in a batch with a good row before it."""
    report = stock.hand_in({**files, "good.png": picture(99)}, **options)
    assert (report.created, len(report.failed)) == (1, 1)
    return f"{report.failed[0].subject}: {report.failed[0].text}"


def failed_row(stock: Stock, row: str, **options: object) -> str:
    """The same, for a row of a manifest."""
    manifest = f"path,url\n{row}\ngood.png,\n"
    return failed(stock, {"manifest.csv": manifest}, **options)


# Each once


def test_new_media_are_created(stock: Stock):
    report = stock.hand_in(pictures(3))
    assert (report.rows, report.created, report.known, report.failed) == (3, 3, 0, [])
    assert report.bytes_stored == sum(len(data) for data in pictures(3).values())


def test_the_same_bytes_are_one_medium_and_reported(stock: Stock):
    report = stock.hand_in({"a.png": picture(), "b.png": picture()})
    assert (report.created, report.known, len(stock.media())) == (1, 0, 1)
    (duplicate,) = report.duplicates
    assert duplicate.subject == "row 2 (b.png)"
    assert duplicate.text == "same bytes as row 1 (a.png); kept once"


def test_a_second_run_creates_nothing_and_writes_nothing(stock: Stock):
    stock.hand_in(pictures(3))
    stock.db.writes.clear()
    report = stock.hand_in({})
    assert (report.created, report.known) == (0, 3)
    assert stock.db.writes == []


def test_a_known_medium_belongs_to_its_second_batch_as_well(stock: Stock):
    stock.hand_in(pictures(1))
    report = stock.hand_in({"other.png": picture(0)}, batch="June")
    assert (report.created, report.known, len(stock.media())) == (0, 1, 1)
    assert [medium.guid for medium in media_of_batch(stock.db, "June")] == [FIRST]


def test_metadata_of_a_later_manifest_are_added_to_a_known_medium(stock: Stock):
    stock.hand_in(pictures(1))
    stock.hand_in({"b.png": picture(0), "manifest.csv": "path,shop\nb.png,Bern\n"}, batch="June")
    assert stock.media("shop")[0]["shop"] == "Bern"


def test_facts_that_a_known_medium_lacks_are_filled_in(stock: Stock, tiny_video: bytes):
    """As those that an older release did not know of."""
    stock.hand_in({"a.mp4": tiny_video, "a.png": picture()})
    lost = ["LS_fps", "LS_frame_count", "LS_duration_s", "LS_mime_type"]
    body = {"constraints": equal("LS_role", "media"), "remove_props": lost, "properties": {"LS_width": 63}}
    stock.db.one("UpdateVideo", body)
    assert stock.hand_in({"a.mp4": tiny_video, "a.png": picture()}).known == 2
    (video,) = stock.media(*lost, "LS_width", command="FindVideo")
    assert [video[name] for name in (*lost, "LS_width")] == [10, 3, 0.3, "video/mp4", 63]
    stock.db.writes.clear()
    stock.hand_in({"a.mp4": tiny_video, "a.png": picture()})
    assert stock.db.writes == []


def test_metadata_that_a_medium_has_are_not_overwritten(stock: Stock):
    for batch, shop in (("May", "Bern"), ("June", "Basel")):
        stock.hand_in({"a.png": picture(0), "manifest.csv": f"path,shop\na.png,{shop}\n"}, batch=batch)
    assert stock.media("shop")[0]["shop"] == "Bern"


def test_many_media_take_several_queries(stock: Stock):
    report = stock.hand_in({**pictures(60), "z.png": picture(3)})
    assert (report.created, len(report.duplicates), len(report.guids)) == (60, 1, 60)


# What is known of them


def test_types_are_told_apart(stock: Stock, tiny_video: bytes):
    report = stock.hand_in(
        {"a.png": picture(), "a.wav": sound(), "a.txt": "grüße", "a.mp4": tiny_video, "a.bin": b"\x00\x01"}
    )
    assert report.media_types == {"image": 1, "audio": 1, "text": 1, "video": 1, "other": 1}
    stored = {row["LS_source_uri"]: row["LS_media_type"] for row in stock.media("LS_media_type", command="FindBlob")}
    assert stored == {"a.wav": "audio", "a.txt": "text", "a.bin": "other"}
    assert stock.media("LS_mime_type", command="FindVideo")[0]["LS_mime_type"] == "video/mp4"


def test_facts_of_a_video_and_of_a_sound_come_back_as_the_mapping_needs_them(stock: Stock):
    side = turned(film(fps=25, frames=50), (0, 1, -1, 0))
    stock.hand_in({"a.mp4": side, "a.wav": sound()})
    sides = {medium.properties["LS_media_type"]: medium_of(medium) for medium in media_of_batch(stock.db, "May")}
    assert sides["video"] == MappedMedium("video", 48, 64, 6, fps=25.0, frame_count=50, duration_s=2.0)
    assert sides["audio"] == MappedMedium("audio", duration_s=1.5, channels=2)
    (video,) = stock.media("LS_codec", "LS_width", "LS_height", command="FindVideo")
    assert (video["LS_codec"], video["LS_width"], video["LS_height"]) == ("h264", 64, 48)
    assert stock.media("LS_sample_rate_hz", command="FindBlob")[0]["LS_sample_rate_hz"] == 8000


def test_documents_have_types_of_their_own(stock: Stock):
    files = {"a.pdf": pdf(3), "b.html": "<p>x", "c.csv": "a,b\n1,2\n", "d.json": "[]", "e.txt": "x"}
    assert stock.hand_in(files).media_types == {"pdf": 1, "html": 1, "csv": 1, "json": 1, "text": 1}
    found = stock.media("LS_media_type", "LS_pages", command="FindBlob")
    assert [row["LS_media_type"] for row in found] == ["pdf", "html", "csv", "json", "text"]
    assert found[0]["LS_pages"] == 3


def test_a_project_of_texts_takes_html_csv_and_json_as_well(stock: Stock, tmp_path: Path):
    stock.project = write_project(tmp_path / "projects" / "cars", yaml="media_types: [text]")
    stock.hand_in({"a.txt": "x", "b.html": "<p>", "c.csv": "a,b", "d.json": "[]", "e.pdf": pdf(1)})
    marks = [row["LS_state_cars"] for row in stock.media("LS_state_cars", command="FindBlob")]
    assert marks == ["new", "new", "new", "new", None]


def test_a_video_that_browsers_do_not_play_is_taken_with_a_warning(stock: Stock, tiny_video: bytes):
    report = stock.hand_in({"a.mp4": tiny_video})
    (warning,) = report.warnings
    assert (report.created, warning.subject) == (1, "row 1 (a.mp4)")
    assert "most browsers do not play it (mpeg4)" in warning.text


def test_a_truncated_video_is_named(stock: Stock):
    assert "(bad.mp4): bad.mp4 cannot be read as a video or sound" in failed(stock, {"bad.mp4": film()[:900]})


def test_the_size_of_a_picture_is_that_of_its_bytes(stock: Stock):
    turned = Image.Exif()
    turned[0x0112] = 6
    stock.hand_in({"a.jpg": picture(0, (40, 30), "JPEG", exif=turned), "b.png": picture(1, (7, 5))})
    facts = [
        (row["LS_width"], row["LS_height"], row["LS_orientation"])
        for row in stock.media("LS_width", "LS_height", "LS_orientation")
    ]
    assert facts == [(40, 30, 6), (7, 5, 1)]


def test_a_medium_carries_the_mark_of_the_project_that_wants_its_type(stock: Stock):
    stock.hand_in({"a.png": picture(), "a.txt": "text"})
    assert stock.media("LS_state_cars")[0]["LS_state_cars"] == "new"
    assert stock.media("LS_state_cars", command="FindBlob")[0]["LS_state_cars"] is None


def test_columns_become_properties_of_their_types(stock: Stock, tmp_path: Path):
    stock.project = write_project(tmp_path / "projects" / "cars", yaml="columns: {weight: number, sold: boolean}")
    stock.hand_in({"a.png": picture(), "manifest.csv": "path,weight,sold,shop\na.png,2.5,yes,007\n"})
    (medium,) = stock.media("weight", "sold", "shop")
    assert (medium["weight"], medium["sold"], medium["shop"]) == (2.5, True, "007")


@pytest.mark.parametrize("value", ["heavy", "nan", "inf"])
def test_a_cell_that_is_not_of_its_type_is_named(stock: Stock, tmp_path: Path, value: str):
    stock.project = write_project(tmp_path / "projects" / "cars", yaml="columns: {weight: number}")
    manifest = f"path,weight\na.png,{value}\ngood.png,1\n"
    text = failed(stock, {"a.png": picture(), "manifest.csv": manifest})
    assert text == f"row 1 (a.png): column 'weight' holds \"{value}\", which is no number."


# GUIDs


def test_guids_come_from_the_content_and_survive_a_rebuilt_database(stock: Stock, tmp_path: Path):
    assert stock.hand_in({"a.png": picture(0)}).guids == [FIRST]
    with LocalServer(tmp_path / "rebuilt") as server, ApertureDB(server.key) as db:
        rows = read_rows(write_files(tmp_path / "elsewhere", {"other name.png": picture(0)}))
        assert ingest_media(db, rows, batch="June", projects=[]).guids == [FIRST]


def test_guids_may_come_from_a_column(stock: Stock, tmp_path: Path):
    stock.project = write_project(tmp_path / "projects" / "cars", yaml="guid: column:sku")
    report = stock.hand_in({"a.png": picture(), "manifest.csv": "path,sku\na.png,A-1\n"})
    assert report.guids == ["A-1"]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("A 1", "'A 1' cannot be a GUID: use 1 to 200 letters, digits"),
        ("", "its column 'sku' is empty or missing, and the GUID is to come from there"),
        ("100%", "'100%' cannot be a GUID"),
        ("good", "its GUID 'good' stands in an earlier row with other bytes: make the GUIDs unique"),
    ],
)
def test_a_bad_guid_is_named(stock: Stock, tmp_path: Path, cell: str, message: str):
    stock.project = write_project(tmp_path / "projects" / "cars", yaml="guid: column:sku")
    manifest = f"path,sku\ngood.png,good\na.png,{cell}\n"
    assert message in failed(stock, {"a.png": picture(), "manifest.csv": manifest})


def test_a_guid_that_another_medium_has_is_refused(stock: Stock, tmp_path: Path):
    stock.project = write_project(tmp_path / "projects" / "cars", yaml="guid: column:sku")
    stock.hand_in({"a.png": picture(0), "manifest.csv": "path,sku\na.png,A-1\n"})
    files = {"b.png": picture(1), "good.png": picture(2), "manifest.csv": "path,sku\nb.png,A-1\ngood.png,A-2\n"}
    report = stock.hand_in(files, batch="June")
    assert "its GUID 'A-1' already names another medium" in report.failed[0].text
    assert report.guids == ["A-2"]


def foreign(stock: Stock, data: bytes, command: str = "AddImage") -> None:
    """A medium with the GUID A-1 as somebody else put it into ApertureDB."""
    query = Query()
    query.add(command, {"properties": {"guid": "A-1"}}, data)
    stock.db.run(query)


def hand_in_a1(stock: Stock, tmp_path: Path, name: str, data: bytes) -> IngestReport:
    stock.project = write_project(tmp_path / "projects" / "cars", yaml="guid: column:sku\nmedia_types: [image, text]")
    manifest = f"path,sku\n{name},A-1\ngood.png,A-2\n"
    return stock.hand_in({name: data, "good.png": picture(99), "manifest.csv": manifest})


def test_the_medium_of_somebody_else_with_this_guid_and_these_bytes_is_completed(stock: Stock, tmp_path: Path):
    foreign(stock, picture(0))
    report = hand_in_a1(stock, tmp_path, "a.png", picture(0))
    assert (report.guids, report.failed) == (["A-1", "A-2"], [])
    facts = ("LS_role", "LS_media_type", "LS_mime_type", "LS_sha256", "LS_width", "LS_size_bytes", "LS_state_cars")
    medium, other = stock.media(*facts)
    assert [medium[name] for name in facts[:3]] == ["media", "image", "image/png"]
    assert {name for name in facts if medium[name] is None} == set()
    assert medium["LS_sha256"] == sha256_of(picture(0)) != other["LS_sha256"]


def test_a_text_of_somebody_else_with_this_guid_is_completed(stock: Stock, tmp_path: Path):
    foreign(stock, b"text", "AddBlob")
    assert hand_in_a1(stock, tmp_path, "a.txt", b"text").guids == ["A-1", "A-2"]
    (medium,) = stock.media("LS_role", "LS_media_type", command="FindBlob")
    assert (medium["LS_role"], medium["LS_media_type"]) == ("media", "text")


@pytest.mark.parametrize(("command", "held"), [("AddImage", picture(7)), ("AddBlob", b"other text")])
def test_the_medium_of_somebody_else_with_this_guid_and_other_bytes_is_named(
    stock: Stock, tmp_path: Path, command: str, held: bytes
):
    foreign(stock, held, command)
    report = hand_in_a1(stock, tmp_path, "a.png" if command == "AddImage" else "a.txt", picture(0))
    assert "its GUID 'A-1' already names another medium" in report.failed[0].text
    assert report.guids == ["A-2"]


def test_a_column_of_guids_that_the_project_does_not_ask_for_is_refused(stock: Stock):
    with pytest.raises(InputError, match=r"set `guid: column:guid` in project\.yaml to use it, or rename the column"):
        stock.hand_in({"a.png": picture(0), "manifest.csv": "path,guid\na.png,A-1\n"})


def test_known_bytes_keep_their_guid_and_the_other_one_is_reported(stock: Stock, tmp_path: Path):
    stock.project = write_project(tmp_path / "projects" / "cars", yaml="guid: column:sku")
    stock.hand_in({"a.png": picture(0), "manifest.csv": "path,sku\na.png,A-1\n"})
    report = stock.hand_in({"b.png": picture(0), "manifest.csv": "path,sku\nb.png,B-1\n"}, batch="June")
    (duplicate,) = report.duplicates
    assert report.guids == ["A-1"]
    assert duplicate.text == "same bytes as the medium 'A-1'; the GUID 'B-1' is not used"


def test_minted_guids_stay_at_the_second_run(stock: Stock, tmp_path: Path):
    stock.project = write_project(tmp_path / "projects" / "cars", yaml="guid: minted")
    first = stock.hand_in(pictures(2))
    assert FIRST not in first.guids
    assert stock.hand_in({}).guids == first.guids


def test_projects_that_disagree_on_guids_are_named(stock: Stock, tmp_path: Path):
    other = write_project(tmp_path / "projects" / "dogs", yaml="guid: minted")
    rows = read_rows(write_files(tmp_path / "inbox" / "May", pictures(1)))
    with pytest.raises(ConfigurationError, match="cars: content, dogs: minted"):
        ingest_media(stock.db, rows, batch="May", projects=[stock.project, other])


# What cannot be used


def test_what_is_no_picture_is_named(stock: Stock):
    text = failed(stock, {"bad.png": b"this is no picture"})
    assert text == (
        "row 1 (bad.png): bad.png is not a picture, whatever its name says: replace the file or remove the row."
    )


def test_a_truncated_picture_is_named(stock: Stock):
    text = failed(stock, {"bad.jpg": picture(0, (400, 300), "JPEG")[:1500]})
    assert "bad.jpg cannot be read to its end as a picture (image file is truncated" in text


def test_an_empty_file_is_named(stock: Stock):
    text = failed(stock, {"bad.txt": b""})
    assert text == "row 1 (bad.txt): bad.txt is empty (0 bytes): replace the file or remove the row."


def test_a_missing_file_is_named(stock: Stock):
    text = failed_row(stock, "none.png,")
    assert "there is no file none.png: correct the path (it is relative to the batch)" in text


def test_a_folder_in_the_place_of_a_file_is_named(stock: Stock):
    assert ". cannot be read (Is a directory)" in failed_row(stock, ".,")


def test_a_path_that_no_system_takes_is_named(stock: Stock):
    assert "cannot be read (File name too long): correct the path" in failed_row(stock, f"{'x' * 5000},")


def test_a_file_that_is_too_large_is_named(stock: Stock):
    text = failed(stock, {"bad.txt": b"x" * 2000}, size_limit_bytes=1000)
    assert "it is larger than 0.001 MB, so it would only be registered, and its bytes would stay in" in text


def test_media_may_come_from_the_web(stock: Stock):
    with served({"a.png": picture(0)}) as address:
        report = stock.hand_in({"manifest.csv": f"url,shop\n{address}/a.png,Bern\n"})
    assert (report.created, report.guids) == (1, [FIRST])
    assert stock.media("shop")[0] == {"shop": "Bern", "LS_source_uri": f"{address}/a.png"}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone.png", "/gone.png answered 404 Not Found: correct the URL or remove the row"),
        ("large.txt", "it is larger than 0.001 MB"),
        ("loop", "/loop cannot be downloaded (Exceeded maximum allowed redirects"),
        ("zip", "/zip cannot be downloaded (Error"),
    ],
)
def test_a_download_that_fails_is_named(stock: Stock, path: str, message: str):
    with served({"large.txt": b"x" * 2000}) as address:
        text = failed_row(stock, f",{address}/{path}", size_limit_bytes=1000)
    assert message in text


def test_a_busy_server_is_asked_again(stock: Stock):
    with served({"a.png": picture(0)}) as address:
        report = stock.hand_in({"manifest.csv": f"url\n{address}/busy/a.png\n"})
    assert (report.created, report.failed) == (1, [])


def test_rows_that_may_be_read_later_fail_the_run_after_the_others_are_written(stock: Stock):
    with served({"a.png": picture(0)}) as address, pytest.raises(TransientError) as raised:
        stock.hand_in({"manifest.csv": f"url\n{address}/down\n{address}/a.png\n"})
    assert "1 rows of batch 'May' could not be downloaded now" in str(raised.value)
    assert f"row 1 ({address}/down): {address}/down did not give the file (it answered 429" in str(raised.value)
    assert [medium.guid for medium in media_of_batch(stock.db, "May")] == [FIRST]


def test_a_server_that_is_down_is_not_asked_for_every_row(stock: Stock):
    with served({}) as address, pytest.raises(TransientError, match=r"^50 rows of batch 'May' could not be downloaded"):
        stock.hand_in({"manifest.csv": "url\n" + f"{address}/down\n" * 60})


def test_what_signs_a_url_is_in_no_report_and_not_in_the_database(stock: Stock):
    with served({"a.png": picture(0)}) as address:
        for signature in ("s3cret-1", "s3cret-2"):
            access = f"X-Amz-Signature={signature}&size=2"
            report = stock.hand_in({"manifest.csv": f"url\n{address}/a.png?{access}\n{address}/gone.png?{access}\n"})
    assert "s3cret" not in repr(report)
    assert report.failed[0].subject == f"row 2 ({address}/gone.png?size=2)"
    assert stock.media()[0]["LS_source_uri"] == f"{address}/a.png?size=2"
    edges = stock.db.find("FindConnection", None, class_name=names.BATCH_MEDIA, properties=["LS_source_uri", "LS_key"])
    assert [edge["LS_source_uri"] for edge in edges] == [f"{address}/a.png?size=2"]
    assert "s3cret" not in repr(edges)


def test_a_bad_row_of_a_manifest_does_not_stop_the_others(stock: Stock):
    text = failed_row(stock, "a.png,http://x/a.png")
    assert text == "row 1 (http://x/a.png): manifest.csv, row 1: give either a path or a url, not both."


def test_an_address_where_nobody_answers_is_named(stock: Stock):
    text = failed_row(stock, ",http://127.0.0.1:9/a.png")
    assert "http://127.0.0.1:9/a.png cannot be reached ([Errno 111] Connection refused)" in text
    assert "check the address and the network" in text


@pytest.mark.parametrize("url", ["ftp://example.org/a.png", "a.png", "http://a:port/"])
def test_what_is_no_address_is_named(stock: Stock, url: str):
    assert f"{url!r} is not an http or https address" in failed_row(stock, f",{url}")


def test_a_row_that_the_database_refuses_is_alone_in_the_report(stock: Stock, tmp_path: Path):
    """A property's type is fixed per class: here for pictures by somebody else, as a number."""
    query = Query()
    query.add("AddImage", {"properties": {"weight": 3}}, picture(77))
    stock.db.run(query)
    manifest = "path,weight\na00.png,\na01.png,heavy\na02.png,\n"
    report = stock.hand_in({**pictures(3), "manifest.csv": manifest})
    (note,) = report.failed
    assert note.subject == "row 2 (a01.png)"
    assert "ApertureDB at" in note.text
    assert "weight" in note.text
    assert (report.created, len(report.guids)) == (2, 2)


def test_a_batch_in_which_nothing_can_be_used_is_refused_with_all_its_rows(stock: Stock):
    with pytest.raises(
        InputError, match=r"(?s)No row of batch 'May' could be used:.*row 1 \(a\.png\).*row 2 \(b\.png\)"
    ):
        stock.hand_in({"a.png": b"no", "b.png": b"neither"})


def test_a_property_of_ours_with_another_type_is_named_before_anything_is_written(stock: Stock):
    query = Query()
    query.add("AddImage", {"properties": {"guid": 3}}, picture(77))
    stock.db.run(query)
    stock.db.writes.clear()
    with pytest.raises(DataError, match="_Image already has a property 'guid' of type number"):
        stock.hand_in(pictures(1))
    assert stock.db.writes == []


def test_aperturedb_that_is_down_is_worth_another_try(stock: Stock, aperturedb: LocalServer):
    aperturedb.stop()
    began = time.monotonic()
    with pytest.raises(TransientError, match="Is it running, and does APERTUREDB_KEY name it"):
        stock.hand_in(pictures(1))
    assert time.monotonic() - began < 20


def test_a_batch_is_connected_with_the_row_of_each_medium(stock: Stock):
    stock.hand_in(pictures(2))
    edges = stock.db.find(
        "FindConnection", equal("LS_batch", "May"), class_name=names.BATCH_MEDIA, properties=["LS_row", "LS_source_uri"]
    )
    assert [(edge["LS_row"], edge["LS_source_uri"]) for edge in edges] == [(1, "a00.png"), (2, "a01.png")]
