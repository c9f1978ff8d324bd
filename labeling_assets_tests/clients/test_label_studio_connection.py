"""Faults that a real Label Studio cannot be made to show. The texts are those of 1.23.2."""

import httpx
import pytest

from labeling_assets.clients.label_studio import LabelStudio, MaybeDoneError
from labeling_assets.errors import ConfigurationError, RefusedError, TransientError
from labeling_assets_tests.clients.test_label_studio_tokens import jwt

LEGACY = "ab" * 20
PERSONAL = jwt(token_type="refresh")
LOCKED = {"status_code": 500, "detail": "database is locked", "exc_info": None}


class Server:
    """Answers with the faults first, in turn, then as Label Studio does."""

    def __init__(self, *faults: httpx.Response | type[httpx.TransportError]) -> None:
        self.faults = list(faults)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/api/token/refresh/"):
            return httpx.Response(200, json={"access": jwt(token_type="access", iat=0, exp=300)})
        self.requests.append(request)
        if not self.faults:
            return httpx.Response(200, json={"release": "1.23.2", "task_ids": [7]})
        fault = self.faults.pop(0)
        if isinstance(fault, httpx.Response):
            return fault
        raise fault("made to fail")

    def client(self, key: str = LEGACY, url: str = "http://labels.test") -> LabelStudio:
        return LabelStudio(url, key, transport=httpx.MockTransport(self), sleep=self.waits.append)


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError,
        httpx.ReadTimeout,
        httpx.RemoteProtocolError,
        *(httpx.Response(status) for status in (408, 429, 500, 502, 503, 504)),
        httpx.Response(500, json=LOCKED),
    ],
    ids=["refused", "time-out", "dropped", "408", "429", "500", "502", "503", "504", "500 database is locked"],
)
def test_a_read_is_repeated(fault: httpx.Response | type[httpx.TransportError]):
    server = Server(fault)
    assert server.client().version() == "1.23.2"
    assert len(server.requests) == 2


def test_a_read_gives_up_after_five_attempts_and_names_the_address():
    server = Server(*[httpx.ConnectError] * 9)
    with pytest.raises(TransientError, match=r"http://labels\.test cannot be reached"):
        server.client().version()
    assert len(server.requests) == 5


def test_the_waits_between_attempts_grow():
    server = Server(*[httpx.ConnectError] * 4)
    server.client().version()
    assert [0.5 * 2**n <= wait <= 0.5 * 2**n + 0.5 for n, wait in enumerate(server.waits)] == [True] * 4


def test_retry_after_is_obeyed():
    server = Server(httpx.Response(429, headers={"retry-after": "17"}))
    server.client().version()
    assert server.waits == [17.0]


def test_retry_after_longer_than_a_minute_is_not_waited_out():
    server = Server(httpx.Response(429, headers={"retry-after": "3600"}))
    server.client().version()
    assert server.waits == [60.0]


def test_500_with_the_text_of_our_mistake_is_not_repeated():
    detail = "time data '2026-01-01' does not match format '%Y-%m-%dT%H:%M:%S.%fZ'"
    server = Server(httpx.Response(500, json={"status_code": 500, "detail": detail}))
    with pytest.raises(RefusedError, match="time data '2026-01-01'") as caught:
        server.client().version()
    assert caught.value.status == 500
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ReadTimeout,
        httpx.WriteError,
        httpx.RemoteProtocolError,
        httpx.Response(408),
        httpx.Response(500),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
        httpx.Response(500, json=LOCKED),
    ],
    ids=["time-out", "cut", "dropped", "408", "500", "502", "503", "504", "500 database is locked"],
)
def test_an_import_without_an_answer_is_sent_once(fault: httpx.Response | type[httpx.TransportError]):
    server = Server(fault)
    with pytest.raises(MaybeDoneError):
        server.client().import_tasks(3, [{"data": {"image": "x"}}])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fault", [httpx.ConnectError, httpx.ConnectTimeout, httpx.Response(429)], ids=["refused", "no route", "429"]
)
def test_an_import_that_cannot_have_happened_is_repeated(fault: httpx.Response | type[httpx.TransportError]):
    server = Server(fault)
    assert server.client().import_tasks(3, [{"data": {"image": "x"}}]) == [7]
    assert len(server.requests) == 2


def test_attempts_are_counted_and_fetching_access_tokens_is_not():
    server = Server(httpx.Response(503))
    client = server.client(PERSONAL)
    client.version()
    assert (client.request_count, client.refresh_count) == (2, 1)


def test_every_request_is_told():
    told: list[tuple[str, str, int]] = []
    server = Server(httpx.Response(503))
    client = LabelStudio(
        "http://labels.test",
        LEGACY,
        transport=httpx.MockTransport(server),
        sleep=server.waits.append,
        on_request=lambda method, path, status, seconds: told.append((method, path, status)),
    )
    client.version()
    assert told == [("GET", "/api/version", 503), ("GET", "/api/version", 200)]


def test_an_expired_access_token_is_renewed_and_the_request_sent_again():
    server = Server(httpx.Response(401, json={"detail": "Token is expired"}))
    client = server.client(PERSONAL)
    assert client.import_tasks(3, [{"data": {}}]) == [7]
    assert client.refresh_count == 2


def test_a_token_that_stays_refused_is_a_configuration_error():
    server = Server(*[httpx.Response(401, json={"detail": "Invalid token"})] * 2)
    with pytest.raises(ConfigurationError, match="set LABEL_STUDIO_API_KEY") as caught:
        server.client(PERSONAL).version()
    assert PERSONAL not in str(caught.value)


def test_a_redirect_is_not_followed_and_names_the_address_to_set():
    server = Server(httpx.Response(301, headers={"location": "https://labels.test/api/version"}))
    with pytest.raises(ConfigurationError, match="LABEL_STUDIO_URL to that"):
        server.client().version()


def test_another_web_site_is_a_configuration_error():
    server = Server(httpx.Response(200, html="<html>Welcome</html>"))
    with pytest.raises(ConfigurationError, match="is it a Label Studio"):
        server.client().version()


def test_a_path_in_the_address_is_kept():
    server = Server()
    server.client(PERSONAL, url="http://labels.test/annotate/").version()
    assert server.requests[0].url.path == "/annotate/api/version"


@pytest.mark.parametrize("url", ["", "labels.test:8080", "ftp://labels.test"])
def test_an_address_that_is_none_is_refused(url: str):
    with pytest.raises(ConfigurationError, match="LABEL_STUDIO_URL must look like"):
        LabelStudio(url, LEGACY)


def test_validation_texts_of_the_server_reach_the_message():
    problem = {"detail": "Validation error", "validation_errors": {"label_config": ["no element found"]}}
    server = Server(httpx.Response(400, json=problem))
    with pytest.raises(RefusedError, match="no element found"):
        server.client().validate_label_config("<View>")
