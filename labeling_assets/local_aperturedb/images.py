"""Images: their size, their format, cutting, changing and re-encoding. The only module that imports Pillow."""

import contextlib
import io
import struct
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

from PIL import Image, UnidentifiedImageError

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.operations import Operation

FORMATS: Final = {"jpg": "JPEG", "png": "PNG"}  # what `format` and `as_format` may name
_READABLE: Final = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
_JPEG_QUALITY: Final = 95
_LARGEST_PIXELS: Final = 2**28
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
    return changed(content, form=form)


def cut(content: bytes, box: Rectangle, *, form: str | None = None) -> bytes:
    """A part of a picture, in its own format unless `form` says another."""
    return changed(content, box=box, form=form)


def decoded(content: bytes) -> Image.Image:
    """A picture for `changed`, which need not decode it for every part. Raises QueryError."""
    try:
        image = _open(content)
        image.load()
    except _BROKEN as error:
        raise QueryError(messages.BAD_IMAGE.format(reason=error)) from error
    return image


def changed(
    content: bytes | Image.Image,
    *,
    box: Rectangle | None = None,
    operations: Sequence[Operation] = (),
    form: str | None = None,
) -> bytes:
    """A picture, or the part of it in a box, after operations, in its own format unless `form` says another."""
    buffer = io.BytesIO()
    try:
        with _open(content) if isinstance(content, bytes) else contextlib.nullcontext(content) as image:
            name = FORMATS[form] if form else image.format
            part = image.crop(box) if box else image
            if operations and part.mode not in ("L", "RGB", "RGBA"):
                part = part.convert("RGB")
            for operation in operations:
                part = _OPERATIONS[operation.name](part, operation.parameters)
            if name == "JPEG" and part.mode not in ("L", "RGB", "CMYK"):
                part = part.convert("RGB")
            options = {"quality": _JPEG_QUALITY} if name == "JPEG" else {}
            part.save(buffer, name, **options)
    except _BROKEN as error:
        raise QueryError(messages.BAD_IMAGE.format(reason=error)) from error
    return buffer.getvalue()


def from_pixels(pixels: Any, form: str) -> bytes:
    """An encoded picture of an array of rows of (red, green, blue) in 8 bits."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, FORMATS[form], **({"quality": _JPEG_QUALITY} if form == "jpg" else {}))
    return buffer.getvalue()


def _open(content: bytes) -> Image.Image:
    with warnings.catch_warnings():
        # A large picture is no reason for a warning on the console of the server.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(content), formats=_READABLE)


def _resize(image: Any, given: dict[str, Any]) -> Any:
    """One side alone keeps the proportions."""
    width, height = image.size
    if "scale" in given:
        size = (width * given["scale"], height * given["scale"])
    elif "width" not in given:
        size = (width * given["height"] / height, given["height"])
    else:
        size = (given["width"], given.get("height", height * given["width"] / width))
    new_width, new_height = (max(1, round(side)) for side in size)
    if new_width * new_height > _LARGEST_PIXELS:
        raise QueryError(messages.TOO_MANY_PIXELS.format(width=new_width, height=new_height))
    return image.resize((new_width, new_height), Image.Resampling.BILINEAR)


def _crop(image: Any, given: dict[str, Any]) -> Any:
    right, bottom = given["x"] + given["width"], given["y"] + given["height"]
    if right > image.width or bottom > image.height:
        raise QueryError(messages.CROP_OUTSIDE.format(rectangle=given, width=image.width, height=image.height))
    return image.crop((given["x"], given["y"], right, bottom))


def _rotate(image: Any, given: dict[str, Any]) -> Any:
    """Clockwise, as the official client assumes when it draws boxes on a rotated image."""
    return image.rotate(-given["angle"], resample=Image.Resampling.BILINEAR, expand=given.get("resize", False))


def _flip(image: Any, given: dict[str, Any]) -> Any:
    """As in OpenCV: 0 turns upside down, more mirrors left and right, less does both."""
    if given["code"] <= 0:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if given["code"] else image


def _threshold(image: Any, given: dict[str, Any]) -> Any:
    """What is not above the value becomes 0, in each channel."""
    return image.point([level if level > given["value"] else 0 for level in range(256)] * len(image.getbands()))


_OPERATIONS: Final[dict[str, Callable[[Any, dict[str, Any]], Any]]] = {
    "resize": _resize,
    "crop": _crop,
    "rotate": _rotate,
    "flip": _flip,
    "threshold": _threshold,
}
