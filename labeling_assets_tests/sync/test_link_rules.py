"""What ApertureDB says of links: denied media, retired keys."""

import pytest

from labeling_assets import names
from labeling_assets.errors import ConfigurationError
from labeling_assets.sync.link_rules import (
    LinkRules,
    allow_medium,
    deny_medium,
    load_link_rules,
    refuse_retired_key,
    retire,
    take_back_retirement,
)
from labeling_assets_tests.sync.world import LINKS, WatchedDatabase


def test_without_any_everything_opens(database: WatchedDatabase):
    assert load_link_rules(database) == LinkRules()
    assert LinkRules().refusal("a", {"k": "k1.cars"}) is None


def test_what_is_denied_is_denied_once(database: WatchedDatabase):
    for reason in ("a face", "another reason"):
        deny_medium(database, "a", reason)
    assert load_link_rules(database) == LinkRules(denied={"a": "a face"})
    assert database.count("FindEntity", None, class_name=names.LINK_RULE) == 1


def test_what_is_denied_can_be_allowed_again(database: WatchedDatabase):
    deny_medium(database, "a")
    deny_medium(database, "b")
    assert [allow_medium(database, "a"), allow_medium(database, "a")] == [True, False]
    assert load_link_rules(database).denied == {"b": ""}


def test_a_retired_key_takes_the_keys_of_its_projects_along(database: WatchedDatabase):
    retire(database, "k1", "leaked")
    rules = load_link_rules(database)
    assert [rules.retires(key) for key in ("k1", "k1.cars", "k12", "k2.k1", "")] == ["k1", "k1", None, None, None]
    assert rules.refusal("a", {"k": "k1.cars"}) == "key 'k1' was retired"


def test_the_key_of_one_project_can_be_retired(database: WatchedDatabase):
    retire(database, "k1.cars")
    rules = load_link_rules(database)
    assert [rules.retires(key) for key in ("k1.cars", "k1", "k1.dogs")] == ["k1.cars", None, None]
    assert [take_back_retirement(database, "k1.cars"), take_back_retirement(database, "k1.cars")] == [True, False]
    assert load_link_rules(database) == LinkRules()


def test_a_guid_like_a_key_is_another_rule(database: WatchedDatabase):
    deny_medium(database, "k1", "a medium")
    rules = load_link_rules(database)
    assert rules.refusal("a", {"k": "k1"}) is None
    assert rules.refusal("k1", {"k": "k1"}) == "the medium was denied (a medium)"


def test_a_retired_key_that_signs_is_a_wrong_configuration(database: WatchedDatabase):
    refuse_retired_key(database, LINKS)
    retire(database, "k1")
    with pytest.raises(ConfigurationError, match="LABELING_ASSETS_LINK_SIGNING_KEY"):
        refuse_retired_key(database, LINKS.for_project("cars"))
