"""ApertureDB through its own client; the only module that imports the `aperturedb` library.

Every write that this package sends may be sent twice: the library re-sends a query whose reply was lost.
"""

import contextlib
import os
import socket
import struct
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from google.protobuf.message import DecodeError

from labeling_assets.clients.constraints import Condition, Dialect, Predicate
from labeling_assets.clients.query import Body, Query
from labeling_assets.errors import ConfigurationError, RefusedError, TransientError

Object = dict[str, Any]
RawQuery = list[dict[str, Body]] | str  # commands, or their JSON as text
_EXISTS = 2  # status of a conditional add that found its object


@dataclass(frozen=True, slots=True)
class Reply:
    """The answers of one query, in the order of its commands, and its blobs."""

    answers: tuple[Object, ...]
    blobs: tuple[bytes, ...]

    def objects(self, place: int) -> list[Object]:
        """What the Find command at `place` listed; empty when it found nothing."""
        answer = self.answers[place]
        listed = answer.get("entities", answer.get("connections"))
        return list(listed) if listed else []

    def count(self, place: int) -> int:
        """How many objects the command at `place` found, updated or deleted."""
        return int(self.answers[place].get("count", 0))

    def existed(self, place: int) -> bool:
        """The conditional add at `place` found its object and added nothing."""
        return bool(self.answers[place]["status"] == _EXISTS)


class ApertureDB:
    """A connection that any number of threads may share: each thread gets its own socket, all one session.

    Args:
        key: An ApertureDB key, as in the environment variable APERTUREDB_KEY.
        dialect: `auto` asks the server once.
    """

    def __init__(self, key: str, *, dialect: str = "auto") -> None:
        self._root = _connector(key)
        self.address = f"{self._root.host}:{self._root.port}"
        self._local = threading.local()
        self._lock = threading.Lock()
        # Weak, because the socket of a thread that ended is closed when its connector is collected.
        self._sockets: weakref.WeakSet[Any] = weakref.WeakSet()
        self._dialect = None if dialect == "auto" else Dialect(dialect)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every thread's socket."""
        with self._lock:
            for connector in list(self._sockets):
                _hang_up(connector)
            self._sockets.clear()
        self._local = threading.local()

    @property
    def dialect(self) -> Dialect:
        """The dialect that this server takes; the new one where it takes both."""
        if self._dialect is None:
            probe = Predicate("LS_key", "==", "dialect").render(Dialect.EXPRESSION)
            body = {"with_class": "LS_sync", "constraints": probe, "results": {"count": True}}
            answer, _ = self._send([{"FindEntity": body}], ())
            self._dialect = Dialect.EXPRESSION if isinstance(answer, list) else Dialect.LEGACY
        return self._dialect

    def run(self, query: Query) -> Reply:
        """Send a query; all of it happens, or nothing.

        Raises:
            TransientError: the server cannot be reached, or the connection broke; nothing is known of the query.
            RefusedError: the server refused the query and changed nothing; the message is the server's.
            ConfigurationError: user, password or token are wrong.
        """
        if not query.commands:
            return Reply((), ())
        answer, blobs = self._send(query.render(self.dialect), query.blobs)
        if not isinstance(answer, list):
            raise _refusal(self.address, answer, [name for name, _ in query.commands])
        answers = tuple(next(iter(command.values())) for command in answer)
        for (name, _), reply in zip(query.commands, answers, strict=True):
            if reply["status"] not in (0, 1, _EXISTS):
                raise _refusal(self.address, reply, [name])
        return Reply(answers, tuple(bytes(blob) for blob in blobs))

    def one(self, command: str, body: Body) -> Object:
        """Run a single command and return its answer."""
        query = Query()
        query.add(command, body)
        return self.run(query).answers[0]

    def find(
        self,
        command: str,
        condition: Condition | None,
        *,
        properties: Sequence[str],
        class_name: str | None = None,
        **body: Any,
    ) -> list[Object]:
        """The properties of every object that matches, page by page, in the order they were added."""
        found: list[Object] = []
        asked: Body = {"constraints": condition, "results": {"list": list(properties)}, **body}
        if condition is None:
            del asked["constraints"]
        if class_name is not None:
            asked["with_class"] = class_name
        limit = 5000
        while True:
            page = self.one(command, {**asked, "limit": limit, "offset": len(found)})
            rows = page.get("entities", page.get("connections")) or []
            found.extend(rows)
            if len(rows) < limit:
                return found

    def count(self, command: str, condition: Condition | None, *, class_name: str | None = None) -> int:
        """How many objects match."""
        body: Body = {"results": {"count": True}}
        if condition is not None:
            body["constraints"] = condition
        if class_name is not None:
            body["with_class"] = class_name
        return int(self.one(command, body)["count"])

    def check(self) -> Object:
        """GetStatus: proves address, credentials and that the server answers."""
        return self.one("GetStatus", {})

    def ask(self, commands: RawQuery, blobs: Sequence[bytes] = (), *, logged_in: bool = True) -> Any:
        """Send a query exactly as it is; the answer as it came, also a refusal, without its blobs."""
        if logged_in:
            return self._send(commands, blobs)[0]
        stranger = type(self._root)(config=self._root.config)
        stranger.should_authenticate = False
        try:
            return stranger.query(commands, list(blobs))[0]
        except Exception as error:  # as in _send
            raise _translated(self.address, error) from error
        finally:
            stranger.close()

    def _send(self, commands: RawQuery, blobs: Sequence[bytes]) -> tuple[Any, Sequence[bytes]]:
        connector = getattr(self._local, "connector", None)
        if connector is None:
            connector = self._local.connector = self._root.clone()
            with self._lock:
                self._sockets.add(connector)
        try:
            answer, received = connector.query(commands, list(blobs))
        # The library raises bare Exception for lost connections and for refused logins alike.
        except Exception as error:
            raise _translated(self.address, error) from error
        return answer, received


