"""One HTTP connection to Label Studio: authentication, retries, counting, errors. Knows no end point but the token's.

A read is repeated after a lost connection, 408, 429, 5xx. A write is repeated only when the server cannot have done
it (no connection, 429): nothing in Label Studio is an upsert, and a time-out here does not stop the server there.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, Final

import httpx
import tenacity

from labeling_assets.clients.label_studio_tokens import Credential, credential
from labeling_assets.errors import ConfigurationError, LabelingAssetsError, RefusedError, TransientError

OnRequest = Callable[[str, str, int, float], None]

_ATTEMPTS: Final = 5
_LONGEST_WAIT_S: Final = 60.0
_BACK_OFF: Final = tenacity.wait_exponential(multiplier=0.5, max=8) + tenacity.wait_random(0, 0.5)
_CONNECT_TIMEOUT_S: Final = 10.0
_SHOWN_CHARACTERS: Final = 2000
_PASSING_STATUS: Final = frozenset({408, 429, 500, 502, 503, 504})
# Label Studio answers 500 with the text of whatever exception: mostly our mistake ("time data ... does not match
# format"), to be repeated only when it is the database's trouble.
_PASSING_TEXT: Final = re.compile(r"database is locked|connection|deadlock|timed? ?out|too many clients", re.IGNORECASE)
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class MaybeDoneError(TransientError):
    """A write without an answer: it may have been done, or be done in a moment. Look before sending it again."""


class _NotDoneError(TransientError):
    """Certainly not done, so that even a write may be repeated; not before `after_s` seconds."""

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class Connection:
    """Thread-safe. `url` may have a path; `api_key` is a personal access token or a legacy token."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        on_request: OnRequest | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = _checked_url(url)
        self.request_count = 0
        self._credential: Credential = credential(api_key, fetch=self._fetch_token, clock=clock)
        self._on_request = on_request
        self._sleep = sleep
        self._clock = clock
        self._counting = threading.Lock()
        self._http = httpx.Client(
            base_url=self.url,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S)),
            transport=transport,
            # A proxy of the environment is not for a server on this machine.
            trust_env=not re.match(r"http://(127\.|localhost[:/]|localhost$)", self.url),
        )

    @property
    def refresh_count(self) -> int:
        """How many access tokens were fetched; `request_count` does not include them."""
        return self._credential.fetched

    def authorization(self) -> str:
        """The value of the header `Authorization`, fresh."""
        return self._credential.header()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON of the answer. Raises TransientError after five attempts, RefusedError, ConfigurationError."""
        return self._repeated("GET", path, {"params": params})

    def write(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The JSON of the answer, None when it has none.

        Raises MaybeDoneError when nobody knows whether it was done, otherwise what `get` raises.
        """
        content: dict[str, Any] = {"params": params, "json": body}
        if timeout_s is not None:
            content["timeout"] = httpx.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S)
        return self._repeated(method, path, content)

    def download(
        self, path: str, file: IO[bytes], *, params: Mapping[str, Any] | None = None, timeout_s: float
    ) -> None:
        """Write the body of the answer to `file` as it comes. Not repeated; raises what `get` raises."""
        began, status = self._clock(), 0
        header = {"Authorization": self._credential.header()}
        timeout = httpx.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S)
        try:
            with self._http.stream("GET", path, params=params, headers=header, timeout=timeout) as response:
                status = response.status_code
                if response.is_success:
                    for part in response.iter_bytes():
                        file.write(part)
                    return
                response.read()
            self._read(response, f"GET {path}")
        except httpx.TransportError as error:
            raise self._lost("GET", path, error) from error
        finally:
            self._count("GET", path, status, began)

    def _repeated(self, method: str, path: str, content: dict[str, Any]) -> Any:
        repeated = TransientError if method == "GET" else _NotDoneError
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(repeated),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        return attempts(self._once, method, path, content)

    def _once(self, method: str, path: str, content: dict[str, Any]) -> Any:
        header = self._credential.header()
        response = self._send(method, path, content, header)
        if response.status_code == httpx.codes.UNAUTHORIZED and self._credential.discard(header):
            response = self._send(method, path, content, self._credential.header())
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise ConfigurationError(f"Label Studio at {self.url} {self._credential.refusal(_text(response))}")
        return self._read(response, f"{method} {path}")

    def _send(self, method: str, path: str, content: dict[str, Any], header: str) -> httpx.Response:
        began = self._clock()
        status = 0
        try:
            response = self._http.request(method, path, headers={"Authorization": header}, **content)
            status = response.status_code
        except httpx.TransportError as error:
            raise self._lost(method, path, error) from error
        finally:
            self._count(method, path, status, began)
        return response

    def _count(self, method: str, path: str, status: int, began: float) -> None:
        with self._counting:
            self.request_count += 1
        if self._on_request:
            self._on_request(method, path, status, self._clock() - began)

    def _lost(self, method: str, path: str, error: httpx.TransportError) -> LabelingAssetsError:
        reason = str(error) or type(error).__name__
        if isinstance(error, httpx.UnsupportedProtocol):
            return ConfigurationError(f"LABEL_STUDIO_URL {self.url}: {reason}")
        if isinstance(error, _NOT_SENT):
            return _NotDoneError(f"Label Studio at {self.url} cannot be reached ({reason}). Is it running?")
        message = f"Label Studio at {self.url} did not answer {method} {path} ({reason})."
        if method == "GET":
            return TransientError(f"{message} Try again later; if it stays so, look at its log.")
        return MaybeDoneError(f"{message} It may have been done: look before sending it again.")

    def _read(self, response: httpx.Response, request: str) -> Any:
        status = response.status_code
        if response.is_success:
            return self._json(response)
        if response.is_redirect:
            target = response.headers.get("location", "?")
            raise ConfigurationError(
                f"{self.url} sends {request} on to {target}: set LABEL_STUDIO_URL to that address."
            )
        text = _text(response)
        message = f"Label Studio at {self.url} answered {status} to {request}: {text[:_SHOWN_CHARACTERS]}"
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise _NotDoneError(message, _retry_after_s(response))
        if status not in _PASSING_STATUS or (status == 500 and _is_our_mistake(response)):
            raise RefusedError(message, status)
        raise (TransientError if request.startswith("GET ") else MaybeDoneError)(message)

    def _json(self, response: httpx.Response) -> Any:
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            what = response.headers.get("content-type", "something")
            raise ConfigurationError(f"{self.url} answers {what} instead of JSON: is it a Label Studio?") from error

    def _fetch_token(self, refresh: str) -> str:
        """An access token. Raises ConfigurationError when the personal access token is refused."""
        try:
            response = self._http.post("/api/token/refresh/", json={"refresh": refresh})
        except httpx.TransportError as error:
            raise _NotDoneError(f"Label Studio at {self.url} cannot be reached ({error}). Is it running?") from error
        if response.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise ConfigurationError(f"Label Studio at {self.url} {self._credential.refusal(_text(response))}")
        if response.status_code in _PASSING_STATUS:
            raise _NotDoneError(f"Label Studio at {self.url} gave no access token: {_text(response)}")
        answer = self._read(response, "POST /api/token/refresh/")
        return str(answer["access"])


def _checked_url(url: str) -> str:
    if not re.match(r"https?://[^/\s]+", url):
        raise ConfigurationError(f"LABEL_STUDIO_URL must look like http://host:8080, not {url!r}")
    return url.rstrip("/")


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    least = error.after_s if isinstance(error, _NotDoneError) else 0.0
    return min(max(least, _BACK_OFF(state)), _LONGEST_WAIT_S)


def _retry_after_s(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0


def _is_our_mistake(response: httpx.Response) -> bool:
    detail = _error(response).get("detail")
    return isinstance(detail, str) and bool(detail) and not _PASSING_TEXT.search(detail)


def _error(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {"detail": json.dumps(body)}


def _text(response: httpx.Response) -> str:
    """What the server says is wrong, on one line."""
    error = _error(response)
    problems = error.get("validation_errors")
    if problems:
        return json.dumps(problems, ensure_ascii=False)
    return str(error.get("detail") or " ".join(response.text.split())[:200] or response.reason_phrase)
