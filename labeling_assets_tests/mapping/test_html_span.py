import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.medium import Medium
from labeling_assets_tests.mapping.ranges import mapped, written

HTML = Medium("html")
PATHS = {"start": "/p[1]/text()[1]", "end": "/p[2]/text()[1]", "startOffset": 3, "endOffset": 1}

offsets = st.integers(0, 10**6)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"start": texts, "end": texts, "startOffset": offsets, "endOffset": offsets},
        optional={
            "globalOffsets": st.tuples(offsets, offsets).map(lambda it: {"start": min(it), "end": max(it)}),
            "text": texts,
        },
    )
)
def test_it_comes_back_as_it_was(value):
    assert written("hypertextlabels", {**value, "hypertextlabels": ["LOC"]}, HTML) == {
        **value,
        "hypertextlabels": ["LOC"],
    }


def test_global_offsets_are_start_and_end():
    properties = mapped("hypertextlabels", {**PATHS, "globalOffsets": {"start": 7, "end": 9}}, HTML).properties
    assert (properties["LS_start"], properties["LS_end"]) == (7, 9)


def test_older_versions_have_no_global_offsets():
    region = mapped("hypertextlabels", PATHS, HTML)
    assert (region.kind, region.reason) == ("html_span", None)
    assert "LS_start" not in region.properties


def test_on_a_plain_text_it_is_a_range_of_the_text():
    value = {"start": 2, "end": 4, "text": "lo", "hypertextlabels": ["A"]}
    region = mapped("hypertextlabels", value, Medium("text", text="Hello"))
    assert region.kind == "text_span"
    assert region.reason == "the text has changed: the quoted text is not where the range is"
    assert written("hypertextlabels", value, Medium("text")) == value


@pytest.mark.parametrize("missing", ["start", "end", "startOffset", "endOffset"])
def test_a_place_that_nothing_gives_is_named(missing: str):
    region = mapped("hypertextlabels", {name: it for name, it in PATHS.items() if name != missing}, HTML)
    assert region.kind == "raw"
    assert region.reason == f"expected a place in the document @ $.result[0].value.{missing}"
