from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.medium import Medium
from labeling_assets_tests.mapping.ranges import mapped, written

DIALOGUE = Medium("json")
offsets = st.integers(0, 10**6)
places = st.tuples(offsets, offsets)


@settings(deadline=None)
@given(places, places, st.none() | st.text(st.characters(exclude_categories=["Cs"])))
def test_it_comes_back_as_it_was(one: tuple[int, int], other: tuple[int, int], quote: str | None):
    start, end = sorted((one, other))
    value = {"start": str(start[0]), "startOffset": start[1], "end": str(end[0]), "endOffset": end[1]}
    value |= {"paragraphlabels": ["question"], **({} if quote is None else {"text": quote})}
    assert written("paragraphlabels", value, DIALOGUE) == value


def test_numbers_come_back_as_the_digits_that_the_editor_takes():
    value = {"start": 3, "end": 5, "startOffset": 2, "endOffset": 1, "paragraphlabels": ["Car"]}
    assert written("paragraphlabels", value, DIALOGUE) == {**value, "start": "3", "end": "5"}


def test_an_end_in_an_earlier_paragraph_is_malformed():
    value = {"start": "3", "end": "2", "startOffset": 0, "endOffset": 9, "paragraphlabels": ["Car"]}
    region = mapped("paragraphlabels", value, DIALOGUE)
    assert region.kind == "raw"
    assert region.labels == ("Car",)
