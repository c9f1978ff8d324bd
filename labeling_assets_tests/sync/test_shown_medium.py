"""Which object tags of a label configuration show the medium of a task."""

import pytest

from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.sync.shown_medium import tags_showing

LINK = "https://labels.example.org/gateway/media/{}?k=new&s=abc"
CONFIG = LabelConfig.parse(
    """<View><Image name="img1" value="$one"/><Image name="img2" value="$two"/><Image name="pages" valueList="$pages"/>
    <Text name="text" value="$caption"/><RectangleLabels name="r" toName="img1"><Label value="a"/></RectangleLabels>
    </View>"""
)
REPEATED = LabelConfig.parse(
    """<View><Repeater on="$pages"><Image name="page_{{idx}}" value="$pages[{{idx}}]"/>
    <Choices name="c_{{idx}}" toName="page_{{idx}}"><Choice value="a"/></Choices></Repeater></View>"""
)


@pytest.mark.parametrize(
    ("data", "tags"),
    [
        ({"one": LINK.format("a"), "two": LINK.format("b"), "caption": "words"}, {"img1"}),
        ({"one": LINK.format("a"), "two": LINK.format("a")}, {"img1", "img2"}),
        ({"pages": [LINK.format("b"), LINK.format("a")]}, {"pages"}),
        ({"one": "https://elsewhere.example.org/a.jpg"}, None),
        ({"caption": "words"}, None),
        ({}, None),
    ],
)
def test_tags_that_link_to_the_medium(data: dict[str, object], tags: set[str] | None):
    assert tags_showing("a", CONFIG, data) == tags


def test_what_a_repeater_shows_is_not_known_by_name():
    assert tags_showing("a", REPEATED, {"pages": [LINK.format("a")]}) is None
