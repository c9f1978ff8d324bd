"""Videos as the decoder sees them, and their clips and frames."""

import io

import numpy as np
import pytest
from PIL import Image

from labeling_assets_tests.conformity.film import film

FIND_VIDEO = {"FindVideo": {"_ref": 1}}


@pytest.fixture
def video(ask):
    ask({"AddVideo": {"properties": {"name": "grey"}}}, blobs=[film()])


def add(ask, command, **parameters):
    answer = ask(FIND_VIDEO, {command: {"video_ref": 1, **parameters}})
    return answer if isinstance(answer, dict) else answer[1][command]


def entities(ask, command, **parameters):
    (answer,) = ask({command: parameters})
    return answer[command].get("entities", [])


def grey(content):
    return int(np.asarray(Image.open(io.BytesIO(content)).convert("L")).mean())


def test_the_decoder_fills_system_properties(ask, video):
    (found,) = entities(ask, "FindVideo", results={"all_properties": True})
    assert found.pop("_uniqueid").startswith("5.")
    assert found == {
        "_duration_us": 3_000_000,
        "_fps": 10,
        "_frame_count": 30,
        "_frame_height": 48,
        "_frame_width": 64,
        "name": "grey",
    }


def test_system_properties_can_be_searched_and_listed(ask, video):
    constraints = ["all", ["$_frame_count", ">", 29], ["$_fps", "==", 10]]
    found = entities(ask, "FindVideo", constraints=constraints, results={"list": ["_frame_width"]})
    assert found == [{"_frame_width": 64}]


def test_bytes_that_cannot_be_decoded_are_a_video_without_system_properties(ask):
    ask({"AddVideo": {"properties": {"name": "noise"}}}, blobs=[b"no video"])
    (found,) = entities(ask, "FindVideo", results={"all_properties": True})
    assert sorted(found) == ["_uniqueid", "name"]
    assert add(ask, "AddClip", frame_number_range={"start": 0, "stop": 999}) == {"status": 0}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            {"frame_number_range": {"start": 3, "stop": 9}},
            {
                "_frame_number_range": {"start": 3, "stop": 9},
                "_range_start": 3,
                "_range_stop": 9,
                "_range_type": 1,
            },
        ),
        (
            {"time_offset_range": {"start": "00:00:01.5", "stop": "00:00:02.25"}},
            {
                "_range_start": 1_500_000,
                "_range_stop": 2_250_000,
                "_range_type": 3,
                "_time_offset_range": {"start": "00:01.5", "stop": "00:02.25"},
            },
        ),
        (
            {"time_fraction_range": {"start": 0.5, "stop": 1}},
            {
                "_range_start": 0.5,
                "_range_stop": 1,
                "_range_type": 2,
                "_time_fraction_range": {"start": 0.5, "stop": 1},
            },
        ),
    ],
    ids=["frames", "times", "fractions"],
)
def test_all_properties_of_a_clip(ask, video, given, shown):
    assert add(ask, "AddClip", properties={"scene": "dark"}, **given) == {"status": 0}
    (found,) = entities(ask, "FindClip", results={"all_properties": True})
    assert found.pop("_uniqueid").startswith("6.")
    assert found == {**shown, "scene": "dark"}


@pytest.mark.parametrize(
    ("inside", "names"),
    [
        ({"in_frame_number_range": {"start": 0, "stop": 14}}, ["frames"]),
        ({"in_frame_number_range": {"start": 15}}, ["times"]),
        ({"in_time_offset_range": {"stop": "00:00:01"}}, ["frames"]),
        ({"in_time_fraction_range": {"start": 0.2, "stop": 0.9}}, ["times"]),
        ({"in_frame_number_range": {"start": 6}}, ["times"]),
        ({"in_frame_number_range": {}}, ["frames", "times"]),
    ],
)
def test_clips_fully_inside_a_range_in_any_unit(ask, video, inside, names):
    add(ask, "AddClip", frame_number_range={"start": 5, "stop": 9}, properties={"name": "frames"})
    add(ask, "AddClip", time_offset_range={"start": "00:00:01.5", "stop": "00:00:02.0"}, properties={"name": "times"})
    assert [found["name"] for found in entities(ask, "FindClip", results={"list": ["name"]}, **inside)] == names


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "expected exactly one of"),
        ({"frame_number_range": {"start": 1}}, 'missing parameter "stop"'),
        ({"frame_number_range": {"start": 5, "stop": 4}}, "start 5 is after stop 4"),
        ({"frame_number_range": {"start": 0, "stop": 30}}, "30 is not inside the video of 30 frames"),
        ({"time_offset_range": {"start": "1 s", "stop": "2 s"}}, '"1 s" is not a time'),
        ({"time_offset_range": {"start": "00:00", "stop": "00:04"}}, "00:04.0 is not inside"),
        ({"time_fraction_range": {"start": 0, "stop": 1.5}}, "expected a number from 0 to 1"),
    ],
)
def test_clips_that_are_refused(ask, video, given, text):
    assert text in add(ask, "AddClip", **given)["info"]


