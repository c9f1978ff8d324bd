"""Facts of videos and sounds."""

import dataclasses
import random
import re
import wave
from pathlib import Path

import pytest

from labeling_assets.errors import InputError
from labeling_assets.sync.facts.media_facts import media_facts
from labeling_assets.sync.facts.record import MediaFacts
from labeling_assets_tests.sync.recordings import film, sound, turned
from labeling_assets_tests.sync.world import picture

FILM = MediaFacts("video", "video/mp4", 64, 48, fps=10.0, frame_count=12, duration_s=1.2, codec="h264")
TONE = MediaFacts("audio", "audio/x-wav", duration_s=1.5, channels=2, sample_rate_hz=8000, codec="pcm_s16le")
FASTSTART = ("movflags=faststart",)


def like(facts: MediaFacts, **changes: object) -> MediaFacts:
    return dataclasses.replace(facts, **changes)


@pytest.mark.parametrize(
    ("data", "name", "facts"),
    [
        (film(), "a.mp4", FILM),
        (film(), "a.mov", like(FILM, mime_type="video/quicktime")),
        (film(), "no name", FILM),
        (film(options=("movflags=frag_keyframe+empty_moov",)), "a.mp4", FILM),
        (film(fps=25, frames=50), "a.mp4", like(FILM, fps=25.0, frame_count=50, duration_s=2.0)),
        (film("webm", "libvpx"), "a.webm", like(FILM, mime_type="video/webm", codec="vp8")),
        (film("mkv"), "a.mkv", like(FILM, mime_type="video/x-matroska")),
        (sound(), "a.wav", TONE),
        (
            sound("mp3", "libmp3lame", 16000, "mono"),
            "a.mp3",
            like(TONE, mime_type="audio/mpeg", codec="mp3", channels=1, sample_rate_hz=16000),
        ),
        (sound("flac", "flac"), "a.flac", like(TONE, mime_type="audio/flac", codec="flac")),
        (
            sound("ogg", "libopus", 48000),
            "a.ogg",
            like(TONE, mime_type="audio/ogg", codec="opus", sample_rate_hz=48000, duration_s=1.513),
        ),
    ],
    ids=["mp4", "mov", "no name", "fragments", "25 a second", "webm", "mkv", "wav", "mp3", "flac", "opus"],
)
def test_facts(data: bytes, name: str, facts: MediaFacts):
    assert media_facts(data, name) == facts


@pytest.mark.parametrize(
    ("data", "name", "found"),
    [
        (sound("mp4", "aac"), "a.mp4", ("audio", "audio/mp4")),
        (sound("webm", "libopus", 48000), "a.webm", ("audio", "audio/webm")),
        (sound("ogg", "libopus", 48000), "no name", ("audio", "audio/ogg")),
        (sound(), "a.mp4", ("audio", "audio/wav")),
        (film(), "a.mp3", ("video", "video/mp4")),
        (film(), "a.txt", ("video", "video/mp4")),
        (film("webm", "libvpx"), "a.mp4", ("video", "video/webm")),
    ],
    ids=["sound in mp4", "sound in webm", "ogg", "wav", "film called mp3", "film called txt", "webm called mp4"],
)
def test_it_is_what_its_bytes_are(data: bytes, name: str, found: tuple[str, str]):
    facts = media_facts(data, name)
    assert (facts.media_type, facts.mime_type) == found


@pytest.mark.parametrize(
    ("matrix", "orientation"),
    [
        ((1, 0, 0, 1), 1),
        ((-1, 0, 0, 1), 2),
        ((-1, 0, 0, -1), 3),
        ((1, 0, 0, -1), 4),
        ((0, 1, 1, 0), 5),
        ((0, 1, -1, 0), 6),
        ((0, -1, -1, 0), 7),
        ((0, -1, 1, 0), 8),
    ],
)
def test_a_turned_video_keeps_the_size_of_its_stored_pictures(matrix: tuple[int, ...], orientation: int):
    assert media_facts(turned(film(), matrix), "a.mp4") == like(FILM, orientation=orientation)


