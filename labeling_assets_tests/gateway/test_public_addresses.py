"""Only public addresses are connected to, by name, by redirect, and whatever a name means a moment later."""

import ipaddress
import itertools
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from labeling_assets.errors import InputError
from labeling_assets.gateway.public_addresses import PublicTransport, is_public, public_client
from labeling_assets_tests.certificates import make_certificate

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.7",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",  # where clouds tell their secrets
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "fc00::1",
    "fe80::1",
    "ff02::1",
]


class Names:
    """A name server: each name has one list of addresses after the other, the last for ever."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def resolve(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        answers = self._answers.get(host.partition(".")[0], [[host]])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(0, 0, 0, "", (address, port)) for address in found]


class Site:
    """A web server on loopback that counts its requests; /to/ADDRESS leads elsewhere."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        site, self.hosts = self, []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.hosts.append(str(self.headers["Host"]))
                target = self.path.partition("/to/")[2]
                self.send_response(302 if target else 200)
                if target:
                    self.send_header("Location", target)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"hello")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port

    @contextmanager
    def running(self) -> Iterator["Site"]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with Site().running() as site:
        yield site


def fetch(url: str, names: Names | None = None, allowed: Any = ()) -> httpx.Response:
    options = {"resolve": names.resolve} if names else {}
    transport = PublicTransport(allowed, **options)
    with httpx.Client(transport=transport, follow_redirects=True, timeout=10) as client:
        return client.get(url)


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::8a"])
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ],
)
def test_this_machine_in_every_spelling_is_refused(site: Site, host: str) -> None:
    with pytest.raises(InputError, match="leads to an address that is not public"):
        fetch(f"http://{host}:{site.port}/")
    assert site.hosts == []


def test_a_name_of_which_one_address_is_private_is_refused(site: Site) -> None:
    with pytest.raises(InputError, match=r"'mixed\.example\.org' leads to"):
        fetch(f"http://mixed.example.org:{site.port}/", Names(mixed=[["8.8.8.8", "127.0.0.1"]]))
    assert site.hosts == []


def test_a_redirect_to_this_machine_is_refused(site: Site) -> None:
    """The first address may be fetched, the one it leads to may not."""
    with pytest.raises(InputError, match=r"'inside\.example\.org' leads to"):
        fetch(
            f"http://127.0.0.1:{site.port}/to/http://inside.example.org/",
            Names(inside=[["169.254.169.254"]]),
            LOOPBACK,
        )
    assert len(site.hosts) == 1


def test_a_name_is_resolved_once_and_connected_to_what_was_checked(site: Site) -> None:
    """DNS rebinding: the second answer would lead elsewhere, and nobody asks for it."""
    names = Names(site=[["127.0.0.1"], ["10.255.255.1"]])
    answer = fetch(f"http://site.example.org:{site.port}/", names, LOOPBACK)
    assert (answer.text, names.asked) == ("hello", ["site.example.org"])
    assert site.hosts == [f"site.example.org:{site.port}"]


def test_an_allowed_network_may_be_fetched(site: Site) -> None:
    assert fetch(f"http://127.0.0.1:{site.port}/", allowed=LOOPBACK).text == "hello"


def test_other_networks_stay_forbidden() -> None:
    with pytest.raises(InputError, match="not public"):
        fetch("http://10.0.0.1/", allowed=LOOPBACK)


def test_the_next_address_is_tried_when_one_does_not_answer(site: Site) -> None:
    names = Names(site=[["127.0.0.2", "127.0.0.1"]])
    assert fetch(f"http://site.example.org:{site.port}/", names, LOOPBACK).text == "hello"


def test_a_redirect_within_the_site_keeps_its_name(site: Site) -> None:
    names = Names(site=[["127.0.0.1"]])
    answer = fetch(f"http://site.example.org:{site.port}/to//there", names, LOOPBACK)
    assert (answer.text, set(site.hosts)) == ("hello", {f"site.example.org:{site.port}"})


def test_the_certificate_must_be_that_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of the address which is connected to: this one is for 127.0.0.1."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    names = Names(other=[["127.0.0.1"]])
    with Site(certificate).running() as site:
        assert fetch(f"https://127.0.0.1:{site.port}/", names, LOOPBACK).text == "hello"
        with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
            fetch(f"https://other.example.org:{site.port}/", names, LOOPBACK)
    assert len(site.hosts) == 1


@pytest.mark.parametrize("url", ["ftp://example.org/a", "file:///etc/passwd", "gopher://example.org/"])
def test_other_schemes_are_no_addresses(url: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        fetch(url)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300 + ".example.org"])
def test_a_name_that_means_nothing_cannot_be_reached(host: str) -> None:
    with pytest.raises(httpx.ConnectError, match="cannot be resolved"):
        fetch(f"http://{host}/")


def test_a_download_that_takes_too_long_as_a_whole_is_given_up(site: Site) -> None:
    """By a clock that jumps: each look at it is a minute after the one before."""
    minutes = itertools.count(0, 60)
    transport = PublicTransport(LOOPBACK, clock=lambda: next(minutes))
    with httpx.Client(transport=transport) as client:
        assert client.get(f"http://127.0.0.1:{site.port}/").text == "hello"
    hours = itertools.count(0, 3600)
    transport = PublicTransport(LOOPBACK, clock=lambda: next(hours))
    with httpx.Client(transport=transport) as client, pytest.raises(InputError, match="took longer than 200 s"):
        client.get(f"http://127.0.0.1:{site.port}/")


def test_a_proxy_of_the_environment_is_not_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would resolve the name itself, and connect to whatever it is."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{site.port}")
    with public_client() as client, pytest.raises(InputError):
        client.get("http://127.0.0.1:9/")
    assert site.hosts == []
