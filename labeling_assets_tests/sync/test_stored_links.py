"""Links in the data of tasks, wherever they stand."""

import html
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.sync.stored_links import stored_links, with_links_replaced
from labeling_assets_tests.sync.world import LINKS

A, B = LINKS.link("a"), LINKS.for_project("cars").link("b", width="200")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text() | st.sampled_from([A, B, f"see {A}, {B}!"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.parametrize(
    ("value", "guids"),
    [
        (A, ["a"]),
        ([A, B], ["a", "b"]),
        ({"image": A, "pages": [{"page": B}], "n": 1, "x": None}, ["a", "b"]),
        (f'<img src="{html.escape(B)}" style="max-width: 100%"><a href=\'{A}\'>a</a>', ["b", "a"]),
        (f"First {A}, then {B}.", ["a", "b"]),
        ("https://s3.example.org/bucket/media/cat.jpg?X-Amz-Signature=k", []),
        ("http://gateway.example.org/media/a?k=&s=x", []),
        ("http://gateway.example.org/media/a", []),
        ("media/a?k=k1&s=x", []),
        ("", []),
    ],
)
def test_found(value: Any, guids: list[str]) -> None:
    assert [link.guid for link in stored_links(value)] == guids


def test_what_a_link_says() -> None:
    (link,) = stored_links(f'<img src="{html.escape(B)}">')
    assert (link.base_url, link.guid, link.key_id) == ("http://gateway.example.org", "b", "k1.cars")
    assert link.parameters == {"width": "200"}


def test_a_gateway_behind_a_prefix() -> None:
    (link,) = stored_links("https://labels.example.org/media/gateway/media/x.1?k=k1&s=abc")
    assert (link.base_url, link.guid) == ("https://labels.example.org/media/gateway", "x.1")


def test_the_signature_is_read_without_the_marks_around_it() -> None:
    for text in (f"{A}.", f"({A}), and", f"'{A}'", f"<{A}>", f'"{html.escape(A)}"'):
        (link,) = stored_links(text)
        assert LINKS.refusal(link.guid, link.query) is None


def test_replaced_in_html_they_are_escaped_as_before() -> None:
    page = f'<img src="{html.escape(B)}" title="A &amp; B">'
    assert with_links_replaced(page, lambda link: A) == f'<img src="{html.escape(A)}" title="A &amp; B">'


def test_replaced_in_text_they_are_not_escaped() -> None:
    assert with_links_replaced({"image": A, "of": [B]}, lambda link: f"new-{link.guid}") == {
        "image": "new-a",
        "of": ["new-b"],
    }


@given(JSON)
def test_what_is_replaced_by_itself_stays_as_it_is(value: Any) -> None:
    same = with_links_replaced(value, lambda link: html.unescape(link.text))
    assert json.dumps(same) == json.dumps(value)


@given(JSON)
def test_all_that_are_found_are_replaced(value: Any) -> None:
    assert list(stored_links(with_links_replaced(value, lambda link: "gone"))) == []
