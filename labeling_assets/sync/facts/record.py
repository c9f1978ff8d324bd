"""What is known of a medium from its bytes, and the properties of ApertureDB that hold it."""

from dataclasses import dataclass
from typing import Any, Final

# Field -> property. `mime_type` and `orientation` have places of their own in `properties`.
_PROPERTIES: Final = {
    "duration_s": "LS_duration_s",
    "fps": "LS_fps",
    "frame_count": "LS_frame_count",
    "channels": "LS_channels",
    "sample_rate_hz": "LS_sample_rate_hz",
    "codec": "LS_codec",
    "pages": "LS_pages",
}


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Facts read from bytes.

    `media_type` is image, video, audio, text, html, pdf, csv, json or other; what is neither image nor video is
    stored as a blob. `width`, `height` are pixels of the stored bytes; `orientation` is EXIF's, 1 to 8, for videos
    as well. `fps` is the average number of frames per second, `frame_count` all frames; `duration_s` is in seconds.
    `channels` and `sample_rate_hz` are those of the (first) sound. `warning` says what a person should know of a
    medium that can be used all the same.
    """

    media_type: str
    mime_type: str
    width: int | None = None
    height: int | None = None
    orientation: int = 1
    fps: float | None = None
    frame_count: int | None = None
    duration_s: float | None = None
    channels: int | None = None
    sample_rate_hz: int | None = None
    codec: str | None = None
    pages: int | None = None
    warning: str | None = None

    def properties(self) -> dict[str, Any]:
        """Properties of the medium in ApertureDB; what is unknown is left out."""
        values: dict[str, Any] = {"LS_media_type": self.media_type, "LS_mime_type": self.mime_type}
        if self.width is not None:
            values |= {"LS_width": self.width, "LS_height": self.height, "LS_orientation": self.orientation}
        known = {name: getattr(self, field) for field, name in _PROPERTIES.items()}
        return values | {name: value for name, value in known.items() if value is not None}
