import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.mapping.json_text import joined, json_text, separated, storable


@given(st.lists(st.text() | st.lists(st.text()).map(json.dumps)))
def test_joined_texts_are_separated_again(texts: list[str]):
    assert separated(joined(texts)) == texts


@pytest.mark.parametrize(
    ("texts", "one"),
    [
        ([], None),
        ([""], ""),
        (["[noise] hello"], "[noise] hello"),
        (["[1]"], "[1]"),
        (["a", "b"], '["a", "b"]'),
        (['["a"]'], '["[\\"a\\"]"]'),
    ],
)
def test_one_text_stays_itself_unless_it_looks_like_a_list(texts: list[str], one: str | None):
    assert joined(texts) == one


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_json_text_is_json_that_utf8_can_hold(value: object):
    text = json_text(value)
    assert json.loads(text.encode()) == value


def test_half_of_a_surrogate_pair_is_an_escape_in_json_and_a_replacement_character_in_text():
    assert json_text("\ud800é") == '"\\ud800é"'
    assert storable("\ud800é") == "\ufffdé"
