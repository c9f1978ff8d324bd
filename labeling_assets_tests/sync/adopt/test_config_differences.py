"""A project that was there already fits a folder whose configuration knows all that its own knows."""

import pytest

from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.sync.adopt.config_differences import config_differences

CONFIG = """<View><Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="car"/><Label value="dog"/></RectangleLabels>
  <TextArea name="note" toName="image"/></View>"""


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("", "", []),
        ('<Label value="car"/>', '<Label value="car"/><Label value="tree"/>', []),
        ('<TextArea name="note"', '<Rating name="stars" toName="image"/><TextArea name="note"', []),
        ('<Label value="car"/>', "", ["'label' lacks 'car'"]),
        ("RectangleLabels", "PolygonLabels", ["'label' is a <PolygonLabels>, in the project a <RectangleLabels>"]),
        ('name="note"', 'name="text"', ["it lacks the control 'note', in the project a <TextArea>"]),
        ("$image", "$photo", ["it needs $photo, which the tasks need not have: use the names of the project"]),
        (
            '"image"',
            '"shown"',
            [
                "it lacks the object 'image', in the project a <Image>",
                "'label' labels 'shown', in the project 'image'",
                "'note' labels 'shown', in the project 'image'",
            ],
        ),
    ],
)
def test_differences(old: str, new: str, lines: list[str]):
    folder = CONFIG.replace(old, new) if old else CONFIG
    assert config_differences(LabelConfig.parse(folder), LabelConfig.parse(CONFIG)) == lines


def test_labels_that_come_with_each_task():
    dynamic = CONFIG.replace('toName="image"><Label', 'toName="image" value="$labels"><Label')
    fixed, free = LabelConfig.parse(CONFIG), LabelConfig.parse(dynamic)
    assert config_differences(fixed, free) == ["'label' has fixed labels, in the project they come with each task"]
    assert config_differences(free, free) == []
