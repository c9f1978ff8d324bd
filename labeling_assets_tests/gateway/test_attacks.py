"""What somebody may try, each tried over a socket, and refused."""

import gzip
import io
import itertools
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from PIL import Image

from labeling_assets.gateway.api_token import ApiToken, ListQuery
from labeling_assets.gateway.webhook import WebhookInbox
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.media_urls import sign
from labeling_assets.sync.register_webhook import SECRET_HEADER
from labeling_assets_tests.gateway.api import BEARER, MB, TOKEN, Api, raw_request, rules, running_api
from labeling_assets_tests.gateway.running import SECRET, link
from labeling_assets_tests.sync.world import WatchedDatabase, picture

INSTANCE = "0b0f8a52-9d0a-5f0e-8a44-7b1f6d2c9e10"
SIGNED = f"k=k1&s={sign('picture', SECRET)}"
INJECTED = "%0d%0aX-Injected:%20yes"


def raw(client: httpx.Client, target: str, *headers: str) -> bytes:
    """The answer to a path exactly as it stands here."""
    lines = [f"GET {target} HTTP/1.1", "Host: gateway.example.org", "Connection: close", *headers, "", ""]
    return raw_request(str(client.base_url), "\r\n".join(lines).encode())


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "/media/../../../../etc/passwd",
        "/media/..%2f..%2f..%2fetc%2fpasswd",
        "/media/%2e%2e/%2e%2e/etc/passwd",
        "/media/%252e%252e%252fetc%252fpasswd",
        "/media/..%5c..%5cetc%5cpasswd",
        "/media//etc/passwd",
        "/media/picture/../note",
        "/media/note%2f..%2fpicture",
        "/media/picture%00",
        "/media/picture%00.png",
        "/media/picture%20",
        "/media/%70icture/",
        "/media/picture;x=1",
        "/media/mask",
        "/media/%",
        "/media/%c0%ae%c0%ae",
        "//evil.example.org/media/picture",
    ],
)
def test_no_path_leads_to_anything_but_its_medium(gateway: httpx.Client, path: str) -> None:
    answer = raw(gateway, f"{path}?{SIGNED}")
    assert status(answer) in (403, 404)
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "batch", ["..", "%2e%2e", "..%2f..%2fetc", ".hidden", "a|b", "a%0ab", "a" * 101, "claim-cars-0001"]
)
@pytest.mark.parametrize("action", ["media", "close"])
def test_no_name_of_a_batch_leads_elsewhere(api: Api, batch: str, action: str) -> None:
    target = f"/batches/{batch}/{action}"
    request = f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {BEARER['Authorization']}\r\n"
    answer = raw_request(api.url, f"{request}Content-Length: 0\r\n\r\n".encode())
    assert status(answer) in (400, 404)


