"""GUIDs are fixed for ever: a rebuilt database gives the same media the same ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.errors import InputError
from labeling_assets.identity import checked_guid, content_guid, labels_guid, sha256_of


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
