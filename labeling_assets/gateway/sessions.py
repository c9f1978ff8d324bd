"""Whether whoever asks for a medium is logged in at Label Studio: for a proxy that asks before every answer.

GET /auth/media with the headers Cookie and X-Original-URI, as nginx sends them for `auth_request`
204 the session may see the medium; 401 there is no session; 403 the link does not open; 502, 503 nobody knows
"""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from labeling_assets.errors import ConfigurationError, TransientError
from labeling_assets.gateway import responses
from labeling_assets.gateway.byte_cache import ByteCache
from labeling_assets.gateway.link_gate import LinkGate

_log = logging.getLogger(__name__)

PATH: Final = "/auth/media"
KEEP_S: Final = 10.0
_WHOAMI: Final = "/api/current-user/whoami"
_TIMEOUT_S: Final = 10.0
_SESSIONS: Final = 10_000  # that are remembered
# Nothing that a proxy would understand in another way: no dots that lead elsewhere, nothing encoded, no empty parts.
_ASKED_FOR: Final = re.compile(
    r"(?:/(?!\.{1,2}/)[A-Za-z0-9._~-]+)*/media/(?P<guid>[A-Za-z0-9._-]{1,200})(?:\?(?P<query>.*))?\Z"
)


class LabelStudioSessions:
    """Asks Label Studio who the owner of a cookie is, and remembers the answer for some seconds.

    Args:
        url: The address of Label Studio, for the gateway.
        clock: Seconds.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url.rstrip("/")
        self._clock = clock
        # A proxy of the environment is not for a server on this machine.
        self._trust_env = not re.match(r"http://(127\.|localhost\b)", url)
        self._tls = httpx.create_ssl_context(trust_env=self._trust_env)
        self._known: ByteCache[str, tuple[bool, float]] = ByteCache(_SESSIONS)
        self._asking: dict[str, asyncio.Task[bool]] = {}

    async def is_logged_in(self, cookie: str) -> bool:
        """Whether Label Studio knows the session of this header; what it said counts for ten seconds.

        Raises:
            TransientError: it does not say.
            ConfigurationError: what answers is no Label Studio.
        """
        key = hashlib.sha256(cookie.encode("latin-1")).hexdigest()  # a log or a dump must not hold sessions
        known, until_s = self._known.get(key) or (False, 0.0)
        if self._clock() < until_s:
            return known
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key, cookie))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        # A page shows fifty media at once: one question for all, whoever of them gives up.
        return await asyncio.shield(asking)

    async def _ask(self, key: str, cookie: str) -> bool:
        # As bytes: a cookie may hold any of them.
        headers = {b"Cookie": cookie.encode("latin-1"), b"Accept": b"application/json"}
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=self._trust_env, verify=self._tls) as http:
                answer = await http.get(self._url + _WHOAMI, headers=headers)
        except httpx.HTTPError as error:
            raise TransientError(f"Label Studio at {self._url} does not say who is logged in: {error!r}") from error
        logged_in = self._read(answer)
        self._known.put(key, (logged_in, self._clock() + KEEP_S), size_bytes=1)
        return logged_in

    def _read(self, answer: httpx.Response) -> bool:
        status = answer.status_code
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return False
        if status >= 500 or status == httpx.codes.TOO_MANY_REQUESTS:
            raise TransientError(f"Label Studio at {self._url} answered {status} to the question who is logged in.")
        try:
            if status == httpx.codes.OK and isinstance(answer.json()["id"], int):
                return True
        except (ValueError, KeyError, TypeError):
            pass
        raise ConfigurationError(
            f"{self._url} answers {status} to {_WHOAMI}: set LABEL_STUDIO_URL to the address of Label Studio itself."
        )


class MediaAccess:
    """The route for `auth_request`, a part of the gateway. The gate is its own."""

    def __init__(self, sessions: LabelStudioSessions, gate: LinkGate) -> None:
        self._sessions, self._gate = sessions, gate

    @property
    def routes(self) -> list[Route]:
        return [Route(PATH, self._answer, methods=["GET"])]

    def start(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Take no more requests."""
        self._gate.close()

    async def _answer(self, request: Request) -> Response:
        asked = _ASKED_FOR.match(request.headers.get("x-original-uri", ""))
        if asked is None:
            _log.warning("Refused to say who may see a medium: X-Original-URI is no link to one")
            return _refused(403)
        cookie = request.headers.get("cookie", "")
        if not cookie or not await self._sessions.is_logged_in(cookie):
            return _refused(401)
        # The link as well: what a proxy has cached is not asked of the gateway again.
        query = dict(parse_qsl(asked["query"] or "", keep_blank_values=True))
        reason = await self._gate.refusal(asked["guid"], query)
        if reason is not None:
            _log.warning("Refused a link to medium %r: %s", asked["guid"], reason)
            return _refused(403)
        return Response(status_code=204, headers={"Cache-Control": "no-store"})


def _refused(status: int) -> Response:
    if status == 401:
        return responses.error(401, "Log in to Label Studio first.", headers={"WWW-Authenticate": "Cookie"})
    return responses.error(403, "This link is not valid.", "The log of the media gateway says why.")
