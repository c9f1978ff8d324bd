"""Boxes and polygons of ApertureDB as results: which control takes them, and where they are in percent."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.from_native import NativeRegion, items_of
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import PixelBox, PixelPolygon
from labeling_assets.mapping.validate import validate_results

IMAGE = Medium("image", 400, 300)
BOX = PixelBox(40, 30, 100, 60)
TRIANGLE = PixelPolygon(((40.0, 30.0), (200.0, 30.0), (40.0, 150.0)))


def config(*controls: str) -> LabelConfig:
    return LabelConfig.parse(f'<View><Image name="image" value="$image"/>{"".join(controls)}</View>')


def tag(name: str, control: str, *labels: str) -> str:
    inside = "".join(f'<Label value="{label}"/>' for label in labels)
    return f'<{name} name="{control}" toName="image">{inside}</{name}>'


BOXES = config(tag("RectangleLabels", "label", "car", "dog"), tag("PolygonLabels", "outline", "road"))


def region(form: PixelBox | PixelPolygon = BOX, label: str | None = "car", **properties: object) -> NativeRegion:
    return NativeRegion(form, label, "r1", properties)


def one(given: NativeRegion, by: LabelConfig = BOXES, medium: Medium = IMAGE) -> dict[str, Any]:
    items = items_of(given, by, medium)
    assert isinstance(items, list), items
    (item,) = items
    return item


def refused(given: NativeRegion, by: LabelConfig = BOXES, medium: Medium = IMAGE) -> str:
    reason = items_of(given, by, medium)
    assert isinstance(reason, str)
    return reason


def test_a_box():
    assert one(region(LS_score=0.5)) == {
        "id": "r1",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 400,
        "original_height": 300,
        "image_rotation": 0,
        "origin": "prediction",
        "score": 0.5,
        "value": {"x": 10, "y": 10, "width": 25, "height": 20, "rotation": 0, "rectanglelabels": ["car"]},
    }


def test_a_polygon():
    item = one(region(TRIANGLE, "road"))
    assert (item["type"], item["from_name"]) == ("polygonlabels", "outline")
    points = [[10, 10], [50, 10], [10, 50]]
    assert item["value"] == {"points": points, "closed": True, "polygonlabels": ["road"]}


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [(1, (10, 10, 25, 20)), (3, (65, 70, 25, 20)), (6, (70, 10, 20, 25)), (8, (10, 65, 20, 25))],
)
def test_pixels_of_the_stored_bytes_are_percents_of_the_upright_picture(orientation: int, expected: tuple[float, ...]):
    """400 x 300 are stored; with 6 and 8 a browser shows 300 x 400."""
    size = (300, 400) if orientation >= 5 else (400, 300)
    value = one(region(), medium=Medium("image", *size, orientation))["value"]
    assert tuple(value[key] for key in ("x", "y", "width", "height")) == pytest.approx(expected)


def test_exact_percents_are_taken_instead_of_pixels():
    exact = {"LS_x": 10.123, "LS_y": 9.5, "LS_width": 24.75, "LS_height": 20.25, "LS_rotation": 5.0}
    value = one(region(**exact))["value"]
    assert {key: value[key] for key in ("x", "y", "width", "height", "rotation")} == {
        "x": 10.123,
        "y": 9.5,
        "width": 24.75,
        "height": 20.25,
        "rotation": 5.0,
    }


@pytest.mark.parametrize(
    "points", ["no json", "[[1, 2]]", "[[1, 2], [3], [4, 5]]", '{"a": 1}', "[[1,2],[3,4],[5,null]]"]
)
def test_exact_points_that_are_none_are_not_taken(points: str):
    assert one(region(TRIANGLE, "road", LS_points=points))["value"]["points"][0] == [10, 10]


def test_exact_points():
    points = [[10.5, 10.25], [50, 10], [10, 50.125]]
    assert one(region(TRIANGLE, "road", LS_points=json.dumps(points)))["value"]["points"] == points


def test_the_label_is_written_as_label_studio_writes_it():
    by = LabelConfig.parse(
        '<View><Image name="image" value="$i"/><RectangleLabels name="label" toName="image">'
        '<Label value="Automobile" alias="car"/></RectangleLabels></View>'
    )
    assert one(region(label="Automobile"), by)["value"]["rectanglelabels"] == ["car"]


def test_a_form_and_labels_with_controls_of_their_own():
    by = config(tag("Rectangle", "shape"), tag("Labels", "name", "car"))
    items = items_of(region(), by, IMAGE)
    assert [(item["id"], item["type"], item["from_name"]) for item in items] == [
        ("r1", "rectangle", "shape"),
        ("r1", "labels", "name"),
    ]
    assert items[1]["value"]["labels"] == ["car"]


def test_a_box_without_a_label_needs_a_control_that_takes_none():
    assert refused(region(label=None)) == "it has no label, and no <Rectangle> takes one without"
    item = one(region(label=None), config(tag("Rectangle", "shape")))
    assert (item["type"], item["value"]["rotation"]) == ("rectangle", 0)


def test_labels_that_come_with_the_task_take_any():
    by = config('<RectangleLabels name="label" toName="image" value="$labels"/>')
    assert one(region(label="anything"), by)["value"]["rectanglelabels"] == ["anything"]


ROAD = region(label="road")
DOGS = config(tag("RectangleLabels", "label", "dog"))
AMBIGUOUS = config(tag("RectangleLabels", "one", "car"), tag("RectangleLabels", "two", "car"))


@pytest.mark.parametrize(
    ("given", "by", "medium", "reason"),
    [
        (region(label="Cars"), BOXES, IMAGE, "no control has the label 'Cars'; did you mean 'car'?"),
        (region(label="zzzz"), BOXES, IMAGE, "no control has the label 'zzzz'"),
        (ROAD, BOXES, IMAGE, "the label 'road' belongs to <PolygonLabels> 'outline', which cannot draw it"),
        (region(), AMBIGUOUS, IMAGE, "the label 'car' is ambiguous: 'one', 'two' all take it"),
        (region(), BOXES, Medium("image"), "the size of the picture is not known"),
        (region(TRIANGLE), DOGS, IMAGE, "no control of the label configuration draws this form on a picture"),
    ],
)  # fmt: skip
def test_a_reason(given: NativeRegion, by: LabelConfig, medium: Medium, reason: str):
    assert refused(given, by, medium) == reason


def test_a_configuration_without_a_picture():
    by = LabelConfig.parse(
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="car"/></Choices></View>'
    )
    assert refused(region(), by) == "the label configuration shows no picture"


@given(
    st.integers(1, 8),
    st.tuples(st.integers(2, 4000), st.integers(2, 4000)),
    st.tuples(*[st.floats(0, 1, exclude_max=True)] * 4),
)
def test_there_and_back_is_the_same_box(orientation: int, size: tuple[int, int], places: tuple[float, ...]):
    """Pixels -> percent -> pixels, whatever the orientation: no pixel more or less."""
    stored = size if orientation < 5 else size[::-1]
    x, y = int(places[0] * (stored[0] - 1)), int(places[1] * (stored[1] - 1))
    width, height = 1 + int(places[2] * (stored[0] - x - 1)), 1 + int(places[3] * (stored[1] - y - 1))
    box, medium = PixelBox(x, y, width, height), Medium("image", *size, orientation)
    item = one(replace(region(), form=box), medium=medium)
    assert validate_results([item], BOXES, medium) == ()
    assert map_annotation([item], medium).regions[0].native == box
