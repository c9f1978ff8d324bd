"""What servers answered in the vendor's public notebooks (aperture-data/Cookbook, servers 0.17 and 0.19).

The cases are the same and the data are ours; the keys, the kinds of values and the numbers that follow from the data
are as recorded. Unique ids are compared by pattern.
"""

import re

import numpy as np
import pytest

from labeling_assets_tests.conformity.film import film


class UniqueId:
    """Equal to any unique id of a class; class numbers of users' classes are not fixed."""

    def __init__(self, class_number: str = r"\d+") -> None:
        self._pattern = re.compile(rf"{class_number}\.\d+\.\d+")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self._pattern.fullmatch(other) is not None

    __hash__ = None


def added(command):
    return {command: {"status": 0}}


def changed(command, count=1):
    return {command: {"count": count, "status": 0}}


def nothing(command):
    return {command: {"returned": 0, "status": 0}}


ALL = {"results": {"all_properties": True}}
SALT = {"name": "salt", "group": "mineral", "vegan": True}
ADD_SALT = {"AddEntity": {"class": "Spice", "properties": SALT, "if_not_found": {"name": ["==", "salt"]}}}
IS_SALT = {"with_class": "Spice", "constraints": {"name": ["==", "salt"]}}


def test_entities(ask):
    assert ask({"GetStatus": {}})[0]["GetStatus"].keys() == {"info", "status", "system", "version"}
    assert ask(ADD_SALT) == [added("AddEntity")]
    found = {"_uniqueid": UniqueId(), **SALT}
    assert ask({"FindEntity": {**IS_SALT, **ALL}}) == [
        {"FindEntity": {"entities": [found], "returned": 1, "status": 0}}
    ]
    assert ask({"UpdateEntity": {**IS_SALT, "properties": {"price": "low"}}}) == [changed("UpdateEntity")]
    assert ask({"FindEntity": {**IS_SALT, **ALL}})[0]["FindEntity"]["entities"] == [{**found, "price": "low"}]
    assert ask({"DeleteEntity": IS_SALT}) == [changed("DeleteEntity")]
    assert ask({"FindEntity": {**IS_SALT, **ALL}}) == [nothing("FindEntity")]


def test_connections(ask, picture):
    answer = ask(
        {"AddEntity": {**ADD_SALT["AddEntity"], "_ref": 1}},
        {"AddImage": {"_ref": 2, "properties": {"name": "soup", "id": 7}, "if_not_found": {"id": ["==", 7]}}},
        {"AddConnection": {"class": "spice", "src": 1, "dst": 2, "properties": {"best": True}}},
        blobs=[picture()],
    )
    assert answer == [added("AddEntity"), added("AddImage"), added("AddConnection")]
    (answer,) = ask({"FindConnection": {"with_class": "spice", **ALL}})
    connections = [{"_uniqueid": UniqueId(), "best": True}]
    assert answer == {"FindConnection": {"connections": connections, "returned": 1, "status": 0}}
    find = (
        {"FindEntity": {**IS_SALT, "_ref": 1, "results": {"list": ["name", "group"]}}},
        {
            "FindImage": {
                "is_connected_to": {
                    "ref": 1,
                    "connection_class": "spice",
                    "constraints": {"best": ["==", True]},
                },
                "blobs": True,
                "results": {"list": ["name", "id"]},
            }
        },
    )
    spices = {"entities": [{"group": "mineral", "name": "salt"}], "returned": 1, "status": 0}
    images = {"blobs_start": 0, "entities": [{"_blob_index": 0, "id": 7, "name": "soup"}], "returned": 1, "status": 0}
    assert ask(*find) == [{"FindEntity": spices}, {"FindImage": images}]
    update = {"UpdateConnection": {"with_class": "spice", "properties": {"best": False}}}
    assert ask(update) == [changed("UpdateConnection")]
    assert ask(*find) == [{"FindEntity": spices}, nothing("FindImage")]
    assert ask({"DeleteConnection": {"with_class": "spice"}}) == [changed("DeleteConnection")]
    assert ask({"FindConnection": {"with_class": "spice", **ALL}}) == [nothing("FindConnection")]
    assert ask({"DeleteEntity": IS_SALT}) == [changed("DeleteEntity")]
    assert ask({"DeleteImage": {"constraints": {"name": ["==", "soup"]}}}) == [changed("DeleteImage")]


