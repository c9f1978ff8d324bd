import pytest

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import Region
from labeling_assets.quality.geometry import geometry_problem, inside_picture, zero_area


def box(**value: float) -> Region:
    given = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, **value}
    item = {"id": "a", "type": "rectangle", "from_name": "l", "to_name": "i", "value": given}
    return map_annotation([item], Medium("image", 200, 100)).regions[0]


def polygon(*points: tuple[float, float], closed: bool = True) -> Region:
    item = {"id": "a", "type": "polygon", "value": {"points": points, "closed": closed}}
    return map_annotation([item], Medium("image", 200, 100)).regions[0]


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (box(), None),
        (box(x=0, y=0, width=100, height=100), None),
        (box(x=80.05), None),  # within the tolerance
        (box(x=85), "a corner is at 105 % of the picture's width"),
        (box(y=-3), "a corner is at -3 % of the picture's height"),
        (box(rotation=90), None),  # its height of 20 % of 100 pixels is now a width of 10 % of 200
        (box(x=5, rotation=90), "a corner is at -5 % of the picture's width"),
        (polygon((0, 0), (100, 50), (50, 100)), None),
        (polygon((0, 0), (100, 50), (50, 101)), "a corner is at 101 % of the picture's height"),
        (Region("a", "c", "i", "choices", "choices"), None),
    ],
)
def test_inside_picture(region: Region, reason: str | None):
    assert inside_picture(region) == reason


def test_the_tolerance_can_be_set():
    assert inside_picture(box(x=85), tolerance=5) is None


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (box(), None),
        (box(rotation=30), None),
        (box(width=0), "zero area"),
        (box(height=0, rotation=30), "zero area"),
        (polygon((0, 0), (10, 0), (0, 10)), None),
        (polygon((0, 0), (10, 10), (20, 20)), "zero area"),
        (polygon((5, 5), (5, 5), (5, 5)), "zero area"),
        (polygon((0, 0), (10, 10)), "2 points span no area"),
        (polygon((0, 0), (10, 10), closed=False), None),
        (Region("a", "l", "i", "brush", "raw"), None),
    ],
)
def test_zero_area(region: Region, reason: str | None):
    assert zero_area(region) == reason


def test_geometry_problem_is_the_first_of_them():
    assert geometry_problem(box(x=200, width=0)) == "a corner is at 200 % of the picture's width"