def _connector(key: str) -> Any:
    os.environ.setdefault("ADB_LOG_FILE", "")
    os.environ.setdefault("LOG_CONSOLE_LEVEL", "FATAL")
    import aperturedb  # noqa: F401  # sets up its logging from the two variables above
    from aperturedb.CommonLibrary import create_connector

    try:
        return create_connector(key=key)
    except Exception as error:
        raise ConfigurationError(
            "APERTUREDB_KEY is not a key of ApertureDB (base64 of a JSON list). "
            "Make one with `adb config create` and `adb config get_key`, or unset it to use the local server."
        ) from error


def _hang_up(connector: Any) -> None:
    """Close a socket even while another thread waits for its answer: closing alone does not wake that thread."""
    connection = getattr(connector, "conn", None)
    if isinstance(connection, socket.socket):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    connector.close()


def _translated(address: str, error: Exception) -> Exception:
    text = str(error)
    # A server or proxy that hangs up half-way shows as TypeError, struct.error or a protobuf error in the library.
    lost = isinstance(error, OSError | AttributeError | TypeError | struct.error | DecodeError)
    if "Could not query ApertureDB" in text or lost:
        return TransientError(
            f"ApertureDB at {address} cannot be reached. Is it running, and does APERTUREDB_KEY name it? "
            "(local server: labeling-assets up, or labeling-assets aperturedb serve)"
        )
    if "accept protocol" in text:
        return ConfigurationError(
            f"ApertureDB at {address} refused the protocol: does it want TLS? Check use-ssl in APERTUREDB_KEY."
        )
    return ConfigurationError(
        f"ApertureDB at {address} refused the login: {text}. Check the credentials in APERTUREDB_KEY."
    )


def _refusal(address: str, answer: object, commands: list[str]) -> RefusedError:
    info = answer.get("info", answer) if isinstance(answer, dict) else answer
    status = answer.get("status") if isinstance(answer, dict) else None
    named = ", ".join(dict.fromkeys(commands))
    return RefusedError(f"ApertureDB at {address} refused {named} (status {status}): {info}", status)
