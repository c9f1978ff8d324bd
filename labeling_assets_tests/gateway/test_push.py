"""Pushed media: what becomes of them, what is refused, what stays when a request breaks off."""

import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from PIL import Image

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.identity import content_guid, sha256_of
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets_tests.gateway.api import BEARER, MB, Api, rules, running_api
from labeling_assets_tests.sync.served_files import served
from labeling_assets_tests.sync.world import picture, pictures

LOOPBACK = "127.0.0.0/8"
FORM = {**BEARER, "Content-Type": "multipart/form-data; boundary=xx"}


PILLOW_WARNS = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")


@pytest.fixture
def near(tmp_path: Path) -> Iterator[Api]:
    """As `api`, and it may download from this machine."""
    allowed = rules(networks=(ip_network(LOOPBACK),))
    with (
        LocalServer(tmp_path / "aperturedb") as server,
        running_api(server.key, tmp_path / "projects", push_rules=allowed) as api,
    ):
        api.add_project()
        yield api


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the gateway puts what it receives."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def part(data: bytes, name: str = "a.png") -> bytes:
    head = f'--xx\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n"


# Files


def test_the_answer_names_the_medium_of_each_file(api: Api) -> None:
    first, second = api.pushed({"a.png": picture(1), "b.png": picture(2)})
    sha256 = sha256_of(picture(1))
    assert first == {"row": 1, "name": "a.png", "status": "created", "guid": content_guid(sha256), "sha256": sha256}
    assert (second["row"], second["name"], second["guid"]) == (2, "b.png", content_guid(sha256_of(picture(2))))


def test_media_are_in_aperturedb_with_their_batch_and_the_mark_of_their_projects(api: Api) -> None:
    api.pushed({"a.png": picture()})
    (found,) = api.stored("FindImage", "LS_state_cars", "LS_width")
    assert (found["LS_source_uri"], found["LS_state_cars"], found["LS_width"]) == ("a.png", "new", 40)
    assert api.db.count("FindConnection", equal("LS_batch", "May"), class_name=names.BATCH_MEDIA) == 1


def test_pushed_again_nothing_is_written(api: Api) -> None:
    (first,) = api.pushed({"a.png": picture()})
    api.db.writes.clear()
    (second,) = api.pushed({"a.png": picture()})
    assert (second, api.db.writes) == ({**first, "status": "known"}, [])


def test_the_same_bytes_under_two_names_are_one_medium(api: Api) -> None:
    first, second = api.pushed({"a.png": picture(), "b.png": picture()})
    assert (first["status"], second["status"], first["guid"]) == ("created", "known", second["guid"])
    assert len(api.stored()) == 1


def test_fields_become_properties_of_the_files_after_them(api: Api) -> None:
    api.pushed({"a.png": picture(1), "b.png": picture(2)}, shop="Zürich", site="north")
    assert [(row["shop"], row["site"]) for row in api.stored("FindImage", "shop", "site")] == [("Zürich", "north")] * 2


def test_a_later_field_replaces_an_earlier_one(api: Api) -> None:
    shop = '--xx\r\nContent-Disposition: form-data; name="shop"\r\n\r\n{}\r\n'
    body = b"".join([shop.format("Ann").encode(), part(picture(1)), shop.format("Bee").encode(), part(picture(2))])
    api.client.post("/batches/May/media", content=body + b"--xx--\r\n", headers=FORM)
    assert [row["shop"] for row in api.stored("FindImage", "shop")] == ["Ann", "Bee"]


def test_a_field_that_no_file_follows_is_named(api: Api) -> None:
    body = part(picture()) + b'--xx\r\nContent-Disposition: form-data; name="shop"\r\n\r\nAnn\r\n--xx--\r\n'
    answer = api.client.post("/batches/May/media", content=body, headers=FORM)
    assert (answer.status_code, [row["status"] for row in answer.json()["media"]]) == (400, ["created"])
    assert "No file follows the fields shop" in answer.json()["error"]


def test_a_field_that_was_forgotten_can_be_sent_with_the_file_again(api: Api) -> None:
    api.pushed({"a.png": picture()})
    api.pushed({"a.png": picture()}, shop="Ann")
    assert api.stored("FindImage", "shop")[0]["shop"] == "Ann"


def test_types_of_columns_are_those_of_the_project(api: Api) -> None:
    api.add_project(yaml="columns: {price: number}")
    api.pushed({"a.png": picture()}, price="2.5")
    assert api.stored("FindImage", "price")[0]["price"] == 2.5


def test_guids_come_from_a_field_where_the_project_says_so(api: Api) -> None:
    api.add_project(yaml="guid: column:id")
    assert api.pushed({"a.png": picture()}, id="north-17")[0]["guid"] == "north-17"


def test_a_hundred_files_in_one_request(api: Api) -> None:
    rows = api.pushed(pictures(100))
    assert ({row["status"] for row in rows}, [row["row"] for row in rows]) == ({"created"}, list(range(1, 101)))


