"""What stands in a task's data."""

from pathlib import Path
from typing import Any

import pytest

from labeling_assets.errors import InputError
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.sync.media_store import Medium
from labeling_assets.sync.task_data import TaskData, data_sources
from labeling_assets_tests.sync.world import LINKS, write_project

CHOICES = '<Choices name="c" toName="x"><Choice value="ok"/></Choices>'


def sources(tmp_path: Path, shown: str, yaml: str = "") -> dict[str, str]:
    project = write_project(tmp_path / "cars", config=f"<View>{shown}{CHOICES}</View>", yaml=yaml)
    return data_sources(project, LabelConfig.parse(project.label_config()))


@pytest.mark.parametrize(
    ("shown", "yaml", "source"),
    [
        ('<Image name="x" value="$v"/>', "", "link"),
        ('<Text name="x" value="$v"/>', "media_types: [text]", "text"),
        ('<Text name="x" value="$v" valueType="url"/>', "media_types: [text]", "link"),
        ('<Text name="x" value="$v"/>', "", "column:v"),
        ('<Table name="x" value="$v"/>', "", "column:v"),
        ('<Text name="x" value="$v"/>', "data: {v: column:shop}", "column:shop"),
    ],
    ids=["address", "text", "text behind a link", "text beside pictures", "table", "as the project says"],
)
def test_where_a_variable_comes_from(tmp_path: Path, shown: str, yaml: str, source: str):
    assert sources(tmp_path, shown, yaml) == {"v": source}


def build(source: str, text: bytes = b"", **properties: Any) -> dict[str, Any]:
    data = TaskData({"v": source}, LINKS, lambda medium: text)
    return data.build(Medium("g-1", "Image", properties), "May")


def test_every_task_names_its_medium_and_its_batch():
    assert build("link") == {"guid": "g-1", "import_batch": "May", "v": LINKS.link("g-1")}


def test_a_column_is_passed_on_in_its_type():
    assert build("column:price", price=2.5)["v"] == 2.5


@pytest.mark.parametrize(
    ("source", "text", "message"),
    [
        ("column:shop", b"", r"the medium has no 'shop', which the variable \$v"),
        ("text", b"\xff", r"the text is not UTF-8 \(byte 0\)"),
        ("text", b"x" * 1_000_001, r'the text has 1,000,001 bytes; use valueType="url"'),
    ],
)
def test_a_medium_that_cannot_become_a_task(source: str, text: bytes, message: str):
    with pytest.raises(InputError, match=message):
        build(source, text)
