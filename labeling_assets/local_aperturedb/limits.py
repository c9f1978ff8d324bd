"""What one client may take from the server, so that there is something left for the others."""

import resource
from dataclasses import dataclass
from typing import Final

from labeling_assets.local_aperturedb.errors import LocalServerError

# Open files that are no connections: the database with its readers, blobs, the log.
_OTHER_FILES: Final = 256
_LARGEST_MESSAGE: Final = 2**31 - 1  # of protobuf


@dataclass(frozen=True, slots=True)
class Limits:
    """`message_bytes` is the largest request and the largest answer.

    A connection is closed after `idle_seconds` without a request, and after `stall_seconds` without a byte in the
    middle of one. With `connections` open, a new one takes the place of the one that has waited longest.
    """

    message_bytes: int = 256 * 2**20
    connections: int = 2000
    idle_seconds: float = 3600
    stall_seconds: float = 60

    def __post_init__(self) -> None:
        if not 0 < self.message_bytes <= _LARGEST_MESSAGE:
            raise LocalServerError(f"the largest message must have 1 to {_LARGEST_MESSAGE} bytes")
        if self.connections < 1 or self.idle_seconds <= 0 or self.stall_seconds <= 0:
            raise LocalServerError("the limits of connections and seconds must be above 0")


def allow_open_files(connections: int) -> None:
    """Raise what this process may open, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def possible_connections(connections: int) -> int:
    """As many of them as this process can have open and still read its files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return connections
    return max(1, min(connections, soft - min(_OTHER_FILES, soft // 2)))
