"""Downloads from public addresses only: what somebody pushes must not make the gateway read its own network.

A name is resolved once, every address that it has is checked, and the connection is made to one of those that were
checked: a name that means something else a moment later leads nowhere else. Redirects are requests of their own.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import httpx

from labeling_assets.errors import InputError
from labeling_assets.settings import Network

Resolve = Callable[..., Sequence[tuple[Any, ...]]]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_TIMEOUT_S: Final = 20.0  # without a byte
DOWNLOAD_S: Final = 200.0  # for all of a download: a server may send a byte now and then for ever
_PORTS: Final = {"http": 80, "https": 443}
# The only part of IPv6 that is given out; the rest leads to this machine, this network, or an IPv4 address in disguise.
_GLOBAL_IPV6: Final = ipaddress.ip_network("2000::/3")


def public_client(allowed: Sequence[Network] = (), *, tls: ssl.SSLContext | None = None) -> httpx.Client:
    """A client for addresses that somebody pushed; no proxy of the environment, which would resolve names itself.

    To read the certificates for `tls` takes 20 ms, so it can be made once for many clients.
    """
    return httpx.Client(transport=PublicTransport(allowed, tls=tls), timeout=_TIMEOUT_S, follow_redirects=True)


class PublicTransport(httpx.BaseTransport):
    """Refuses a request with InputError if an address of its host is not public, and not in an allowed network.

    Args:
        allowed: Networks that are fine all the same.
        tls: What certificates must be; httpx's own if it is left out.
        resolve: As `socket.getaddrinfo`.
        clock: Seconds, for the limit of a download.
    """

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = socket.getaddrinfo,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed, self._resolve, self._clock = allowed, resolve, clock
        # Connections are known by their address. Kept open, one could be used for another name on the same server.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._transport = httpx.HTTPTransport(verify=tls or httpx.create_ssl_context(), limits=limits)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Connect to the addresses of the host, one after the other, until one takes the connection."""
        refused: httpx.TransportError | None = None
        for address in self._addresses(request):
            try:
                answer = self._transport.handle_request(_to(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                refused = error
                continue
            assert isinstance(answer.stream, httpx.SyncByteStream)
            answer.stream = _InTime(answer.stream, request.url.host, self._clock)
            return answer
        raise refused or httpx.ConnectError("the name has no address", request=request)

    def close(self) -> None:
        self._transport.close()

    def _addresses(self, request: httpx.Request) -> list[str]:
        host = request.url.host
        if request.url.scheme not in _PORTS or not host:
            raise httpx.UnsupportedProtocol(f"{request.url.scheme!r} is neither http nor https", request=request)
        port = request.url.port or _PORTS[request.url.scheme]
        try:
            found = self._resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"the name cannot be resolved: {error}", request=request) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for text in addresses:
            if not self._is_fine(ipaddress.ip_address(text)):
                raise InputError(
                    f"{host!r} leads to an address that is not public: use a public one, or allow its network in "
                    "LABELING_ASSETS_PUSH_NETWORKS."
                )
        return addresses

    def _is_fine(self, address: _Address) -> bool:
        return is_public(address) or any(
            address in network for network in self._allowed if network.version == address.version
        )


class _InTime(httpx.SyncByteStream):
    """A body that ends with InputError when it takes too long as a whole."""

    def __init__(self, stream: httpx.SyncByteStream, host: str, clock: Callable[[], float]) -> None:
        self._stream, self._host, self._clock = stream, host, clock
        self._deadline = clock() + DOWNLOAD_S

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            if self._clock() > self._deadline:
                raise InputError(f"{self._host!r} took longer than {DOWNLOAD_S:g} s: push the file itself.")
            yield piece

    def close(self) -> None:
        self._stream.close()


def is_public(address: _Address) -> bool:
    """Whether it can be reached from anywhere, and belongs to one machine."""
    if address.is_multicast or not address.is_global:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    return address in _GLOBAL_IPV6 and address.sixtofour is None and address.teredo is None


def _to(request: httpx.Request, address: str) -> httpx.Request:
    """The same request to an address; name and certificate of the server stay those of the URL."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,  # with the Host of the URL
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
