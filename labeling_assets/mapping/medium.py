"""What the mapping needs to know about the medium that an annotation describes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium.

    `media_type` is image, video, audio, text, ... `width` and `height` are the pixels of the picture as a browser
    shows it, upright; None if unknown. `orientation` is the EXIF orientation of the stored bytes, 1 to 8; with 5
    to 8 the stored picture has width and height the other way round. Any other number counts as 1.
    """

    media_type: str
    width: int | None = None
    height: int | None = None
    orientation: int = 1
