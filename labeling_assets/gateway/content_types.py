"""Content types of media: what ApertureDB recorded, or what the bytes look like. No I/O."""

import codecs
import re
from collections.abc import Iterable
from typing import Final, Literal

Family = Literal["image", "video"]
UNKNOWN: Final = "application/octet-stream"

_CONTENT_TYPE: Final = re.compile(r'[\w.+-]+/[\w.+-]+(?:[ \t]*;[ \t]*[\w.+-]+=(?:[\w.+-]+|"[ !#-~]*"))*\Z', re.ASCII)
_LOOKED_AT_BYTES: Final = 8192
# puremagic takes any text that begins with "BM" for a picture (confidence 0.2); `%PDF` and `<html` have 0.4 and more.
_SURE_ENOUGH_FOR_TEXT: Final = 0.4


def recorded(value: object) -> str | None:
    """A recorded type that can go into a header; None for anything else."""
    return value if isinstance(value, str) and _CONTENT_TYPE.match(value) else None


def sniffed(data: bytes, family: Family | None) -> str:
    """What the bytes look like; `family` is what ApertureDB knows already, None for a Blob."""
    import puremagic

    try:
        matches = puremagic.magic_string(data)
    except (LookupError, ValueError):  # nothing matches, or no bytes at all
        matches = []
    text = _begins_as_text(data)
    for match in matches:
        fits = match.mime_type.startswith(f"{family}/") if family else bool(match.mime_type)
        if fits and (not text or match.confidence >= _SURE_ENOUGH_FOR_TEXT):
            return str(match.mime_type)
    return "text/plain" if text and family is None else UNKNOWN


def lacks_charset(content_type: str) -> bool:
    """True for a text whose character encoding only its bytes can tell."""
    return content_type.lower().startswith("text/") and "charset=" not in content_type.lower()


def with_charset(content_type: str, pieces: Iterable[bytes]) -> str:
    """The type of a text with its encoding, if that is UTF-8; any other type as it is, without a look at the pieces."""
    if not lacks_charset(content_type) or not _is_utf8(pieces):
        return content_type
    return f"{content_type}; charset=utf-8"


def _is_utf8(pieces: Iterable[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces:
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _begins_as_text(data: bytes) -> bool:
    head = data[:_LOOKED_AT_BYTES]
    if not head or b"\0" in head:
        return False
    try:
        # Not final: the head may end inside a character.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
