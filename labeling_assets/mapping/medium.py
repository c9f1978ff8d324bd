"""What the mapping needs to know about the medium that an annotation describes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium.

    `media_type` is image, video, audio, text, ... `width` and `height` are the pixels of the picture as a browser
    shows it, upright; None if unknown. `orientation` is the EXIF orientation of the stored bytes, 1 to 8; with 5
    to 8 the stored picture has width and height the other way round. Any other number counts as 1.

    Of videos `fps` are frames per second and `frame_count` all frames; of videos and sounds `duration_s` is in
    seconds; `channels` are those of a sound. `text` are the characters of a text, if they are at hand: the browser
    counts UTF-16 units, and only the text says how many characters these are.
    """

    media_type: str
    width: int | None = None
    height: int | None = None
    orientation: int = 1
    fps: float | None = None
    frame_count: int | None = None
    duration_s: float | None = None
    channels: int | None = None
    text: str | None = None
