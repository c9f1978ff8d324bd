"""What is wrong with results is found without Label Studio, named by place, and never raises."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.kinds import KINDS, types_of_tag
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.validate import validate_results

CONFIG = LabelConfig.parse(
    """
    <View>
      <Image name="image" value="$image"/>
      <Image name="other" value="$other"/>
      <RectangleLabels name="label" toName="image"><Label value="Car"/><Label value="Dog" alias="d"/></RectangleLabels>
      <PolygonLabels name="outline" toName="image"><Label value="road"/></PolygonLabels>
      <EllipseLabels name="blob" toName="image"><Label value="cell"/></EllipseLabels>
      <KeyPointLabels name="point" toName="image"><Label value="nose"/></KeyPointLabels>
      <BrushLabels name="mask" toName="image"><Label value="sky"/></BrushLabels>
      <Choices name="scene" toName="image"><Choice value="indoors"/></Choices>
      <Taxonomy name="kind" toName="image"><Choice value="animal"><Choice value="cat"/></Choice></Taxonomy>
      <Rating name="stars" toName="image"/>
      <TextArea name="note" toName="image"/>
      <Pairwise name="better" toName="image,other"/>
    </View>
    """
)
IMAGE = Medium("image", 400, 300)


def box(**value: Any) -> dict[str, Any]:
    value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["Car"], **value}
    return {"id": "r", "type": "rectanglelabels", "from_name": "label", "to_name": "image", "value": value}


def item(kind: str, control: str, value: Any, to_name: str = "image") -> dict[str, Any]:
    return {"id": "r", "type": kind, "from_name": control, "to_name": to_name, "value": value}


def found(*results: Any, config: LabelConfig = CONFIG, medium: Medium = IMAGE) -> list[str]:
    """Code and place of every finding, warnings with a question mark."""
    findings = validate_results(list(results), config, medium)
    return [f"{'?' * (row.severity == 'warning')}{row.code} {row.path}" for row in findings]


GOOD = {
    "box": box(),
    "box to the border": box(x=0, y=0, width=100, height=100),
    "box rounded beyond the border": box(x=70, width=30.4),
    "turned box that leaves the picture": box(x=90, width=30, rotation=90),
    "label by its alias": box(rectanglelabels=["d"]),
    "label by its value": box(rectanglelabels=["Dog"]),
    "box without a label": box() | {"type": "rectangle", "value": {"x": 1, "y": 1, "width": 1, "height": 1}},
    "choice": item("choices", "scene", {"choices": ["indoors"]}),
    "taxonomy": item("taxonomy", "kind", {"taxonomy": [["animal", "cat"], ["animal"]]}),
    "rating": item("rating", "stars", {"rating": 4}),
    "text with its own name as target": item("textarea", "note", {"text": ["fine"]}, "note"),
    "two pictures": item("pairwise", "better", {"selected": "left"}, "image,other"),
}


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_wrong_with(name: str):
    assert found(GOOD[name]) == []


BAD = {
    "unknown control": (box() | {"from_name": "lable"}, "unknown_control $.result[0].from_name"),
    "wrong kind": (box() | {"from_name": "outline"}, "wrong_kind $.result[0].type"),
    "another object": (box() | {"to_name": "other"}, "wrong_to_name $.result[0].to_name"),
    "unknown label": (box(rectanglelabels=["car"]), "unknown_label $.result[0].value.rectanglelabels"),
    "unknown choice": (item("choices", "scene", {"choices": ["x"]}), "unknown_label $.result[0].value.choices"),
    "unknown branch": (
        item("taxonomy", "kind", {"taxonomy": [["cat"], ["x"]]}),
        "unknown_label $.result[0].value.taxonomy",
    ),
    "beyond 100": (box(x=80, width=30), "out_of_range $.result[0].value"),
    "left of 0": (box(x=-5), "out_of_range $.result[0].value"),
    "negative width": (box() | {"type": "rectangle", "value": {"x": 1, "y": 1, "width": -1, "height": 1}}, "malformed"),
    "a point outside": (
        item("polygonlabels", "outline", {"points": [[1, 1], [150, 1], [1, 9]], "polygonlabels": ["road"]}),
        "out_of_range $.result[0].value",
    ),
    "centre outside": (
        item("ellipselabels", "blob", {"x": 120, "y": 1, "radiusX": 5, "radiusY": 5, "ellipselabels": ["cell"]}),
        "out_of_range $.result[0].value",
    ),
    "keypoint outside": (
        item("keypointlabels", "point", {"x": 1, "y": -9, "width": 1, "keypointlabels": ["nose"]}),
        "out_of_range $.result[0].value",
    ),
    "text for a number": (box(x="ten"), "malformed $.result[0].value.x"),
    "no value": ({"id": "r", "type": "rectanglelabels", "from_name": "label", "to_name": "image"}, "malformed"),
    "no object": ("box", "malformed $.result[0]"),
}


@pytest.mark.parametrize("name", BAD)
def test_is_named(name: str):
    result, expected = BAD[name]
    assert any(row.startswith(expected) for row in found(result)), found(result)


def test_the_nearest_name_is_offered():
    (control,) = validate_results([box() | {"from_name": "lable"}], CONFIG, IMAGE)
    (label,) = validate_results([box(rectanglelabels=["car"])], CONFIG, IMAGE)
    assert control.message == "there is no control 'lable'; did you mean 'label'?"
    assert str(label) == "'label' has no label 'car'; did you mean 'Car'? @ $.result[0].value.rectanglelabels"


def test_every_item_is_looked_at():
    assert [row.split()[1] for row in found(box(x=-9), box(), box(x=-9))] == ["$.result[0].value", "$.result[2].value"]


def test_a_result_that_is_no_list():
    (row,) = validate_results({"result": []}, CONFIG, IMAGE)
    assert (row.position, row.code, row.message) == (None, "malformed", "expected a list, not dict")


def test_an_arrow_to_nowhere_is_a_warning():
    arrow = {"type": "relation", "from_id": "r", "to_id": "gone", "direction": "right"}
    assert found(box(), arrow) == ["?relation $.result[1]"]
    assert found(box(), arrow | {"to_id": "r"}) == []
    assert found({"type": "relation", "to_id": "r"})[0].startswith("malformed $.result[0]")


def test_labels_that_come_with_the_task_are_not_known():
    xml = '<View><Image name="image" value="$i"/><RectangleLabels name="label" toName="image" value="$labels"/></View>'
    assert found(box(rectanglelabels=["anything"]), config=LabelConfig.parse(xml)) == []


def test_a_repeater_makes_names():
    xml = (
        '<View><Repeater on="$pages" indexFlag="{{idx}}"><Image name="page_{{idx}}" value="$pages[{{idx}}]"/>'
        '<Choices name="kind_{{idx}}" toName="page_{{idx}}"><Choice value="a"/></Choices></Repeater></View>'
    )
    config = LabelConfig.parse(xml)
    assert found(item("choices", "kind_3", {"choices": ["a"]}, "page_3"), config=config) == []
    assert found(item("choices", "kind_3", {"choices": ["a"]}, "sheet_3"), config=config)


VIDEO = LabelConfig.parse(
    '<View><Video name="v" value="$v"/><VideoRectangle name="box" toName="v"/>'
    '<Labels name="l" toName="v"><Label value="goal"/></Labels>'
    '<TimelineLabels name="t" toName="v"><Label value="goal"/></TimelineLabels></View>'
)
FILM = Medium("video", 64, 48, fps=10, frame_count=20, duration_s=2.0)


def track(*frames: int) -> dict[str, Any]:
    sequence = [
        {"frame": frame, "time": frame / 10, "x": 1, "y": 1, "width": 9, "height": 9, "rotation": 0, "enabled": True}
        for frame in frames
    ]
    return item("videorectangle", "box", {"sequence": sequence, "framesCount": 20, "duration": 2.0}, "v")


def moment(start: int, end: int) -> dict[str, Any]:
    return item("timelinelabels", "t", {"ranges": [{"start": start, "end": end}], "timelinelabels": ["goal"]}, "v")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (track(1, 20), None),
        (track(1, 21), "key frame 1: frame is 21, the video has 20 frames"),
        (track(0), "key frame 0: frame is 0, frames count from 1"),
        (moment(3, 9), None),
        (moment(9, 3), "range 0: start 9 is after end 3"),
        (moment(9, 40), "range 0: end is 40, the video has 20 frames"),
    ],
)
def test_frames_of_a_video(result: dict[str, Any], message: str | None):
    rows = [row.message for row in validate_results([result], VIDEO, FILM) if row.code == "out_of_range"]
    assert rows == ([] if message is None else [message])


AUDIO = LabelConfig.parse(
    '<View><Audio name="a" value="$a"/><Labels name="l" toName="a"><Label value="x"/></Labels></View>'
)
TEXT = LabelConfig.parse(
    '<View><Text name="a" value="$a"/><Labels name="l" toName="a"><Label value="x"/></Labels></View>'
)


@pytest.mark.parametrize(
    ("config", "medium", "start", "end", "message"),
    [
        (AUDIO, Medium("audio", duration_s=4.0), 1.5, 4.0, None),
        (AUDIO, Medium("audio", duration_s=4.0), 2.0, 4.5, "end is 4.5, the medium ends at 4"),
        (AUDIO, Medium("audio", duration_s=4.0), -1.0, 2.0, "start is negative: -1"),
        (AUDIO, Medium("audio"), 2.0, 400.0, None),
        (TEXT, Medium("text", text="a🙂b"), 0, 4, None),
        (TEXT, Medium("text", text="a🙂b"), 0, 5, "end is 5, the medium ends at 4"),
        (TEXT, Medium("text"), 3, 1, "start 3 is after end 1"),
    ],
)
def test_ranges(config: LabelConfig, medium: Medium, start: float, end: float, message: str | None):
    value = {"start": start, "end": end, "channel": 0, "text": "t", "labels": ["x"]}
    rows = validate_results([item("labels", "l", value, "a")], config, medium)
    assert [row.message for row in rows if row.code == "out_of_range"] == ([] if message is None else [message])


@pytest.mark.parametrize(
    ("tag", "types"),
    [
        ("RectangleLabels", {"rectanglelabels", "rectangle"}),
        ("Labels", {"labels"}),
        ("Choices", {"choices"}),
        ("MagicWand", {"magicwand", "brush", "brushlabels"}),
    ],
)
def test_types_of_a_tag(tag: str, types: set[str]):
    assert types_of_tag(tag) == types


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
_KEYS = ("x", "y", "width", "height", "points", "sequence", "ranges", "start", "end", "rle", "choices", "taxonomy")
_ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "id": _SCALARS,
        "type": st.sampled_from(["rectanglelabels", "choices", "taxonomy", "videorectangle", "relation", "labels"])
        | _JSON,
        "from_name": st.sampled_from(["label", "scene", "kind", "mask"]) | _JSON,
        "to_name": st.just("image") | _JSON,
        "value": st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=4) | _JSON,
        "from_id": _JSON,
        "to_id": _JSON,
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_ITEMS | _JSON, max_size=4) | _JSON)
def test_it_never_raises(results: Any):
    for row in validate_results(results, CONFIG, IMAGE):
        assert row.message
        assert row.path.startswith("$.result")


def test_findings_are_plain_values():
    (row,) = validate_results([box(x=-9)], CONFIG, IMAGE)
    assert json.dumps([row.code, row.severity, row.position, row.path, row.control, row.message])


def test_every_tag_of_the_table_gives_its_own_types():
    """Tags as in `<Chat>`: "Labels on Audio" is how the documentation calls one of them."""
    for name, kind in KINDS.items():
        tags = [tag for tag in kind.tags if " on " not in tag]
        assert any(name in types_of_tag(tag) for tag in tags), name
        assert all(types_of_tag(tag) & {it for it, other in KINDS.items() if other is kind} for tag in tags), name


def test_a_message_of_a_chat_is_what_a_chat_gives():
    config = LabelConfig.parse('<View><Chat name="chat" value="$messages"/></View>')
    message = item("chatmessage", "chat", {"chatmessage": {"role": "user", "content": "Hi", "createdAt": 1}}, "chat")
    assert validate_results([message], config, Medium("text")) == ()


TRACKS = LabelConfig.parse(
    """<View><Video name="v" value="$video"/><VideoRectangle name="r" toName="v"/>
    <Labels name="l" toName="v"><Label value="car"/></Labels><Ranker name="rank" toName="v"/></View>"""
)


def test_labels_of_a_track_are_those_of_another_control():
    def track(label: str) -> list[str]:
        value = {"framesCount": 9, "sequence": [{"frame": 1, "enabled": True}], "labels": [label]}
        rows = validate_results([item("videorectangle", "r", value, "v")], TRACKS, Medium("video"))
        return [str(row) for row in rows]

    assert track("car") == []
    assert track("Car") == ["'r' has no label 'Car'; did you mean 'car'? @ $.result[0].value.labels"]
    ranking = item("ranker", "rank", {"ranker": ["a", "b"]}, "v")
    assert validate_results([ranking], TRACKS, Medium("video")) == ()


def test_a_control_that_a_repeater_made_is_named_as_in_the_result():
    config = LabelConfig.parse(
        """<View><Repeater on="$pages"><Image name="page_{{idx}}" value="$pages[{{idx}}].url"/>
        <RectangleLabels name="labels_{{idx}}" toName="page_{{idx}}"><Label value="Car"/></RectangleLabels>
        </Repeater></View>"""
    )
    (row,) = validate_results(
        [box(rectanglelabels=["car"]) | {"from_name": "labels_12", "to_name": "page_12"}], config, IMAGE
    )
    assert row.message == "'labels_12' has no label 'car'; did you mean 'Car'?"


def test_ten_thousand_wrong_labels_of_a_thousand_take_seconds():
    names = "".join(f'<Label value="class number {number}"/>' for number in range(1000))
    config = LabelConfig.parse(
        f"""<View><Image name="image" value="$image"/>
        <RectangleLabels name="label" toName="image">{names}</RectangleLabels></View>"""
    )
    started = time.process_time()
    rows = validate_results([box(rectanglelabels=["class nubmer 7"])] * 5_000, config, IMAGE)
    assert time.process_time() - started < 10
    assert len(rows) == 5_000
    assert "did you mean 'class number 7'" in rows[-1].message
