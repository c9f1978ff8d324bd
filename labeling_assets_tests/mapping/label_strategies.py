"""Random labels as Label Studio's editor writes them, by the type of the result."""

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from label_studio_sdk.converter.brush import encode_rle
from PIL import Image

WIDTH, HEIGHT = 16, 12
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
label_lists = st.lists(names, max_size=3)
percent = st.floats(-20, 120)
extent = st.floats(0, 120)
points = st.tuples(percent, percent).map(list)
offsets = st.integers(0, 10_000)
seconds = st.floats(0, 86_400)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
junk = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)


def fixed(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields)


def ordered(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """`start` not after `end`."""
    return st.tuples(numbers, numbers).map(lambda pair: {"start": min(pair), "end": max(pair)})


def both(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda values: {key: it for value in values for key, it in value.items()})


def _painted(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([0, 255], (HEIGHT, WIDTH)).astype(np.uint8)


def _rle(seed: int) -> dict[str, Any]:
    pixels = np.repeat(_painted(seed)[:, :, None], 4, axis=2)
    return {"format": "rle", "rle": [int(it) for it in encode_rle(pixels.ravel())]}


def _data_url(seed: int) -> dict[str, Any]:
    alpha = _painted(seed)
    file = io.BytesIO()
    Image.fromarray(np.dstack([np.full_like(alpha, 255)] * 3 + [alpha])).save(file, "PNG")
    return {"imageDataURL": f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"}


seeds = st.integers(0, 2**32 - 1)
box = fixed(x=percent, y=percent, width=extent, height=extent, rotation=st.floats(-720, 720))
polygon = fixed(points=st.lists(points, max_size=6), closed=st.booleans())
ellipse = fixed(x=percent, y=percent, radiusX=extent, radiusY=extent, rotation=st.floats(-720, 720))
keypoint = fixed(x=percent, y=percent, width=extent)
vertex = fixed(id=names, x=percent, y=percent, prevPointId=st.none() | names, isBezier=st.just(False))
vector = fixed(vertices=st.lists(vertex, max_size=5), closed=st.booleans())
brush = seeds.map(_rle)
bitmask = seeds.map(_data_url)
text_range = both(ordered(offsets), fixed(text=names))
xpaths = names.map(lambda name: f"/{name}")
html_range = both(
    fixed(start=xpaths, end=xpaths, startOffset=offsets, endOffset=offsets, text=names),
    ordered(offsets).map(lambda pair: {"globalOffsets": pair}),
)
paragraphs = both(
    ordered(st.tuples(st.integers(0, 99), offsets)).map(
        lambda it: {
            "start": str(it["start"][0]),
            "end": str(it["end"][0]),
            "startOffset": it["start"][1],
            "endOffset": it["end"][1],
        }
    ),
    fixed(text=names),
)
series = both(ordered(st.floats(0, 2e12) | st.integers(0, 2**45)), fixed(instant=st.booleans()))
keyframe = both(box, fixed(time=seconds, enabled=st.booleans()))


def _sequence(frames: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"frame": frame, **frames[frame]} for frame in sorted(frames)]


track = fixed(
    sequence=st.dictionaries(st.integers(1, 300), keyframe, min_size=1, max_size=5).map(_sequence),
    framesCount=st.just(300),
    duration=st.floats(1, 100),
)
vertices_track = fixed(
    sequence=st.dictionaries(
        st.integers(1, 300), fixed(enabled=st.booleans(), closed=st.booleans(), vertices=st.lists(vertex, max_size=3))
    ).map(_sequence),
    framesCount=st.just(300),
)
timeline = ordered(st.integers(1, 300)).map(lambda it: {"ranges": [it]})
paths = st.lists(st.lists(names, min_size=1, max_size=4), max_size=4)
ids = st.lists(names, max_size=5)
plain_labels = st.one_of(text_range, html_range, paragraphs, series, track, box)

# Type of the result -> type of the medium, and values without labels.
VALUES: dict[str, tuple[str, st.SearchStrategy[dict[str, Any]]]] = {
    "rectangle": ("image", box),
    "polygon": ("image", polygon),
    "ellipse": ("image", ellipse),
    "keypoint": ("image", keypoint),
    "vector": ("image", vector),
    "brush": ("image", brush),
    "magicwand": ("image", brush),
    "bitmask": ("image", bitmask),
    "hypertext": ("html", html_range),
    "html": ("html", html_range),
    "paragraph": ("text", paragraphs),
    "timeseries": ("time_series", series),
    "videorectangle": ("video", track),
    "videovector": ("video", vertices_track),
    "timeline": ("video", timeline),
    "": ("text", plain_labels),
    "choices": ("text", fixed(choices=st.lists(names, max_size=3) | paths)),
    "taxonomy": ("text", fixed(taxonomy=paths)),
    "textarea": ("text", fixed(text=st.lists(st.text(st.characters(codec="utf-8")), max_size=3))),
    "rating": ("text", fixed(rating=st.integers(0, 10))),
    "number": ("text", fixed(number=st.integers() | st.floats(-1e12, 1e12))),
    "datetime": ("text", fixed(datetime=st.datetimes().map(lambda it: it.isoformat(timespec="minutes")))),
    "pairwise": ("text", fixed(selected=st.sampled_from(["left", "right"]))),
    "ranker": ("text", fixed(ranker=ids | st.dictionaries(names, ids, max_size=3))),
    "chatmessage": ("text", fixed(chatmessage=fixed(role=names, content=names, createdAt=st.integers(0, 2**45)))),
}
ATTACHED = ("choices", "taxonomy", "textarea", "rating", "number", "datetime")


def media_type_of(result_type: str) -> str:
    return VALUES[result_type.removesuffix("labels")][0]


def values_of(result_type: str) -> st.SearchStrategy[dict[str, Any]]:
    """Plausible values of a type, with labels if it has some."""
    values = VALUES[result_type.removesuffix("labels")][1]
    return both(values, label_lists.map(lambda it: {result_type: it})) if result_type.endswith("labels") else values


envelopes = st.fixed_dictionaries(
    {"from_name": names, "to_name": names},
    optional={
        "origin": st.sampled_from(["manual", "prediction", "prediction-changed"]),
        "score": st.floats(0, 1),
        "parentID": names,
        "meta": fixed(text=st.lists(names, max_size=1)),
        "hidden": st.booleans(),
        "tomorrow": junk,
    },
)


@st.composite
def regions(draw: Callable[..., Any], result_type: str) -> list[dict[str, Any]]:
    """The items of one region: a form or a value, and what was attached to it."""
    value = draw(values_of(result_type))
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    shared = size if media_type_of(result_type) == "image" else {}
    region_id = draw(names)
    items = [{"id": region_id, "type": result_type, **draw(envelopes), **shared, "value": value}]
    form = {key: it for key, it in value.items() if key != result_type}
    if media_type_of(result_type) != "text":
        for kind in draw(st.lists(st.sampled_from(ATTACHED), max_size=2, unique=True)):
            own = {**form, **draw(values_of(kind))}
            items.append({"id": region_id, "type": kind, **draw(envelopes), **shared, "value": own})
    return items
