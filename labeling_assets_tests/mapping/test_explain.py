import json
from typing import Any

import pytest

from labeling_assets.mapping.documents import Contents, contents_of
from labeling_assets.mapping.explain import Explained, Totals, explain, media_type
from labeling_assets.mapping.explain_text import (
    annotation_lines,
    annotation_object,
    printable,
    totals_lines,
    totals_object,
)
from labeling_assets.mapping.label_config import LabelConfig

SIZE = {"original_width": 1000, "original_height": 500}
BOX = {"x": 10, "y": 10, "width": 10, "height": 20, "rotation": 0, "rectanglelabels": ["car"]}
CONFIG = LabelConfig.parse(
    """<View><Image name="image" value="$image"/>
    <RectangleLabels name="label" toName="image"><Label value="Car"/></RectangleLabels>
    <Choices name="weather" toName="image"><Choice value="rain"/></Choices>
    <TextArea name="note" toName="image"/><Rating name="stars" toName="image"/></View>"""
)


def item(result_type: str, value: Any, **fields: Any) -> dict[str, Any]:
    return {"id": "a", "type": result_type, "from_name": "label", "to_name": "image", "value": value, **fields}


def box(**fields: Any) -> dict[str, Any]:
    return item("rectanglelabels", BOX, **SIZE, **fields)


ANNOTATION = {"id": 5, "completed_by": 1, "result": [box()]}
TASK = {"id": 3, "data": {"image": "a.jpg"}, "annotations": [ANNOTATION]}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([TASK, TASK], [("$[0].annotations[0]", "annotation", 3), ("$[1].annotations[0]", "annotation", 3)]),
        (TASK, [("$.annotations[0]", "annotation", 3)]),
        ({"id": 1, "completions": [ANNOTATION]}, [("$.completions[0]", "annotation", 1)]),
        ({**TASK, "annotations": ANNOTATION}, [("$.annotations", "annotation", 3)]),
        ({"data": {}, "predictions": [{"result": []}]}, [("$.predictions[0]", "prediction", None)]),
        (ANNOTATION, [("$", "annotation", None)]),
        ([ANNOTATION], [("$[0]", "annotation", None)]),
        ({**ANNOTATION, "task": 8}, [("$", "annotation", 8)]),
        ({**ANNOTATION, "task": {"id": 9, "data": {}}}, [("$", "annotation", 9)]),
        ({"model_version": "m", "result": []}, [("$", "prediction", None)]),
        ([box(), None, "x"], [("$", "results", None)]),
        (box(), [("$", "results", None)]),
        ([{"type": "relation", "from_id": "a", "to_id": "b"}], [("$", "results", None)]),
        ([[box()], [box()]], [("$[0]", "results", None), ("$[1]", "results", None)]),
        ({"total": 1, "tasks": [TASK]}, [("$.tasks[0].annotations[0]", "annotation", 3)]),
        ({"action": "ANNOTATION_CREATED", "annotation": ANNOTATION}, [("$.annotation", "annotation", None)]),
        ({"annotation_id": 1, "annotator": 1, "label": [BOX], "id": 2}, [("$", "json_min", 2)]),
        ({"data": {"image": "a"}}, []),
        ([], []),
        ({"total": 0, "tasks": []}, []),
    ],
)
def test_shapes_of_documents(document: object, expected: list[tuple[str, str, int | None]]):
    contents = contents_of(document)
    assert [(it.place, it.source, it.task_id) for it in contents.found] == expected
    assert contents.recognized
    assert contents.problems == []


@pytest.mark.parametrize("document", [None, 5, "x", {}, {"a": 1}, [1], [[]], [{"a": 1}], {"tasks": 5}, {"data": 5}])
def test_what_is_nothing_of_label_studio(document: object):
    contents = contents_of(document)
    assert not contents.recognized
    assert contents.found == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([TASK, {"text": "a"}], "no annotations and no data of a task @ $[1]"),
        ([TASK, 5], "expected an object @ $[1]"),
        ({**TASK, "predictions": [4]}, "only an id @ $.predictions[0]"),
        ({**TASK, "predictions": "later"}, "expected an object @ $.predictions"),
        ({"id": 1, "completions": [{"results": {}}]}, "no result @ $.completions[0]"),
    ],
)
def test_what_is_not_read_is_named(document: object, problem: str):
    contents = contents_of(document)
    assert contents.recognized
    assert contents.problems == [problem]


def one(document: object, config: LabelConfig | None = None, **options: bool) -> Explained:
    (found,) = contents_of(document, config).found
    return explain(found, config, **options)


