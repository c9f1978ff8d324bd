"""What the mapping needs to know about the medium that an annotation describes."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium.

    `media_type` is image, video, audio, text, ... `width` and `height` are the pixels of the picture as a browser
    shows it, upright; None if unknown. `orientation` is the EXIF orientation of the stored bytes, 1 to 8; with 5
    to 8 the stored picture has width and height the other way round. Any other number counts as 1.

    Of videos `fps` are frames per second and `frame_count` all frames; `shown_fps` are the frames per second that Label
    Studio counts, by the name of the tag that shows the video, empty if nobody knows the tags. Of videos and sounds
    `duration_s` is in seconds; `channels` are those of a sound. `text` are the characters of a text, if they are at
    hand: the browser counts UTF-16 units, and only the text says how many characters these are.

    `shown_as` are the names of the tags that show the medium in the label configuration, None if nobody knows them;
    `others` are the task's other media, by the names of theirs.
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
    shown_fps: Mapping[str, float] = field(default_factory=dict, hash=False)
    shown_as: frozenset[str] | None = None
    others: Mapping[str, "Medium"] = field(default_factory=dict, hash=False)

    def shown_by(self, to_name: str) -> "Medium | None":
        """The medium that the tag or tags ("a,b") show; None if it is one that is not known here."""
        if not to_name or (self.shown_as is None and not self.others):
            return self
        names = to_name.split(",")
        if self.shown_as is not None and not self.shown_as.isdisjoint(names):
            return self
        known = next((self.others[name] for name in names if name in self.others), None)
        return known or (self if self.shown_as is None else None)
