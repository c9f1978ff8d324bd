"""What a command declares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labeling_assets.local_aperturedb.arguments import Arguments, Parameters
from labeling_assets.local_aperturedb.run import Run

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """`blobs` is how many blobs of the query the command takes; one more if the parameter `blob_for` is given."""

    name: str
    run: Callable[[Run, Arguments], Answer]
    parameters: Parameters
    writes: bool = False
    blobs: int = 0
    blob_for: str | None = None

    def blob_count(self, given: Arguments) -> int:
        return self.blobs + (self.blob_for in given)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a query, its arguments checked; `one_read` when it is known to read the database only once."""

    place: str
    command: Command
    arguments: Arguments
    one_read: bool = False