@pytest.mark.parametrize(("kind", "number"), [("Image", 7), ("Blob", 11)])
def test_images_and_blobs(ask, picture, kind, number):
    properties = {"name": "soup", "id": 7, "season": "winter"}
    add = {f"Add{kind}": {"properties": properties, "if_not_found": {"id": ["==", 7]}}}
    assert ask(add, blobs=[picture()]) == [added(f"Add{kind}")]
    find = {"constraints": {"name": [">=", "so"], "season": [">", "A"]}, "blobs": True, **ALL}
    found = {"_blob_index": 0, "_uniqueid": UniqueId(number), **properties}
    answer = {"blobs_start": 0, "entities": [found], "returned": 1, "status": 0}
    assert ask({f"Find{kind}": find}) == [{f"Find{kind}": answer}]
    where = {"constraints": {"name": ["==", "soup"]}}
    assert ask({f"Update{kind}": {**where, "properties": {"cook": "Ann"}}}) == [changed(f"Update{kind}")]
    found = {"_uniqueid": UniqueId(number), "cook": "Ann", **properties}
    answer = {"entities": [found], "returned": 1, "status": 0}
    assert ask({f"Find{kind}": {**where, **ALL}}) == [{f"Find{kind}": answer}]
    assert ask({f"Delete{kind}": where}) == [changed(f"Delete{kind}")]
    assert ask({f"Find{kind}": {**where, **ALL}}) == [nothing(f"Find{kind}")]


TRIANGLE = [[[12.1, 30.7], [20.3, 10.2], [40.9, 33.3]]]
ADD_REGIONS = (
    {"AddImage": {"_ref": 1, "properties": {"id": 7}, "if_not_found": {"id": ["==", 7]}}},
    {
        "AddBoundingBox": {
            "image_ref": 1,
            "rectangle": {"x": 4, "y": 5, "width": 50, "height": 40},
            "label": "plate",
            "properties": {"source": "manual"},
            "if_not_found": {"source": ["==", "manual"]},
        }
    },
    {
        "AddPolygon": {
            "image_ref": 1,
            "polygons": TRIANGLE,
            "label": "bread",
            "properties": {"source": "tool"},
            "if_not_found": {"source": ["==", "tool"]},
        }
    },
)
VERTICES = [[[float(np.float32(number)) for number in vertex] for vertex in part] for part in TRIANGLE]


@pytest.fixture
def regions(ask, picture):
    return ask(*ADD_REGIONS, blobs=[picture()])


def test_regions_are_added_once(ask, picture, regions):
    assert regions == [added("AddImage"), added("AddBoundingBox"), added("AddPolygon")]
    exists = {"info": "Object Exists!", "status": 2}
    assert ask(*ADD_REGIONS, blobs=[picture()]) == [
        {"AddImage": {"info": "Image exists!", "status": 2}},
        {"AddBoundingBox": exists},
        {"AddPolygon": exists},
    ]


def test_regions_with_their_pixels(client, regions):
    answer, blobs = client.query(
        [
            {"FindImage": {"_ref": 1, "constraints": {"id": ["==", 7]}}},
            {"FindBoundingBox": {"image_ref": 1, "blobs": True, "coordinates": True, **ALL}},
            {"FindPolygon": {"image_ref": 1, "blobs": True, "vertices": True, **ALL}},
        ]
    )
    box = {
        "_area": 2000,
        "_blob_index": 0,
        "_coordinates": {"height": 40, "width": 50, "x": 4, "y": 5},
        "_label": "plate",
        "_uniqueid": UniqueId(1),
        "source": "manual",
    }
    polygon = {
        "_area": 305,
        "_blob_index": 1,
        "_label": "bread",
        "_uniqueid": UniqueId(4),
        "_vertices": VERTICES,
        "source": "tool",
    }
    assert answer == [
        nothing("FindImage"),
        {"FindBoundingBox": {"blobs_start": 0, "entities": [box], "returned": 1, "status": 0}},
        {"FindPolygon": {"blobs_start": 1, "entities": [polygon], "returned": 1, "status": 0}},
    ]
    assert len(blobs) == 2