def test_every_type_of_medium_is_taken(api: Api) -> None:
    rows = api.pushed({"a.png": picture(), "a.txt": "grüße".encode(), "a.csv": b"x,y\n1,2\n", "a.html": b"<html>"})
    assert {row["status"] for row in rows} == {"created"}
    assert len(api.stored("FindBlob")) == 3


def test_the_answer_says_which_projects_make_tasks_of_it(api: Api) -> None:
    api.add_project("dogs", yaml='batches: ["dogs-*"]')
    assert api.push({"a.png": picture()}).json()["projects"] == ["cars"]
    assert api.push({"a.png": picture()}, batch="dogs-1").json()["projects"] == ["cars", "dogs"]


# Rows that cannot be used


def test_a_file_that_cannot_be_used_does_not_stop_the_others(api: Api) -> None:
    broken, good = api.push({"broken.png": picture()[:50], "good.png": picture()}).json()["media"]
    assert (broken["status"], good["status"]) == ("failed", "created")
    assert "cannot be read to its end as a picture" in broken["problem"]


def test_when_no_row_can_be_used_the_answer_is_422(api: Api) -> None:
    answer = api.push({"empty.png": b""})
    assert (answer.status_code, answer.json()["failed"]) == (422, 1)
    assert "is empty (0 bytes)" in answer.json()["media"][0]["problem"]


def test_a_file_that_is_too_large_is_named_and_the_others_are_taken(api: Api) -> None:
    large, small = api.push({"large.txt": b"x" * (5 * MB + 1), "small.txt": b"x"}).json()["media"]
    assert (large["problem"], small["status"]) == ("it has more than 5 MB, which is the limit.", "created")


def test_other_types_are_refused(api: Api) -> None:
    answer = api.push({"setup.exe": b"MZ\x90\0\3\0\0\0" + bytes(200)})
    assert answer.status_code == 422
    assert "and only audio, csv, html, image, json, pdf, text, video are taken" in answer.json()["media"][0]["problem"]


def test_a_column_that_cannot_be_a_property_is_named(api: Api) -> None:
    problem = api.push({"a.png": picture()}, LS_state_cars="done").json()["media"][0]["problem"]
    assert "the columns 'LS_state_cars' cannot be properties in ApertureDB" in problem


@pytest.mark.parametrize("name", ["path", "url"])
def test_a_field_cannot_name_a_file_of_the_server(api: Api, name: str) -> None:
    answer = api.push({"a.png": picture()}, **{name: "/etc/passwd"})
    assert (answer.status_code, api.stored()) == (422, [])


def test_guids_that_no_project_asks_for_are_refused(api: Api) -> None:
    answer = api.push({"a.png": picture()}, guid="north-17")
    assert answer.status_code == 400
    assert "has a column 'guid', but GUIDs come from 'content'" in answer.json()["error"]


def test_projects_that_disagree_are_named(api: Api) -> None:
    api.add_project("dogs", yaml="guid: minted")
    answer = api.push({"a.png": picture()})
    assert (answer.status_code, api.stored()) == (409, [])
    assert "disagree on where GUIDs come from (cars: content, dogs: minted)" in answer.json()["error"]


def test_a_broken_project_that_may_shape_the_media_holds_them_up(api: Api) -> None:
    api.add_project("dogs")
    (api.projects / "dogs" / "project.yaml").write_text("guid: nonsense")
    answer = api.push({"a.png": picture()})
    assert (answer.status_code, api.stored()) == (409, [])
    assert "'dogs' is broken and names guid or columns" in answer.json()["error"]


# Addresses


def test_addresses_are_downloaded(near: Api) -> None:
    with served({"a.png": picture(1), "b.png": picture(2)}) as site:
        media = near.push_urls({"url": f"{site}/a.png", "shop": "Ann"}, {"url": f"{site}/b.png"}).json()["media"]
    assert [row["status"] for row in media] == ["created", "created"]
    assert media[0]["guid"] == content_guid(sha256_of(picture(1)))
    assert [row["shop"] for row in near.stored("FindImage", "shop")] == ["Ann", None]


def test_fields_of_json_are_texts_of_their_values(near: Api) -> None:
    near.add_project(yaml="columns: {price: number, sold: boolean}")
    with served({"a.png": picture()}) as site:
        near.push_urls({"url": f"{site}/a.png", "price": 2.5, "sold": True, "note": None})
    (found,) = near.stored("FindImage", "price", "sold")
    assert (found["price"], found["sold"]) == (2.5, True)


def test_what_gives_access_is_kept_nowhere(near: Api) -> None:
    with served({"a.png": picture()}) as site:
        answer = near.push_urls({"url": f"{site}/a.png?X-Amz-Signature=secret-of-the-link"})
    assert "secret-of-the-link" not in answer.text + json.dumps(near.stored())


def test_an_address_without_a_file_is_named(near: Api) -> None:
    with served({}) as site:
        answer = near.push_urls({"url": f"{site}/a.png"})
    assert (answer.status_code, answer.json()["media"][0]["status"]) == (422, "failed")
    assert "answered 404" in answer.json()["media"][0]["problem"]


