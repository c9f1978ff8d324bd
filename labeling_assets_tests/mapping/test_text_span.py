import time
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.text_span import code_point_offset
from labeling_assets_tests.mapping.ranges import item_of, mapped, written

# Letters, spaces, lines, combining marks, and characters of two UTF-16 units.
texts = st.text(st.sampled_from("ab Zéß漢\n\r\t\\n\u0301\u200d😀👍🏽𠮷"), min_size=1, max_size=40)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def span(text: str, start: object, end: object, quote: str | None = None) -> Any:
    value = {"start": start, "end": end, "labels": ["PER"]}
    return mapped("labels", value if quote is None else {**value, "text": quote}, Medium("text", text=text))


@settings(deadline=None)
@given(texts, st.data())
def test_the_marked_text_is_found_in_code_points_whatever_was_counted(text: str, data: st.DataObject):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    quote = text[start:end]
    for numbers in ((start, end), (units(text[:start]), units(text[:end]))):
        found = span(text, *numbers, quote).properties
        assert text[found["LS_start_codepoint"] : found["LS_end_codepoint"]] == quote
        assert (found["LS_start"], found["LS_end"]) == numbers


@settings(deadline=None)
@given(texts, st.data())
def test_utf_16_offsets_become_the_same_code_points(text: str, data: st.DataObject):
    """Unless the same words stand at both places."""
    text = f"\U0001f642{text}ab"
    start = data.draw(st.integers(1, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    numbers = units(text[:start]), units(text[:end])
    assume("".join(text[slice(*numbers)].split()) != "".join(text[start:end].split()))
    found = span(text, *numbers, text[start:end]).properties
    assert (found["LS_start_codepoint"], found["LS_end_codepoint"]) == (start, end)
    assert found["LS_offset_unit"] == "utf16"


@settings(deadline=None)
@given(texts)
def test_every_offset_in_utf_16_is_a_code_point_or_within_one(text: str):
    boundaries = {units(text[:index]): index for index in range(len(text) + 1)}
    for unit in range(units(text) + 3):
        assert code_point_offset(text, unit) == boundaries.get(unit)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.none() | st.text(st.characters(exclude_categories=["Cs"])))
def test_it_comes_back_as_it_was(start: int, length: int, quote: str | None):
    value = {"start": start, "end": start + length, "labels": ["PER"], **({} if quote is None else {"text": quote})}
    assert written("labels", value, Medium("text")) == value


def test_digits_come_back_as_numbers():
    value = {"start": "3", "end": "8", "text": "Hello", "labels": ["PER"]}
    assert written("labels", value, Medium("text")) == {**value, "start": 3, "end": 8}


def test_without_an_emoji_before_its_end_there_is_no_unit_to_know():
    assert "LS_offset_unit" not in span("Hello 😀", 0, 5, "Hello").properties


def test_without_a_quote_the_offsets_are_those_of_todays_label_studio_and_the_doubt_is_said():
    region = span("😀😀 Hello World", 4, 8)
    assert (region.properties["LS_start_codepoint"], region.properties["LS_end_codepoint"]) == (4, 8)
    assert "whether an emoji counts as one or as two" in region.reason


@pytest.mark.parametrize("quote", ["one\\ntwo", "one two", "one\n two", "onetwo"])
def test_a_browser_may_change_the_space_in_what_it_quotes(quote: str):
    region = span("say one\ntwo three", 4, 11, quote)
    assert region.reason is None
    assert region.properties["LS_start_codepoint"] == 4


@pytest.mark.parametrize(
    ("start", "end", "quote", "reason"),
    [
        (0, 3, "abd", "the text has changed: the quoted text is not where the range is"),
        (0, 9, "abc", "the text has changed: the quoted text is not where the range is"),
        (0, 9, None, "the range ends beyond the text of 5 characters"),
        (0, 4, "abc\ud83d", "the range cuts a character of two UTF-16 units in half"),
        (4, 6, None, "the range cuts a character of two UTF-16 units in half"),
    ],
)
def test_what_does_not_fit_the_text_keeps_its_numbers(start: int, end: int, quote: str | None, reason: str):
    region = span("abc😀d", start, end, quote)
    assert region.reason == reason
    assert (region.properties["LS_start"], region.properties["LS_end"]) == (start, end)
    assert "LS_start_codepoint" not in region.properties


def test_half_a_pair_in_the_text_itself_counts_as_one():
    assert span("a\ud83db", 1, 2, "\ud83d").properties["LS_start_codepoint"] == 1


def test_a_million_characters_with_a_thousand_ranges():
    """An index for each range would take minutes."""
    text = "0123456789 é😀" * 80_000
    places = range(0, 1_000_000, 1_000)
    items = [
        {**item_of("labels", {"start": units(text[:at]), "end": units(text[: at + 20]), "text": text[at : at + 20]})}
        for at in places
    ]
    started = time.perf_counter()
    regions = map_annotation([{**it, "id": str(index)} for index, it in enumerate(items)], Medium("text", text=text))
    assert time.perf_counter() - started < 5
    found = [region.properties for region in regions.regions]
    assert all(text[it["LS_start_codepoint"] : it["LS_end_codepoint"]] == it["LS_quote"] for it in found)
    assert len(found) == 1000
