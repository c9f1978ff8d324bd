import pytest

from labeling_assets.gateway.etags import etag, if_range_holds, match_names, none_match_names

TAG = '"abc"'


def test_the_tag_is_strong() -> None:
    assert etag("abc") == '"abc"'


@pytest.mark.parametrize("header", ['"abc"', 'W/"abc"', '"x", "abc"', '"x","abc" ', 'W/"x", W/"abc"', "*", " * "])
def test_if_none_match_names_it(header: str) -> None:
    assert none_match_names(header, TAG)


@pytest.mark.parametrize("header", [None, "", '"x"', "abc", '"abcd"', '"x", "y"', '"abc'])
def test_if_none_match_does_not_name_it(header: str | None) -> None:
    assert not none_match_names(header, TAG)


@pytest.mark.parametrize("header", ['"abc"', '"x", "abc"', 'W/"x","abc" ', " * "])
def test_if_match_names_it(header: str) -> None:
    assert match_names(header, TAG)


@pytest.mark.parametrize("header", ["", 'W/"abc"', '"x"', "abc", '"abc'])
def test_if_match_does_not_name_it(header: str) -> None:
    assert not match_names(header, TAG)


@pytest.mark.parametrize("header", [None, '"abc"', ' "abc" '])
def test_if_range_holds(header: str | None) -> None:
    assert if_range_holds(header, TAG)


@pytest.mark.parametrize("header", ['W/"abc"', '"x"', "Wed, 21 Oct 2015 07:28:00 GMT", ""])
def test_if_range_does_not_hold(header: str) -> None:
    assert not if_range_holds(header, TAG)