def test_a_server_that_is_busy_can_be_asked_again(near: Api) -> None:
    with served({}) as site:
        media = near.push_urls({"url": f"{site}/down"}).json()["media"]
    assert (media[0]["status"], "it may do so later" in media[0]["problem"]) == ("retry", True)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"[]", 'The body must be {"media"'),
        (b'{"media": []}', "with at least one medium"),
        (b"{", "The body is no JSON"),
        (b"[" * 100_000, "The body is no JSON"),
        (json.dumps({"media": [{"url": "http://a.example.org"}] * 1001}).encode(), "send at most 1000 at once"),
    ],
    ids=["a list", "nothing", "broken", "deep", "too many"],
)
def test_json_that_is_no_push_is_refused(api: Api, body: bytes, problem: str) -> None:
    answer = api.client.post("/batches/May/media", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, problem in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    "entry",
    [{}, {"url": 7}, "http://a.example.org", {"url": "http://a.example.org", "shop": ["Ann"]}, {"url": "ftp://a/b"}],
    ids=["no url", "a number", "a text", "a list as field", "another scheme"],
)
def test_an_entry_that_cannot_be_used_is_a_failed_row(api: Api, entry: object) -> None:
    answer = api.push_urls(entry)
    assert (answer.status_code, answer.json()["media"][0]["status"]) == (422, "failed")


# Bodies that are none


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded", ""])
def test_other_bodies_are_not_taken(api: Api, kind: str) -> None:
    answer = api.client.post("/batches/May/media", content=b"x", headers={"Content-Type": kind})
    assert answer.status_code == 415


def test_a_form_without_a_file_says_what_to_send(api: Api) -> None:
    answer = api.client.post("/batches/May/media", files={"shop": (None, "Ann")})
    assert (answer.status_code, "The form holds no file" in answer.json()["error"]) == (400, True)


def test_what_arrived_whole_stays_when_the_form_is_broken(api: Api) -> None:
    body = part(picture(1)) + b"--xx\r\nno header\r\n\r\n"
    answer = api.client.post("/batches/May/media", content=body, headers=FORM)
    assert answer.status_code == 400
    assert [row["status"] for row in answer.json()["media"]] == ["created"]
    assert len(api.stored()) == 1


def test_what_arrived_whole_stays_when_the_pusher_goes_away(api: Api, temporary: Path) -> None:
    address = api.client.base_url
    head = f"POST /batches/May/media HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER['Authorization']}\r\n"
    head += "Content-Type: multipart/form-data; boundary=xx\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(head.encode() + part(picture(1)) + part(picture(2))[:-40])
        until(lambda: any(temporary.rglob("2")))  # the second file has begun
    until(lambda: len(api.stored()) == 1)
    (row,) = api.client.get("/batches/May/media").json()["media"]
    assert row == {"name": "a.png", "guid": content_guid(sha256_of(picture(1))), "sha256": sha256_of(picture(1))}


def test_nothing_is_left_in_the_temporary_folder(api: Api, temporary: Path) -> None:
    api.pushed({"a.png": picture()})
    api.client.post("/batches/May/media", content=part(picture(1)), headers=FORM)
    assert list(temporary.iterdir()) == []


# Closing


def test_a_batch_is_closed_with_its_media(api: Api) -> None:
    api.pushed(pictures(3))
    answer = api.client.post("/batches/May/close")
    assert (answer.status_code, answer.json()["media"], answer.json()["batch"]) == (200, 3, "May")


def test_closed_again_it_is_as_before(api: Api) -> None:
    api.pushed(pictures(1))
    first = api.client.post("/batches/May/close").json()
    assert api.client.post("/batches/May/close").json() == first


@pytest.mark.parametrize(("method", "path"), [("POST", "/batches/Mai/close"), ("GET", "/batches/Mai/media")])
def test_a_batch_that_nobody_pushed_is_not_there(api: Api, method: str, path: str) -> None:
    answer = api.client.request(method, path)
    assert (answer.status_code, "There is no batch 'Mai'" in answer.json()["error"]) == (404, True)


def test_what_became_of_rows_is_counted(api: Api) -> None:
    api.push({"a.png": picture(), "b.png": picture(), "empty.png": b""})
    samples = {
        sample.labels["status"]: sample.value
        for family in api.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "labeling_gateway_pushed_media_total"
    }
    assert samples == {"created": 1, "known": 1, "failed": 1}


def test_a_database_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "aperturedb") as server, running_api(server.key, tmp_path / "projects") as api:
        api.add_project()
        server.stop()
        answer = api.push({"a.png": picture()})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_names_come_as_utf_8(api: Api) -> None:
    assert api.pushed({"straße.png": picture()})[0]["name"] == "straße.png"


def bomb(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


@PILLOW_WARNS
def test_a_picture_that_is_larger_than_pillow_takes_for_harmless_is_refused(api: Api) -> None:
    """12,000 x 9,000 pixels: Pillow would only warn, and decode 324 MB."""
    answer = api.push({"large.png": bomb(12_000, 9_000)})
    assert (answer.status_code, "has too many pixels (12000 x 9000" in answer.json()["media"][0]["problem"]) == (
        422,
        True,
    )
