"""Objects of S3, and of stores that speak its protocol, for httpx: `s3://bucket/key` is an address as any other.

Credentials, region and the address of the store are those of boto3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a
profile or a role; AWS_REGION; AWS_ENDPOINT_URL_S3 for another store. Requests are signed here, for each a new address
that opens for some minutes; it is never shown: answers and errors have the `s3:` address.
"""

import asyncio
import os
import re
import threading
from typing import Any, Final
from urllib.parse import quote

import httpx

from labeling_assets.errors import ConfigurationError, InputError

SCHEME: Final = "s3"
MOUNT: Final = "s3://"  # the key of `mounts` in a client of httpx
_OPENS_S: Final = 900
_ADDRESS: Final = re.compile(r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,254})/(?P<key>.+)\Z", re.DOTALL)
_CODE: Final = re.compile(rb"<Code>([A-Za-z0-9.]{1,80})</Code>")
_NO_CREDENTIALS: Final = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, for Dagster and for the media gateway"
)


def is_s3(uri: str) -> bool:
    """Whether an address is one of S3."""
    return uri.startswith(MOUNT)


def request_url(uri: str) -> str:
    """An address as httpx takes it. The key of an `s3:` address is meant as it stands, so nothing in it is encoded yet.

    Raises:
        InputError: it is an `s3:` address without bucket or key, or with a step such as '..' in its key.
    """
    if not is_s3(uri):
        return uri
    parts = _ADDRESS.match(uri)
    if parts is None:
        raise InputError(f"{uri[:300]!r} is no address in S3: write s3://bucket/key.")
    if any(step in (".", "..") for step in parts["key"].split("/")):
        raise InputError(f"{uri[:300]!r} has '.' or '..' as a step of its key, which no address over HTTP can have.")
    return f"{MOUNT}{parts['bucket']}/{quote(parts['key'], safe='/')}"


class S3Transport(httpx.BaseTransport):
    """Sends requests for `s3:` addresses to the store, signed. For `mounts` of a client."""

    def __init__(self) -> None:
        self._signer = _Signer()
        self._inner: httpx.HTTPTransport | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The store's answer. An error has the store's own code as its reason, such as NoSuchKey.

        Raises:
            ConfigurationError: there are no credentials.
        """
        if self._inner is None:
            self._inner = httpx.HTTPTransport()
        try:
            answer = self._inner.handle_request(self._signer.signed(request))
        except httpx.HTTPError as error:
            error.request = request  # its own has the signed address
            raise
        if answer.status_code < 300:
            return _marked(answer)
        try:
            return _refusal(answer, answer.read())
        finally:
            answer.close()

    def close(self) -> None:
        """Hang up."""
        if self._inner is not None:
            self._inner.close()


class AsyncS3Transport(httpx.AsyncBaseTransport):
    """The same for an asynchronous client."""

    def __init__(self, *, limits: httpx.Limits) -> None:
        self._signer = _Signer()
        self._limits = limits
        self._inner: httpx.AsyncHTTPTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `S3Transport`."""
        if self._inner is None:
            self._inner = httpx.AsyncHTTPTransport(limits=self._limits)
        # Credentials of a role are asked for over the network, now and then.
        signed = await asyncio.to_thread(self._signer.signed, request)
        try:
            answer = await self._inner.handle_async_request(signed)
        except httpx.HTTPError as error:
            error.request = request
            raise
        if answer.status_code < 300:
            return _marked(answer)
        try:
            return _refusal(answer, await answer.aread())
        finally:
            await answer.aclose()

    async def aclose(self) -> None:
        """Hang up."""
        if self._inner is not None:
            await self._inner.aclose()


class _Signer:
    """Makes signed requests. The client of boto3 is made at the first one: its import takes a third of a second."""

    def __init__(self) -> None:
        self._client: Any = None
        self._lock = threading.Lock()

    def signed(self, request: httpx.Request) -> httpx.Request:
        """The request for the store, with the same method and headers.

        Raises:
            ConfigurationError: there are no credentials.
        """
        from botocore.exceptions import BotoCoreError

        target = {"Bucket": request.url.host, "Key": request.url.path.removeprefix("/")}
        try:
            with self._lock:
                self._client = self._client or _client()
                url = self._client.generate_presigned_url("get_object", Params=target, ExpiresIn=_OPENS_S)
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError(f"{request.url} cannot be asked for ({error}): {_NO_CREDENTIALS}.") from error
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"host"]
        return httpx.Request(request.method, url, headers=headers, extensions=request.extensions)


def _client() -> Any:
    import boto3
    from botocore.config import Config

    # Other stores than that of Amazon seldom have a host name for each bucket.
    own_store = bool(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
    config = Config(signature_version="s3v4", s3={"addressing_style": "path" if own_store else "virtual"})
    # Of itself boto3 reads AWS_DEFAULT_REGION only, unlike Amazon's other libraries.
    return boto3.session.Session(region_name=os.environ.get("AWS_REGION")).client("s3", config=config)


def _marked(answer: httpx.Response) -> httpx.Response:
    """Some stores, such as rclone, say 200 to a part of an object."""
    if answer.status_code == httpx.codes.OK and "content-range" in answer.headers:
        answer.status_code = httpx.codes.PARTIAL_CONTENT
    return answer


def _refusal(answer: httpx.Response, body: bytes) -> httpx.Response:
    """An error or a redirect without its body; nobody follows it, as what is signed is for one host."""
    code = _CODE.search(body)
    extensions = {"reason_phrase": code[1]} if code else {}
    headers = {name: value for name, value in answer.headers.items() if name == "retry-after"}
    return httpx.Response(answer.status_code, headers=headers, extensions=extensions)
