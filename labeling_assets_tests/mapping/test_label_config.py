import pytest

from labeling_assets.errors import ConfigurationError
from labeling_assets.mapping.label_config import LabelConfig, UnknownLabel
from labeling_assets.mapping.region import Region

BOXES = """
<View>
  <!-- boxes -->
  <Header value="$title"/>
  <Image name="image" value="$image" zoom="true"/>
  <RectangleLabels name="label" toName="image">
    <Label value="Car" alias="car" background="red"/>
    <Label value="Pedestrian"/>
  </RectangleLabels>
  <Choices name="state" toName="image" perRegion="true">
    <View><Choice value="occluded"/><Choice value="truncated"/></View>
  </Choices>
  <TextArea name="note" toName="image" perRegion="true"/>
</View>
"""


def region(**vocabulary: tuple[str, ...]) -> Region:
    return Region("a", "label", "image", "rectanglelabels", "box", vocabulary=vocabulary)


def test_controls():
    controls = {control.name: control for control in LabelConfig.parse(BOXES).controls}
    assert list(controls) == ["label", "state", "note"]
    assert (controls["label"].tag, controls["label"].to_names) == ("RectangleLabels", ("image",))


def test_objects():
    (shown,) = LabelConfig.parse(BOXES).objects
    assert (shown.name, shown.tag, shown.variables, shown.value_type) == ("image", "Image", ("image",), "url")


def test_all_variables_are_needed():
    assert LabelConfig.parse(BOXES).variables == ("title", "image")


def test_labels_are_what_label_studio_writes():
    assert LabelConfig.parse(BOXES).labels_of("label") == ("car", "Pedestrian")


def test_choices_may_stand_in_a_view():
    assert LabelConfig.parse(BOXES).labels_of("state") == ("occluded", "truncated")


def test_any_text_is_accepted_by_a_text_area():
    assert LabelConfig.parse(BOXES).labels_of("note") is None


def test_a_control_that_is_not_there_has_no_labels():
    assert LabelConfig.parse(BOXES).labels_of("nothing") == ()


def test_known_labels():
    config = LabelConfig.parse(BOXES)
    assert config.unknown_labels(region(label=("car", "Car", "Pedestrian"), state=("occluded",))) == ()


def test_unknown_labels_have_a_nearest_one():
    config = LabelConfig.parse(BOXES)
    unknown = config.unknown_labels(region(label=("pedestrain", "zebra"), state=("TRUNCATED",)))
    assert unknown == (
        UnknownLabel("pedestrain", "label", "Pedestrian"),
        UnknownLabel("zebra", "label", None),
        UnknownLabel("TRUNCATED", "state", "truncated"),
    )
    assert str(unknown[0]) == "'label' has no label 'pedestrain'; did you mean 'Pedestrian'?"


def test_a_tool_without_a_control_takes_the_labels_of_its_object():
    config = LabelConfig.parse(BOXES)
    assert config.unknown_labels(region(magicwand_tool_1=("car",))) == ()
    assert config.unknown_labels(region(magicwand_tool_1=("cra",)))[0].nearest == "car"


def test_dynamic_labels_accept_any():
    config = LabelConfig.parse(
        '<View><Text name="t" value="$text"/><Labels name="l" toName="t" value="$labels"/></View>'
    )
    assert config.labels_of("l") is None
    assert config.unknown_labels(Region("a", "l", "t", "labels", "raw", vocabulary={"l": ("x",)})) == ()
    assert config.variables == ("text", "labels")


def test_nested_choices_are_known_alone_and_with_their_path():
    config = LabelConfig.parse(
        '<View><Text name="t" value="$a.text"/><Taxonomy name="x" toName="t">'
        '<Choice value="Animal"><Choice value="Dog"/></Choice></Taxonomy></View>'
    )
    used = Region("a", "x", "t", "taxonomy", "raw", vocabulary={"x": ("Dog", "Animal/Dog", "Animal", "Cat/Dog")})
    assert config.labels_of("x") == ("Animal", "Dog")
    assert [it.label for it in config.unknown_labels(used)] == ["Cat/Dog"]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("$image", ("image",)),
        ("$a.b", ("a",)),
        ("$pages[0].url", ("pages",)),
        ("Price: $5", ()),
        ("$5", ()),
        ("static", ()),
    ],
)
def test_variables(value: str, names: tuple[str, ...]):
    xml = f'<View><Image name="i" value="{value}"/><Rating name="r" toName="i"/></View>'
    assert LabelConfig.parse(xml).variables == names


def test_a_repeater_makes_many_controls_of_one():
    config = LabelConfig.parse(
        '<View><Repeater on="$pages" indexFlag="{{idx}}"><Image name="p_{{idx}}" value="$pages[{{idx}}].url"/>'
        '<RectangleLabels name="l_{{idx}}" toName="p_{{idx}}"><Label value="word"/></RectangleLabels>'
        "</Repeater></View>"
    )
    assert config.variables == ("pages",)
    assert config.labels_of("l_12") == ("word",)
    assert config.labels_of("l_") == ()


