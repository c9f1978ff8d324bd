"""What the bytes of a medium are: type, size, orientation, length."""

import io
import mimetypes
from pathlib import PurePosixPath
from typing import BinaryIO, Final
from urllib.parse import urlsplit

import puremagic

from labeling_assets.errors import InputError
from labeling_assets.sync.facts.av_facts import av_facts
from labeling_assets.sync.facts.document_facts import byte_count, is_json, is_utf8, pdf_facts, text_facts, text_type
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
    return facts_of_file(io.BytesIO(data), name, picture_pixels=picture_pixels)


def facts_of_file(file: BinaryIO, name: str, *, picture_pixels: int | None = None) -> MediaFacts:
    """As `media_facts`, of an open file of any size, which is read piece by piece."""
    if not byte_count(file):
        raise InputError(f"{name} is empty (0 bytes): replace the file or remove the row.")
    mime = _mime_type(file, name)
    family = mime.partition("/")[0]
    if family == "image" and mime != "image/svg+xml":
        return picture_facts(file, name, mime, pixels=picture_pixels)
    if family in ("video", "audio") or mime in _CONTAINERS:
        return av_facts(file, name, mime)
    if mime == _PDF:
        return pdf_facts(file, name)
    return text_facts(file, name, mime) if text_type(mime) else MediaFacts("other", mime)


def _mime_type(file: BinaryIO, name: str) -> str:
    path = PurePosixPath(urlsplit(name).path)
    by_name = _SUFFIXES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or _UNKNOWN
    if by_name == _UNKNOWN:
        return _sniffed(file)
    if text_type(by_name) and not is_utf8(file):  # a film that is called .txt is a film
        found = _sniffed(file)
        return found if found.startswith(("image/", "video/", "audio/")) or found == _PDF else by_name
    return by_name


def _sniffed(file: BinaryIO) -> str:
    file.seek(0)
    try:
        matches = puremagic.magic_string(file.read(_LOOKED_AT_BYTES))
    except (puremagic.PureError, ValueError):
        matches = []
    text = is_utf8(file)
    for match in matches:
        if match.mime_type and (not text or match.confidence >= _SURE_ENOUGH_FOR_TEXT):
            return str(match.mime_type)
    if not text:
        return _UNKNOWN
    return "application/json" if is_json(file) else "text/plain"
