"""Images: their size, their format, cutting and re-encoding. The only module that imports Pillow."""

import io
import struct
import warnings
from typing import Any, Final

from PIL import Image, UnidentifiedImageError

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.errors import QueryError

FORMATS: Final = {"jpg": "JPEG", "png": "PNG"}  # what `format` and `as_format` may name
_READABLE: Final = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
_JPEG_QUALITY: Final = 95
# What Pillow raises for broken files, depending on the format.
_BROKEN: Final = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
)

Rectangle = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom are outside


def image_size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels, as stored (an orientation tag changes nothing). Raises QueryError."""
    try:
        with _open(content) as image:
            size: tuple[int, int] = image.size
            image.verify()
    except _BROKEN as error:
        raise QueryError(messages.BAD_IMAGE.format(reason=error)) from error
    return size


def encoded(content: bytes, form: str) -> bytes:
    """The same picture as `jpg` or `png`."""
    return _recode(content, FORMATS[form], box=None)


def cut(content: bytes, box: Rectangle, *, form: str | None = None) -> bytes:
    """A part of a picture, in its own format unless `form` says another."""
    return _recode(content, FORMATS[form] if form else None, box=box)


def _open(content: bytes) -> Any:
    with warnings.catch_warnings():
        # A large picture is no reason for a warning on the console of the server.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(content), formats=_READABLE)


def _recode(content: bytes, form: str | None, *, box: Rectangle | None) -> bytes:
    buffer = io.BytesIO()
    try:
        with _open(content) as image:
            form = form or image.format
            part = image.crop(box) if box else image
            if form == "JPEG" and part.mode not in ("L", "RGB", "CMYK"):
                part = part.convert("RGB")
            options = {"quality": _JPEG_QUALITY} if form == "JPEG" else {}
            part.save(buffer, form, **options)
    except _BROKEN as error:
        raise QueryError(messages.BAD_IMAGE.format(reason=error)) from error
    return buffer.getvalue()
