import io

import numpy as np
import pytest
from PIL import Image

from labeling_assets.errors import InputError
from labeling_assets.mapping.picture import Picture
from labeling_assets.mapping.region import PixelBox, PixelPolygon, Region
from labeling_assets.quality.draw import Shape, color_of, shapes_of, thumbnail

GRAY = (128, 128, 128)


def picture(width: int = 400, height: int = 200, *, mode: str = "RGB", orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    Image.new(mode, (width, height), GRAY if mode == "RGB" else 0).save(out, "PNG", exif=exif)
    return out.getvalue()


def drawn(image: bytes, shapes: list[Shape], max_side: int = 200) -> Image.Image:
    return Image.open(io.BytesIO(thumbnail(image, shapes, max_side=max_side)))


def changed(shown: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is not gray."""
    differs = np.abs(np.asarray(shown, dtype=int) - 128).max(axis=2) > 40
    rows, columns = np.nonzero(differs)
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


SQUARE = Shape(((300, 20), (380, 20), (380, 100), (300, 100)))


def test_the_longer_side_is_as_asked():
    assert drawn(picture(), []).size == (200, 100)
    assert drawn(picture(100, 400), []).size == (50, 200)


def test_a_shape_is_where_it_belongs():
    assert changed(drawn(picture(), [SQUARE])) == pytest.approx((150, 10, 190, 50), abs=3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_shape_turns_with_the_picture(orientation: int):
    """The shape is in stored pixels, (300, 20) to (380, 100) of 400 x 200; the thumbnail is upright."""
    shown = drawn(picture(orientation=orientation), [SQUARE])
    upright = (400, 200) if orientation < 5 else (200, 400)
    corners = Picture(*upright, orientation).to_shown(SQUARE.points)
    xs, ys = [x / 2 for x, _ in corners], [y / 2 for _, y in corners]
    assert shown.size == (upright[0] // 2, upright[1] // 2)
    assert changed(shown) == pytest.approx((min(xs), min(ys), max(xs), max(ys)), abs=3)


def test_a_caption_is_above_its_shape():
    low = tuple((x, y + 80) for x, y in SQUARE.points)
    top = changed(drawn(picture(), [Shape(low, "car")]))[1]
    assert top == pytest.approx(50 - 13, abs=1)


def test_a_caption_without_room_above_is_in_its_shape():
    assert changed(drawn(picture(), [Shape(SQUARE.points, "car")])) == changed(drawn(picture(), [SQUARE]))


@pytest.mark.parametrize("label", ["", "x" * 500, "two\nlines", "猫", "\ud83d"])
def test_any_label_can_be_drawn(label: str):
    thumbnail(picture(), [Shape(SQUARE.points, label)], max_side=64)


@pytest.mark.parametrize(
    "points", [(), ((5, 5),), ((5, 5), (50, 50)), ((-1e6, -1e6), (1e6, -1e6), (1e6, 1e6)), ((900, 900), (990, 990))]
)
@pytest.mark.parametrize("dashed", [True, False])
def test_any_outline_can_be_drawn(points: tuple[tuple[float, float], ...], dashed: bool):
    thumbnail(picture(), [Shape(points, "car", dashed=dashed)])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_any_mode_can_be_shown(mode: str):
    assert drawn(picture(mode=mode), [SQUARE]).mode == "RGB"


def test_transparent_pixels_are_white():
    assert drawn(picture(mode="RGBA"), []).getpixel((10, 10)) == (255, 255, 255)


def test_sixteen_bits_are_stretched():
    out = io.BytesIO()
    Image.fromarray(np.linspace(1000, 3000, 256, dtype=np.uint16).reshape(1, 256).repeat(64, axis=0)).save(out, "PNG")
    shown = np.asarray(drawn(out.getvalue(), [], 256))
    assert shown[:, 0].mean() < 10
    assert shown[:, -1].mean() > 245


def test_labels_keep_their_colors():
    assert color_of("car") == color_of("car")
    assert len({color_of(label) for label in ("car", "dog", "person", "tree", "bus", "sign")}) == 6


def test_colors_can_be_seen_in_the_dark():
    for number in range(200):
        red, green, blue = color_of(str(number))
        assert 0.299 * red + 0.587 * green + 0.114 * blue > 75


@pytest.mark.parametrize("data", [b"", b"no picture", picture()[:60]])
def test_what_is_no_picture_is_refused(data: bytes):
    with pytest.raises(InputError, match="cannot be read as a picture"):
        thumbnail(data, [])


@pytest.mark.parametrize("max_side", [0, 15, 4097])
def test_sizes_that_make_no_sense_are_refused(max_side: int):
    with pytest.raises(InputError, match="16 to 4096"):
        thumbnail(picture(), [], max_side=max_side)


def test_shapes_are_what_aperturedb_holds():
    box, polygon = PixelBox(1, 2, 3, 4), PixelPolygon(((0, 0), (9, 0), (0, 9)))
    native = Region("a", "l", "i", "rectanglelabels", "box", labels=("car",), native=box)
    derived = Region("b", "l", "i", "polygonlabels", "polygon", labels=("leaf", "x"), derived_box=box)
    both = Region("c", "l", "i", "polygon", "polygon", native=polygon, derived_box=box)
    nothing = Region("d", "c", "i", "choices", "choices")
    corners = ((1, 2), (4, 2), (4, 6), (1, 6))
    assert shapes_of([native, derived, both, nothing]) == [
        Shape(corners, "car"),
        Shape(corners, "leaf", dashed=True),
        Shape(((0, 0), (9, 0), (0, 9))),
    ]
