import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.kinds import outline
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import PixelBox
from labeling_assets_tests.mapping.shapes import garbage, mapped, percents, pictures, there_and_back

points = st.fixed_dictionaries({"x": percents, "y": percents})
vertices = st.fixed_dictionaries(
    {"id": st.text(max_size=8), "x": percents, "y": percents, "prevPointId": st.none() | st.text(max_size=8)},
    optional={
        "isBezier": st.booleans(),
        "controlPoint1": points,
        "controlPoint2": points,
        "isBranching": st.booleans(),
    },
)
vectors = st.fixed_dictionaries({"vertices": st.lists(vertices, max_size=6), "closed": st.booleans()})
STRAIGHT: dict[str, Any] = {"id": "b", "x": 30, "y": 40, "prevPointId": "a"}
CURVED: dict[str, Any] = {**STRAIGHT, "isBezier": True, "controlPoint1": {"x": 5, "y": 90}, "controlPoint2": None}


def vector(*given: dict[str, Any]) -> dict[str, Any]:
    return {"vertices": [{"id": "a", "x": 10, "y": 20, "prevPointId": None}, *given], "closed": False}


def test_the_box_is_around_the_vertices():
    assert mapped("vector", vector(STRAIGHT)).derived_box == PixelBox(100, 100, 200, 100)


def test_the_box_holds_the_handles_of_curves():
    assert mapped("vector", vector(CURVED)).derived_box == PixelBox(50, 100, 250, 350)


def test_handles_of_a_straight_vertex_draw_nothing():
    assert mapped("vector", vector({**CURVED, "isBezier": False})).derived_box == PixelBox(100, 100, 200, 100)


def test_vertices_are_kept_with_what_nobody_knows():
    given = vector({**STRAIGHT, "color": "né 🎨", "half": "\ud83d"})
    properties = mapped("vector", given).properties
    assert json.loads(str(properties["LS_vertices"])) == given["vertices"]
    assert (properties["LS_vertex_count"], properties["LS_closed"]) == (2, False)
    str(properties["LS_vertices"]).encode()


def test_the_outline_is_the_vertices():
    assert outline(mapped("vector", vector(CURVED))) == ((10, 20), (30, 40))


@settings(deadline=None)
@given(vectors, pictures)
def test_the_way_back_is_exact(value: dict[str, Any], medium: Medium):
    assert there_and_back("vectorlabels", {**value, "vectorlabels": ["road"]}, medium) == {
        **value,
        "vectorlabels": ["road"],
    }


@settings(deadline=None)
@given(garbage | st.lists(garbage | st.dictionaries(st.sampled_from(["x", "y", "isBezier", "controlPoint1"]), garbage)))
def test_garbage_is_kept_as_raw(given: object):
    region = mapped("vector", {"vertices": given})
    assert region.kind == "vector" or region.reason
    outline(region)
