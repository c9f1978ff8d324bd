"""The `Range` header of a request, for one representation of known size (RFC 9110, section 14). No I/O."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

# More digits than any size has; int() itself refuses more than 4300.
_ONE_RANGE: Final = re.compile(r"bytes=[ \t]*([0-9]{0,100})-([0-9]{0,100})[ \t]*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `first` to `last`, both included, counted from 0."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Number of bytes, at least 1."""
        return self.last - self.first + 1


class NoPart(Enum):
    """What to send instead of one part."""

    WHOLE = "whole"  # no range, or one that a server may ignore
    UNSATISFIABLE = "unsatisfiable"  # status 416


def requested_part(header: str | None, size: int) -> Part | NoPart:
    """The part of `size` bytes that a `Range` header asks for.

    Several ranges, other units and what is not a range at all give the whole, as the standard allows.
    """
    found = _ONE_RANGE.match(header) if header else None
    if found is None or not any(found.groups()):
        return NoPart.WHOLE
    first, last = found.groups()
    if not first:
        return _suffix(int(last), size)
    if last and int(last) < int(first):
        return NoPart.WHOLE
    if int(first) >= size:
        return NoPart.UNSATISFIABLE
    return Part(int(first), min(int(last), size - 1) if last else size - 1)


def _suffix(length: int, size: int) -> Part | NoPart:
    if length == 0:
        return NoPart.UNSATISFIABLE
    # The last bytes of nothing are nothing, which Content-Range cannot say.
    return Part(max(size - length, 0), size - 1) if size else NoPart.WHOLE
