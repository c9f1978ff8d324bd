"""Bounding boxes and polygons: regions of one image."""

import io

import pytest
from PIL import Image

SQUARE = [[[10.0, 10.0], [30.0, 10.0], [30.0, 30.0], [10.0, 30.0]]]


@pytest.fixture
def image(ask, picture):
    """64 x 48, the left half red, with a box of 10 x 12 labelled dog and one without a label."""
    ask(
        {"AddImage": {"_ref": 1, "properties": {"guid": "g"}}},
        {
            "AddBoundingBox": {
                "image_ref": 1,
                "label": "dog",
                "rectangle": {"x": 2, "y": 3, "width": 10, "height": 12},
                "properties": {"LS_id": "r1"},
            }
        },
        {"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": 40, "y": 0, "width": 24, "height": 48}}},
        blobs=[picture()],
    )


def boxes(ask, **parameters):
    (answer,) = ask({"FindBoundingBox": parameters})
    return answer["FindBoundingBox"].get("entities", [])


def add_polygon(ask, picture, polygons):
    answer = ask({"AddImage": {"_ref": 1}}, {"AddPolygon": {"image_ref": 1, "polygons": polygons}}, blobs=[picture()])
    return 0 if isinstance(answer, list) else answer["status"]


def test_coordinates_areas_and_labels(ask, image):
    (box,) = boxes(ask, with_label="dog", coordinates=True, areas=True, labels=True)
    assert box == {
        "_area": 120,
        "_coordinates": {"height": 12, "width": 10, "x": 2, "y": 3},
        "_label": "dog",
    }


def test_all_properties_of_a_region_include_label_and_area(ask, image):
    (box,) = boxes(ask, with_label="dog", results={"all_properties": True})
    assert sorted(box) == ["LS_id", "_area", "_label", "_uniqueid"]


def test_list_of_a_missing_property_is_null(ask, image):
    assert [box["LS_id"] for box in boxes(ask, results={"list": ["LS_id"]})] == ["r1", None]


@pytest.mark.parametrize(
    ("rectangle", "found"),
    [
        ({"x": 0, "y": 0, "width": 64, "height": 48}, 2),
        ({"x": 2, "y": 3, "width": 10, "height": 12}, 1),
        ({"x": 3, "y": 3, "width": 10, "height": 12}, 0),
    ],
)
def test_in_rectangle_means_fully_inside(ask, image, rectangle, found):
    assert len(boxes(ask, in_rectangle=rectangle, uniqueids=True)) == found


def test_boxes_of_an_image(ask, image, picture):
    ask({"AddImage": {"properties": {"guid": "other"}}}, blobs=[picture()])
    for guid, expected in (("g", 2), ("other", 0)):
        answer = ask(
            {"FindImage": {"constraints": {"guid": ["==", guid]}, "_ref": 1}},
            {"FindBoundingBox": {"image_ref": 1, "results": {"count": True}}},
        )
        assert answer[1]["FindBoundingBox"]["count"] == expected


def test_images_of_a_box(ask, image):
    answer = ask(
        {"FindBoundingBox": {"with_label": "dog", "_ref": 1}},
        {
            "FindImage": {
                "is_connected_to": {"ref": 1, "connection_class": "_BoundingBoxToImage", "direction": "out"},
                "results": {"list": ["guid"]},
            }
        },
    )
    assert answer[1]["FindImage"]["entities"] == [{"guid": "g"}]


def test_boxes_grouped_by_image(ask, image):
    answer = ask(
        {"FindImage": {"_ref": 1, "uniqueids": True}},
        {"FindBoundingBox": {"image_ref": 1, "group_by_source": True, "areas": True}},
    )
    unique_id = answer[0]["FindImage"]["entities"][0]["_uniqueid"]
    assert answer[1]["FindBoundingBox"]["entities"] == {unique_id: [{"_area": 120}, {"_area": 1152}]}


def test_blobs_of_boxes_are_crops(client, image):
    _, blobs = client.query([{"FindBoundingBox": {"blobs": True}}])
    crops = [Image.open(io.BytesIO(blob)) for blob in blobs]
    assert [(crop.format, crop.size) for crop in crops] == [("PNG", (10, 12)), ("PNG", (24, 48))]
    assert [crop.getpixel((0, 0)) for crop in crops] == [(255, 0, 0), (0, 0, 255)]


def test_crops_in_another_format(client, image):
    _, blobs = client.query([{"FindBoundingBox": {"blobs": True, "as_format": "jpg", "limit": 1}}])
    assert Image.open(io.BytesIO(blobs[0])).format == "JPEG"


