"""RegionIoU, and the hulls of polygons."""

import pytest

BOX = {"x": 0, "y": 0, "width": 10, "height": 10}


@pytest.fixture
def regions(ask, picture):
    ask(
        {"AddImage": {"_ref": 1}},
        {"AddBoundingBox": {"image_ref": 1, "label": "a", "rectangle": BOX}},
        {"AddBoundingBox": {"image_ref": 1, "label": "a", "rectangle": {**BOX, "x": 5}}},
        {"AddPolygon": {"image_ref": 1, "label": "b", "polygons": [[[0, 0], [10, 0], [0, 10]]]}},
        blobs=[picture()],
    )


def compare(ask, **parameters):
    answer = ask(
        {"FindBoundingBox": {"_ref": 1, "with_label": "a"}},
        {"FindPolygon": {"_ref": 2, "with_label": "b"}},
        {"RegionIoU": parameters},
    )
    return answer["info"] if isinstance(answer, dict) else answer[2]["RegionIoU"]


def test_a_matrix_of_all_pairs(ask, regions):
    assert compare(ask, roi_1=1, roi_2=1) == {"IoU": [[1.0, 50 / 150], [50 / 150, 1.0]], "status": 0}


def test_areas_are_counted_in_whole_pixels(ask, regions):
    """The polygon and the second box share 12.5 square pixels, which count as 12."""
    assert compare(ask, roi_1=2, roi_2=1) == {"IoU": [[50 / 100, 12 / (50 + 100 - 12)]], "status": 0}


def test_with_a_shape_that_is_not_stored(ask, regions):
    assert compare(ask, roi_1=1, rectangle={**BOX, "y": 5}) == {"IoU": [[50 / 150], [25 / 175]], "status": 0}
    assert compare(ask, roi_1=2, polygons=[[[0, 0], [10, 0], [10, 10], [0, 10]]]) == {"IoU": [[0.5]], "status": 0}


def test_nothing_overlaps_with_nothing(ask):
    assert compare(ask, roi_1=1, roi_2=2) == {"IoU": [], "status": 0}


@pytest.mark.parametrize("others", [{}, {"roi_2": 2, "rectangle": BOX}])
def test_one_shape_to_compare_with_is_needed(ask, regions, others):
    assert "expected exactly one of roi_2, rectangle, polygons" in compare(ask, roi_1=1, **others)


def test_only_regions_have_an_overlap(ask, regions):
    answer = ask({"FindImage": {"_ref": 1}}, {"RegionIoU": {"roi_1": 1, "roi_2": 1}})
    assert answer["info"].endswith("reference 1 holds something else than regions")


def test_the_hull_begins_at_the_top_and_goes_clockwise(ask, picture):
    dented = [[20, 10], [10, 5], [30, 0], [30, 20], [10, 20]]
    ask({"AddImage": {"_ref": 1}}, {"AddPolygon": {"image_ref": 1, "polygons": [dented]}}, blobs=[picture()])
    (answer,) = ask({"FindPolygon": {"hulls": True}})
    assert answer["FindPolygon"]["entities"] == [{"_hulls": [[[30, 0], [30, 20], [10, 20], [10, 5]]]}]