ROW = {"id": 2, "annotation_id": 1, "annotator": 1, "image": "a.jpg", "weather": "rain", "note": ["a", "b"]}


def test_json_min_tells_types_only_with_the_configuration():
    without, known = one(ROW), one(ROW, CONFIG)
    assert without.mapped.regions == ()
    assert [(it.kind, it.from_name, it.labels, it.text) for it in known.mapped.regions] == [
        ("choices", "weather", ("rain",), None),
        ("text", "note", (), "a"),
        ("text", "note", (), "b"),
    ]
    assert next(iter(contents_of(ROW).notes)).startswith("JSON-MIN does not say")
    assert not contents_of(ROW, CONFIG).notes


def test_json_min_has_a_region_for_each_value():
    row = {"annotation_id": 1, "lead_time": 1.0, "label": [{**BOX, **SIZE}, {**BOX, **SIZE, "x": 50}]}
    assert one(row).objects() == {"BoundingBox": 2}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([box()], "image"),
        ([item("labels", {"start": 0, "end": 3, "text": "abc", "labels": []})], "text"),
        ([item("labels", {"start": 0, "end": 3, "channel": 0, "labels": []})], "audio"),
        ([item("labels", {"start": 0, "end": 3, "labels": []}, original_length=9.5)], "audio"),
        ([item("timelinelabels", {"ranges": []})], "video"),
        ([item("hypertextlabels", {"start": "/p", "startOffset": 1, "globalOffsets": {}})], "html"),
        ([item("paragraphlabels", {"start": "0", "startOffset": 1})], "text"),
        ([item("timeserieslabels", {"start": 1, "instant": True})], "time_series"),
        ({"data": {"my_video_url": "x"}, "annotations": [{"result": []}]}, "video"),
        ([item("rating", {"rating": 1})], "unknown"),
        ([item("rating", None)], "unknown"),
    ],
)
def test_the_type_of_the_medium_is_guessed_from_the_values(document: object, expected: str):
    assert media_type(contents_of(document).found[0]) == expected


def test_the_configuration_knows_the_type_of_the_medium():
    assert one([item("rating", {"rating": 1}, from_name="stars")], CONFIG).media_type == "image"


def test_labels_and_controls_that_the_configuration_lacks_are_named():
    found = one([box(), {**box(), "id": "b", "from_name": "lable"}], CONFIG).findings
    assert found == (
        "'label' has no label 'car'; did you mean 'Car'? @ $[0].value.rectanglelabels",
        "there is no control 'lable'; did you mean 'label'? @ $[1].from_name",
    )


def test_a_skipped_annotation_has_no_objects():
    skipped = one({**ANNOTATION, "was_cancelled": True})
    assert skipped.is_skipped
    assert not skipped.objects()
    assert annotation_object(skipped, round_trip=False)["regions"] == []


MIXED = [
    box(),
    {**box(), "id": "b", "value": {**BOX, "rotation": 30}},
    item("polygonlabels", {"points": [[1, 1], [2, 2]], "polygonlabels": ["leaf"]}, **SIZE) | {"id": "c"},
    item("cuboidlabels", {"depth": 3, "cuboidlabels": ["crate"]}) | {"id": "d"},
    {"id": "e", "value": {}},
    item("rectanglelabels", {"x": "1"}) | {"id": "f"},
    {"type": "relation", "from_id": "a", "to_id": "b"},
]


def test_lines_about_one_annotation():
    assert list(annotation_lines(one({**ANNOTATION, "result": MIXED}))) == [
        "annotation 5, image @ $",
        '  1 BoundingBox box "car"',
        '  1 Polygon rotated_box "car"',
        '  1 LS_region polygon "leaf": fewer than three points',
        '  1 LS_region raw cuboidlabels "crate": unknown kind',
        "  1 LS_region raw (no type): unknown kind",
        "  1 LS_region raw rectanglelabels: expected a number",
        "  also 2 BoundingBox (derived), 1 LS_relation",
        "  problem: expected a text @ $.result[4].type",
        "  problem: expected a text @ $.result[4].from_name",
        "  problem: expected a text @ $.result[4].to_name",
        "  problem: expected a number @ $.result[5].value.x",
        "  problem: expected a number @ $.result[5].value.y",
        "  problem: ... and 2 more",
    ]


def totals_of(document: object, config: LabelConfig | None = None) -> tuple[Totals, Contents]:
    contents, totals = contents_of(document, config), Totals()
    for found in contents.found:
        totals.add(explain(found, config, round_trip=True))
    return totals, contents