def test_bytes_of_clips_are_refused_by_name(ask):
    assert ask({"FindClip": {"blobs": True}})["info"].endswith("blobs: not supported by the local server")


def test_a_clip_is_found_from_its_video_updated_and_deleted(ask, video):
    add(ask, "AddClip", frame_number_range={"start": 5, "stop": 9}, properties={"name": "a"}, label="x")
    where = {"constraints": {"name": ["==", "a"]}}
    changed = ask({"UpdateClip": {**where, "frame_number_range": {"start": 1, "stop": 2}}})
    assert changed == [{"UpdateClip": {"count": 1, "status": 0}}]
    answer = ask(FIND_VIDEO, {"FindClip": {"video_ref": 1, "with_label": "x", "results": {"list": ["_range_stop"]}}})
    assert answer[1]["FindClip"]["entities"] == [{"_range_stop": 2}]
    assert ask({"DeleteClip": where}) == [{"DeleteClip": {"count": 1, "status": 0}}]


def test_clips_and_frames_go_with_their_video(ask, utils, video):
    add(ask, "AddClip", frame_number_range={"start": 5, "stop": 9})
    add(ask, "AddFrame", frame_number=5)
    ask({"DeleteVideo": {"constraints": {"name": ["==", "grey"]}}})
    assert utils.get_schema() == {"connections": None, "entities": None, "status": 0}


def test_all_properties_of_a_frame(ask, video):
    add(ask, "AddFrame", frame_number=12, properties={"scene": "dark"})
    (found,) = entities(ask, "FindFrame", results={"all_properties": True})
    assert found.pop("_uniqueid").startswith("24.")
    assert found == {"_frame_number": 12, "_label": "None", "scene": "dark"}


@pytest.mark.parametrize(
    "given", [{"frame_number": 15}, {"time_offset": "00:00:01.5"}, {"time_fraction": 0.5}], ids=str
)
def test_a_frame_in_all_units(ask, video, given):
    add(ask, "AddFrame", label="half", **given)
    flags = dict.fromkeys(("frame_numbers", "time_offsets", "time_fractions", "labels"), True)
    assert entities(ask, "FindFrame", in_frame_number_range={"start": 15, "stop": 15}, **flags) == [
        {"_frame_number": 15, "_label": "half", "_time_fraction": 0.5, "_time_offset": "00:01.5"}
    ]


@pytest.mark.parametrize(("form", "format_name"), [(None, "JPEG"), ("jpg", "JPEG"), ("png", "PNG")])
def test_the_pixels_of_frames(client, ask, video, form, format_name):
    for number in (3, 20):
        add(ask, "AddFrame", frame_number=number)
    wanted = {"blobs": True, "frame_numbers": True, **({"as_format": form} if form else {})}
    answer, blobs = client.query([{"FindFrame": wanted}])
    assert answer[0]["FindFrame"]["entities"] == [
        {"_blob_index": 0, "_frame_number": 3},
        {"_blob_index": 1, "_frame_number": 20},
    ]
    assert [Image.open(io.BytesIO(blob)).format for blob in blobs] == [format_name] * 2
    assert [grey(blob) for blob in blobs] == [pytest.approx(24, abs=4), pytest.approx(160, abs=4)]


def test_operations_on_frames(client, ask, video):
    add(ask, "AddFrame", frame_number=3)
    _, blobs = client.query([{"FindFrame": {"blobs": True, "operations": [{"type": "resize", "width": 16}]}}])
    assert Image.open(io.BytesIO(blobs[0])).size == (16, 12)


def test_a_frame_is_updated(ask, video):
    add(ask, "AddFrame", frame_number=3)
    ask(FIND_VIDEO, {"FindFrame": {"_ref": 2}}, {"UpdateFrame": {"ref": 2, "label": "x", "frame_number": 4}})
    assert entities(ask, "FindFrame", with_label="x", frame_numbers=True) == [{"_frame_number": 4}]


def test_a_frame_of_something_else_than_a_video(ask):
    answer = ask({"AddEntity": {"class": "Person", "_ref": 1}}, {"AddFrame": {"video_ref": 1, "frame_number": 0}})
    assert answer["info"].endswith("reference 1 holds something else than a video")
