"""Files that web servers give: whole if they are small enough to be stored, else registered where they are."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import httpx
import tenacity

from labeling_assets.clients.s3 import request_url
from labeling_assets.errors import InputError, TransientError
from labeling_assets.media_sources import MediaSources
from labeling_assets.sync.batch_rows import shown_url
from labeling_assets.sync.register_media import Registered, check_address, only_registered, register_download

_LONGEST_PAUSE_S: Final = 10.0
# What a part can be asked of later, without the server's packing it first.
_PLAIN: Final = {"Accept-Encoding": "identity"}


class _Busy(Exception):
    """A web server that may answer later; `pause_s` is how long it wants to be left alone, if it says so."""

    def __init__(self, reason: str, pause_s: float | None) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


class Downloads:
    """Gets files, again and again where a server is busy. What is larger than `limit_bytes` is only registered."""

    def __init__(self, http: httpx.Client, limit_bytes: int, sources: MediaSources) -> None:
        self._http = http
        self._limit_bytes = limit_bytes
        self._sources = sources

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type((httpx.TransportError, _Busy)),
        stop=tenacity.stop_after_attempt(3),
        wait=lambda state: _pause(state),
        retry_error_callback=lambda state: _unreachable(state),
    )
    def get(self, url: str) -> bytes | Registered:
        """The bytes of the file at an address of http(s) or S3, or what is known of it once it has been read.

        Raises:
            InputError: there is no such file or server, or it may not be registered.
            TransientError: the server did not give it, and may do so later.
        """
        try:
            with self._http.stream("GET", request_url(url), headers=_PLAIN) as answer:
                reason = f"{answer.status_code} {answer.reason_phrase}"
                if answer.status_code in (408, 429) or answer.is_server_error:
                    raise _Busy(f"it answered {reason}", _retry_after(answer))
                if answer.status_code != httpx.codes.OK:
                    raise InputError(f"{shown_url(url)} answered {reason}: correct the URL or remove the row.")
                return self._received(answer, url)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise InputError(f"{shown_url(url)!r} is not an http or https address ({error}).") from error
        except (httpx.TooManyRedirects, httpx.DecodingError) as error:
            raise InputError(
                f"{shown_url(url)} cannot be downloaded ({error}): correct the URL or remove the row."
            ) from error

    def _received(self, answer: httpx.Response, url: str) -> bytes | Registered:
        received = bytearray()
        parts = answer.iter_bytes()
        for part in parts:
            received += part
            if len(received) > self._limit_bytes:
                return self._registered(answer, url, itertools.chain(_handed_over(received), parts))
        return bytes(received)

    def _registered(self, answer: httpx.Response, url: str, parts: Iterable[bytes]) -> Registered:
        try:
            check_address(answer, url, self._sources)
        except InputError as error:
            raise only_registered(self._limit_bytes, error) from error
        return register_download(self._http, answer, url, parts=parts)


def _handed_over(received: bytearray) -> Iterator[bytes]:
    """What was received so far, which then takes no memory any more."""
    yield bytes(received)
    received.clear()


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.pause_s if isinstance(error, _Busy) else None
    return min(0.5 * 2.0 ** (state.attempt_number - 1) if asked is None else asked, _LONGEST_PAUSE_S)


def _retry_after(answer: httpx.Response) -> float | None:
    """The header in seconds; its other form, a date, is as good as none."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _unreachable(state: tenacity.RetryCallState) -> bytes:
    error = state.outcome.exception() if state.outcome else None
    url = shown_url(state.args[1])
    if isinstance(error, httpx.ConnectError):  # no such host, or nobody listens there: most likely a wrong address
        raise InputError(f"{url} cannot be reached ({error}): check the address and the network.") from error
    raise TransientError(
        f"{url} did not give the file ({error or type(error).__name__}): it may do so later."
    ) from error
