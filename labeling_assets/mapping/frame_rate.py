"""Frames as Label Studio counts them, and those of the file.

The player divides time by the `frameRate` of its Video tag (24 if it has none), whatever the file's own rate is. Its
frame k, counted from 0, lasts from k / frameRate to (k + 1) / frameRate seconds.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from labeling_assets.mapping.medium import Medium

# A time that should be the edge of a frame may miss it by the last digits of a float.
_EDGE = 1e-6
# Rates are given with few digits (29.97 for 30000/1001): they are one rate if the last frame has one number in both.
_SAME_FRAMES = 0.5
_LONG_VIDEO_FRAMES = 100_000


@dataclass(frozen=True, slots=True)
class FrameRates:
    """How the frames of one tag become frames of the file.

    `shown` are frames per second as the player counts, None if nobody knows; `fps` are those of the file, `count` all
    of its frames, None if unknown.
    """

    shown: float | None
    fps: float | None
    count: int | None

    @classmethod
    def of(cls, medium: Medium, item: Mapping[str, object]) -> "FrameRates":
        """Those that a result item of the medium was made with."""
        shown = medium.shown_fps.get(str(item.get("to_name")))
        fps = medium.fps if medium.fps and medium.fps > 0 else None
        if fps is None and medium.frame_count and medium.duration_s and medium.duration_s > 0:
            fps = medium.frame_count / medium.duration_s
        return cls(shown, fps, medium.frame_count)

    @property
    def is_same(self) -> bool:
        """Frames of Label Studio are those of the file, as far as anybody knows."""
        if self.shown is None:
            return True
        if self.fps is None:
            return False
        return abs(self.shown / self.fps - 1) * (self.count or _LONG_VIDEO_FRAMES) < _SAME_FRAMES

    @property
    def reason(self) -> str | None:
        """Why frames cannot be those of the file."""
        if self.is_same or self.fps is not None:
            return None
        return f"Label Studio counted {self.shown:g} frames a second, those of the file are not known"

    @property
    def shown_count(self) -> int | None:
        """How many frames Label Studio counts in the whole video."""
        if self.count is None or self.is_same or not (self.shown and self.fps):
            return self.count
        return math.ceil(self.count * self.shown / self.fps - _EDGE)

    def first(self, frame: int) -> int:
        """The frame of the file that is shown when the player goes to `frame`, both from 0."""
        if self.is_same or not (self.shown and self.fps):
            return frame
        return math.floor(frame * self.fps / self.shown + _EDGE)

    def last(self, frame: int) -> int:
        """The last frame of the file of which something is shown during `frame`; the video's last at the most."""
        if self.is_same or not (self.shown and self.fps):
            return frame
        last = math.ceil((frame + 1) * self.fps / self.shown - _EDGE) - 1
        begun = self.count is not None and self.first(frame) < self.count
        return min(last, self.count - 1) if begun and self.count is not None else last
