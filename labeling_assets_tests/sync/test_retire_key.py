"""A key ends only when no task in Label Studio has links of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from labeling_assets import names
from labeling_assets.errors import InputError
from labeling_assets.media_urls import MediaLinks
from labeling_assets.sync.link_rules import load_link_rules
from labeling_assets.sync.refresh_links import refresh_links
from labeling_assets.sync.retire_key import ProjectKeys, key_uses, retire_key
from labeling_assets_tests.sync.world import LINKS, World, pictures

NEW = MediaLinks(LINKS.base_url, {**LINKS.keys, "k2": "another secret of the tests"}, "k2")


def retire(world: World, key: str = "k1", links: MediaLinks = NEW) -> None:
    retire_key(world.db, world.ls, key, links=links)


def refresh(world: World) -> None:
    refresh_links(world.db, world.ls, world.project, links=NEW, apply=True)


def retired(world: World) -> list[str]:
    return sorted(load_link_rules(world.db).retired)


def test_the_keys_of_tasks_are_counted(published: World):
    first = published.tasks()[0]
    guid = first["data"]["guid"]
    more = {"more": [LINKS.link(guid), LINKS.link(guid, width="20")], "page": f'<img src="{LINKS.link(guid)}">'}
    published.ls.patch_task_data(first["id"], {**first["data"], **more})
    uses = key_uses(published.db, published.ls)
    record = published.record
    assert uses.projects == [ProjectKeys("cars", record.project_id, record.url, {"k1": 1, "k1.cars": 3})]
    assert uses.of("k1") == {f"cars (project {record.project_id})": 4}
    assert (uses.of("k"), uses.of("k1.dogs"), uses.not_asked) == ({}, {}, [])


def test_a_key_in_use_is_not_retired(published: World):
    with pytest.raises(InputError) as refused:
        retire(published)
    assert f"3 tasks of cars (project {published.record.project_id})" in str(refused.value)
    assert "labeling-assets links refresh --project NAME --apply" in str(refused.value)
    assert retired(published) == []


def test_a_key_that_no_task_needs_is_retired(published: World):
    refresh(published)
    retire(published)
    assert retired(published) == ["k1"]
    assert load_link_rules(published.db).refusal("a", {"k": "k1.cars"}) is not None


def test_one_task_of_one_of_many_projects_is_enough(published: World, make_world: Callable[..., World]):
    other = make_world(slug="dogs")
    other.hand_in(pictures(1, first=20), batch="June")
    other.publish(batch="June")
    refresh(published)
    with pytest.raises(InputError, match=r"1 tasks of dogs \(project"):
        retire(published)
    retire(published, "k1.cars")
    refresh(other)
    retire(other)
    assert retired(other) == ["k1", "k1.cars"]


def test_the_key_that_signs_is_not_retired(published: World):
    for key in ("k2", "k2.cars"):
        with pytest.raises(InputError, match="signs new links"):
            retire(published, key)


@pytest.mark.parametrize(("key", "message"), [("k9", r"no link key 'k9'.*k1, k2"), ("k1.dogs", "no labeling project")])
def test_a_key_that_does_not_exist_is_named(published: World, key: str, message: str):
    with pytest.raises(InputError, match=message):
        retire(published, key)


def test_who_insists_does_not_need_label_studio(published: World):
    retire_key(published.db, None, "k1", links=NEW, reason="leaked")
    assert load_link_rules(published.db).retired == {"k1": "leaked"}


def test_a_project_that_was_deleted_needs_no_key(published: World):
    published.ls.delete_project(published.record.project_id)
    retire(published)
    assert retired(published) == ["k1"]


def test_a_project_in_another_label_studio_cannot_be_asked(published: World):
    refresh(published)
    properties = {names.LS_GUID: "other", "LS_url": "http://elsewhere.example.org"}
    published.db.one("AddEntity", {"class": names.INSTANCE, "properties": properties})
    held = {names.KEY: "other|birds", names.SLUG: "birds", "LS_instance": "other", names.SCHEMA_VERSION: 2}
    published.db.one("AddEntity", {"class": names.PROJECT, "properties": held})
    with pytest.raises(InputError, match=r"birds, which is in another Label Studio \(http://elsewhere"):
        retire(published)
    assert retired(published) == []


def test_the_same_server_under_another_name_is_asked(published: World):
    known = published.ls.url
    published.db.one(
        "UpdateEntity", {"with_class": names.INSTANCE, "properties": {"LS_url": known.replace("127.0.0.1", "ls")}}
    )
    with pytest.raises(InputError, match="3 tasks of cars"):
        retire(published)


def test_a_link_that_nobody_can_verify_counts_too(published: World):
    """Its key may come back into the settings."""
    with pytest.raises(InputError, match="3 tasks"):
        retire(published, links=replace(NEW, keys={**NEW.keys, "k1": "quite another secret"}))
