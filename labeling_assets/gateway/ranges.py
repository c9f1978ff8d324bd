"""The `Range` header of a request, for one representation of known size (RFC 9110, section 14). No I/O."""

import itertools
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

# More digits than any size has; int() itself refuses more than 4300.
_RANGE: Final = re.compile(r"([0-9]{0,100})-([0-9]{0,100})\Z")
_UNIT: Final = "bytes="
_BLANKS: Final = " \t"
# More are an attack or a mistake: each costs a header of its own in the answer.
_MOST_RANGES: Final = 16


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
    """What to send instead of parts."""

    WHOLE = "whole"  # no range, or one that a server may ignore
    UNSATISFIABLE = "unsatisfiable"  # status 416


def requested_parts(header: str | None, size: int) -> tuple[Part, ...] | NoPart:
    """The parts of `size` bytes that a `Range` header asks for, in its order; at least one.

    Other units, what is not a range at all, many ranges and ranges that overlap give the whole, as the standard
    allows (sections 14.2 and 17.15). Of several ranges those that lie outside are left out.
    """
    if header is None or header[: len(_UNIT)].lower() != _UNIT:
        return NoPart.WHOLE
    ranges = [text.strip(_BLANKS) for text in header[len(_UNIT) :].split(",", _MOST_RANGES)]
    found = [_RANGE.match(text) for text in ranges if text]  # a list may have empty elements (section 5.6.1)
    if not found or len(found) > _MOST_RANGES:
        return NoPart.WHOLE
    parts: list[Part] = []
    for match in found:
        part = _part(match, size)
        if part is NoPart.WHOLE:
            return part
        if isinstance(part, Part):
            parts.append(part)
    if not parts:
        return NoPart.UNSATISFIABLE
    return NoPart.WHOLE if _overlap(parts) else tuple(parts)


def _part(match: re.Match[str] | None, size: int) -> Part | NoPart:
    if match is None or not any(match.groups()):
        return NoPart.WHOLE
    first, last = match.groups()
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


def _overlap(parts: list[Part]) -> bool:
    ordered = sorted(parts, key=lambda part: part.first)
    return any(one.last >= other.first for one, other in itertools.pairwise(ordered))
