"""What the bytes of a medium are: type, size, orientation, length."""

import mimetypes
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

import puremagic

from labeling_assets.errors import InputError
from labeling_assets.sync.facts.av_facts import av_facts
from labeling_assets.sync.facts.document_facts import is_utf8, parsed_json, pdf_facts, text_facts, text_type
from labeling_assets.sync.facts.picture_facts import picture_facts
from labeling_assets.sync.facts.record import MediaFacts

_UNKNOWN: Final = "application/octet-stream"
_PDF: Final = "application/pdf"
# Containers of sound and pictures that are not named after either.
_CONTAINERS: Final = frozenset({"application/ogg", "application/mp4", "application/x-matroska"})
# Python knows these on some systems only, or takes them for something else.
_SUFFIXES: Final = {".csv": "text/csv", ".tsv": "text/tab-separated-values", ".geojson": "application/geo+json"}
_LOOKED_AT_BYTES: Final = 65536
# puremagic takes any text that begins with "BM" for a picture (confidence 0.2); `<html` has 0.5.
_SURE_ENOUGH_FOR_TEXT: Final = 0.4


def media_facts(data: bytes, name: str, *, picture_pixels: int | None = None) -> MediaFacts:
    """Facts of a medium; `name` is its file name or URL and helps only where the bytes do not tell.

    A picture with more than `picture_pixels` is refused before it is decoded; Pillow's own limit holds in any case.

    Raises:
        InputError: empty, not what its name says, or a picture, video, sound or PDF that cannot be read to its end.
    """
    if not data:
        raise InputError(f"{name} is empty (0 bytes): replace the file or remove the row.")
    mime = _mime_type(data, name)
    family = mime.partition("/")[0]
    if family == "image" and mime != "image/svg+xml":
        return picture_facts(data, name, mime, pixels=picture_pixels)
    if family in ("video", "audio") or mime in _CONTAINERS:
        return av_facts(data, name, mime)
    if mime == _PDF:
        return pdf_facts(data, name)
    return text_facts(data, name, mime) if text_type(mime) else MediaFacts("other", mime)


def _mime_type(data: bytes, name: str) -> str:
    path = PurePosixPath(urlsplit(name).path)
    by_name = _SUFFIXES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or _UNKNOWN
    if by_name == _UNKNOWN:
        return _sniffed(data)
    if text_type(by_name) and not is_utf8(data):  # a film that is called .txt is a film
        found = _sniffed(data)
        return found if found.startswith(("image/", "video/", "audio/")) or found == _PDF else by_name
    return by_name


def _sniffed(data: bytes) -> str:
    try:
        matches = puremagic.magic_string(data[:_LOOKED_AT_BYTES])
    except (puremagic.PureError, ValueError):
        matches = []
    text = is_utf8(data)
    for match in matches:
        if match.mime_type and (not text or match.confidence >= _SURE_ENOUGH_FOR_TEXT):
            return str(match.mime_type)
    if not text:
        return _UNKNOWN
    return "application/json" if _is_json(data) else "text/plain"


def _is_json(data: bytes) -> bool:
    """A number or a word alone would be JSON as well, but is meant as text."""
    if data.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        parsed_json(data)
    except ValueError:
        return False
    return True
