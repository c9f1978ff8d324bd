"""Bodies of the type multipart/form-data."""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as Headers
from email.parser import BytesHeaderParser
from typing import Final

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.errors import QueryError

_LONGEST_HEADERS: Final = 4096
_PADDING: Final = b" \t"


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    content: bytes


def parts(body: bytes | bytearray, boundary: str) -> Iterator[Part]:
    """The parts in their order. Raises QueryError for a body that is cut off or malformed."""
    delimiter = b"\r\n--" + boundary.encode("latin-1")
    # The first delimiter may stand at the very beginning, without the line break that belongs to the others.
    begin = 0 if body.startswith(delimiter[2:]) else _find(body, delimiter, 0) + 2
    at = _after(body, begin + len(delimiter) - 2)
    while at is not None:
        end = _find(body, delimiter, at)
        yield _part(body, at, end)
        at = _after(body, end + len(delimiter))


def _after(body: bytes | bytearray, at: int) -> int | None:
    """Where the part behind a delimiter begins, None behind the last."""
    if body[at : at + 2] == b"--":
        return None
    while at < len(body) and body[at] in _PADDING:
        at += 1
    if body[at : at + 2] != b"\r\n":
        raise QueryError(messages.MALFORMED_MULTIPART)
    return at + 2


def _find(body: bytes | bytearray, wanted: bytes, start: int) -> int:
    found = body.find(wanted, start)
    if found < 0:
        raise QueryError(messages.MALFORMED_MULTIPART)
    return found


def _part(body: bytes | bytearray, start: int, end: int) -> Part:
    split = body.find(b"\r\n\r\n", start, min(end, start + _LONGEST_HEADERS))
    if split < 0:
        raise QueryError(messages.MALFORMED_MULTIPART)
    headers: Headers = BytesHeaderParser().parsebytes(bytes(body[start:split]))
    name = headers.get_param("name", header="content-disposition")
    if headers.get_content_disposition() != "form-data" or not isinstance(name, str):
        raise QueryError(messages.MALFORMED_MULTIPART)
    return Part(name, bytes(body[split + 4 : end]))
