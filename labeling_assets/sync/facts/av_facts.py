"""Facts of videos and sounds, from their container: no more than the first picture is decoded."""

import struct
import time
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

from labeling_assets.errors import InputError
from labeling_assets.sync.facts.document_facts import byte_count
from labeling_assets.sync.facts.record import MediaFacts

# MIME type -> FFmpeg's reader of its container. Of several types with one reader, the first is the usual one.
_READERS: Final = {
    "video/mp4": "mov",
    "audio/mp4": "mov",
    "video/quicktime": "mov",
    "video/x-m4v": "mov",
    "audio/x-m4a": "mov",
    "video/3gpp": "mov",
    "audio/3gpp": "mov",
    "video/webm": "matroska",
    "audio/webm": "matroska",
    "video/x-matroska": "matroska",
    "audio/x-matroska": "matroska",
    "video/ogg": "ogg",
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/aac": "aac",
    "video/x-msvideo": "avi",
    "video/mpeg": "mpeg",
    "video/mp2t": "mpegts",
    "video/x-flv": "flv",
    "video/x-ms-wmv": "asf",
    "audio/x-ms-wma": "asf",
    "audio/x-aiff": "aiff",
    "audio/amr": "amr",
    "audio/basic": "au",
    "audio/x-caf": "caf",
    "audio/ac3": "ac3",
}
# Only these read: a playlist (HLS, concat) would make FFmpeg open files and addresses that it names.
_OPTIONS: Final = {"format_whitelist": ",".join({*_READERS.values(), "mpegvideo", "w64"}), "protocol_whitelist": ""}
_CONTAINERS_OF_BROWSERS: Final = frozenset({"mov", "matroska", "ogg", "mp3", "wav", "flac", "aac"})
_CODECS_OF_BROWSERS: Final = frozenset({"h264", "vp8", "vp9", "av1", "theora"})
_SOUNDS_OF_BROWSERS: Final = frozenset({"aac", "mp3", "opus", "vorbis", "flac"})
# These say at the beginning how long they are; others are measured or estimated.
_SAY_THEIR_LENGTH: Final = frozenset({"mov", "matroska", "flac", "avi"})
_LONGEST_S: Final = 30.0  # of reading; a film of 200 MB takes a second
_LARGEST_DECODED_PX: Final = 100_000_000
_DECODED_PACKETS: Final = 60
_RIFF_STREAMED: Final = 0x7FFF_0000  # recorders that cannot go back write a size from here on, or 0
# The signs of a, b, c, d of the display matrix (x' = ax + cy, y' = bx + dy, y down) -> EXIF orientation.
_ORIENTATIONS: Final[dict[tuple[int, ...], int]] = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}


def av_facts(file: BinaryIO, name: str, mime: str) -> MediaFacts:
    """Facts of a video or a sound, whatever its name calls it; `mime` is what the name says, or the first bytes.

    What FFmpeg does not know and no browser plays (MIDI, playlists) is `other`.

    Raises:
        InputError: it cannot be read to its end, or has neither pictures nor sound.
    """
    import av

    file.seek(0)
    try:
        with av.open(file, "r", options=dict(_OPTIONS), metadata_errors="replace") as container:
            return _facts(container, file, name, mime)
    except InputError:
        raise
    # FFmpeg's errors are OSError, ValueError, EOFError and others; some values of a damaged file overflow in PyAV.
    except Exception as error:
        if mime.lower() not in _READERS and mime.startswith(("video/", "audio/")):
            return MediaFacts("other", mime)
        raise InputError(
            f"{name} cannot be read as a video or sound ({_reason(error)}): replace the file or remove the row."
        ) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


@dataclass(slots=True)
class _Read:
    """What reading every packet gave; times in seconds of the container's own clock."""

    frames: int = 0
    first_s: float | None = None
    last_s: float | None = None
    orientation: int = 1
    whole: bool = True

    @property
    def duration_s(self) -> float | None:
        if self.first_s is None or self.last_s is None or self.last_s <= self.first_s:
            return None
        return self.last_s - self.first_s


def _facts(container: Any, file: BinaryIO, name: str, mime: str) -> MediaFacts:
    video = next((stream for stream in container.streams.video if not _is_cover(stream)), None)
    sound = next(iter(container.streams.audio), None)
    if video is None and sound is None:
        raise InputError(
            f"{name} has neither pictures nor sound, or its end is missing: replace the file or remove the row."
        )
    reader = container.format.name.partition(",")[0]
    read = _read(container, [stream for stream in (video, sound) if stream is not None], video)
    if video is not None and not (read.frames or video.frames):
        raise InputError(f"{name} has no pictures in its video: replace the file or remove the row.")
    claimed_s = container.duration / 1e6 if container.duration and container.duration > 0 else None
    _refuse_short(file, name, reader=reader, claimed_s=claimed_s, read=read)
    length_s = _length_s(reader, claimed_s, read)
    family = "audio" if video is None else "video"
    facts = MediaFacts(
        family,
        _mime_type(reader, family, mime),
        duration_s=None if length_s is None else round(length_s, 6),
        codec=_codec(video or sound),
        channels=_number(sound, "channels"),
        sample_rate_hz=_number(sound, "sample_rate"),
        warning=_warning(reader, video, sound),
    )
    return facts if video is None else _with_pictures(facts, video, read)


