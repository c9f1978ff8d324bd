import base64
import json

import pytest

from labeling_assets.clients.label_studio_tokens import credential
from labeling_assets.errors import ConfigurationError


def jwt(**claims: object) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "HS256"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "signature"])


class Tokens:
    """Gives an access token of 300 s at each call."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.given = 0

    def fetch(self, refresh: str) -> str:
        self.given += 1
        return jwt(token_type="access", iat=5000, exp=5300, jti=self.given)

    def clock(self) -> float:
        return self.now


PERSONAL = jwt(token_type="refresh", exp=8_000_000_000)


def test_a_legacy_token_is_sent_as_it_is():
    assert credential("ab" * 20, fetch=Tokens().fetch).header() == "Token " + "ab" * 20


def test_a_personal_access_token_is_never_sent_itself():
    assert PERSONAL not in credential(PERSONAL, fetch=Tokens().fetch).header()


def test_an_access_token_is_used_again():
    tokens = Tokens()
    key = credential(PERSONAL, fetch=tokens.fetch, clock=tokens.clock)
    assert key.header() == key.header()
    assert key.fetched == 1


@pytest.mark.parametrize(("age_s", "fetched"), [(239, 1), (240, 2)], ids=["just not yet", "a minute before its end"])
def test_an_access_token_is_renewed_before_it_ends(age_s: float, fetched: int):
    tokens = Tokens()
    key = credential(PERSONAL, fetch=tokens.fetch, clock=tokens.clock)
    key.header()
    tokens.now += age_s
    key.header()
    assert key.fetched == fetched


def test_a_refused_access_token_is_fetched_anew():
    tokens = Tokens()
    key = credential(PERSONAL, fetch=tokens.fetch, clock=tokens.clock)
    assert key.discard(key.header())
    key.header()
    assert key.fetched == 2


def test_a_refusal_of_an_older_token_does_not_discard_the_newer_one():
    tokens = Tokens()
    key = credential(PERSONAL, fetch=tokens.fetch, clock=tokens.clock)
    old = key.header()
    key.discard(old)
    key.header()
    key.discard(old)
    key.header()
    assert key.fetched == 2


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("", "is empty"),
        ("Token abc", "characters that no token has"),
        ("töken", "characters that no token has"),
        (jwt(token_type="access"), "is an access token"),
        (PERSONAL.rpartition(".")[0], "is cut off"),
    ],
    ids=["empty", "with its scheme", "not ASCII", "access token", "as the list of tokens shows it"],
)
def test_what_can_be_no_token_is_refused_with_the_fix(key: str, what: str):
    with pytest.raises(ConfigurationError, match=what) as caught:
        credential(key, fetch=Tokens().fetch)
    assert "Create a personal access token" in str(caught.value)
    assert not key or key not in str(caught.value)