def test_update_of_rectangle_and_label(ask, image):
    answer = ask(
        {"FindBoundingBox": {"with_label": "dog", "_ref": 1}},
        {
            "UpdateBoundingBox": {
                "ref": 1,
                "label": "cat",
                "rectangle": {"x": 0, "y": 0, "width": 5, "height": 6},
                "properties": {"LS_text": "t"},
            }
        },
        {"FindBoundingBox": {"with_label": "cat", "areas": True, "results": {"list": ["LS_id", "LS_text"]}}},
    )
    assert answer[1] == {"UpdateBoundingBox": {"count": 1, "status": 0}}
    assert answer[2]["FindBoundingBox"]["entities"] == [{"LS_id": "r1", "LS_text": "t", "_area": 30}]


def test_deleting_an_image_deletes_its_regions(ask, image):
    ask({"FindImage": {"_ref": 1}}, {"AddPolygon": {"image_ref": 1, "polygons": SQUARE}})
    answer = ask(
        {"DeleteImage": {"constraints": {"guid": ["==", "g"]}}},
        {"FindBoundingBox": {"results": {"count": True}}},
        {"FindPolygon": {"results": {"count": True}}},
        {"GetSchema": {}},
    )
    assert answer[0] == {"DeleteImage": {"count": 1, "status": 0}}
    assert (answer[1]["FindBoundingBox"]["count"], answer[2]["FindPolygon"]["count"]) == (0, 0)
    assert answer[3]["GetSchema"]["entities"] is None


def test_deleting_a_region_keeps_the_image(ask, image):
    answer = ask(
        {"DeleteBoundingBox": {"constraints": {"LS_id": ["==", "r1"]}}}, {"FindImage": {"results": {"count": True}}}
    )
    assert answer[0] == {"DeleteBoundingBox": {"count": 1, "status": 0}}
    assert answer[1]["FindImage"]["count"] == 1


@pytest.mark.parametrize(
    "rectangle",
    [
        {"x": 0, "y": 0, "width": 0, "height": 5},
        {"x": 0.5, "y": 0, "width": 5, "height": 5},
        {"x": 0, "y": 0, "width": 5},
    ],
    ids=["no area", "fraction", "no height"],
)
def test_rectangles_that_are_refused(ask, picture, rectangle):
    answer = ask(
        {"AddImage": {"_ref": 1}},
        {"AddBoundingBox": {"image_ref": 1, "rectangle": rectangle}},
        blobs=[picture()],
    )
    assert answer["status"] == -1


def test_polygon_vertices_are_rounded_to_float32(ask, picture):
    add_polygon(ask, picture, [[[1.1, 1.0], [30.7, 1.0], [30.7, 20.3]]])
    (answer,) = ask({"FindPolygon": {"vertices": True, "bounds": True, "areas": True}})
    assert answer["FindPolygon"]["entities"] == [
        {
            "_area": 285,
            "_bounds": {"height": 20, "width": 30, "x": 1, "y": 1},
            "_vertices": [
                [[1.100000023841858, 1.0], [30.700000762939453, 1.0], [30.700000762939453, 20.299999237060547]]
            ],
        }
    ]


@pytest.mark.parametrize(
    ("polygons", "status"),
    [
        pytest.param(SQUARE, 0, id="square"),
        pytest.param([[[0, 0], [64, 0], [64, 48], [0, 48]]], 0, id="whole image"),
        pytest.param([*SQUARE, [[40, 10], [50, 10], [50, 20]]], 0, id="two parts"),
        pytest.param(
            [[[0, 0], [40, 0], [40, 40], [0, 40], [0, 0], [10, 10], [10, 20], [20, 20], [20, 10], [10, 10]]],
            0,
            id="hole",
        ),
        pytest.param([*SQUARE, [[20, 20], [50, 20], [50, 40]]], -1, id="overlapping parts"),
        pytest.param([[[1, 1], [5, 5]]], -1, id="two vertices"),
        pytest.param([[[1, 1], [5, 5], [9, 9]]], -1, id="a line"),
        pytest.param([[[0, 0], [10, 10], [10, 0], [0, 10]]], -1, id="bow tie"),
        pytest.param([[[0, 0], [65, 0], [10, 20]]], -1, id="outside"),
        pytest.param([[[-1, 0], [20, 0], [10, 20]]], -1, id="negative"),
        pytest.param([], -1, id="nothing"),
    ],
)
def test_which_polygons_are_valid(ask, picture, polygons, status):
    assert add_polygon(ask, picture, polygons) == status


def test_update_of_a_polygon(ask, picture):
    add_polygon(ask, picture, SQUARE)
    answer = ask(
        {"FindPolygon": {"_ref": 1}},
        {"UpdatePolygon": {"ref": 1, "label": "cat", "polygons": [[[0, 0], [10, 0], [10, 10]]]}},
        {"FindPolygon": {"with_label": "cat", "areas": True}},
        {"DeletePolygon": {"ref": 1}},
    )
    assert answer[2]["FindPolygon"]["entities"] == [{"_area": 50}]
    assert answer[3] == {"DeletePolygon": {"count": 1, "status": 0}}
