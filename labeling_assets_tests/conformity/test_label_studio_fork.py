"""The queries of ApertureData's own Label Studio storage, on an empty and on a filled database."""

import pytest

LIST = {
    "FindImage": {
        "uniqueids": True,
        "blobs": False,
        "limit": 100,
        "offset": 0,
        "constraints": {"width": [">", 0], "height": [">", 0]},
        "results": {"list": ["width", "height"]},
    }
}


def annotations_of(constraints):
    return [
        {"FindImage": {"_ref": 1, "blobs": False, "constraints": constraints}},
        {
            "FindEntity": {
                "with_class": "LS_annotation",
                "is_connected_to": {"ref": 1},
                "constraints": {"LS_project_id": ["==", 7]},
                "group_by_source": True,
                "results": {"list": ["LS_data", "LS_id"]},
            }
        },
    ]


def predictions_of(constraints):
    return [
        {"FindImage": {"_ref": 1, "blobs": False, "constraints": constraints}},
        {
            "FindBoundingBox": {
                "image_ref": 1,
                "blobs": False,
                "coordinates": True,
                "labels": True,
                "uniqueids": True,
                "constraints": {"LS_id": ["==", None]},
                "group_by_source": True,
            }
        },
    ]


def save(region="r1", text="first"):
    return [
        {"FindImage": {"_ref": 1, "blobs": False, "constraints": {"guid": ["==", "g"]}}},
        {
            "AddEntity": {
                "_ref": 2,
                "class": "LS_annotation",
                "properties": {"LS_id": 12},
                "if_not_found": {"LS_id": ["==", 12]},
                "connect": {"ref": 1, "class": "LS_annotation_image"},
            }
        },
        {
            "UpdateEntity": {
                "ref": 2,
                "properties": {
                    "LS_project_id": 7,
                    "LS_created_at": {"_date": "2024-05-01T10:00:00.123456+00:00"},
                    "LS_data": text,
                },
            }
        },
        {
            "AddBoundingBox": {
                "_ref": 3,
                "image_ref": 1,
                "rectangle": {"x": 1, "y": 1, "width": 5, "height": 5},
                "label": "dog",
                "properties": {"LS_id": region, "LS_label": "dog", "LS_annotation": 12},
                "if_not_found": {"LS_id": ["==", region]},
            }
        },
        {"AddConnection": {"class": "LS_annotation_region", "src": 2, "dst": 3, "if_not_found": {}}},
    ]


@pytest.fixture
def filled(ask, picture):
    ask(
        {"AddImage": {"_ref": 1, "properties": {"guid": "g", "width": 64, "height": 48}}},
        {"AddBoundingBox": {"image_ref": 1, "label": "cat", "rectangle": {"x": 0, "y": 0, "width": 9, "height": 9}}},
        blobs=[picture()],
    )


def test_an_empty_database_lists_no_images(ask):
    assert ask(LIST) == [{"FindImage": {"returned": 0, "status": 0}}]


def test_searches_for_unknown_classes_are_empty_and_fine(ask):
    answer = ask(*annotations_of({"_uniqueid": ["==", "7.1.1"]}), *predictions_of({"guid": ["==", "g"]})[1:])
    assert answer[1] == {"FindEntity": {"returned": 0, "status": 0}}
    assert answer[2] == {"FindBoundingBox": {"returned": 0, "status": 0}}


def test_images_are_listed_with_their_ids(ask, filled):
    (answer,) = ask(LIST)
    (image,) = answer["FindImage"]["entities"]
    assert sorted(image) == ["_uniqueid", "height", "width"]


def test_boxes_without_an_id_are_predictions(ask, filled):
    ask(*save())
    answer = ask(*predictions_of({"guid": ["==", "g"]}))
    ((box,),) = answer[1]["FindBoundingBox"]["entities"].values()
    assert (box["_label"], box["_coordinates"]["width"]) == ("cat", 9)


def test_saving_an_annotation_twice_changes_it(ask, filled):
    assert [next(iter(item.values()))["status"] for item in ask(*save())] == [0, 0, 0, 0, 0]
    assert [next(iter(item.values()))["status"] for item in ask(*save(text="second"))] == [0, 2, 0, 2, 2]
    answer = ask(*annotations_of({"guid": ["==", "g"]}))
    ((annotation,),) = answer[1]["FindEntity"]["entities"].values()
    assert annotation == {"LS_data": "second", "LS_id": 12}


def test_deleting_an_annotation_with_its_boxes(ask, filled):
    ask(*save())
    answer = ask(
        {"FindEntity": {"with_class": "LS_annotation", "constraints": {"LS_id": ["==", 12]}, "_ref": 1}},
        {"FindBoundingBox": {"is_connected_to": {"ref": 1, "connection_class": "LS_annotation_region"}, "_ref": 2}},
        {"DeleteBoundingBox": {"ref": 2}},
        {"DeleteEntity": {"ref": 1}},
        {"FindBoundingBox": {"results": {"count": True}}},
    )
    assert answer[2]["DeleteBoundingBox"]["count"] == 1
    assert answer[3]["DeleteEntity"]["count"] == 1
    assert answer[4]["FindBoundingBox"]["count"] == 1
