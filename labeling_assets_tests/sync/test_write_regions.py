"""Regions of every form in ApertureDB: what they become, and that nothing of them stays."""

from collections import Counter
from dataclasses import replace

import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import all_of, equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import RefusedError
from labeling_assets.mapping.annotation import MappedAnnotation
from labeling_assets.mapping.region import FrameRange, Keyframe, PixelBox
from labeling_assets.sync import write_regions
from labeling_assets.sync.write_regions import Detail
from labeling_assets_tests.sync.desk import (
    BOX,
    CHOICE,
    FINDS,
    MOMENT,
    ON_PICTURE,
    ON_VIDEO,
    OUTLINE,
    PAINTED,
    TRACK,
    Desk,
    annotation,
    png,
    region,
)

# What regions become


def test_every_form_on_a_picture(on_picture: Desk):
    on_picture.create(ON_PICTURE)
    assert on_picture.of_regions() == {
        "FindBoundingBox": 3,
        "FindPolygon": 2,
        names.REGION: 2,
        "masks": 1,
        names.ANNOTATION_REGION: 7,
        names.REGION_MEDIA: 3,  # the painted region, its mask, the choice
        names.REGION_LABEL: 7,  # those of the derived boxes are marked
        names.REGION_MASK: 1,
        names.REGION_RELATION: 3,
    }
    given = equal("LS_derived", False)
    assert on_picture.stock.db.count("FindConnection", given, class_name=names.REGION_LABEL) == 5


def test_every_form_on_a_video(on_video: Desk):
    on_video.create(ON_VIDEO)
    assert on_video.of_regions() == {
        "FindClip": 4,
        names.REGION: 1,
        names.KEYFRAME: 2,
        names.ANNOTATION_REGION: 5,
        names.REGION_MEDIA: 1,
        names.REGION_LABEL: 3,
        names.REGION_KEYFRAME: 2,
        names.REGION_RELATION: 2,
    }


def test_a_search_by_native_label_counts_each_region_once(on_picture: Desk):
    on_picture.create(ON_PICTURE)
    by_label = {label: on_picture.find("FindBoundingBox", "LS_id", with_label=label) for label in ("car", "road")}
    assert by_label == {"car": [{"LS_id": "r1"}], "road": []}
    assert on_picture.find("FindPolygon", "LS_id", with_label="road") == [{"LS_id": "r2"}]


def test_a_search_by_our_label_finds_a_box_for_every_kind(on_picture: Desk):
    on_picture.create(ON_PICTURE)
    body = {"constraints": equal("LS_label", "road"), "blobs": True}
    found = on_picture.find("FindBoundingBox", "LS_id", "LS_derived", **body)
    assert [(row["LS_id"], row["LS_derived"]) for row in found] == [("r2", True), ("r3", True)]


def test_clips_have_frames_or_times_and_their_length(on_video: Desk):
    on_video.create(ON_VIDEO)
    wanted = ("LS_start_s", "LS_end_s", "LS_length_s", "_frame_number_range", "_time_offset_range")
    moment, cut = on_video.find("FindClip", *wanted[:3], with_label="goal", results={"all_properties": True})
    assert moment["_frame_number_range"] == {"start": 0, "stop": 1}
    assert cut["_time_offset_range"] == {"start": "00:00.1", "stop": "00:00.2"}
    assert [moment[name] for name in wanted[:3]] == [0.0, 0.2, 0.2]
    assert [cut[name] for name in wanted[:3]] == [0.1, 0.2, 0.1]


def test_the_spans_of_a_track_are_derived_clips(on_video: Desk):
    on_video.create(ON_VIDEO)
    wanted = ("LS_id", "LS_label", "LS_start_frame", "LS_end_frame", "LS_start_s", "LS_end_s", "LS_length_s")
    found = on_video.find("FindClip", *wanted, constraints=equal("LS_derived", True))
    assert [[row[name] for name in wanted] for row in found] == [
        ["v3", "car", 0, 0, 0.0, 0.1, 0.1],
        ["v3", "car", 2, 2, 0.2, pytest.approx(0.3), pytest.approx(0.1)],
    ]
    assert on_video.find("FindClip", "LS_id", with_label="car") == []


def test_keyframes_are_entities_of_their_track(on_video: Desk):
    on_video.create(ON_VIDEO)
    query = Query()
    region = {"_ref": 1, "with_class": names.REGION, "constraints": equal("LS_id", "v3")}
    query.add("FindEntity", region)
    keyframes = {"ref": 1, "connection_class": names.REGION_KEYFRAME, "direction": "out"}
    wanted = ["LS_frame", "LS_x", "LS_enabled", "LS_label", "LS_batch", "LS_run_id"]
    body = {"with_class": names.KEYFRAME, "is_connected_to": keyframes, "results": {"list": wanted}}
    query.add("FindEntity", body)
    assert [[row[name] for name in wanted] for row in on_video.stock.db.run(query).objects(1)] == [
        [0, 10, False, "car", "May", "run-1"],
        [2, 20, True, "car", "May", "run-1"],
    ]


