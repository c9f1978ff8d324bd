from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.errors import ConfigurationError, InputError
from labeling_assets.media_urls import MediaLinks, guid_in_link, sign

GUID = "0b1c2d3e-0000-5000-8000-00000000cafe"
LINK = f"http://127.0.0.1:8090/media/{GUID}?k=k1&s=kEwijsYTXY63UzPu7-MNH1gLcjA"
LINKS = MediaLinks("http://127.0.0.1:8090", {"k1": "first secret", "k2": "second secret"}, "k1")


def test_a_link_never_changes() -> None:
    """The signature is a constant: tasks of earlier releases hold it."""
    assert LINKS.link(GUID) == LINK


def test_a_link_verifies() -> None:
    assert LINKS.verify(GUID, key_id="k1", signature=sign(GUID, "first secret"))


def test_links_of_every_key_verify() -> None:
    assert LINKS.verify(GUID, key_id="k2", signature=sign(GUID, "second secret"))


def test_a_slash_at_the_end_of_the_address_is_left_out() -> None:
    assert MediaLinks("http://127.0.0.1:8090/", LINKS.keys, "k1").link(GUID) == LINK


@pytest.mark.parametrize(
    ("guid", "key_id", "signature"),
    [
        pytest.param("another", "k1", sign(GUID, "first secret"), id="signature of another medium"),
        pytest.param(GUID, "k2", sign(GUID, "first secret"), id="signature of another key"),
        pytest.param(GUID, "k3", sign(GUID, "first secret"), id="unknown key"),
        pytest.param(GUID, "k3", sign(GUID, "no such key"), id="unknown key, signed with its stand-in"),
        pytest.param(GUID, "k1", "", id="empty signature"),
        pytest.param(GUID, "k1", sign(GUID, "first secret")[:-1], id="shortened signature"),
        pytest.param(GUID, "k1", sign(GUID, "first secret") + "=", id="padded signature"),
        pytest.param(GUID, "k1", "unterschrift-für-käthe", id="signature that is not ASCII"),
        pytest.param(GUID, "k1", "\ud800", id="signature that is not Unicode"),
    ],
)
def test_refused(guid: str, key_id: str, signature: str) -> None:
    assert not LINKS.verify(guid, key_id=key_id, signature=signature)


def test_a_signing_key_that_does_not_exist_is_a_wrong_configuration() -> None:
    with pytest.raises(ConfigurationError, match="'k9'"):
        MediaLinks("http://127.0.0.1:8090", {"k1": "first secret"}, "k9")


def test_a_guid_that_cannot_stand_in_a_link_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be a GUID"):
        LINKS.link("a/b")


def test_parameters_are_signed() -> None:
    link = LINKS.link(GUID, width="200", format="jpg")
    signature = sign(GUID, "first secret", {"format": "jpg", "width": "200"})
    assert link == f"http://127.0.0.1:8090/media/{GUID}?k=k1&s={signature}&format=jpg&width=200"


@pytest.mark.parametrize(
    "parameters", [{}, {"width": "201"}, {"height": "200"}, {"width": "200", "height": "200"}, {"width": "200&a=b"}]
)
def test_a_signature_is_for_its_parameters_only(parameters: dict[str, str]) -> None:
    signature = sign(GUID, "first secret", {"width": "200"})
    assert not LINKS.verify(GUID, key_id="k1", signature=signature, parameters=parameters)


def test_parameters_may_come_in_any_order() -> None:
    signature = sign(GUID, "first secret", {"a": "1", "b": "2"})
    assert LINKS.verify(GUID, key_id="k1", signature=signature, parameters={"b": "2", "a": "1"})


def test_the_guid_is_read_back_from_a_link() -> None:
    assert guid_in_link(LINK) == GUID


def test_the_guid_is_read_from_links_of_any_gateway() -> None:
    assert guid_in_link("https://labels.example.org/gateway/media/x.1?s=abc&k=new") == "x.1"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("https://example.org/cat.jpg", id="another address"),
        pytest.param(f"http://127.0.0.1:8090/media/{GUID}", id="no signature"),
        pytest.param(f"http://127.0.0.1:8090/medium/{GUID}?k=k1&s=abc", id="another path"),
        pytest.param("http://127.0.0.1:8090/media/?k=k1&s=abc", id="no GUID"),
        pytest.param("http://[", id="not an address"),
        pytest.param("", id="nothing"),
        pytest.param(None, id="null"),
        pytest.param(["http://127.0.0.1:8090/media/x?k=k1&s=abc"], id="list"),
    ],
)
def test_no_guid_in(value: object) -> None:
    assert guid_in_link(value) is None


@given(st.text())
def test_any_text_may_stand_where_a_link_is_expected(text: str) -> None:
    assert guid_in_link(text) is None


@given(st.from_regex(r"[A-Za-z0-9._-]{1,200}", fullmatch=True).filter(lambda guid: guid not in (".", "..")))
def test_links_survive_being_decoded_twice(guid: str) -> None:
    """Label Studio decodes what stands in `data` more than once."""
    link = LINKS.link(guid)
    assert unquote(unquote(link)) == link
    assert guid_in_link(link) == guid