def test_totals():
    document = [
        {**TASK, "annotations": [{"result": MIXED}, {**ANNOTATION, "was_cancelled": True}], "drafts": [{}]},
        {"data": {"image": "b"}, "predictions": [{"result": [item("rectangle", BOX)]}, 7]},
    ]
    assert list(totals_lines(*totals_of(document, CONFIG), round_trip=True)) == [
        "2 annotations, 1 prediction of 2 tasks: 7 regions",
        "1 skipped by its annotator: its JSON is kept, and no region",
        "1 draft, only in Label Studio",
        "in ApertureDB: 5 LS_region, 2 BoundingBox (derived), 1 BoundingBox, 1 Polygon, 1 LS_relation",
        "kinds: 3 raw, 2 box, 1 rotated_box, 1 polygon",
        "kept in the annotation's JSON only:",
        "  1 cuboidlabels: unknown kind",
        "  1 (no type): unknown kind",
        "  1 rectanglelabels: expected a number",
        "no native form, kept as LS_region:",
        "  1 polygon: fewer than three points",
        "  1 box: the size of the picture is not known",
        "  (the file does not hold the size of these pictures; a sync takes it from the media)",
        "unknown kinds: 1 cuboidlabels, 1 (no type)",
        "configuration: 'label' has no label 'car'; did you mean 'Car'? (3 times)",
        "configuration: <RectangleLabels> 'label' does not give 'polygonlabels' (1 time)",
        "configuration: <RectangleLabels> 'label' does not give 'cuboidlabels' (1 time)",
        "not read: only an id @ $[1].predictions[1]",
        "problems: 8",
        "way back: the same, through the annotation's JSON; also the geometry of 3 of 7 regions, checked both ways",
    ]


def test_totals_as_json():
    totals, contents = totals_of([TASK])
    given = json.loads(json.dumps(totals_object(totals, contents, round_trip=True)))
    assert given["objects"] == {"BoundingBox": 1}
    assert given["round_trip"] == {"same": True, "differences": 0, "different": 0, "whole": 1}


def test_a_number_that_json_lacks_is_a_difference():
    found = one([item("number", {"number": float("nan")})], round_trip=True)
    assert found.differences == ("nan is no number of JSON, and Label Studio refuses it @ $.result[0].value.number",)
    assert found.mapped.regions[0].kind == "raw"