def test_a_mask_is_a_picture_of_its_region_and_no_medium(on_picture: Desk):
    on_picture.create(ON_PICTURE)
    query = Query()
    query.add("FindEntity", {"_ref": 1, "with_class": names.REGION, "constraints": equal("LS_id", "r3")})
    query.add("FindImage", {"_ref": 2, "blobs": False})
    own = {"ref": 1, "connection_class": names.REGION_MASK, "direction": "out"}
    shown = {"ref": 2, "connection_class": names.REGION_MEDIA, "direction": "in"}
    wanted = ["LS_role", "LS_mime_type", "LS_label", "LS_media_guid", "LS_area_px", "LS_mask_width", "guid"]
    body = {"is_connected_to": {"all": [own, shown]}, "blobs": True, "results": {"list": wanted}}
    query.add("FindBlob", body)
    reply = on_picture.stock.db.run(query)
    (found,) = reply.objects(2)
    assert [found[name] for name in wanted] == ["mask", "image/png", "road", on_picture.guid, 1200, 40, None]
    assert reply.blobs == (png(40, 30),)


def test_labels_know_which_control_gave_them_and_what_stands_above_them(on_picture: Desk):
    occluded = region("r5", "box", "car", native=PixelBox(0, 0, 9, 9), vocabulary={"label": ("car",), "side": ("yes",)})
    bare = region("r6", "raw", "car", vocabulary={})
    on_picture.create(MappedAnnotation((CHOICE, occluded, bare)))
    query = Query()
    edges = []
    for label in ("animal", "animal/dog", "yes", "car"):
        reference = query.reference()
        condition = all_of(equal("LS_project", "cars"), equal("LS_label", label))
        query.add("FindEntity", {"_ref": reference, "with_class": names.LABEL, "constraints": condition})
        wanted = {"list": ["LS_from_name", "LS_ancestor"]}
        edges.append(
            query.add("FindConnection", {"with_class": names.REGION_LABEL, "dst": reference, "results": wanted})
        )
    reply = on_picture.stock.db.run(query)
    found = [[(row["LS_from_name"], row["LS_ancestor"]) for row in reply.objects(place)] for place in edges]
    assert found == [[("label", True)], [("label", False)], [("side", False)], [("label", False), ("", False)]]


def test_relations_connect_forms_of_different_classes(on_picture: Desk):
    on_picture.create(ON_PICTURE)
    query = Query()
    query.add("FindBoundingBox", {"_ref": 1, "constraints": equal("LS_id", "r1")})
    to = {"ref": 1, "connection_class": names.REGION_RELATION, "direction": "out"}
    query.add("FindPolygon", {"_ref": 2, "is_connected_to": to, "results": {"list": ["LS_id"]}})
    query.add("FindEntity", {"is_connected_to": {**to, "ref": 2}, "results": {"list": ["LS_id"]}})
    reply = on_picture.stock.db.run(query)
    assert (reply.objects(1), reply.objects(2)) == ([{"LS_id": "r2"}], [{"LS_id": "r3"}])


def test_everything_carries_the_run_that_wrote_it(on_video: Desk):
    on_video.create(ON_VIDEO)
    written = equal("LS_run_id", "run-1")
    db = on_video.stock.db
    found = [db.count(command, written) for command in FINDS]
    found += [db.count("FindEntity", written, class_name=name) for name in (names.REGION, names.KEYFRAME)]
    assert found == [0, 0, 4, 1, 2]


def test_a_form_that_its_medium_does_not_take_is_an_entity_with_the_reason(on_text: Desk):
    on_text.create(MappedAnnotation((MOMENT, BOX, OUTLINE, TRACK)))
    found = on_text.find("FindEntity", "LS_id", "LS_reason", with_class=names.REGION)
    assert [(row["LS_id"], row["LS_reason"]) for row in found] == [
        ("v1", "the medium is stored as Blob, not as Video"),
        ("r1", "the medium is stored as Blob, not as Image"),
        ("r2", "the medium is stored as Blob, not as Image"),
        ("v3", None),
    ]
    assert on_text.counts()[names.KEYFRAME] == 2
    assert not {"FindClip", "FindBoundingBox", "FindPolygon"} & set(on_text.counts())


# What stays


@pytest.mark.parametrize(("desk", "mapped"), [("on_picture", ON_PICTURE), ("on_video", ON_VIDEO)])
def test_nothing_of_the_regions_stays(request: pytest.FixtureRequest, desk: str, mapped: MappedAnnotation):
    here: Desk = request.getfixturevalue(desk)
    here.create(mapped)
    full = here.of_regions()
    here.update(MappedAnnotation(), result=[1])
    assert here.of_regions() == {}
    here.update(mapped, result=[2])
    assert here.of_regions() == full
    here.update(mapped, result=[2], was_cancelled=True)
    assert here.of_regions() == {}
    here.update(mapped, result=[2])
    assert here.of_regions() == full
    here.bury()
    assert here.of_regions() == {}
    assert here.stock.media(command="FindImage") or here.stock.media(command="FindVideo")


