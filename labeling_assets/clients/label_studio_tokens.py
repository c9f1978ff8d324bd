"""The two kinds of token of Label Studio, told apart by their form. No message ever holds a token.

A personal access token is a JWT that only fetches access tokens, which live 300 s; the other kind is sent as it is.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from labeling_assets.errors import ConfigurationError

_RENEW_BEFORE_S: Final = 60.0
_USUAL_LIFETIME_S: Final = 300.0
_HOW_TO: Final = (
    "Create a personal access token in Label Studio (Account & Settings, Personal Access Token) "
    "and set LABEL_STUDIO_API_KEY to it."
)


class Credential(Protocol):
    @property
    def fetched(self) -> int:
        """Number of access tokens fetched so far."""

    def header(self) -> str:
        """The value of `Authorization`."""

    def discard(self, header: str) -> bool:
        """The server said 401 to this header: is there a point in asking for a new one?"""

    def refusal(self, answer: str) -> str:
        """The end of the sentence "Label Studio at URL ..." for an answer 401."""


def credential(api_key: str, *, fetch: Callable[[str], str], clock: Callable[[], float] = time.monotonic) -> Credential:
    """`fetch` exchanges a personal access token for an access token.

    Raises ConfigurationError when the text can be no token of either kind.
    """
    key = api_key.strip()
    if not key:
        raise ConfigurationError(f"LABEL_STUDIO_API_KEY is empty. {_HOW_TO}")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigurationError(f"LABEL_STUDIO_API_KEY holds characters that no token has. {_HOW_TO}")
    claims = _claims(key)
    if claims is None:
        return _LegacyToken(key)
    if claims.get("token_type") == "access":
        raise ConfigurationError(f"LABEL_STUDIO_API_KEY is an access token, which lives five minutes. {_HOW_TO}")
    if key.count(".") != 2:
        raise ConfigurationError(f"LABEL_STUDIO_API_KEY is cut off: its signature is missing. {_HOW_TO}")
    return _PersonalAccessToken(key, fetch, clock)


def token_expiry(api_key: str) -> float | None:
    """When a personal access token ends, in seconds since 1970; None for the other kind, which does not."""
    claims = _claims(api_key.strip())
    if claims is None:
        return None
    ends = claims.get("exp")
    return float(ends) if isinstance(ends, int | float) else float("inf")


class _LegacyToken:
    fetched = 0

    def __init__(self, key: str) -> None:
        self._key = key

    def header(self) -> str:
        return f"Token {self._key}"

    def discard(self, header: str) -> bool:
        return False

    def refusal(self, answer: str) -> str:
        if "disabled" in answer:
            return f"has legacy tokens switched off, and LABEL_STUDIO_API_KEY is one. {_HOW_TO}"
        return f"does not know the legacy token in LABEL_STUDIO_API_KEY. {_HOW_TO}"


class _PersonalAccessToken:
    def __init__(self, key: str, fetch: Callable[[str], str], clock: Callable[[], float]) -> None:
        self._key = key
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._access = ""
        self._renew_at = 0.0
        self.fetched = 0

    def header(self) -> str:
        with self._lock:
            if not self._access or self._clock() >= self._renew_at:
                self._access = self._fetch(self._key)
                self._renew_at = self._clock() + _lifetime_s(self._access) - _RENEW_BEFORE_S
                self.fetched += 1
            return f"Bearer {self._access}"

    def discard(self, header: str) -> bool:
        with self._lock:
            if header == f"Bearer {self._access}":
                self._access = ""
        return True

    def refusal(self, answer: str) -> str:
        return (
            "does not take the personal access token in LABEL_STUDIO_API_KEY "
            f"({answer}): it was revoked or belongs to another server. {_HOW_TO}"
        )


def _claims(token: str) -> dict[str, Any] | None:
    """The payload of a JWT (its signature is not checked), None when it is not one."""
    parts = token.split(".")
    if len(parts) not in (2, 3):
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def _lifetime_s(access: str) -> float:
    """By the server's own clock, so that ours may differ."""
    claims = _claims(access) or {}
    try:
        return float(claims["exp"]) - float(claims["iat"])
    except (KeyError, TypeError, ValueError):
        return _USUAL_LIFETIME_S
