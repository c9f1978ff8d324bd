"""Facts of texts, pages, tables, JSON and PDF."""

import codecs
import io
import json
from typing import Any, BinaryIO, Final

from labeling_assets.errors import InputError
from labeling_assets.sync.facts.record import MediaFacts

_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_CSV: Final = frozenset({"text/csv", "text/tab-separated-values"})
_XML: Final = frozenset({"application/xml"})
# Parsing takes about ten times the size in memory; whoever has a larger one reads it through a link anyway.
_CHECKED_JSON_BYTES: Final = 32 * 2**20
_LOOKED_AT_BYTES: Final = 2048
_PIECE_BYTES: Final = 2**20


def text_type(mime: str) -> str | None:
    """text, html, csv or json; None for a MIME type that is no text."""
    if mime in _HTML:
        return "html"
    if mime in _CSV:
        return "csv"
    if mime == "application/json" or mime.endswith("+json"):
        return "json"
    return "text" if mime.startswith("text/") or mime in _XML else None


def is_utf8(file: BinaryIO) -> bool:
    """Whether all bytes are UTF-8 without NUL."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while piece := file.read(_PIECE_BYTES):
            if b"\x00" in piece:
                return False
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def is_json(file: BinaryIO) -> bool:
    """Whether all of it is an object or a list in JSON, and not huge; a number or a word alone is meant as text."""
    if byte_count(file) > _CHECKED_JSON_BYTES:
        return False
    file.seek(0)
    data = file.read()
    try:
        return data.lstrip()[:1] in (b"{", b"[") and parsed_json(data) is not None
    except ValueError:
        return False


def byte_count(file: BinaryIO) -> int:
    """How large an open file is."""
    return file.seek(0, io.SEEK_END)


def text_facts(file: BinaryIO, name: str, mime: str) -> MediaFacts:
    """Facts of a text of any type. Browsers read every text as UTF-8, so what is not counts as `other`.

    Raises:
        InputError: it is called JSON and is not.
    """
    media_type = text_type(mime) or "text"
    if not is_utf8(file):
        return MediaFacts("other", mime, warning=f"{mime}, but not in UTF-8: kept as other; save it as UTF-8")
    if media_type == "json" and byte_count(file) <= _CHECKED_JSON_BYTES:
        file.seek(0)
        try:
            parsed_json(file.read())
        except ValueError as error:
            raise InputError(
                f"{name} is not JSON ({error}): replace the file, or call it .txt if it is meant as text."
            ) from error
    return MediaFacts(media_type, mime)


def parsed_json(data: bytes) -> Any:
    """The value in a JSON file, with or without a byte order mark.

    Raises:
        ValueError: no JSON; NaN and Infinity are none, and nothing that is nested too deeply.
    """
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def pdf_facts(file: BinaryIO, name: str) -> MediaFacts:
    """Facts of a PDF. Its pages are unknown where it needs a password, or has no usable table of its objects.

    Raises:
        InputError: it is no PDF, or its end is missing.
    """
    mime = "application/pdf"
    file.seek(0)
    if b"%PDF-" not in file.read(_LOOKED_AT_BYTES):
        raise InputError(f"{name} is not a PDF, whatever its name says: replace the file or remove the row.")
    file.seek(max(0, byte_count(file) - _LOOKED_AT_BYTES))
    if b"%%EOF" not in file.read():
        raise InputError(f"{name} cannot be read to its end as a PDF: replace the file or remove the row.")
    from pypdf import PdfReader
    from pypdf.errors import FileNotDecryptedError

    try:
        return MediaFacts("pdf", mime, pages=PdfReader(file).get_num_pages())
    except FileNotDecryptedError:
        warning = "it needs a password, so its pages are unknown and annotators are asked for it: remove the password"
    # Browsers repair what pypdf gives up.
    except Exception as error:  # noqa: BLE001  # it raises anything: PdfReadError, KeyError, RecursionError
        warning = f"its pages could not be counted ({error}): check that annotators see them"
    return MediaFacts("pdf", mime, warning=warning)
