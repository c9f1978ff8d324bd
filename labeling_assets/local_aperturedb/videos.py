"""Videos: what a decoder says about them, and single frames. The only module that imports OpenCV."""

import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from labeling_assets.local_aperturedb import images, messages
from labeling_assets.local_aperturedb.errors import QueryError

MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Facts:
    """`fps` is frames per second; sizes are in pixels."""

    fps: float
    frames: int
    width: int
    height: int

    @property
    def duration_us(self) -> int:
        return round(self.frames / self.fps * MICROSECONDS)

    def described(self) -> dict[str, Any]:
        """The system properties of a video."""
        return {
            "_duration_us": self.duration_us,
            "_fps": int(self.fps) if self.fps.is_integer() else self.fps,
            "_frame_count": self.frames,
            "_frame_height": self.height,
            "_frame_width": self.width,
        }


def read_facts(content: bytes) -> Facts | None:
    """None when the bytes are not a video that can be decoded."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return _facts(Path(file.name))


def read_frame(path: Path, number: int, form: str) -> bytes:
    """A frame, counted from 0, as `jpg` or `png`. Raises QueryError."""
    cv2 = _decoder()
    capture = cv2.VideoCapture(str(path))
    try:
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        read, pixels = capture.read()
    finally:
        capture.release()
    if not read:
        raise QueryError(messages.NO_FRAME.format(number=number))
    return images.from_pixels(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), form)


def _facts(path: Path) -> Facts | None:
    cv2 = _decoder()
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened() or not capture.grab():
            return None
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        if not math.isfinite(fps) or fps <= 0:
            return None
        return Facts(
            fps=fps,
            frames=_count(cv2, capture),
            width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
    finally:
        capture.release()


def _count(cv2: Any, capture: Any) -> int:
    """Some containers do not say how many frames they hold. One frame has been read already."""
    frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    if frames > 0:
        return frames
    frames = 1
    while capture.grab():
        frames += 1
    return frames


def _decoder() -> Any:
    # Bytes that are no video are no reason for lines on the console of the server. FFmpeg reads this when it starts.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    cv2.setLogLevel(0)
    return cv2
