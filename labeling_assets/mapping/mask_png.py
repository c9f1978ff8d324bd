"""Masks as PNG: grey in ApertureDB, black on transparent in Label Studio."""

import base64
import io
import re
import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

# One byte of memory for each, here and in the outline.
MOST_PIXELS: Final = 100_000_000
_DATA_URL: Final = re.compile(r"data:image/png(?:;[^;,]*)*?;base64,", re.IGNORECASE)

Alpha = NDArray[np.uint8]


def grey_png(alpha: Alpha) -> bytes:
    """A PNG of 8-bit grey, the alpha (rows, columns).

    Written here because Pillow tries every filter for every row, which takes four times as long and makes files of
    masks larger.
    """
    height, width = alpha.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with the number of its filter: 0 is none
    rows[:, 1:] = alpha
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def read_grey_png(png: bytes) -> Alpha:
    """What `grey_png` was made of."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        return np.asarray(picture)


def from_data_url(url: str) -> bytes | None:
    """The bytes of a data URL of a PNG; None if it is none."""
    head = _DATA_URL.match(url)
    try:
        return base64.b64decode(url[head.end() :], validate=True) if head else None
    except ValueError:
        return None


def read_alpha(png: bytes) -> Alpha | str:
    """The alpha of a PNG of any kind, 255 where it has none; or why it cannot be read."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return f"the mask has more than {MOST_PIXELS // 1_000_000} megapixels"
            if not picture.has_transparency_data:
                return np.full((picture.height, picture.width), 255, np.uint8)
            with_alpha = picture if "A" in picture.getbands() else picture.convert("RGBA")
            return np.asarray(with_alpha.getchannel("A"))
    except UnidentifiedImageError:
        return "the bytes are no PNG"
    except (OSError, ValueError, SyntaxError, zlib.error, Image.DecompressionBombError) as exc:
        return f"the PNG cannot be read: {exc}"


def to_data_url(alpha: Alpha) -> str:
    """A PNG, black where `alpha` is not 0, as the editor writes it."""
    out = io.BytesIO()
    with_alpha = np.zeros((*alpha.shape, 2), np.uint8)
    with_alpha[..., 1] = alpha
    Image.fromarray(with_alpha).save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
