"""The bearer token, and addresses of task lists that carry a signature instead."""

import pytest
from starlette.requests import Request

from labeling_assets.gateway.api_token import ApiToken, ListQuery

TOKEN = "a token of the tests"
NOW = 1_800_000_000.0
QUERY = ListQuery("cars", "json", "May")


def token(now: float = NOW, secret: str = TOKEN) -> ApiToken:
    return ApiToken(secret, clock=lambda: now)


def request(path: str = "/batches/May/close", *, query: str = "", authorization: str | None = None) -> Request:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": headers}
    return Request({**scope, "server": ("gateway.example.org", 80), "scheme": "http"})


def signed(query: ListQuery = QUERY, *, valid_s: float = 60, secret: str = TOKEN) -> Request:
    address = token(secret=secret).list_address("http://gateway.example.org", query, valid_s=valid_s)
    return request(query=address.partition("?")[2])


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_is_let_in(scheme: str) -> None:
    assert token().refusal(request(authorization=f"{scheme} {TOKEN}")) is None


REFUSED = [
    None,
    "",
    TOKEN,
    f"Basic {TOKEN}",
    "Bearer",
    "Bearer ",
    f"Bearer {TOKEN}x",
    f"Bearer {TOKEN[:-1]}",
    "Bearer ü",
]


@pytest.mark.parametrize("authorization", REFUSED)
def test_everything_else_is_not(authorization: str | None) -> None:
    refusal = token().refusal(request(authorization=authorization))
    assert refusal is not None
    assert (refusal.status_code, refusal.headers["www-authenticate"]) == (401, 'Bearer realm="labeling_assets"')


def test_the_answer_does_not_say_why(caplog: pytest.LogCaptureFixture) -> None:
    """The log does."""
    answers = {bytes(token().refusal(request(authorization=given)).body) for given in REFUSED}
    assert len(answers) == 1
    assert "another bearer token" in caplog.text


def test_the_token_is_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    refusal = token().refusal(request(authorization=f"Bearer {TOKEN}x"))
    assert TOKEN not in f"{refusal.body!r} {caplog.text} {token()!r}"


def test_a_signed_address_needs_no_header() -> None:
    assert token().list_refusal(signed(), QUERY) is None


def test_a_list_is_open_for_the_token_too() -> None:
    assert token().list_refusal(request(authorization=f"Bearer {TOKEN}"), QUERY) is None


def test_an_address_ends() -> None:
    assert token(NOW + 59).list_refusal(signed(), QUERY) is None
    assert token(NOW + 61).list_refusal(signed(), QUERY).status_code == 401


def test_an_address_ends_with_its_token() -> None:
    assert token(secret="another token").list_refusal(signed(), QUERY).status_code == 401


@pytest.mark.parametrize(
    "other",
    [
        ListQuery("dogs", "json", "May"),
        ListQuery("cars", "csv", "May"),
        ListQuery("cars", "json", "June"),
        ListQuery("cars", "json"),
        ListQuery("cars", "json", "May", "all"),
        ListQuery("carsjson", "json", "May"),
    ],
    ids=str,
)
def test_an_address_is_for_one_list(other: ListQuery) -> None:
    assert token().list_refusal(signed(), other).status_code == 401


@pytest.mark.parametrize("change", ["expires=1800000061", "expires=", "expires=1e12", "s=", "s=%C3%BC"])
def test_an_address_that_was_changed_is_refused(change: str) -> None:
    name = change.partition("=")[0]
    kept = [part for part in signed().url.query.split("&") if not part.startswith(f"{name}=")]
    assert token().list_refusal(request(query="&".join([*kept, change])), QUERY).status_code == 401


def test_label_studio_takes_the_end_of_the_address_for_the_name_of_a_file() -> None:
    address = token().list_address("http://gateway.example.org/", ListQuery("cars", "csv"), valid_s=60)
    assert address.startswith("http://gateway.example.org/projects/cars/tasks.csv?state=new&expires=1800000060&s=")
    assert address.endswith("&name=tasks.csv")
