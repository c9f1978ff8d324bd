"""What stands in a task's data."""

import html
from pathlib import Path
from typing import Any

import pytest

from labeling_assets.errors import ConfigurationError, InputError
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
        ('<Text name="x" value="$v"/>', "media_types: [csv]", "text"),
        ('<HyperText name="x" value="$v"/>', "media_types: [html]", "html"),
        ('<HyperText name="x" value="$v"/>', "media_types: [pdf]", "html"),
        ('<HyperText name="x" value="$v" valueType="url"/>', "media_types: [html]", "link"),
        ('<HyperText name="x" value="$v"/>', "", "column:v"),
        ('<Pdf name="x" value="$v"/>', "media_types: [pdf]", "link"),
        ('<Video name="x" value="$v"/>', "media_types: [video]", "link"),
        ('<Audio name="x" value="$v"/>', "media_types: [audio]", "link"),
        ('<TimeSeries name="x" value="$v"/>', "media_types: [csv]", "link"),
        ('<TimeSeries name="x" value="$v" valueType="json"/>', "media_types: [csv]", "series"),
        ('<Table name="x" value="$v"/>', "media_types: [csv]", "rows"),
        ('<Table name="x" value="$v"/>', "media_types: [text]", "column:v"),
        ('<Table name="x" value="$v" valueType="csv,separator=;"/>', "media_types: [csv]", "text"),
        ('<Table name="x" value="$v" valueType="csv|url"/>', "media_types: [csv]", "link"),
        ('<Paragraphs name="x" value="$v"/>', "media_types: [json]", "items"),
        ('<Paragraphs name="x" value="$v" valueType="url"/>', "media_types: [json]", "link"),
        ('<List name="x" value="$v"/>', "media_types: [json]", "items"),
        ('<Text name="x" value="$v"/>', "data: {v: column:shop}", "column:shop"),
    ],
)
def test_where_a_variable_comes_from(tmp_path: Path, shown: str, yaml: str, source: str):
    assert sources(tmp_path, shown, yaml) == {"v": source}


def test_a_source_that_there_is_not_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="data of 'v' is 'film'; use link, text, html, items, rows, series"):
        sources(tmp_path, '<Text name="x" value="$v"/>', "data: {v: film}")


def build(source: str, text: bytes = b"", **properties: Any) -> dict[str, Any]:
    data = TaskData({"v": source}, LINKS, lambda medium: text)
    return data.build(Medium("g-1", "Image", properties), "May")


def test_every_task_names_its_medium_and_its_batch():
    assert build("link") == {"guid": "g-1", "import_batch": "May", "v": LINKS.link("g-1")}


@pytest.mark.parametrize(
    ("properties", "value"),
    [
        ({"LS_source_uri": "https://cdn.example.org/a.png"}, "https://cdn.example.org/a.png"),
        ({"LS_source_uri": "s3://bucket/a.png"}, "s3://bucket/a.png"),
        (
            {"LS_source_uri": "https://cdn.example.org/a.png", "url": "https://own.example.org/a"},
            "https://own.example.org/a",
        ),
    ],
)
def test_the_column_url_is_where_the_medium_came_from(properties: dict[str, str], value: str):
    """A property of that name, which media have that ApertureDB held before, counts first."""
    assert build("column:url", **properties)["v"] == value


def test_a_file_came_from_no_address():
    with pytest.raises(InputError, match="the medium has no 'url'"):
        build("column:url", LS_source_uri="a.png")


def test_a_column_is_passed_on_in_its_type():
    assert build("column:price", price=2.5)["v"] == 2.5


@pytest.mark.parametrize(
    ("source", "media_type", "text", "value"),
    [
        ("text", "text", "grüße".encode(), "grüße"),
        ("html", "html", b"<p>x</p>", "<p>x</p>"),
        ("html", "text", b"x", "x"),
        ("items", "json", b'[{"author": "A", "text": "b"}]', [{"author": "A", "text": "b"}]),
        ("rows", "csv", b"name;n\nAda;007\n", [{"name": "Ada", "n": "007"}]),
        ("rows", "json", b'{"name": "Ada"}', {"name": "Ada"}),
        ("series", "csv", b"Time,Speed\n0,1.5\n1,\n2,fast\n", {"time": [0, 1, 2], "speed": [1.5, None, "fast"]}),
        ("series", "json", b'{"Time": [0, 1], "a": [5, 6]}', {"time": [0, 1], "a": [5, 6]}),
    ],
)
def test_the_content_stands_in_the_form_that_the_tag_takes(source: str, media_type: str, text: bytes, value: object):
    assert build(source, text, LS_media_type=media_type)["v"] == value


@pytest.mark.parametrize(("media_type", "element"), [("pdf", "embed"), ("video", "video"), ("image", "img")])
def test_a_page_shows_what_is_no_page(media_type: str, element: str):
    page = build("html", LS_media_type=media_type)["v"]
    assert page.startswith(f'<{element} src="{html.escape(LINKS.link("g-1"))}"')


@pytest.mark.parametrize(
    ("source", "text", "message"),
    [
        ("column:shop", b"", r"the medium has no 'shop', which the variable \$v"),
        ("text", b"\xff", r"the text is not UTF-8 \(byte 0\)"),
        ("items", b"{}", r"its JSON is an object, but the tag takes a list: put the items into"),
        ("items", b"no JSON", r"it is not JSON \(Expecting value"),
        ("rows", b"a,b\n1\n", r"line 2 of the CSV has 1 cells, the first has 2"),
        ("series", b"a,A\nx,1\n", r"it has two columns 'a': rename one of them"),
        ("text", b"x" * 1_000_001, r'the text has 1,000,001 bytes; use valueType="url"'),
    ],
)
def test_a_medium_that_cannot_become_a_task(source: str, text: bytes, message: str):
    with pytest.raises(InputError, match=message):
        build(source, text)