@pytest.mark.parametrize("kind", ["taxonomy", "choices", "ranker", "chatmessage", "tomorrow"])
def test_what_is_nested_too_deeply_is_a_difference(kind: str):
    """It cannot be written as JSON. The mapping itself does not fall over it."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    found = one({"id": 1, "result": [item(kind, {kind: deep})]}, round_trip=True)
    assert [region.kind for region in found.mapped.regions] == ["raw"]
    assert "cannot be written as JSON" in found.differences[0]


def test_ids_that_are_no_ids_are_shown():
    assert annotation_object(one({"id": float("nan"), "result": []}), round_trip=False)["id"] == "NaN"


def test_lines_hold_nothing_that_a_terminal_obeys():
    assert printable("a\x1b[31m\n猫\ud800", "utf-8") == "a\\x1b[31m\\n猫\\ud800"
    assert printable("猫", "ascii") == "\\u732b"


MIN_ROW = {
    "id": 2, "annotation_id": 1, "annotator": 1, "lead_time": 2.5, "image": "a.jpg",
    "ocr": [{"x": 1, "y": 1, "width": 2, "height": 2, "ocrlabels": ["T"], **SIZE}],
    "cube": [{"depth": 1, "cubelabels": ["C"]}],
    "bare": [{"x": 1, "y": 1, "width": 2, "height": 2, **SIZE}],
    "mask": [{"format": "rle", "rle": [0, 0], **SIZE}],
    "pw": {"selected": "left"},
    "rc": {"reactcode": {"a": 1}},
    "ta": {"text": ["a", "b"]},
}  # fmt: skip


def test_no_column_of_json_min_vanishes():
    found = contents_of(MIN_ROW)
    regions = one(MIN_ROW).mapped.regions
    assert [(it.from_name, it.type, it.kind) for it in regions] == [
        ("ocr", "ocrlabels", "raw"),
        ("cube", "cubelabels", "raw"),
        ("bare", "rectangle", "box"),
        ("mask", "brush", "raw"),
        ("pw", "pairwise", "pairwise"),
        ("ta", "textarea", "text"),
    ]
    assert next(iter(found.notes)).endswith("count as task data: 'image', 'rc'")
    totals = totals_of(MIN_ROW)[0]
    assert totals.unknown_kinds == {"ocrlabels": 1, "cubelabels": 1}


def test_columns_that_the_configuration_lacks_are_named():
    row = {
        "annotation_id": 1,
        "annotator": 1,
        "image": "a",
        "label": [{**BOX, **SIZE}],
        "stars": 4,
        "old": "x",
        "weather": "rain",
    }
    assert list(contents_of([row, row], CONFIG).notes) == [
        "columns of JSON-MIN that are no results of the label configuration count as task data: 'stars', 'old'"
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"images": [{"id": 1}], "annotations": [{"id": 1, "bbox": [1, 2, 3, 4]}], "categories": [{"id": 1}]},
        {"images": [], "annotations": [], "categories": []},
        [{"image": "a.jpg", "annotations": [{"label": "car", "coordinates": {}}]}],
        {"predictions": [{"class": "car", "x": 1}]},
    ],
)
def test_annotations_of_others_are_not_taken_for_label_studios(document: object):
    assert not contents_of(document).recognized


def ranged(data: dict[str, Any], **value: Any) -> dict[str, Any]:
    return {
        "data": data,
        "annotations": [{"result": [item("labels", {"start": 2, "end": 3, "labels": ["x"], **value})]}],
    }


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (ranged({"url": "s3://b/a.mp3?x=1"}, start=12.77, end=28.5), "audio_range"),
        (ranged({"url": "/data/a.wav"}), "audio_range"),
        (ranged({"url": "a.mp4"}, start=1.5), "video_range"),
        (ranged({"url": "a.csv"}), "time_series_range"),
        (ranged({"context": "b", "url": "a"}, start=1.5, end=2.5), "audio_range"),
        (ranged({"text": "Some words"}), "text_span"),
        (ranged({"url": "a"}, text="words"), "text_span"),
        (ranged({"url": "a"}), "raw"),
    ],
)
def test_what_the_numbers_of_a_range_count(document: object, kind: str):
    (region,) = one(document).mapped.regions
    assert region.kind == kind


def test_where_nothing_says_what_the_numbers_count_the_configuration_would():
    lines = list(totals_lines(*totals_of(ranged({"url": "a"})), round_trip=False))
    assert "  1 labels: nothing says what the numbers of the range count" in lines
    assert "  (the label configuration says it: --config)" in lines


SEVERAL = LabelConfig.parse(
    """<View><Text name="t" value="$text"/><Audio name="a" value="$sound"/><Image name="i" value="$image"/>
    <Labels name="l" toName="t"><Label value="x"/></Labels><Labels name="m" toName="a"><Label value="x"/></Labels>
    <RectangleLabels name="r" toName="i"><Label value="x"/></RectangleLabels></View>"""
)


def test_each_item_is_about_the_medium_that_its_object_tag_shows():
    data = {"text": "\U0001f642 words", "sound": "a.mp3", "image": "a.jpg"}
    value = {"start": 1, "end": 3, "labels": ["x"]}
    result = [
        {**item("labels", value), "from_name": "l", "to_name": "t", "id": "1"},
        {**item("labels", {**value, "channel": None}), "from_name": "m", "to_name": "a", "id": "2"},
        {
            **item("rectanglelabels", {**BOX, "rectanglelabels": ["x"]}, **SIZE),
            "from_name": "r",
            "to_name": "i",
            "id": "3",
        },
    ]
    found = one({"data": data, "annotations": [{"result": result}]}, SEVERAL, round_trip=True)
    assert found.media_type == "text, audio, image"
    assert [it.kind for it in found.mapped.regions] == ["text_span", "audio_range", "box"]
    assert found.mapped.regions[0].properties["LS_start_codepoint"] == 1
    assert found.mapped.regions[2].native is not None
    assert (found.differences, found.findings, found.whole) == ((), (), 3)


def test_a_long_list_of_unknown_kinds_is_cut():
    result = [{**item(f"kind{number}", {}), "id": str(number)} for number in range(14)]
    (line,) = [it for it in totals_lines(*totals_of({"result": result}), round_trip=False) if "unknown kinds" in it]
    assert line.endswith("1 kind9, and 4 more")


@pytest.mark.parametrize(("given", "skipped"), [("false", False), ("True", True), (0, False), (1, True), (None, False)])
def test_what_counts_as_skipped(given: object, skipped: bool):
    assert one({**ANNOTATION, "was_cancelled": given}).is_skipped == skipped


def test_skipped_annotations_have_no_regions_in_the_totals():
    totals, _ = totals_of({**ANNOTATION, "result": MIXED, "was_cancelled": True})
    assert (totals.regions, totals.whole) == (0, 0)
    assert not (totals.kinds | totals.unknown_kinds | totals.objects | totals.raw | totals.not_native)
