"""Operations on pictures, when they are added and when they are read."""

import io

import pytest
from PIL import Image

RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)


@pytest.fixture
def image(ask, picture):
    """64 x 48 pixels, the left half red, the right half blue."""
    ask({"AddImage": {"properties": {"guid": "g"}}}, blobs=[picture()])


def read(client, *operations, **parameters):
    answer, blobs = client.query([{"FindImage": {"blobs": True, "operations": list(operations), **parameters}}])
    return Image.open(io.BytesIO(blobs[0])) if isinstance(answer, list) else answer


@pytest.mark.parametrize(
    ("operation", "size"),
    [
        ({"type": "resize", "width": 32, "height": 10}, (32, 10)),
        ({"type": "resize", "width": 32}, (32, 24)),
        ({"type": "resize", "height": 12}, (16, 12)),
        ({"type": "resize", "scale": 2}, (128, 96)),
        ({"type": "crop", "x": 10, "y": 20, "width": 30, "height": 5}, (30, 5)),
        ({"type": "rotate", "angle": 90}, (64, 48)),
        ({"type": "rotate", "angle": 90, "resize": True}, (48, 64)),
        ({"type": "flip", "code": 0}, (64, 48)),
        ({"type": "threshold", "value": 100}, (64, 48)),
    ],
    ids=str,
)
def test_the_size_after_an_operation(client, image, operation, size):
    changed = read(client, operation)
    assert (changed.format, changed.size) == ("PNG", size)


@pytest.mark.parametrize(
    ("operation", "corners"),
    [
        ({"type": "flip", "code": 0}, (RED, BLUE)),
        ({"type": "flip", "code": 1}, (BLUE, RED)),
        ({"type": "flip", "code": -1}, (BLUE, RED)),
        ({"type": "rotate", "angle": 180}, (BLUE, RED)),
        ({"type": "threshold", "value": 254}, (RED, BLUE)),
        ({"type": "threshold", "value": 255}, (BLACK, BLACK)),
        ({"type": "crop", "x": 32, "y": 0, "width": 32, "height": 48}, (BLUE, BLUE)),
    ],
    ids=str,
)
def test_the_top_left_and_right_after_an_operation(client, image, operation, corners):
    changed = read(client, operation)
    assert (changed.getpixel((1, 1)), changed.getpixel((changed.width - 2, 1))) == corners


def test_a_positive_angle_turns_clockwise(client, image):
    """The left half is on top then."""
    turned = read(client, {"type": "rotate", "angle": 90, "resize": True})
    assert (turned.getpixel((24, 2)), turned.getpixel((24, 60))) == (RED, BLUE)


def test_operations_are_done_in_their_order(client, image):
    crop = {"type": "crop", "x": 0, "y": 0, "width": 32, "height": 32}
    resize = {"type": "resize", "width": 32, "height": 32}
    assert read(client, crop, resize).getpixel((30, 5)) == RED
    assert read(client, resize, crop).getpixel((30, 5)) == BLUE


def test_the_format_can_be_changed_too(client, image):
    changed = read(client, {"type": "resize", "width": 8}, as_format="jpg")
    assert (changed.format, changed.size) == ("JPEG", (8, 6))


def test_operations_of_the_client(client, image):
    from aperturedb.Operations import Operations

    made = Operations().resize(width=32, height=24).crop(0, 0, 16, 24).rotate(90, resize=True).threshold(10)
    assert read(client, *made.get_operations_arr()).size == (24, 16)


def test_operations_while_adding(client, ask, picture):
    crop = {"type": "crop", "x": 0, "y": 0, "width": 20, "height": 10}
    ask({"AddImage": {"operations": [crop], "format": "jpg"}}, blobs=[picture()])
    _, blobs = client.query([{"FindImage": {"blobs": True}}])
    stored = Image.open(io.BytesIO(blobs[0]))
    assert (stored.format, stored.size) == ("JPEG", (20, 10))
    box = {"image_ref": 1, "rectangle": {"x": 0, "y": 0, "width": 21, "height": 10}}
    assert "20 x 10" in ask({"FindImage": {"_ref": 1}}, {"AddBoundingBox": box})["info"]


def test_operations_on_the_pixels_of_boxes(client, ask, image):
    box = {"image_ref": 1, "rectangle": {"x": 32, "y": 0, "width": 10, "height": 10}}
    ask({"FindImage": {"_ref": 1}}, {"AddBoundingBox": box})
    find = {"blobs": True, "operations": [{"type": "resize", "scale": 2}], "as_format": "png"}
    _, blobs = client.query([{"FindBoundingBox": find}])
    cut = Image.open(io.BytesIO(blobs[0]))
    assert (cut.size, cut.getpixel((5, 5))) == ((20, 20), BLUE)


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ({"type": "blur"}, 'unknown operation "blur"'),
        ({"type": "interval", "start": 0, "stop": 5, "step": 1}, 'operation "interval" is not supported'),
        ({"type": "preview"}, 'operation "preview" is not supported'),
        ({"type": "resize"}, 'resize needs either "scale"'),
        ({"type": "resize", "scale": 2, "width": 5}, 'resize needs either "scale"'),
        ({"type": "resize", "width": 60_000, "height": 60_000}, "60000 x 60000 pixels is too large"),
        ({"type": "resize", "scale": 1e300}, "is too large"),
        ({"type": "crop", "x": 60, "y": 0, "width": 5, "height": 5}, "is not inside the image of 64 x 48"),
        ({"type": "crop", "x": 0, "y": 0}, 'missing parameter "width"'),
        ({"type": "flip", "code": "both"}, "code: expected an integer"),
        ({"type": "threshold", "value": 300}, "value: expected an integer from 0 to 255"),
        ({"type": "rotate", "angle": 5, "center": 1}, 'unknown parameter "center"'),
        ("resize", 'expected an operation with a "type"'),
    ],
    ids=str,
)
def test_operations_that_are_refused(client, image, operation, text):
    assert text in read(client, operation)["info"]


def test_no_operations_are_not_operations(client, image):
    assert "expected an array of operations" in read(client)["info"]
