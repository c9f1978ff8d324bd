"""GUIDs are fixed for ever: a rebuilt database gives the same media the same ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.errors import InputError
from labeling_assets.identity import (
    checked_guid,
    content_guid,
    is_as_sent,
    is_sent_for,
    labels_guid,
    sent_import_id,
    sha256_of,
)


def test_the_guid_of_a_content_never_changes():
    assert content_guid(sha256_of("grüße".encode())) == "55d3a0fa-388a-5593-be25-ca347a966771"


def test_a_sha_may_be_spelled_in_capitals():
    assert content_guid(sha256_of(b"x").upper()) == content_guid(sha256_of(b"x"))


def test_the_guid_of_a_label_is_made_of_all_parts_in_order():
    made = {labels_guid("a", 1), labels_guid("a", 2), labels_guid(1, "a"), labels_guid("a1"), labels_guid("a")}
    assert len(made) == 5


@given(st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{2,199}", fullmatch=True))
def test_a_guid_of_letters_digits_dots_and_dashes_is_taken_as_it_is(guid: str):
    assert checked_guid(guid) == guid


@pytest.mark.parametrize("guid", ["", ".", "..", "a b", "a/b", "a%20b", "ä", "a\n", "x" * 201])
def test_another_one_is_refused_by_name(guid: str):
    with pytest.raises(InputError, match="cannot be a GUID") as refused:
        checked_guid(guid)
    assert repr(guid) in str(refused.value)


SAID = {"result": [{"id": "r1", "value": {"x": 10.0}}], "was_cancelled": False, "ground_truth": False}


def test_what_was_sent_is_known_by_its_number_alone():
    number = sent_import_id("k", SAID)
    as_read = {"id": 5, "import_id": number, **SAID, "result": [{"value": {"x": 10}, "id": "r1"}], "lead_time": 3}
    assert is_as_sent(as_read)
    assert (is_sent_for(number, "k"), is_sent_for(number, "l"), is_sent_for(None, "k")) == (True, False, False)


@pytest.mark.parametrize(
    "edit",
    [
        {"result": [{"id": "r1", "value": {"x": 10.5}}]},
        {"result": []},
        {"was_cancelled": True},
        {"ground_truth": True},
        {"import_id": None},
        {"import_id": 17},
    ],
)
def test_an_edited_one_and_one_of_others_is_not_as_sent(edit: dict):
    assert not is_as_sent({"import_id": sent_import_id("k", SAID), **SAID, **edit})


def test_an_import_id_is_one_that_a_browser_can_read():
    numbers = {sent_import_id(str(key), SAID) for key in range(1000)}
    assert (len(numbers), max(numbers) < 2**52, min(numbers) >= 0) == (1000, True, True)
