"""Probes that add images, blobs and descriptors: objects of built-in classes, marked by a property of their own."""

import io
import struct
from functools import cache

from labeling_assets.clients.constraints import all_of, equal
from labeling_assets.probe.declare import MARK, Command, Observed, Scratch, last, listed, outcome, probe

_WIDTH, _HEIGHT = 64, 48


@cache
def _picture() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (_WIDTH, _HEIGHT), (255, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def _image(scratch: Scratch, **more: object) -> Command:
    return {"AddImage": {"properties": scratch.mark("Image"), **more}}


def _box(scratch: Scratch, *, x: int = 1, width: int = 10) -> Command:
    rectangle = {"x": x, "y": 1, "width": width, "height": 10}
    return {"AddBoundingBox": {"image_ref": 1, "rectangle": rectangle, "properties": scratch.mark("BoundingBox")}}


def _polygon(scratch: Scratch, *points: tuple[float, float]) -> Command:
    body = {"image_ref": 1, "polygons": [[list(point) for point in points]], "properties": scratch.mark("Polygon")}
    return {"AddPolygon": body}


def _all(scratch: Scratch, kind: str, **results: object) -> Command:
    return {f"Find{kind}": {"constraints": scratch.marked(), **results}}


@probe("C", "an image takes its regions with it", assumed=0, built_in=True)
def image_takes_its_regions(scratch: Scratch) -> Observed:
    scratch.ask(_image(scratch, _ref=1), _box(scratch), blobs=[_picture()])
    scratch.ask({"DeleteImage": {"constraints": scratch.marked()}})
    return last(scratch.ask(_all(scratch, "BoundingBox", results={"count": True}))).get("count")


@probe("C", "FindEntity finds an object of a built-in class by its unique id", assumed=["_Image"], built_in=True)
def built_in_by_unique_id(scratch: Scratch) -> Observed:
    scratch.ask(_image(scratch), blobs=[_picture()])
    (unique_id,) = listed(scratch.ask(_all(scratch, "Image", uniqueids=True)), "_uniqueid")
    where = scratch.where(equal("_uniqueid", unique_id))
    found = listed(scratch.ask({"FindEntity": {"constraints": where, "results": {"list": [MARK]}}}), MARK)
    return ["_Image"] if found == [scratch.run] else found


@probe("C", "`group_by_source` works with `image_ref`", assumed=[2], built_in=True)
def boxes_by_image(scratch: Scratch) -> Observed:
    scratch.ask(_image(scratch, _ref=1), _box(scratch), _box(scratch, x=20), blobs=[_picture()])
    boxes = {"FindBoundingBox": {"image_ref": 1, "group_by_source": True, "coordinates": True}}
    answer = scratch.ask(_all(scratch, "Image", _ref=1), boxes)
    found = last(answer).get("entities")
    return [len(items) for items in found.values()] if isinstance(found, dict) else outcome(answer)


@probe("?", "a rectangle that leaves its image is refused", assumed={"refused": -1}, built_in=True)
def box_outside(scratch: Scratch) -> Observed:
    return outcome(scratch.ask(_image(scratch, _ref=1), _box(scratch, width=_WIDTH), blobs=[_picture()]))


@probe("D", "a polygon that leaves its image is refused", assumed={"refused": -1}, built_in=True)
def polygon_outside(scratch: Scratch) -> Observed:
    triangle = _polygon(scratch, (1, 1), (_WIDTH + 9, 1), (1, 9))
    return outcome(scratch.ask(_image(scratch, _ref=1), triangle, blobs=[_picture()]))


@probe("D", "a polygon that crosses itself is refused", assumed={"refused": -1}, built_in=True)
def polygon_crossing_itself(scratch: Scratch) -> Observed:
    bow = _polygon(scratch, (1, 1), (20, 20), (20, 1), (1, 20))
    return outcome(scratch.ask(_image(scratch, _ref=1), bow, blobs=[_picture()]))


@probe("?", "`connect` of an image without a class makes `_ImageConnection`", assumed=True, built_in=True)
def image_connected_without_class(scratch: Scratch) -> Observed:
    own = scratch.name("P")
    entity = {"AddEntity": {"class": own, "_ref": 1, "properties": {"n": 1}}}
    added = scratch.ask(entity, _image(scratch, connect={"ref": 1}), blobs=[_picture()])
    if not isinstance(added, list):
        return outcome(added)
    step = {"ref": 1, "connection_class": "_ImageConnection"}
    people = {"FindEntity": {"with_class": own, "is_connected_to": step, "results": {"count": True}}}
    return bool(last(scratch.ask(_all(scratch, "Image", _ref=1), people)).get("count"))


@probe("C", "a conditional add takes its blob also when it finds its object", assumed=[[0], [2], [0, 2]], built_in=True)
def blob_of_a_conditional_add(scratch: Scratch) -> Observed:
    where = scratch.where(all_of(equal(MARK, scratch.run), equal("n", 1)))
    once = {"AddBlob": {"properties": scratch.mark("Blob", n=1), "if_not_found": where}}
    other = {"AddBlob": {"properties": scratch.mark("Blob", n=2)}}
    answers = [scratch.ask(once, blobs=[b"one"]), scratch.ask(once, blobs=[b"one"])]
    answers.append(scratch.ask(other, once, blobs=[b"two", b"one"]))
    return [outcome(answer) for answer in answers]


@probe("C", "a search for descriptor sets that finds none is status 0", assumed=[0], built_in=True)
def no_descriptor_set(scratch: Scratch) -> Observed:
    return outcome(scratch.ask({"FindDescriptorSet": {"with_name": scratch.name("set"), "results": {"count": True}}}))


@probe("C", "a descriptor set cannot be used in the query that makes it", assumed={"refused": -1}, built_in=True)
def set_in_its_own_query(scratch: Scratch) -> Observed:
    name = scratch.name("set")
    made = {"name": name, "dimensions": 2, "properties": scratch.mark("DescriptorSet")}
    used = {"set": name, "properties": scratch.mark("Descriptor")}
    vector = struct.pack("<2f", 1, 2)
    return outcome(scratch.ask({"AddDescriptorSet": made}, {"AddDescriptor": used}, blobs=[vector]))


PROBES = (
    image_takes_its_regions,
    built_in_by_unique_id,
    boxes_by_image,
    box_outside,
    polygon_outside,
    polygon_crossing_itself,
    image_connected_without_class,
    blob_of_a_conditional_add,
    no_descriptor_set,
    set_in_its_own_query,
)