def test_polygons_by_label(ask, regions):
    flags = dict.fromkeys(("vertices", "areas", "hulls", "bounds", "labels"), True)
    answer = ask(
        {"FindPolygon": {"_ref": 1, "with_label": "bread", "blobs": False, **flags}},
        {"FindImage": {"is_connected_to": {"ref": 1}, "blobs": True}},
    )
    left, top, right = VERTICES[0]
    polygon = {
        "_area": 305,
        "_bounds": {"height": 24, "width": 29, "x": 12, "y": 10},
        "_hulls": [[top, right, left]],
        "_label": "bread",
        "_vertices": VERTICES,
    }
    assert answer == [
        {"FindPolygon": {"entities": [polygon], "returned": 1, "status": 0}},
        {"FindImage": {"blobs_start": 0, "returned": 1, "status": 0}},
    ]


def test_overlap_of_regions(ask, regions):
    """Recorded: a polygon of 1359696 square pixels in a box of 3960000 gives 0.34335757575757575, their quotient."""
    answer = ask(
        {"FindBoundingBox": {"_ref": 1, "with_label": "plate"}},
        {"FindPolygon": {"_ref": 2, "with_label": "bread"}},
        {"RegionIoU": {"roi_1": 1, "roi_2": 2}},
    )
    assert answer[2] == {"RegionIoU": {"IoU": [[305 / 2000]], "status": 0}}


def test_regions_are_deleted(ask, regions):
    assert ask(
        {"DeleteBoundingBox": {"constraints": {"source": ["==", "manual"]}}},
        {"DeletePolygon": {"constraints": {"source": ["==", "tool"]}}},
        {"DeleteImage": {"constraints": {"id": ["==", 7]}}},
    ) == [changed("DeleteBoundingBox"), changed("DeletePolygon"), changed("DeleteImage")]


def test_videos(ask):
    add = {"AddVideo": {"properties": {"name": "stew"}, "if_not_found": {"name": ["==", "stew"]}}}
    assert ask(add, blobs=[film()]) == [added("AddVideo")]
    where = {"constraints": {"name": ["==", "stew"]}}
    assert ask({"UpdateVideo": {**where, "properties": {"cook": "Ann"}}}) == [changed("UpdateVideo")]
    found = {
        "_duration_us": 3000000,
        "_fps": 10,
        "_frame_count": 30,
        "_frame_height": 48,
        "_frame_width": 64,
        "_uniqueid": UniqueId(5),
        "cook": "Ann",
        "name": "stew",
    }
    answer = {"entities": [found], "returned": 1, "status": 0}
    assert ask({"FindVideo": {**where, **ALL}}) == [{"FindVideo": answer}]
    assert ask({"FindVideo": {**where, "blobs": True}}) == [
        {"FindVideo": {"blobs_start": 0, "returned": 1, "status": 0}}
    ]
    assert ask({"DeleteVideo": where}) == [changed("DeleteVideo")]
    assert ask({"FindVideo": {**where, **ALL}}) == [nothing("FindVideo")]


def test_clips_and_frames(ask):
    answer = ask(
        {"AddVideo": {"_ref": 1, "properties": {"name": "stew"}}},
        {"AddClip": {"video_ref": 1, "frame_number_range": {"start": 2, "stop": 19}, "properties": {"label": "boil"}}},
        {"AddFrame": {"video_ref": 1, "frame_number": 11, "properties": {"scene": "steam"}}},
        blobs=[film()],
    )
    assert answer == [added("AddVideo"), added("AddClip"), added("AddFrame")]
    clip = {
        "_frame_number_range": {"start": 2, "stop": 19},
        "_range_start": 2,
        "_range_stop": 19,
        "_range_type": 1,
        "_uniqueid": UniqueId(6),
        "label": "boil",
    }
    frame = {
        "_blob_index": 0,
        "_frame_number": 11,
        "_label": "None",
        "_uniqueid": UniqueId(24),
        "scene": "steam",
    }
    clips, frames = {"constraints": {"label": ["==", "boil"]}}, {"constraints": {"scene": ["==", "steam"]}}
    assert ask({"FindClip": {**clips, **ALL}}, {"FindFrame": {**frames, "blobs": True, **ALL}}) == [
        {"FindClip": {"entities": [clip], "returned": 1, "status": 0}},
        {"FindFrame": {"blobs_start": 0, "entities": [frame], "returned": 1, "status": 0}},
    ]
    assert ask({"DeleteFrame": frames}, {"DeleteClip": clips}) == [changed("DeleteFrame"), changed("DeleteClip")]


