"""Facts of pictures: size, orientation, what they really are."""

from typing import BinaryIO, Final

from PIL import Image, UnidentifiedImageError

from labeling_assets.errors import InputError
from labeling_assets.sync.facts.record import MediaFacts

_EXIF_ORIENTATION: Final = 0x0112
# What browsers or Label Studio show, and TIFF. Pillow would also open EPS, which runs Ghostscript.
_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "ICO")
_PICTURE_TYPES: Final = frozenset(
    f"image/{name}"
    for name in ("jpeg", "jpg", "png", "gif", "webp", "bmp", "x-ms-bmp", "tiff", "avif", "x-icon", "vnd.microsoft.icon")
)


def picture_facts(file: BinaryIO, name: str, mime: str, *, pixels: int | None = None) -> MediaFacts:
    """Facts of a picture; `mime` is what its name says, or its first bytes. It is decoded, which takes memory for all
    its pixels, 540 MB at most.

    Raises:
        InputError: it cannot be read to its end, or has more than `pixels`.
    """
    file.seek(0)
    try:
        with Image.open(file, formats=_FORMATS) as picture:
            if pixels is not None and picture.width * picture.height > pixels:
                raise Image.DecompressionBombError(f"{picture.width} x {picture.height}, at most {pixels:,} in all")
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
