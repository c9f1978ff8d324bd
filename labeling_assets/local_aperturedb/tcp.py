"""The protocol of frames, plain or inside TLS on the same port."""

import ssl
from collections.abc import Callable

from labeling_assets.local_aperturedb import messages, wire
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.peer import Peer
from labeling_assets.local_aperturedb.query import failure
from labeling_assets.local_aperturedb.wire import Message


class FrameProtocol:
    """Serves one connection when called. The client's greeting asks for TLS or not; without `tls` only plain."""

    def __init__(self, answer: Callable[[Message], Message], *, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls

    def __call__(self, peer: Peer) -> None:
        if self._greet(peer):
            frames = wire.FrameReader(peer.socket, limit=peer.limits.message_bytes)
            while self._serve_one(peer, frames):
                pass

    def _greet(self, peer: Peer) -> bool:
        peer.socket.settimeout(peer.limits.stall_seconds)
        allowed = wire.PROTOCOL_TCP if self._tls is None else wire.PROTOCOL_TCP | wire.PROTOCOL_TLS
        agreed = wire.negotiate(peer.socket, allowed=allowed)
        if self._tls is not None and agreed & wire.PROTOCOL_TLS:
            peer.start_tls(self._tls)
        return bool(agreed)

    def _serve_one(self, peer: Peer, frames: wire.FrameReader) -> bool:
        """Whether to go on."""
        if not peer.wait(frames.wait):
            return False
        try:
            payload = frames.read()
        except wire.FrameTooLarge as error:
            text = messages.MESSAGE_TOO_LARGE.format(size=error.size, limit=peer.limits.message_bytes)
            wire.write_message(peer.socket, failure(QueryError(text)))
            peer.linger(error.unread)
            return False
        if payload is None or not peer.begin():
            return False
        try:
            request = wire.decode(payload)
            del payload  # a large request is in memory once while it runs, not twice
            answer = self._answer(request)
        except QueryError as error:
            answer = failure(error)
        wire.write_message(peer.socket, answer)
        peer.done()
        return not peer.is_over
