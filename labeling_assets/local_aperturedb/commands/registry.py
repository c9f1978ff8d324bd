"""What a command declares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labeling_assets.local_aperturedb.arguments import Arguments, Parameters
from labeling_assets.local_aperturedb.run import Run

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """`blobs` is how many blobs of the query the command takes."""

    name: str
    run: Callable[[Run, Arguments], Answer]
    parameters: Parameters
    writes: bool = False
    blobs: int = 0
