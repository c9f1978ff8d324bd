"""What an annotator sees of media that come from the gateway, and what becomes of what they draw."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labeling_assets.clients.query import Query
from labeling_assets.media_sources import MediaSources
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets_tests.browser.studio import Studio
from labeling_assets_tests.sync.recordings import sound

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTH, HEIGHT = 640, 480
CAR = (160, 120, 480, 360)  # left, top, right, bottom
BOXES = """<View><Image name="image" value="$image"/>
<RectangleLabels name="label" toName="image"><Label value="car"/></RectangleLabels></View>"""
VIDEO = """<View><Video name="video" value="$video"/>
<TimelineLabels name="label" toName="video"><Label value="goal"/></TimelineLabels></View>"""
AUDIO = """<View><Audio name="audio" value="$audio"/>
<Labels name="label" toName="audio"><Label value="speech"/></Labels></View>"""
TEXT = """<View><Text name="text" value="$text" valueType="url"/>
<Choices name="tone" toName="text"><Choice value="friendly"/></Choices></View>"""
SHOWN_IMAGE = "img[alt=image]"


def picture_of_a_car() -> bytes:
    """White where the car is, black elsewhere."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    left, top, right, bottom = CAR
    pixels[top:bottom, left:right] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A minute of noise, about 60 MB: more than a browser loads ahead. Its index is at the beginning."""
    import av

    path, noise = tmp_path_factory.mktemp("film") / "film.mp4", np.random.default_rng(1)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        options = {"preset": "ultrafast", "qp": "12", "g": "10"}
        stream = container.add_stream("libx264", rate=10, width=320, height=240, pix_fmt="yuv420p", options=options)
        for _ in range(600):
            frame = noise.integers(0, 255, (240, 320, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_a_box_that_is_drawn_has_the_right_pixels_in_aperturedb(studio: Studio) -> None:
    project, guid = studio.open_task("image", "car.png", picture_of_a_car(), config=BOXES)
    size = f"const shown = document.querySelector('{SHOWN_IMAGE}'); return [shown.naturalWidth, shown.naturalHeight]"
    studio.wait(lambda: studio.script(size) == [WIDTH, HEIGHT])
    assert {one.origin for one in studio.sent(guid)} == {studio.server.url}
    draw_a_box(studio)
    studio.press("Submit")
    studio.wait(lambda: collect_annotations(studio.db, studio.ls, project, batch="image").created == 1)
    box, crop = stored_box(studio, guid)
    drawn = box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]
    assert np.abs(np.subtract(drawn, CAR)).max() <= 2
    assert np.asarray(Image.open(io.BytesIO(crop))).mean() > 240


def draw_a_box(studio: Studio) -> None:
    """Around the car, with the mouse; once more where the editor was drawn anew meanwhile and forgot it."""
    regions = "return document.querySelectorAll('.lsf-outliner-item').length"

    def drawn() -> bool:
        if not studio.script("return document.querySelector('.lsf-label_selected') !== null"):
            studio.click(".lsf-label")
        studio.drag(*corners_on_the_page(studio))
        return studio.soon(lambda: studio.script(regions) == 1)

    studio.wait(drawn)


def corners_on_the_page(studio: Studio) -> list[tuple[float, float]]:
    """Where the car's corners are shown."""
    rectangle = "const r = document.querySelector('{}').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]"
    x, y, width, height = studio.script(rectangle.format(SHOWN_IMAGE))
    left, top, right, bottom = CAR
    return [(x + width * px / WIDTH, y + height * py / HEIGHT) for px, py in ((left, top), (right, bottom))]


def stored_box(studio: Studio, guid: str) -> tuple[dict[str, Any], bytes]:
    """Coordinates and crop of the only box with the native label `car`."""
    query = Query()
    listed = {"results": {"list": ["LS_media_guid"]}, "coordinates": True, "blobs": True}
    place = query.add("FindBoundingBox", {"with_label": "car", **listed})
    reply = studio.db.run(query)
    (found,) = reply.objects(place)
    assert found["LS_media_guid"] == guid
    return found["_coordinates"], reply.blobs[0]


def test_a_video_is_seeked_by_ranges(studio: Studio, long_film: bytes) -> None:
    _, guid = studio.open_task("video", "film.mp4", long_film, config=VIDEO)
    state = "const v = document.querySelector('video'); return v && [v.readyState, v.videoWidth, v.duration]"
    studio.wait(lambda: (studio.script(state) or [0])[0] >= 2)
    assert studio.script(state)[1:] == [320, 60]
    studio.click(".lsf-seeker__track")  # in the middle
    place = "const v = document.querySelector('video'); return v.seeking ? 0 : v.currentTime"
    studio.wait(lambda: abs(studio.script(place) - 30) < 2)
    sent = studio.sent(guid)
    firsts = [int(one.content_range.removeprefix("bytes ").partition("-")[0]) for one in sent]
    assert {one.status for one in sent} == {206}
    assert any(0.4 * len(long_film) < first < 0.6 * len(long_film) for first in firsts)


def test_a_sound_is_drawn(studio: Studio) -> None:
    _, guid = studio.open_task("audio", "tone.wav", sound(), config=AUDIO)
    state = "const a = document.querySelector('audio'); return a && a.readyState >= 2 ? a.duration : 0"
    studio.wait(lambda: abs(studio.script(state) - 1.5) < 0.1)
    colours = """
        const wave = document.querySelector('#waveform-layer-main');
        const pixels = wave.getContext('2d').getImageData(0, 0, wave.width, wave.height).data;
        return new Set(new Uint32Array(pixels.buffer)).size
    """
    studio.wait(lambda: studio.script(colours) > 1)
    assert {one.status for one in studio.sent(guid)} <= {200, 206}


def test_a_text_can_be_read(studio: Studio) -> None:
    _, guid = studio.open_task("text", "greeting.txt", "Grüße aus ApertureDB 😀\n".encode(), config=TEXT)
    studio.wait(lambda: "Grüße aus ApertureDB 😀" in studio.text_of(".lsf-htx-richtext"))
    assert [one.status for one in studio.sent(guid)] == [200]


def test_a_registered_video_plays(studio: Studio, long_film: bytes) -> None:
    """Its bytes are not in ApertureDB; the browser sees no difference."""
    sources = MediaSources.of([studio.folder])
    options = {"size_limit_bytes": 1_000_000, "sources": sources, "media_type": "video"}
    registered = long_film + bytes(8)  # another medium than the one above
    _, guid = studio.open_task("registered", "film.mp4", registered, config=VIDEO, **options)
    state = "const v = document.querySelector('video'); return v ? v.readyState : 0"
    studio.wait(lambda: studio.script(state) >= 2)
    assert {one.status for one in studio.sent(guid)} == {206}