NAMES = [
    "../../../tmp/evil.png",
    "/etc/passwd",
    "..",
    ".",
    "a/../../b.png",
    "a//b.png",
    "a/./b.png",
    "..\\..\\evil.png",
    "a\\b.png",
    "a\x01b.png",
    "a" * 501 + ".png",
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_a_file_leads_elsewhere(api: Api, name: str) -> None:
    body = f'--xx\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    headers = {"Content-Type": "multipart/form-data; boundary=xx"}
    answer = api.client.post("/batches/May/media", content=body + picture() + b"\r\n--xx--\r\n", headers=headers)
    assert (answer.status_code, api.stored()) == (422, [])
    assert answer.json()["media"][0]["problem"].startswith("its name ")


def test_a_name_with_folders_is_a_name(api: Api) -> None:
    assert api.pushed({"north/camera 1/a.png": picture()})[0]["name"] == "north/camera 1/a.png"


# Signatures


def forgeries() -> Iterator[str]:
    valid = sign("picture", SECRET)
    yield from ("", "A" * 27, valid[:-1], valid[:10], valid + "A", valid + "=", valid.swapcase(), "null", "undefined")
    yield sign("picture", "k1")
    yield sign("picture", "")
    yield sign("media:picture", SECRET)


@pytest.mark.parametrize("forged", list(forgeries()))
@pytest.mark.parametrize("key", ["k1", "old", "k9", ""])
def test_a_forged_signature_is_refused(gateway: httpx.Client, forged: str, key: str) -> None:
    assert gateway.get("/media/picture", params={"k": key, "s": forged}).status_code == 403


@pytest.mark.parametrize("guid", ["recording", "pictur", "picture2", "Picture", "note"])
def test_a_signature_opens_one_medium(gateway: httpx.Client, guid: str) -> None:
    assert gateway.get(f"/media/{guid}?{SIGNED}").status_code == 403


@pytest.mark.parametrize(
    "more", ["width=10", "format=jpeg", "crop=1,1,2,2", "download=1", "expires=9999999999", "guid=note", "k=old", "s=A"]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_replayed_signature_opens_nothing_else_with_other_parameters(
    gateway: httpx.Client, picture: bytes, more: str, first: bool
) -> None:
    """It is refused, or they have no say."""
    query = f"{more}&{SIGNED}" if first else f"{SIGNED}&{more}"
    answer = gateway.get(f"/media/picture?{query}")
    assert answer.status_code == 403 or (answer.status_code, answer.content) == (200, picture)


def test_a_signature_of_a_list_opens_no_medium(api: Api) -> None:
    (row,) = api.pushed({"a.png": picture()})
    address = ApiToken(TOKEN).list_address("http://x", ListQuery("cars", "json"), valid_s=60)
    signature = httpx.URL(address).params["s"]
    assert httpx.get(f"{api.url}/media/{row['guid']}", params={"k": "k1", "s": signature}).status_code == 403


def test_a_link_of_a_medium_opens_no_list(api: Api) -> None:
    (row,) = api.pushed({"a.png": picture()})
    query = {"k": "k1", "s": sign(row["guid"], SECRET), "expires": "9999999999"}
    assert httpx.get(f"{api.url}/projects/cars/tasks.json", params=query).status_code == 401


@pytest.mark.parametrize("path", ["/batches/media/media", "/projects/media/tasks.json"])
def test_what_the_token_shows_is_not_kept_for_others(api: Api, path: str) -> None:
    api.add_project("media")
    api.pushed({"a.png": picture()}, batch="media")
    assert api.client.get(path).status_code == 200
    assert httpx.get(api.url + path).status_code == 401


@pytest.mark.parametrize("path", ["/batches/May/media", "/batches/May/close"])
@pytest.mark.parametrize("query", ["token=a+token+of+the+tests", "access_token=a+token+of+the+tests"])
def test_a_token_in_an_address_opens_nothing(api: Api, path: str, query: str) -> None:
    """Addresses are logged, and sent along by browsers."""
    assert httpx.post(f"{api.url}{path}?{query}").status_code == 401


# Headers


@pytest.mark.parametrize(
    "target",
    [
        f"/media/picture{INJECTED}?{SIGNED}",
        f"/media/broken-type?k=k1&s={sign('broken-type', SECRET)}",
        f"/{INJECTED}",
        f"/docs?x={INJECTED}",
    ],
)
def test_no_caller_adds_a_header_to_an_answer(gateway: httpx.Client, target: str) -> None:
    assert b"x-injected" not in raw(gateway, target).partition(b"\r\n\r\n")[0].lower()


@pytest.mark.parametrize(
    "target",
    [
        f"/projects/cars/tasks.json?batch=May{INJECTED}",
        f"/projects/cars{INJECTED}/tasks.json",
        f"/batches/May{INJECTED}/media",
    ],
)
def test_no_name_adds_a_header_to_an_answer(api: Api, target: str) -> None:
    answer = raw(api.client, target, f"Authorization: {BEARER['Authorization']}")
    assert status(answer) in (400, 404, 422)
    assert b"x-injected" not in answer.partition(b"\r\n\r\n")[0].lower()


def test_an_origin_is_not_sent_back(gateway: httpx.Client) -> None:
    answer = raw(gateway, link("picture"), "Origin: http://evil.example.org\tX-Injected")
    assert b"evil" not in answer.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    "line", ["Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nTransfer-Encoding: chunked"]
)
def test_a_request_of_two_lengths_is_none(gateway: httpx.Client, line: str) -> None:
    """A proxy in front might take another one for the true length, and see another next request."""
    request = f"POST /healthz HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = raw_request(str(gateway.base_url), request.encode())
    assert (status(answer), answer.count(b"HTTP/1.1")) == (400, 1)


# Bodies


def head(path: str, *lines: str) -> bytes:
    given = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: {BEARER['Authorization']}", *lines, "", ""]
    return "\r\n".join(given).encode()


@pytest.mark.parametrize(
    "kind", ["Content-Type: multipart/form-data; boundary=xx", "Content-Type: application/json"], ids=["form", "json"]
)
def test_a_body_that_says_that_it_is_too_large_is_not_read(api: Api, kind: str) -> None:
    answer = raw_request(api.url, head("/batches/May/media", kind, "Content-Length: 99999999999"))
    assert (status(answer), b"connection: close" in answer.lower()) == (413, True)


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=xx", "application/json"])
def test_a_body_without_an_end_is_given_up_at_the_limit(api: Api, kind: str) -> None:
    """In pieces, so that its length is never said."""
    lines = (f"Content-Type: {kind}", "Transfer-Encoding: chunked")
    begin = b'--xx\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n' if "xx" in kind else b" "
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    address = (api.client.base_url.host, api.client.base_url.port or 80)
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(head("/batches/May/media", *lines) + b"%x\r\n%s\r\n" % (len(begin), begin))
        for sent in itertools.count():
            try:
                connection.sendall(chunk)
            except OSError:  # it hung up
                break
            assert sent * 0x10000 < 60 * MB
    assert api.stored("FindBlob") == []


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/batches/May/media", "labeling_assets.gateway.push_body._PIECE_TIMEOUT_S"),
        (f"/webhooks/label_studio/{INSTANCE}/cars", "labeling_assets.gateway.webhook._BODY_S"),
    ],
    ids=["push", "webhook"],
)
def test_a_body_that_stops_to_come_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, limit: str
) -> None:
    monkeypatch.setattr(limit, 0.1)
    with LocalServer(tmp_path / "aperturedb") as server, WatchedDatabase(server.key) as database:
        inbox = WebhookInbox("a secret of webhooks", tmp_path / "notes", lambda: database)
        with running_api(server.key, tmp_path / "projects", inbox=inbox) as api:
            lines = ("Content-Type: application/json", "Content-Length: 50", f"{SECRET_HEADER}: a secret of webhooks")
            answer = raw_request(api.url, head(path, *lines) + b'{"media"')
    assert (status(answer), b"connection: close" in answer.lower()) == (408, True)