def _with_pictures(facts: MediaFacts, video: Any, read: _Read) -> MediaFacts:
    frames = video.frames or (read.frames if read.whole else None)
    rate = video.average_rate or video.guessed_rate
    fps = float(rate) if rate else (frames / facts.duration_s if frames and facts.duration_s else None)
    return replace(
        facts,
        width=_number(video, "width"),
        height=_number(video, "height"),
        orientation=read.orientation,
        fps=None if fps is None else round(fps, 6),
        frame_count=frames,
    )


def _is_cover(stream: Any) -> bool:
    """The picture of an album is a video stream of one frame."""
    from av.stream import Disposition

    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _read(container: Any, streams: list[Any], video: Any) -> _Read:
    read = _Read()
    orientation = _Orientation(video)
    deadline = time.monotonic() + _LONGEST_S
    for packet in container.demux(streams):
        if packet.pts is None and packet.dts is None and packet.size == 0:
            continue  # what PyAV gives at the end of a stream
        if packet.stream is video:
            read.frames += 1
            orientation.look(packet)
        start = packet.pts if packet.pts is not None else packet.dts
        if start is not None and packet.time_base is not None:
            begin_s, end_s = (float(at * packet.time_base) for at in (start, start + (packet.duration or 0)))
            read.first_s = begin_s if read.first_s is None else min(read.first_s, begin_s)
            read.last_s = end_s if read.last_s is None else max(read.last_s, end_s)
        if time.monotonic() > deadline:
            read.whole = False
            break
    read.orientation = orientation.found
    return read


@dataclass(slots=True)
class _Orientation:
    """How the first picture of a video is to be turned; only a decoded picture says so."""

    video: Any
    found: int = 1
    left: int = _DECODED_PACKETS

    def look(self, packet: Any) -> None:
        """Decode the packet, if no picture has come yet. What cannot be decoded counts as upright."""
        from av.error import FFmpegError

        width, height = _number(self.video, "width") or 0, _number(self.video, "height") or 0
        if not self.left or not 0 < width * height <= _LARGEST_DECODED_PX:
            return
        self.left -= 1
        try:
            frames = packet.decode()
        except FFmpegError:  # the codec is unknown or its first pictures are missing; browsers skip those
            return
        if frames:
            self.left = 0
            matrix = frames[0].side_data.get("DISPLAYMATRIX")
            self.found = 1 if matrix is None else _turned(bytes(matrix))


def _turned(matrix: bytes) -> int:
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    most = max(abs(a), abs(b), abs(c), abs(d))
    signs = tuple(0 if 2 * abs(value) < most else (value > 0) - (value < 0) for value in (a, b, c, d))
    return _ORIENTATIONS.get(signs, 1)


def _refuse_short(file: BinaryIO, name: str, *, reader: str, claimed_s: float | None, read: _Read) -> None:
    """Readers end where the bytes end, and say nothing; the container says how much there should be."""
    there_s = read.duration_s or 0.0
    says_so = reader in _SAY_THEIR_LENGTH and read.whole
    if says_so and claimed_s is not None and claimed_s - there_s > max(0.5, 0.05 * claimed_s):
        raise InputError(
            f"{name} ends after {there_s:.3g} of {claimed_s:.3g} seconds: replace the file or remove the row."
        )
    file.seek(0)
    head, there = file.read(8), byte_count(file)
    size = int.from_bytes(head[4:8], "little") + 8
    if head[:4] == b"RIFF" and 8 < size < _RIFF_STREAMED and there + 8 < size:
        raise InputError(f"{name} ends after {there:,} of {size:,} bytes: replace the file or remove the row.")


def _length_s(reader: str, claimed_s: float | None, read: _Read) -> float | None:
    """What the container says; what was read where it only estimates and is far off (MP3 of changing bit rate)."""
    if claimed_s is None or not read.whole:
        return claimed_s or read.duration_s
    there_s = read.duration_s
    far_off = there_s is not None and abs(claimed_s - there_s) > max(0.5, 0.05 * there_s)
    return there_s if far_off and reader not in _SAY_THEIR_LENGTH else claimed_s


def _mime_type(reader: str, family: str, mime: str) -> str:
    """What the name says where it is true; else the usual type of the container."""
    if mime.startswith(family) and _READERS.get(mime.lower()) == reader:
        return mime
    usual = (known for known, its in _READERS.items() if its == reader and known.startswith(family))
    return next(usual, f"{family}/x-{reader}")


def _warning(reader: str, video: Any, sound: Any) -> str | None:
    codecs = [_codec(stream) for stream in (video, sound) if stream is not None]
    strange = sorted(codec for codec in codecs if codec is not None and not _is_played(codec))
    if reader not in _CONTAINERS_OF_BROWSERS:
        strange.append(f"container {reader}")
    if not strange:
        return None
    better = "MP3 or WAV" if video is None else "MP4 with H.264 and AAC"
    return f"most browsers do not play it ({', '.join(strange)}), so annotators may not: convert it to {better}"


def _is_played(codec: str) -> bool:
    return codec in _CODECS_OF_BROWSERS or codec in _SOUNDS_OF_BROWSERS or codec.startswith("pcm_")


def _codec(stream: Any) -> str | None:
    """Its name, such as h264 or aac, whoever decodes it; None if FFmpeg does not know it."""
    context = stream.codec_context
    return None if context is None else str(context.codec.canonical_name)


def _number(stream: Any, attribute: str) -> int | None:
    """A whole number of the stream's codec; None where it is unknown."""
    context = None if stream is None else stream.codec_context
    return (int(getattr(context, attribute)) or None) if context is not None else None