@pytest.mark.parametrize(
    ("data", "name", "what"),
    [
        (film(codec="mpeg4"), "a.mp4", r"\(mpeg4\), so annotators may not: convert it to MP4 with H.264 and AAC"),
        (film("avi", "mpeg4"), "a.avi", r"\(mpeg4, container avi\)"),
    ],
)
def test_what_browsers_do_not_play_is_a_warning(data: bytes, name: str, what: str):
    facts = media_facts(data, name)
    assert facts.warning is not None
    assert facts.frame_count == 12
    assert re.search(what, facts.warning)


def test_the_picture_of_an_album_makes_no_video(tmp_path: Path):
    import av

    path = tmp_path / "album.mp3"
    with av.open(str(path), "w") as container:
        tone = container.add_stream("libmp3lame", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1, width=16, height=16, pix_fmt="yuvj420p")
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame(16, 16, "yuvj420p")))
        frame = av.AudioFrame("s16p", "mono", 1152)
        frame.sample_rate = 16000
        container.mux(tone.encode(frame))
        container.mux(tone.encode(None))
    assert media_facts(path.read_bytes(), "album.mp3").media_type == "audio"


def test_a_sound_that_was_recorded_as_a_stream_is_whole(tmp_path: Path):
    """Its size was not known when its beginning was written."""
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    assert media_facts(bytes(data), "a.wav").duration_s == 0.5


def cut(data: bytes) -> bytes:
    return data[: len(data) * 6 // 10]


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"\x00\x00\x00\x18ftypmp42", "a.mp4", r"a\.mp4 cannot be read as a video or sound"),
        (cut(film()), "a.mp4", r"a\.mp4 has neither pictures nor sound, or its end is missing"),
        (cut(film(options=FASTSTART)), "a.mp4", r"a\.mp4 ends after 0\.\d+ of 1\.2 seconds"),
        (cut(film("webm", "libvpx")), "a.webm", r"a\.webm ends after 0\.\d+ of 1\.2 seconds"),
        (cut(film("mkv")), "a.mkv", r"a\.mkv has no pictures in its video"),
        (cut(film("avi", "mpeg4")), "a.avi", r"a\.avi cannot be read as a video or sound"),
        (cut(sound()), "a.wav", r"a\.wav ends after 28,846 of 48,078 bytes"),
        (cut(sound("flac", "flac")), "a.flac", r"a\.flac ends after 0\.\d+ of 1\.5 seconds"),
        (cut(sound("mp4", "aac")), "a.m4a", r"a\.m4a cannot be read as a video or sound"),
        (cut(sound("ogg", "libopus", 48000)), "a.opus", r"a\.opus cannot be read as a video or sound"),
        (b"ID3\x03\x00", "a.mp3", r"a\.mp3 cannot be read as a video or sound"),
        (picture(), "a.mp4", r"a\.mp4 cannot be read as a video or sound"),
        (b"a text that is no film\n" * 20, "a.mp4", r"a\.mp4 cannot be read as a video or sound"),
    ],
    ids=[
        "beginning", "end missing", "faststart", "webm", "mkv", "avi", "wav", "flac", "m4a", "opus", "mp3", "picture",
        "text",
    ],
)  # fmt: skip
def test_what_cannot_be_used(data: bytes, name: str, message: str):
    with pytest.raises(InputError, match=message + ".*: replace the file or remove the row"):
        media_facts(data, name)


@pytest.mark.parametrize("name", ["a.mp4", "a.mp3", "a.webm"])
def test_a_playlist_opens_no_other_file(tmp_path: Path, name: str):
    (tmp_path / "secret.mp4").write_bytes(film())
    for text in (
        f"#EXTM3U\n#EXTINF:9,\n{tmp_path}/secret.mp4\n",
        f"ffconcat version 1.0\nfile '{tmp_path}/secret.mp4'",
    ):
        with pytest.raises(InputError, match="cannot be read as a video or sound"):
            media_facts(text.encode(), name)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_raise_nothing_but_the_error_that_names_the_file(seed: int):
    chance = random.Random(seed)
    data = bytearray(chance.choice([film(options=FASTSTART), film("webm", "libvpx"), sound("flac", "flac"), sound()]))
    for _ in range(chance.randrange(1, 60)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    said = "no name"
    try:
        said = f"{said}: {media_facts(bytes(data), 'no name').mime_type}"
    except InputError as error:
        said = str(error)
    assert said.startswith("no name")