def test_a_thumbnail_without_a_list(ask, picture):
    ask({"AddImage": {"format": "png", "properties": {"name": "soup"}}}, blobs=[picture(form="JPEG")])
    resize = [{"type": "resize", "width": 10, "height": 10}]
    find = {"constraints": {"name": ["==", "soup"]}, "operations": resize, "as_format": "jpg", "blobs": True}
    assert ask({"FindImage": find}) == [{"FindImage": {"blobs_start": 0, "returned": 1, "status": 0}}]


def test_embeddings(ask):
    vector = np.linspace(0, 1, 16).astype("float32").tobytes()
    properties = {"year": 2023, "model": "m"}
    add_set = {"name": "dishes", "dimensions": 16, "engine": "Flat", "metric": "L2", "properties": properties}
    assert ask({"AddDescriptorSet": add_set}) == [added("AddDescriptorSet")]
    add = {"set": "dishes", "label": "dinner", "properties": {"id": 7, "year": 2023}, "if_not_found": {"id": ["==", 7]}}
    assert ask({"AddDescriptor": add}, blobs=[vector]) == [added("AddDescriptor")]
    flags = dict.fromkeys(("distances", "labels", "blobs"), True)
    nearest = {
        "_blob_index": 0,
        "_distance": 0.0,
        "_label": "dinner",
        "_set_name": "dishes",
        "_uniqueid": UniqueId(3),
        "id": 7,
        "year": 2023,
    }
    assert ask({"FindDescriptor": {"set": "dishes", "k_neighbors": 6, **flags, **ALL}}, blobs=[vector]) == [
        {"FindDescriptor": {"blobs_start": 0, "entities": [nearest], "returned": 1, "status": 0}}
    ]
    where = {"constraints": {"id": ["==", 7]}}
    assert ask({"UpdateDescriptor": {**where, "remove_props": ["year"]}}) == [changed("UpdateDescriptor")]
    found = {"_set_name": "dishes", "_uniqueid": UniqueId(3), "id": 7}
    assert ask({"FindDescriptor": {"set": "dishes", **where, **ALL}}) == [
        {"FindDescriptor": {"entities": [found], "returned": 1, "status": 0}}
    ]
    assert ask({"DeleteDescriptor": where}) == [changed("DeleteDescriptor")]
    assert ask({"FindDescriptor": {"set": "dishes", **where, **ALL}}) == [nothing("FindDescriptor")]
    assert ask({"DeleteDescriptorSet": {"with_name": "dishes"}}) == [changed("DeleteDescriptorSet")]


def test_indexing(ask, utils):
    index = {"class": "Spice", "index_type": "entity", "property_key": "name"}

    def described():
        (answer,) = ask({"GetSchema": {"type": "entities"}})
        return answer["GetSchema"]["entities"]["classes"]["Spice"]["properties"]["name"]

    assert ask({"CreateIndex": index}, ADD_SALT) == [added("CreateIndex"), added("AddEntity")]
    assert described() == [1, True, "String"]
    assert ask({"RemoveIndex": index}) == [added("RemoveIndex")]
    assert described() == [1, False, "String"]
    assert utils.create_entity_index(class_name="Spice", property_key="name") is True
    assert described() == [1, True, "String"]
    assert utils.remove_entity_index(class_name="Spice", property_key="name") is True
    assert described() == [1, False, "String"]
    assert ask({"DeleteEntity": IS_SALT}) == [changed("DeleteEntity")]
