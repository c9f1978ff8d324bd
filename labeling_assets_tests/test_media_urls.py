import hmac
from base64 import urlsafe_b64encode
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.errors import ConfigurationError, InputError
from labeling_assets.media_urls import MediaLinks, guid_in_link, sign
from labeling_assets_tests.link_parts import query_of

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


NOW = 1_800_000_000.0
CARS = LINKS.for_project("cars")


def with_lifetime(seconds: float, now: float = NOW) -> MediaLinks:
    return replace(LINKS, lifetime_s=seconds, clock=lambda: now)


def test_a_project_signs_with_a_key_of_its_own() -> None:
    query = query_of(CARS.link(GUID))
    assert (query["k"], query["s"] == query_of(LINKS.link(GUID))["s"]) == ("k1.cars", False)
    assert CARS.link(GUID) == f"http://127.0.0.1:8090/media/{GUID}?k=k1.cars&s={query['s']}"


def test_a_projects_link_never_changes_either() -> None:
    assert query_of(CARS.link(GUID))["s"] == "vi8EWuTPpn88ixJUpLC-TbC8qg4"


def test_every_verifier_opens_the_links_of_projects() -> None:
    assert LINKS.refusal(GUID, query_of(CARS.link(GUID))) is None


@pytest.mark.parametrize("key_id", ["k1.dogs", "k1", "k2.cars", "k1.cars.", "k1.", "k1.cars.dogs"])
def test_the_key_id_is_signed_too(key_id: str) -> None:
    """Another id in a link of a project is another key, even if the secrets are the same."""
    same = MediaLinks("http://g", {"k1": "first secret", "k2": "first secret"}, "k1")
    assert same.refusal(GUID, {**query_of(CARS.link(GUID)), "k": key_id}) == f"bad signature, key {key_id!r}"


def test_changed_parameters_are_refused_and_the_reason_is_said() -> None:
    query = query_of(CARS.link(GUID, width="200", crop="a b&c"))
    assert query.keys() == {"k", "s", "width", "crop"}
    assert CARS.refusal(GUID, query) is None
    for changed in ({**query, "width": "201"}, {**query, "more": "1"}, {k: v for k, v in query.items() if k != "crop"}):
        assert CARS.refusal(GUID, changed) == "bad signature, key 'k1.cars'"


def test_what_the_audio_player_adds_is_not_signed():
    assert CARS.refusal(GUID, {**query_of(CARS.link(GUID)), "lsref": "1"}) is None


def test_what_is_signed_is_the_guid_and_the_sorted_query() -> None:
    message = f"media:{GUID}?format=webp&width=200"
    digest = hmac.new(b"first secret", message.encode(), "sha256").digest()[:20]
    assert sign(GUID, "first secret", {"width": "200", "format": "webp"}) == urlsafe_b64encode(digest).decode().strip(
        "="
    )


def test_parameters_cannot_be_moved_into_the_guid() -> None:
    signature = sign("a", "first secret", {"e": "9"})
    assert not LINKS.verify("a?e=9", key_id="k1", signature=signature)
    assert LINKS.verify("a", key_id="k1", signature=signature, parameters={"e": "9"})


def test_links_are_stable_unless_they_have_a_lifetime() -> None:
    assert "e" not in query_of(LINKS.link(GUID))
    assert int(query_of(with_lifetime(100).link(GUID))["e"]) > NOW + 100


@given(st.floats(1, 1e9), st.floats(0, 1e9))
def test_a_link_lives_for_its_lifetime_and_half_as_long_again_at_most(seconds: float, later: float) -> None:
    links = with_lifetime(seconds, NOW + later)
    left = int(query_of(links.link(GUID))["e"]) - NOW - later
    assert seconds <= left + 1e-3 <= 1.5 * seconds + 1.01


def test_links_of_the_same_time_are_the_same() -> None:
    """Half of a lifetime long, so that lists of tasks and caches see no new link at every look."""
    day = 86_400
    links = {with_lifetime(2 * day, NOW + hour * 3600).link(GUID) for hour in range(48)}
    assert 2 <= len(links) <= 3


def test_a_link_ends() -> None:
    query = query_of(with_lifetime(100).for_project("cars").link(GUID))
    assert with_lifetime(100, NOW + 99).refusal(GUID, query) is None
    refusal = with_lifetime(100, NOW + 151).refusal(GUID, query)
    assert refusal is not None
    assert "expired at 2027-01-15T08:0" in refusal
    assert "links refresh" in refusal


def test_a_lifetime_that_was_set_later_does_not_end_links_without_one() -> None:
    assert with_lifetime(100, NOW + 1e6).refusal(GUID, query_of(LINKS.link(GUID))) is None


@pytest.mark.parametrize("ends", ["never", "", "1e99", "-1", "²", "1" * 400])
def test_a_time_that_is_none_does_not_open(ends: str) -> None:
    query = {"k": "k1", "e": ends, "s": sign(GUID, "first secret", {"e": ends})}
    assert "expired" in (LINKS.refusal(GUID, query) or "")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({}, "no signature"),
        ({"k": "k1"}, "no signature"),
        ({"k": "k9", "s": "x"}, "unknown key id 'k9'"),
        ({"k": "k9.cars", "s": "x"}, "unknown key id 'k9.cars'"),
        ({"k": "k1", "s": "x"}, "bad signature, key 'k1'"),
    ],
)
def test_the_operator_is_told_why(query: dict[str, str], reason: str) -> None:
    assert LINKS.refusal(GUID, query) == reason


@pytest.mark.parametrize(
    ("link", "links", "current"),
    [
        pytest.param(CARS.link(GUID), CARS, True, id="as it would be signed now"),
        pytest.param(LINKS.link(GUID), CARS, False, id="the key of no project"),
        pytest.param(CARS.link(GUID), replace(CARS, signing_key="k2"), False, id="another key signs"),
        pytest.param(LINKS.link(GUID), with_lifetime(100), False, id="no end where there should be one"),
        pytest.param(with_lifetime(100).link(GUID), LINKS, False, id="an end where there should be none"),
        pytest.param(with_lifetime(100).link(GUID), with_lifetime(100, NOW + 49), True, id="more than half is left"),
        pytest.param(with_lifetime(100).link(GUID), with_lifetime(100, NOW + 101), False, id="less than half is left"),
    ],
)
def test_what_need_not_be_signed_anew(link: str, links: MediaLinks, current: bool) -> None:
    assert links.is_current(query_of(link)) is current


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(CARS)