def test_several_targets():
    config = LabelConfig.parse(
        '<View><Image name="a" value="$one"/><Image name="b" value="$two"/><Pairwise name="p" toName="a, b"/></View>'
    )
    assert config.controls[0].to_names == ("a", "b")


def test_a_chat_is_labeled_by_itself():
    config = LabelConfig.parse('<View><Chat name="chat" value="$messages"/></View>')
    assert config.controls[0].to_names == ("chat",)
    assert config.objects[0].variables == ("messages",)


@pytest.mark.parametrize(("media_type", "name"), [("image", "i"), ("text", "t"), ("audio", None), ("hologram", None)])
def test_object_for_media_type(media_type: str, name: str | None):
    config = LabelConfig.parse(
        '<View><Text name="help" value="static"/><Text name="t" value="$t"/><Image name="i" value="$i"/>'
        '<Rating name="r" toName="i"/></View>'
    )
    shown = config.object_for_media_type(media_type)
    assert (shown.name if shown else None) == name


def test_a_time_series_stands_behind_a_link_if_nothing_else_is_said():
    xml = '<View><TimeSeries name="x" value="$v"/><TimeSeriesLabels name="l" toName="x"/></View>'
    assert LabelConfig.parse(xml).objects[0].value_type == "url"


@pytest.mark.parametrize(("attribute", "value_type"), [("", "text"), ('valueType="url"', "url")])
def test_value_type(attribute: str, value_type: str):
    xml = f'<View><Text name="t" value="$t" {attribute}/><Rating name="r" toName="t"/></View>'
    assert LabelConfig.parse(xml).objects[0].value_type == value_type


@pytest.mark.parametrize(
    "same",
    [
        BOXES.replace("\n", "").replace("  ", ""),
        BOXES.replace("<!-- boxes -->", ""),
        BOXES.replace('name="image" value="$image" zoom="true"', "zoom='true' value='$image'   name='image'"),
    ],
)
def test_hash_ignores_the_layout(same: str):
    assert LabelConfig.parse(same).hash == LabelConfig.parse(BOXES).hash


@pytest.mark.parametrize(
    "other", [BOXES.replace("truncated", "cut"), BOXES.replace("red", "blue"), BOXES.replace("<Header", "<H")]
)
def test_hash_sees_a_change(other: str):
    assert LabelConfig.parse(other).hash != LabelConfig.parse(BOXES).hash


def test_hash_sees_the_order_of_labels():
    car, pedestrian = '<Label value="Car" alias="car" background="red"/>', '<Label value="Pedestrian"/>'
    other = BOXES.replace(car, "").replace(pedestrian, pedestrian + car)
    assert LabelConfig.parse(other).labels_of("label") == ("Pedestrian", "car")
    assert LabelConfig.parse(other).hash != LabelConfig.parse(BOXES).hash


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<View>\n  <Image", r"not well-formed XML: .* in line 2, column 2"),
        ("", "not well-formed XML"),
        ("<View></Viw>", "mismatched tag in line 1"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>', "Remove the <!DOCTYPE"),
        (
            '<View>\n<Image name="image" value="$i"/>\n<Choices name="c" toName="imgae"/></View>',
            r"<Choices name='c'> in line 3, column 0 with toName='imgae', .* did you mean 'image'\?",
        ),
        (
            '<View><Image name="a" value="$i"/>\n<Choices name="a" toName="a"/></View>',
            r"name 'a' twice: <Image name='a'> in line 1, column 6 and <Choices name='a'> in line 2, column 0",
        ),
        ('<View><Choices name="c" toName="c"/></View>', "shows nothing"),
        ('<View><Image name="i" value="$i"/></View>', 'nothing to label with.*toName="i"'),
    ],
)
def test_refused(xml: str, message: str):
    with pytest.raises(ConfigurationError, match=message):
        LabelConfig.parse(xml)


@pytest.mark.parametrize(
    ("attribute", "data", "rate"),
    [
        ("", {}, 24),
        ('frameRate="29.97"', {}, 29.97),
        ('framerate=" 25 "', {}, 25),
        ('frameRate="0.04"', {}, 25),
        ('frameRate="fast"', {}, 24),
        ('frameRate="$fps"', {"fps": 50}, 50),
        ('frameRate="$fps"', {"fps": "12.5"}, 12.5),
        ('frameRate="$fps"', {}, 24),
        ('frameRate="$facts.fps"', {"facts": {"fps": 30}}, 30),
    ],
)
def test_the_frame_rate_of_a_video(attribute: str, data: dict[str, object], rate: float):
    """As the editor of Label Studio 1.23.2 reads it: 24 if nothing usable is said, a rate below 1 is its inverse."""
    xml = f"""<View><Video name="film" value="$video" {attribute}/><Image name="i" value="$image"/>
    <TimelineLabels name="t" toName="film"><Label value="goal"/></TimelineLabels></View>"""
    assert LabelConfig.parse(xml).frame_rates(data) == {"film": rate}
