"""A small video for the tests."""

import functools
import tempfile
from pathlib import Path

import numpy as np

FPS = 10
FRAMES = 30
WIDTH, HEIGHT = 64, 48


@functools.cache
def film() -> bytes:
    """Three seconds in which every frame is of one grey, darker first."""
    import cv2

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (WIDTH, HEIGHT))
        for number in range(FRAMES):
            writer.write(np.full((HEIGHT, WIDTH, 3), number * 8, np.uint8))
        writer.release()
        return path.read_bytes()
