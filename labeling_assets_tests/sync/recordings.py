"""Small real videos and sounds, made by FFmpeg, and a small PDF, made by hand."""

import functools
import io
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

UPRIGHT = (1, 0, 0, 1)


@functools.cache
def film(
    suffix: str = "mp4", codec: str = "libx264", frames: int = 12, fps: int = 10, options: tuple[str, ...] = ()
) -> bytes:
    """A video of 64 x 48 pixels; `options` are FFmpeg's, as name=value."""
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film.{suffix}"
        with av.open(str(path), "w", options=dict(option.split("=") for option in options)) as container:
            stream = container.add_stream(codec, rate=fps, width=64, height=48, pix_fmt="yuv420p")
            for number in range(frames):
                grey = np.full((48, 64, 3), number * 20 % 256, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
            container.mux(stream.encode(None))
        return path.read_bytes()


@functools.cache
def sound(form: str = "wav", codec: str = "pcm_s16le", rate_hz: int = 8000, layout: str = "stereo") -> bytes:
    """A tone of a second and a half; `form` is FFmpeg's name of the container."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        tone = (np.sin(np.arange(rate_hz * 3 // 2) / 10) * 8000).astype(np.int16)
        samples = np.repeat(tone, 1 if layout == "mono" else 2)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate = rate_hz
        size = stream.codec_context.frame_size or None
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate_hz, frame_size=size)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def turned(mp4: bytes, matrix: Sequence[int]) -> bytes:
    """The MP4 with another display matrix (a, b, c, d), as phones write it when they are held another way."""
    start = mp4.index(b"tkhd") + 4 + 4 + 20 + 16
    a, b, c, d = (value << 16 for value in matrix)
    return mp4[:start] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + mp4[start + 36 :]


def pdf(pages: int = 2, **encryption: str) -> bytes:
    """Empty pages; `encryption` is what PdfWriter.encrypt takes."""
    from pypdf import PdfWriter

    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(72, 72)
    if encryption:
        writer.encrypt(**encryption)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


# Without the table of its objects, which browsers make up for.
HANDWRITTEN_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)
