"""The characters of texts: from the task, from ApertureDB, or not at all."""

from typing import Any

import pytest

from labeling_assets.clients.query import Query
from labeling_assets.media_sources import MediaSources
from labeling_assets.sync import read_texts
from labeling_assets.sync.read_texts import TextReader
from labeling_assets_tests.sync.world import LINKS, Stock, write_project

CONFIG = """<View><Text name="text" value="$text"/><Text name="page" value="$page" valueType="url"/>
<HyperText name="html" value="$html"/><Image name="image" value="$image"/>
<Labels name="label" toName="text"><Label value="name"/></Labels></View>"""
GREETING = "Grüße an 😀 Ada"


def span(target: str) -> dict[str, Any]:
    value = {"start": 9, "end": 11, "text": "😀", "labels": ["name"]}
    return {"id": "s1", "type": "labels", "from_name": "label", "to_name": target, "value": value}


def choice(target: str) -> dict[str, Any]:
    return {"id": "c1", "type": "choices", "from_name": "c", "to_name": target, "value": {"choices": ["yes"]}}


def annotation(*result: Any) -> dict[str, Any]:
    return {"id": 1, "result": list(result)}


@pytest.fixture
def texts(stock: Stock) -> Stock:
    stock.project = write_project(stock.project.folder, config=CONFIG)
    return stock


def link(stock: Stock, content: bytes) -> str:
    (guid,) = stock.hand_in({"a.txt": content}).guids
    return LINKS.link(guid)


def test_a_text_that_stands_in_the_task_is_taken_from_there(texts: Stock):
    reader = TextReader(texts.db, texts.project)
    assert reader.text({"text": GREETING}, annotation(span("text"))) == GREETING
    assert texts.db.writes == []


@pytest.mark.parametrize("limit", [read_texts._SMALL_BYTES, 5])
def test_a_text_behind_a_link_is_read_together_with_others_or_alone(
    texts: Stock, monkeypatch: pytest.MonkeyPatch, limit: int
):
    monkeypatch.setattr(read_texts, "_SMALL_BYTES", limit)
    given = ({"page": link(texts, GREETING.encode())}, annotation(span("page")))
    queries: list[Query] = []
    run = texts.db.run
    monkeypatch.setattr(texts.db, "run", lambda query: [queries.append(query), run(query)][1])
    reader = TextReader(texts.db, texts.project)
    reader.prepare([given, given])
    assert [reader.text(*given), reader.text(*given)] == [GREETING, GREETING]
    assert len(queries) == (2 if limit == 5 else 1)


def test_a_byte_order_mark_is_no_character(texts: Stock):
    data = {"page": link(texts, b"\xef\xbb\xbfAda")}
    assert TextReader(texts.db, texts.project).text(data, annotation(span("page"))) == "Ada"


def test_a_text_that_is_too_long_is_not_read(texts: Stock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_texts, "_LARGEST_BYTES", 5)
    data = {"page": link(texts, GREETING.encode())}
    assert TextReader(texts.db, texts.project).text(data, annotation(span("page"))) is None


def test_a_text_that_is_only_registered_is_not_read(texts: Stock):
    """What ApertureDB holds of it is a marker."""
    sources = MediaSources.of([texts.inbox])
    (guid,) = texts.hand_in({"a.txt": GREETING}, size_limit_bytes=0, sources=sources).guids
    data = {"page": LINKS.link(guid)}
    assert TextReader(texts.db, texts.project).text(data, annotation(span("page"))) is None


@pytest.mark.parametrize(
    "result",
    [
        pytest.param([], id="empty"),
        pytest.param([choice("text")], id="no range"),
        pytest.param([span("html")], id="counts in what a browser shows"),
        pytest.param([span("image")], id="no text"),
        pytest.param([span("text"), span("page")], id="two texts"),
        pytest.param(["a text", None, 7, {"value": []}, {"value": {"start": 1, "end": 2}}], id="no items"),
    ],
)
def test_where_no_single_text_is_marked_none_is_read(texts: Stock, result: list[Any]):
    data = {"text": GREETING, "page": "https://elsewhere.example.org/a.txt", "html": "<p>", "image": "a.png"}
    assert TextReader(texts.db, texts.project).text(data, annotation(*result)) is None


@pytest.mark.parametrize("data", [{}, {"text": None}, {"text": 7}, {"page": "https://elsewhere.example.org/a.txt"}])
def test_data_without_the_text_gives_none(texts: Stock, data: dict[str, Any]):
    reader = TextReader(texts.db, texts.project)
    assert [reader.text(data, annotation(span(target))) for target in ("text", "page")] == [None, None]


def test_a_configuration_that_does_not_parse_stops_nothing(texts: Stock):
    project = write_project(texts.project.folder, config="<View>")
    assert TextReader(texts.db, project).text({"text": GREETING}, annotation(span("text"))) is None