def test_a_field_that_is_too_large_is_given_up(api: Api) -> None:
    answer = api.push({"a.png": picture()}, shop="x" * 70_000)
    assert (answer.status_code, api.stored()) == (413, [])


def test_too_many_files_at_once_are_given_up(api: Api) -> None:
    answer = api.push({f"{number}.txt": b"x" for number in range(1001)})
    assert (answer.status_code, "more than 1000 files" in answer.json()["error"]) == (413, True)


def test_a_part_with_endless_headers_is_given_up(api: Api) -> None:
    body = b"--xx\r\n" + b"X: " + b"y" * 100_000
    headers = {"Content-Type": "multipart/form-data; boundary=xx"}
    assert api.client.post("/batches/May/media", content=body, headers=headers).status_code == 413


# Bombs


def bomb(width: int, height: int, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, form)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("width", "height", "form"), [(30_000, 30_000, "PNG"), (10_000, 9_000, "PNG"), (20_000, 20_000, "GIF")]
)
def test_a_picture_that_would_fill_the_memory_is_not_decoded(api: Api, width: int, height: int, form: str) -> None:
    data = bomb(width, height, form)
    assert len(data) < MB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = api.push({f"bomb.{form.lower()}": data})
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert (answer.status_code, "has too many pixels" in answer.json()["media"][0]["problem"]) == (422, True)
    assert grown_mb < 64


@contextmanager
def site(
    address: str, *, body: bytes = b"inside", headers: dict[str, str] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if headers and "Location" in headers else 200)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://{address}:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def near(tmp_path: Path) -> Iterator[Api]:
    """May download from 127.0.0.1, and from no other address of this machine."""
    near_rules = rules(networks=(ip_network("127.0.0.1"),))
    with (
        LocalServer(tmp_path / "aperturedb") as server,
        running_api(server.key, tmp_path / "projects", push_rules=near_rules) as api,
    ):
        yield api


def test_a_download_that_unpacks_to_more_than_the_limit_is_given_up(near: Api) -> None:
    packed = gzip.compress(bytes(300 * MB))
    assert len(packed) < MB
    with site("127.0.0.1", body=packed, headers={"Content-Encoding": "gzip"}) as (url, _):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = near.push_urls({"url": f"{url}/a.txt"})
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert (answer.status_code, "larger than 5 MB" in answer.json()["media"][0]["problem"]) == (422, True)
    assert grown_mb < 200  # and not the 300 that it unpacks to


# The gateway's own network


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"])
def test_an_address_of_this_machine_is_not_fetched(api: Api, host: str) -> None:
    with site("127.0.0.1") as (url, asked):
        answer = api.push_urls({"url": url.replace("127.0.0.1", host) + "/secret"})
    assert (answer.status_code, asked) == (422, [])
    assert "leads to an address that is not public" in answer.json()["media"][0]["problem"]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://[fe80::1]/",
        "https://172.16.0.1/",
    ],
)
def test_private_and_link_local_addresses_are_not_fetched(api: Api, url: str) -> None:
    answer = api.push_urls({"url": url})
    assert "leads to an address that is not public" in answer.json()["media"][0]["problem"]


def test_a_redirect_to_this_machine_is_not_followed(near: Api) -> None:
    with (
        site("127.0.0.2") as (inside, asked),
        site("127.0.0.1", headers={"Location": f"{inside}/secret"}) as (url, first),
    ):
        answer = near.push_urls({"url": f"{url}/a.png"})
    assert (answer.status_code, first, asked) == (422, ["/a.png"], [])


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1/a", "/etc/passwd", "data:,x"]
)
def test_only_http_is_fetched(api: Api, url: str) -> None:
    answer = api.push_urls({"url": url})
    assert (answer.status_code, answer.json()["media"][0]["status"]) == (422, "failed")
    assert "root:" not in answer.text


@pytest.mark.parametrize("key", ["path", "LS_role", "guid\r\nx"])
def test_no_field_of_an_address_names_a_file_or_a_property_of_ours(api: Api, key: str) -> None:
    answer = api.push_urls({"url": "http://127.0.0.1:9/a.png", key: "/etc/passwd"})
    assert answer.status_code == 422
    assert "cannot be" in answer.json()["media"][0]["problem"]
