"""What the bytes of a medium are: type, size, orientation."""

import io
import mimetypes
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

import puremagic
from PIL import Image, UnidentifiedImageError

from labeling_assets.errors import InputError

_EXIF_ORIENTATION: Final = 0x0112
# What browsers or Label Studio show, and TIFF. Pillow would also open EPS, which runs Ghostscript.
_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "ICO")
_PICTURE_TYPES: Final = frozenset(
    f"image/{name}"
    for name in ("jpeg", "jpg", "png", "gif", "webp", "bmp", "x-ms-bmp", "tiff", "avif", "x-icon", "vnd.microsoft.icon")
)
_TEXT_TYPES: Final = frozenset({"application/json", "application/xml", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Facts read from bytes. `width`, `height` in pixels of the stored bytes; `orientation` is EXIF's, 1 to 8.

    `media_type` is image, video, audio, text or other; the last three are stored as blobs.
    """

    media_type: str
    mime_type: str
    width: int | None = None
    height: int | None = None
    orientation: int = 1


def media_facts(data: bytes, name: str) -> MediaFacts:
    """Facts of a medium; `name` is its file name or URL and helps only where the bytes do not tell.

    Raises:
        InputError: empty, or a picture that cannot be read to its end.
    """
    if not data:
        raise InputError(f"{name} is empty (0 bytes): replace the file or remove the row.")
    mime = _mime_type(data, name)
    kind = mime.partition("/")[0]
    if kind == "image" and mime != "image/svg+xml":
        return _picture(data, name, mime)
    if kind in ("video", "audio"):
        return MediaFacts(kind, mime)
    if kind == "text" or mime in _TEXT_TYPES:
        return MediaFacts("text", mime) if _is_utf8(data) else MediaFacts("other", mime)
    return MediaFacts("other", mime)


def _mime_type(data: bytes, name: str) -> str:
    by_name = mimetypes.guess_type(PurePosixPath(urlsplit(name).path).name)[0]
    if by_name and by_name.partition("/")[0] in ("image", "video", "audio", "text"):
        return by_name
    try:
        found = puremagic.from_string(data[:65536], mime=True)
    except (puremagic.PureError, ValueError):
        found = ""
    return by_name or found or ("text/plain" if _is_utf8(data) else "application/octet-stream")


def _picture(data: bytes, name: str, mime: str) -> MediaFacts:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            picture.load()  # a truncated file opens well and fails only here
            found = picture.get_format_mimetype() or "application/octet-stream"
            turned = int(picture.getexif().get(_EXIF_ORIENTATION, 1) or 1)
            width, height = picture.size
    except UnidentifiedImageError as error:
        if mime not in _PICTURE_TYPES:  # HEIC, PSD and others that no browser shows
            return MediaFacts("other", mime)
        raise InputError(
            f"{name} is not a picture, whatever its name says: replace the file or remove the row."
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{name} has too many pixels ({error}): make it smaller or cut it up.") from error
    # Third-party decoders raise anything: RuntimeError (AVIF), NotImplementedError, struct.error, IndexError.
    except Exception as error:
        raise InputError(
            f"{name} cannot be read to its end as a picture ({error}): replace the file or remove the row."
        ) from error
    return MediaFacts("image", found, width, height, turned if 1 <= turned <= 8 else 1)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\x00" not in data