def test_payloads_of_earlier_versions_stay(on_picture: Desk):
    on_picture.create(ON_PICTURE)
    on_picture.update(ON_PICTURE, result=["x" * 40_000])
    on_picture.update(ON_PICTURE, result=["y" * 40_000])
    on_picture.bury()
    assert on_picture.stock.db.count("FindBlob", equal("LS_role", "payload")) == 2
    assert on_picture.stock.db.count("FindBlob", equal("LS_role", "mask")) == 0


def test_other_annotations_keep_their_regions(on_picture: Desk):
    on_picture.create(ON_PICTURE)
    writer, context = on_picture.writer()
    writer.create(context, annotation(id=2), ON_PICTURE)
    on_picture.send()
    both = on_picture.of_regions()
    on_picture.bury()
    assert on_picture.of_regions() == Counter({name: count // 2 for name, count in both.items()})


@pytest.mark.parametrize(("desk", "mapped"), [("on_picture", ON_PICTURE), ("on_video", ON_VIDEO)])
def test_a_query_that_is_sent_twice_adds_nothing(request: pytest.FixtureRequest, desk: str, mapped: MappedAnnotation):
    here: Desk = request.getfixturevalue(desk)
    for write in (here.create, here.update):
        write(mapped)
        once = here.counts()
        here.send()
        assert here.counts() == once


# What is refused, and what is too large


def test_a_refused_form_can_be_written_without(on_video: Desk):
    beyond = replace(MOMENT, native=FrameRange(0, 99))
    with pytest.raises(RefusedError):
        on_video.create(MappedAnnotation((beyond, TRACK)))
    assert on_video.counts() == {}
    on_video.create(MappedAnnotation((beyond, TRACK)), Detail(clips=False, reason="frame 99 of 3"))
    found = on_video.find("FindEntity", "LS_id", "LS_reason", with_class=names.REGION)
    assert [(row["LS_id"], row["LS_reason"]) for row in found] == [
        ("v1", "refused by ApertureDB: frame 99 of 3"),
        ("v3", None),
    ]
    assert on_video.counts()[names.KEYFRAME] == 2
    assert "FindClip" not in on_video.counts()


def test_without_what_is_derived_there_are_the_regions_themselves(on_picture: Desk):
    on_picture.create(ON_PICTURE, Detail(derived=False, reason="no"))
    found = on_picture.of_regions()
    assert (found["FindBoundingBox"], found["FindPolygon"], found[names.REGION], found["masks"]) == (1, 1, 2, 1)


def test_without_extras_there_are_no_keyframes_and_no_masks(on_picture: Desk):
    on_picture.create(ON_PICTURE, Detail(boxes=False, polygons=False, extras=False, reason="no"))
    assert on_picture.of_regions() == {
        names.REGION: 4,
        names.ANNOTATION_REGION: 4,
        names.REGION_MEDIA: 4,
        names.REGION_LABEL: 5,
        names.REGION_RELATION: 3,
    }


def test_keyframes_beyond_the_limit_are_left_out_and_named(on_video: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(write_regions, "MOST_COMMANDS", 100)
    frames = tuple(Keyframe(number, {"LS_x": 1.0}) for number in range(3))
    long = replace(TRACK, region_id="v9", keyframes=frames * 20)
    writer = on_video.create(MappedAnnotation((TRACK, long)))
    assert writer.regions.left_out == ["the 60 keyframes of region 'v9'"]
    assert (on_video.counts()[names.KEYFRAME], on_video.counts()["FindClip"]) == (2, 4)


def test_masks_beyond_the_limit_are_left_out_and_named(on_picture: Desk, monkeypatch: pytest.MonkeyPatch):
    size = len(png(40, 30))
    monkeypatch.setattr(write_regions, "MOST_MASK_BYTES", size)
    writer = on_picture.create(MappedAnnotation((PAINTED, replace(PAINTED, region_id="r9"))))
    assert writer.regions.left_out == [f"the mask of region 'r9' ({size} bytes)"]
    assert (on_picture.counts()["masks"], on_picture.counts()[names.REGION]) == (1, 2)


def test_more_regions_than_a_query_takes_stay_in_the_json(on_picture: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(write_regions, "MOST_COMMANDS", 50)
    writer = on_picture.create(MappedAnnotation(tuple(replace(BOX, region_id=str(n)) for n in range(20))))
    assert writer.regions.left_out == ["its 20 regions"]
    assert on_picture.counts() == {names.ANNOTATION: 1}
