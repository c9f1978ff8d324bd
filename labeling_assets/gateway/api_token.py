"""Who may read task lists and push media: those with the bearer token, or with an address that was signed with it."""

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from labeling_assets.gateway import responses
from labeling_assets.sync.task_lists import Format

_log = logging.getLogger(__name__)

State = Literal["new", "all"]
STATES: Final[tuple[State, ...]] = get_args(State)
_SIGNATURE_BYTES: Final = 20


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a task list holds: media of one batch or of all, those without a task (`new`) or all of them."""

    slug: str
    form: Format
    batch: str = ""
    state: State = "new"


@dataclass(frozen=True, slots=True)
class ApiToken:
    """The token, and the addresses of task lists that it signs.

    Label Studio reads a task list by its address and cannot send a header. So an address can carry a signature, which
    is for exactly this list and ends at a time. It dies with the token.

    Args:
        secret: The token.
        clock: Seconds since the epoch.
    """

    secret: str = field(repr=False)
    clock: Callable[[], float] = time.time

    def refusal(self, request: Request) -> Response | None:
        """401 unless the request has the token. The log says why, the answer does not."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return self._refused(request, "no bearer token")
        # As bytes: for text that is not ASCII, compare_digest raises instead of saying no.
        if not hmac.compare_digest(given.strip().encode(), self.secret.encode()):
            return self._refused(request, "another bearer token")
        return None

    def list_refusal(self, request: Request, query: ListQuery) -> Response | None:
        """401 unless the request has the token, or the signature of this very list."""
        parameters = request.query_params
        if "s" not in parameters or "authorization" in request.headers:
            return self.refusal(request)
        expires = parameters.get("expires", "")
        if not hmac.compare_digest(self._signature(query, expires).encode(), parameters["s"].encode()):
            return self._refused(request, "the signature is not that of this list")
        if not expires.isdecimal() or int(expires) < self.clock():
            return self._refused(request, "the address has expired")
        return None

    def list_address(self, base_url: str, query: ListQuery, *, valid_s: float) -> str:
        """An address of a task list that needs no header, for a while."""
        expires = str(int(self.clock() + valid_s))
        parameters: dict[str, str] = {"state": query.state, "expires": expires, "s": self._signature(query, expires)}
        if query.batch:
            parameters = {"batch": query.batch, **parameters}
        # Label Studio (1.23.2) takes what follows the last dot of the whole address for the type of the file.
        parameters["name"] = f"tasks.{query.form}"
        return f"{base_url.rstrip('/')}/projects/{query.slug}/tasks.{query.form}?{urlencode(parameters)}"

    def _signature(self, query: ListQuery, expires: str) -> str:
        parts: Mapping[str, str] = {"slug": query.slug, "form": query.form, "batch": query.batch, "state": query.state}
        text = "\x1f".join(["task list", *parts.values(), expires])
        digest = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:_SIGNATURE_BYTES]).rstrip(b"=").decode()

    def _refused(self, request: Request, reason: str) -> Response:
        _log.warning("Refused %s %r: %s", request.method, request.url.path[:300], reason)
        hint = "Send LABELING_ASSETS_GATEWAY_TOKEN as a bearer token. The log of the media gateway says why."
        headers = {"WWW-Authenticate": 'Bearer realm="labeling_assets"'}
        return responses.error(401, "This needs the token of the media gateway.", hint, headers=headers)
