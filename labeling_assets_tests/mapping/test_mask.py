import base64
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.mask_png import read_grey_png
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.region import PixelBox, Region
from labeling_assets.mapping.rle import decode_alpha, encode_alpha
from labeling_assets_tests.mapping.shapes import garbage, item, mapped, there_and_back

# 8 x 4 pixels, an L.
L = np.zeros((4, 8), np.uint8)
L[0:3, 1:3] = L[2, 1:7] = 200
SMALL = Medium("image", 8, 4)
SIZE = {"original_width": 8, "original_height": 4}
masks = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1)).map(
    lambda it: np.random.default_rng(it[2]).choice([0, 0, 255, it[2] % 256], (it[0], it[1])).astype(np.uint8)
)


def brush(alpha: np.ndarray = L) -> dict[str, Any]:
    return {"format": "rle", "rle": encode_alpha(alpha)}


def bitmask(picture: Image.Image, **options: Any) -> dict[str, Any]:
    out = io.BytesIO()
    picture.save(out, "PNG", **options)
    return {"imageDataURL": "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()}


def pixels(region: Region) -> np.ndarray:
    assert region.mask is not None
    picture = np.asarray(Image.open(io.BytesIO(region.mask.png)))
    assert picture.shape == (region.mask.height, region.mask.width)
    return picture


def test_the_mask_is_the_alpha_of_the_picture_as_shown():
    region = mapped("brush", brush(), Medium("image", 8, 4, 6), **SIZE)
    assert np.array_equal(pixels(region), L)
    assert region.properties["LS_area_px"] == 10
    assert region.native is None


@pytest.mark.parametrize(
    ("orientation", "box"),
    [
        (1, PixelBox(1, 0, 6, 3)),
        (2, PixelBox(1, 0, 6, 3)),
        (3, PixelBox(1, 1, 6, 3)),
        (4, PixelBox(1, 1, 6, 3)),
        (5, PixelBox(0, 1, 3, 6)),
        (6, PixelBox(0, 1, 3, 6)),
        (7, PixelBox(1, 1, 3, 6)),
        (8, PixelBox(1, 1, 3, 6)),
    ],
)
def test_box_and_outline_are_those_of_the_stored_bytes(orientation: int, box: PixelBox):
    """As Pillow undoes what it does to show a picture."""
    region = mapped("brush", brush(), Medium("image", 8, 4, orientation), **SIZE)
    assert region.derived_box == box
    xs, ys = zip(*region.derived_polygon[0].points, strict=True)
    assert (min(xs), min(ys), max(xs), max(ys)) == (box.x, box.y, box.x + box.width, box.y + box.height)


def test_a_mask_of_a_preview_is_kept_as_it_is_and_its_box_is_scaled():
    region = mapped("brush", brush(), Medium("image", 80, 40), **SIZE)
    assert pixels(region).shape == (4, 8)
    assert region.derived_box == PixelBox(10, 0, 60, 30)


@pytest.mark.parametrize(
    ("medium", "fields", "reason"),
    [
        (Medium("image", 4, 8), SIZE, "shown with 8 x 4 pixels, the upright medium has 4 x 8: it was turned"),
        (SMALL, {**SIZE, "item_index": 1}, "belongs to picture 2 of a task with several"),
        (Medium("video"), SIZE, "no picture: the medium is of type video"),
    ],
)
def test_without_a_picture_there_is_a_mask_but_no_form(medium: Medium, fields: dict[str, int], reason: str):
    region = mapped("brush", brush(), medium, **fields)
    assert np.array_equal(pixels(region), L)
    assert (region.derived_box, region.derived_polygon) == (None, ())
    assert str(region.reason).startswith(reason)


def test_without_any_size_only_the_json_is_left():
    region = mapped("brush", brush(), Medium("image"))
    assert (region.kind, region.mask, region.reason) == ("mask", None, "the size of the picture is not known")


def test_a_size_that_the_code_does_not_have_is_not_used():
    region = mapped("brush", brush(), SMALL, original_width=9, original_height=4)
    assert np.array_equal(pixels(region), L)


def test_more_than_a_hundred_megapixels_are_refused():
    value = {"format": "rle", "rle": [*(10_001 * 10_000 * 4).to_bytes(4), *encode_alpha(L)[4:]]}
    region = mapped("brush", value, Medium("image"), original_width=10_001, original_height=10_000)
    assert (region.kind, region.mask) == ("raw", None)
    assert region.reason == "the mask has more than 100 megapixels @ $.result[0].value.rle"


def test_a_bomb_of_a_png_is_refused_before_it_is_unpacked():
    header = Image.new("L", (1, 1))
    url = bitmask(header)["imageDataURL"]
    png = bytearray(base64.b64decode(url.split(",")[1]))
    png[16:24] = (10_001).to_bytes(4) + (10_000).to_bytes(4)
    png[29:33] = __import__("zlib").crc32(png[12:29]).to_bytes(4)
    value = {"imageDataURL": "data:image/png;base64," + base64.b64encode(png).decode()}
    with pytest.warns(Image.DecompressionBombWarning):
        region = mapped("bitmask", value, SMALL)
    assert region.reason == "the mask has more than 100 megapixels @ $.result[0].value.imageDataURL"


@pytest.mark.parametrize(
    ("picture", "options"),
    [
        (Image.merge("RGBA", [Image.new("L", (8, 4))] * 3 + [Image.fromarray(L)]), {}),
        (Image.merge("LA", [Image.new("L", (8, 4), 9), Image.fromarray(L)]), {}),
    ],
)
def test_alpha_is_what_is_painted(picture: Image.Image, options: dict[str, Any]):
    assert np.array_equal(pixels(mapped("bitmask", bitmask(picture, **options), SMALL)), L)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_without_transparency_everything_is_painted_as_in_the_editor(mode: str):
    region = mapped("bitmask", bitmask(Image.new(mode, (8, 4))), SMALL)
    assert (pixels(region) == 255).all()


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_a_colour_may_be_the_transparent_one(mode: str):
    transparent = (0, 0, 0) if mode == "RGB" else 0
    picture = Image.new(mode, (8, 4), transparent)
    picture.putpixel((2, 1), (1, 1, 1) if mode == "RGB" else 1)
    region = mapped("bitmask", bitmask(picture, transparency=transparent), SMALL)
    assert region.derived_box == PixelBox(2, 1, 1, 1)


def test_a_png_of_another_size_is_stretched_as_in_the_editor():
    picture = Image.merge("LA", [Image.new("L", (8, 4)), Image.fromarray(L)])
    region = mapped("bitmask", bitmask(picture), Medium("image", 80, 80))
    assert region.derived_box == PixelBox(10, 0, 60, 60)


def test_parts_without_an_area_in_a_small_picture_are_left_out_and_counted():
    alpha = np.zeros((100, 100), np.uint8)
    alpha[10:60, 10:60] = alpha[90, 90] = 255
    region = mapped("brush", brush(alpha), Medium("image", 5, 5), original_width=100, original_height=100)
    assert [part.points[0] for part in region.derived_polygon] == [(0.5, 0.5)]
    assert region.reason == "1 of 2 parts of the outline left out: zero area"


def test_two_masks_of_the_same_area_under_one_id_are_a_contradiction():
    items = [
        item("brushlabels", {**brush(), "brushlabels": ["a"]}, **SIZE),
        item("brushlabels", {**brush(L[::-1]), "brushlabels": ["b"]}, from_name="other", **SIZE),
    ]
    assert map_annotation(items, SMALL).problems == ("a second form for one region, the first was taken @ $.result[1]",)


def test_the_same_mask_under_one_id_is_one_region():
    items = [
        item("brush", brush(), **SIZE),
        item("labels", {**brush(), "labels": ["a"]}, from_name="other", **SIZE),
    ]
    found = map_annotation(items, SMALL)
    assert (found.problems, found.regions[0].labels, found.regions[0].kind) == ((), ("a",), "mask")


@settings(deadline=None)
@given(masks, st.integers(1, 8), st.integers(1, 3))
def test_the_way_back_of_a_brush_has_the_same_alpha(alpha: np.ndarray, orientation: int, scale: int):
    height, width = alpha.shape
    medium = Medium("image", width * scale, height * scale, orientation)
    size = {"original_width": width, "original_height": height}
    value = there_and_back("brushlabels", {**brush(alpha), "brushlabels": ["a"]}, medium, **size)
    assert np.array_equal(decode_alpha(bytes(value["rle"]), alpha.size), alpha.reshape(-1))
    assert {name: value[name] for name in ("format", "brushlabels")} == {"format": "rle", "brushlabels": ["a"]}


@settings(deadline=None)
@given(masks)
def test_the_way_back_of_a_bitmask_has_the_same_alpha(alpha: np.ndarray):
    picture = Image.merge("LA", [Image.new("L", alpha.shape[::-1]), Image.fromarray(alpha)])
    value = there_and_back("bitmask", bitmask(picture), Medium("image", *alpha.shape[::-1]))
    written = base64.b64decode(value["imageDataURL"].split(",")[1])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(written)).getchannel("A")), alpha)


@settings(deadline=None)
@given(
    st.sampled_from(["brushlabels", "bitmasklabels"]),
    st.dictionaries(st.sampled_from(["format", "rle", "imageDataURL", "brushlabels"]), garbage | st.just("rle")),
)
def test_garbage_is_kept_as_raw(result_type: str, value: dict[str, object]):
    region = mapped(result_type, value, SMALL)
    assert region.kind == "raw"
    assert region.reason


@settings(deadline=None)
@given(st.lists(st.integers(0, 255)), st.lists(st.integers(0, 255)))
def test_bytes_that_nobody_wrote(code: list[int], png: list[int]):
    rle = [0, 0, 0, 128, 57, 27, *code]
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(png)).decode()
    assert mapped("brush", {"rle": rle}, SMALL).kind in ("raw", "mask")
    assert mapped("bitmask", {"imageDataURL": url}, SMALL).reason


def test_the_grey_png_can_be_read_by_others():
    assert np.array_equal(read_grey_png(mapped("brush", brush(), SMALL, **SIZE).mask.png), L)  # type: ignore[union-attr]
