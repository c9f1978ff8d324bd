"""Logging in: passwords, personal tokens, and the session tokens that every later message carries.

Sessions live in memory. After a restart a client is rejected, and logs in again by itself.
"""

import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.arguments import Arguments, Parameters, Required, check_arguments, text
from labeling_assets.local_aperturedb.errors import ERROR, OK, LocalServerError, QueryError

# Clients take this object as "log in again, then send the same query once more"; inside a list they would not.
REJECTION: Final = {"info": messages.NOT_AUTHENTICATED, "status": ERROR}

PERSONAL_PREFIX: Final = "adbp_"  # clients put it in front of what a key holds

SESSION_COMMANDS: Final[dict[str, Parameters]] = {
    "Authenticate": {"username": text, "password": text, "token": text},
    "RefreshToken": {"refresh_token": Required(text)},
}


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """In seconds."""

    session: int = 3600
    refresh: int = 86_400


class Sessions:
    """`clock` gives seconds that only go forward."""

    def __init__(
        self,
        *,
        username: str,
        password: str,
        personal_token: str | None,
        lifetimes: Lifetimes,
        clock: Callable[[], float],
    ) -> None:
        if personal_token is not None and not personal_token.startswith(PERSONAL_PREFIX):
            raise LocalServerError(f"a personal token begins with {PERSONAL_PREFIX}")
        self._username = username
        self._password = password
        self._personal_token = personal_token
        self._lifetimes = lifetimes
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, float] = {}  # token, when it expires
        self._refreshes: dict[str, float] = {}

    def is_valid(self, token: str) -> bool:
        with self._lock:
            return self._sessions.get(token, 0) > self._clock()

    def handles(self, command: str) -> bool:
        return command in SESSION_COMMANDS

    def answer(self, command: str, given: object) -> dict[str, Any]:
        """The answer to Authenticate or RefreshToken. Raises QueryError for malformed ones."""
        try:
            checked = check_arguments(given, SESSION_COMMANDS[command])
            if command == "Authenticate" and ("password" in checked) == ("token" in checked):
                raise QueryError(messages.ONE_CREDENTIAL)
        except QueryError as error:
            raise error.inside(command) from error
        if command == "Authenticate":
            return self._open() if self._knows(checked) else _refused(messages.BAD_CREDENTIALS)
        return self._refresh(checked["refresh_token"])

    def _knows(self, given: Arguments) -> bool:
        """A token needs no user name (clients may send an empty one), but one that is given must be right."""
        name = given.get("username", "")
        if "token" in given:
            right = self._personal_token is not None and _same(given["token"], self._personal_token)
            return right and (not name or _same(name, self._username))
        return _same(name, self._username) and _same(given["password"], self._password)

    def _refresh(self, token: str) -> dict[str, Any]:
        """A refresh token works once."""
        with self._lock:
            valid = self._refreshes.pop(token, 0) > self._clock()
        return self._open() if valid else _refused(messages.BAD_REFRESH_TOKEN)

    def _open(self) -> dict[str, Any]:
        session, refresh = f"adbs_{secrets.token_urlsafe(24)}", f"adbr_{secrets.token_urlsafe(24)}"
        now = self._clock()
        with self._lock:
            self._forget_expired(now)
            self._sessions[session] = now + self._lifetimes.session
            self._refreshes[refresh] = now + self._lifetimes.refresh
        return {
            "refresh_token": refresh,
            "refresh_token_expires_in": self._lifetimes.refresh,
            "session_token": session,
            "session_token_expires_in": self._lifetimes.session,
            "status": OK,
        }

    def _forget_expired(self, now: float) -> None:
        for tokens in (self._sessions, self._refreshes):
            for token in [token for token, expires in tokens.items() if expires <= now]:
                del tokens[token]


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())


def _refused(info: str) -> dict[str, Any]:
    return {"info": info, "status": ERROR}
