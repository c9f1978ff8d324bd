"""Links of tasks in a real Label Studio, signed anew."""

import html
from dataclasses import replace
from typing import Any

import pytest

from labeling_assets.errors import ConfigurationError, DataError, TransientError
from labeling_assets.media_urls import MediaLinks
from labeling_assets.sync.link_rules import deny_medium, retire
from labeling_assets.sync.refresh_links import RefreshReport, refresh_links
from labeling_assets_tests.link_parts import query_of
from labeling_assets_tests.sync.world import LINKS, World, box, pictures

NEW = MediaLinks(LINKS.base_url, {**LINKS.keys, "k2": "another secret of the tests"}, "k2")


def refresh(world: World, links: MediaLinks = NEW, *, apply: bool = True, **options: Any) -> RefreshReport:
    return refresh_links(world.db, world.ls, world.project, links=links, apply=apply, **options)


def keys(world: World) -> list[str]:
    """The key of each task's image."""
    return [query_of(task["data"]["image"])["k"] for task in world.tasks()]


def test_a_plan_writes_nothing(published: World):
    before = published.tasks()
    report = refresh(published, apply=False)
    assert (report.tasks, report.changed, report.keys, report.left) == (3, 3, {"k1.cars": 3}, [])
    assert (report.signed_by, report.applied, published.tasks()) == ("k2.cars", False, before)


def test_links_get_the_new_key_and_nothing_else_changes(published: World):
    before = [task["data"] for task in published.tasks()]
    published.annotate(published.task_ids()[0], box())
    report = refresh(published)
    assert (report.changed, report.current, keys(published)) == (3, 0, ["k2.cars"] * 3)
    after = [task["data"] for task in published.tasks()]
    assert [{**data, "image": ""} for data in after] == [{**data, "image": ""} for data in before]
    assert [data["image"] for data in after] == [NEW.for_project("cars").link(data["guid"]) for data in after]
    assert (published.collect().created, published.boxes("car")) == (1, 1)


def test_again_it_does_nothing(published: World):
    refresh(published)
    published.collect()
    before = published.tasks()
    report = refresh(published)
    assert (report.changed, report.current, published.tasks()) == (0, 3, before)


def test_it_goes_on_where_it_was_stopped(published: World, monkeypatch: pytest.MonkeyPatch):
    patch, calls = type(published.ls).patch_task_data, []

    def only_one(self: Any, task_id: int, data: dict[str, Any]) -> Any:
        calls.append(task_id)
        if len(calls) == 2:
            raise TransientError("the cable was pulled")
        return patch(self, task_id, data)

    monkeypatch.setattr(type(published.ls), "patch_task_data", only_one)
    with pytest.raises(TransientError, match="cable"):
        refresh(published)
    assert sorted(keys(published)) == ["k1.cars", "k1.cars", "k2.cars"]
    report = refresh(published)
    assert (report.changed, report.current, keys(published)) == (2, 1, ["k2.cars"] * 3)


def test_links_of_earlier_releases_get_the_projects_key(published: World):
    for task in published.tasks():
        published.ls.patch_task_data(task["id"], {**task["data"], "image": LINKS.link(task["data"]["guid"])})
    report = refresh(published, LINKS)
    assert (report.keys, keys(published)) == ({"k1": 3}, ["k1.cars"] * 3)


def test_the_gateway_may_have_moved(published: World):
    moved = replace(LINKS, base_url="https://labels.example.org/gateway/")
    assert refresh(published, moved).changed == 3
    links = [task["data"]["image"] for task in published.tasks()]
    assert all(link.startswith("https://labels.example.org/gateway/media/") for link in links)
    assert refresh(published, moved).changed == 0


def test_lifetimes_are_renewed_when_half_of_them_is_over(published: World):
    living = replace(LINKS, lifetime_s=1000, clock=lambda: 1e9)
    assert refresh(published, living).changed == 3
    assert refresh(published, replace(living, clock=lambda: 1e9 + 490)).changed == 0
    assert refresh(published, replace(living, clock=lambda: 1e9 + 1010)).changed == 3


def test_expired_links_of_recorded_tasks_are_signed_anew(published: World):
    """And so are those of a key that nobody has any more."""
    refresh(published, replace(LINKS, lifetime_s=10, clock=lambda: 1e9))
    assert refresh(published, MediaLinks(LINKS.base_url, {"k9": "nobody knows the old one"}, "k9")).changed == 3
    assert keys(published) == ["k9.cars"] * 3


def test_links_in_html_and_in_lists_with_their_parameters(published: World):
    (first, *_) = published.tasks()
    guid, own = first["data"]["guid"], LINKS.for_project("cars")
    page = f'<img src="{html.escape(own.link(guid, width="200"))}">&amp;'
    data = {**first["data"], "page": page, "pages": [own.link(guid), "other"], "deep": {"n": 1.5, "x": None}}
    published.ls.patch_task_data(first["id"], data)
    assert refresh(published).keys == {"k1.cars": 4}  # a link that stands there twice is one
    new, own = published.tasks()[0]["data"], NEW.for_project("cars")
    assert new["page"] == f'<img src="{html.escape(own.link(guid, width="200"))}">&amp;'
    assert (new["pages"], new["deep"]) == ([own.link(guid), "other"], {"n": 1.5, "x": None})


def test_nobody_gets_a_link_signed_that_he_invented(published: World):
    """Whoever may edit tasks names the GUID of any medium, but has no key."""
    first = published.tasks()[0]
    forged = f"{LINKS.base_url}/media/secret?k=k1.cars&s={'A' * 27}"
    published.ls.patch_task_data(first["id"], {**first["data"], "more": forged})
    report = refresh(published)
    (note,) = report.left
    assert note.subject == f"task {first['id']}"
    assert note.text == "its link to medium 'secret' is not ours to sign: bad signature, key 'k1.cars'"
    data = published.tasks()[0]["data"]
    assert (data["more"], query_of(data["image"])["k"]) == (forged, "k2.cars")


def test_a_link_of_a_retired_key_is_signed_only_for_the_tasks_own_medium(published: World):
    """A key is retired when somebody else has it."""
    first, other, _ = published.tasks()
    foreign = LINKS.link(other["data"]["guid"])
    published.ls.patch_task_data(first["id"], {**first["data"], "more": foreign})
    retire(published.db, "k1")
    report = refresh(published)
    assert [note.subject for note in report.left] == [f"task {first['id']}"]
    assert "key 'k1' was retired" in report.left[0].text
    assert (published.tasks()[0]["data"]["more"], keys(published)) == (foreign, ["k2.cars"] * 3)


def test_links_of_denied_media_are_kept_up(published: World):
    guid = published.tasks()[0]["data"]["guid"]
    deny_medium(published.db, guid)
    assert (refresh(published).changed, refresh(published).changed) == (3, 0)


def test_other_links_are_left_alone(published: World):
    first = published.tasks()[0]
    own = "https://bucket.s3.example.org/media/cat.jpg?X-Amz-Signature=k&s=3"
    published.ls.patch_task_data(first["id"], {**first["data"], "image": own})
    report = refresh(published)
    assert (report.changed, report.without_links, report.left) == (2, 1, [])
    assert published.tasks()[0]["data"]["image"] == own


def test_a_task_that_somebody_changes_meanwhile_is_left_to_the_next_time(published: World):
    first = published.tasks()[0]

    def meddle(line: str) -> None:
        assert line.startswith("3 of 3 tasks")

    list_tasks, looks = type(published.ls).list_tasks, []

    def changed_between(self: Any, *arguments: Any, **options: Any) -> Any:
        page = list_tasks(self, *arguments, **options)
        looks.append(1)
        if len(looks) == 1:
            published.ls.patch_task_data(first["id"], {**first["data"], "note": "mine"})
        return page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(published.ls), "list_tasks", changed_between)
        report = refresh(published, progress=meddle)
    assert [note.text for note in report.left] == ["its data changed just now. Run it again"]
    assert (refresh(published).changed, published.tasks()[0]["data"]["note"]) == (1, "mine")


def test_a_retired_key_signs_nothing(published: World):
    retire(published.db, "k2")
    with pytest.raises(ConfigurationError, match="'k2' was retired"):
        refresh(published)
    assert keys(published) == ["k1.cars"] * 3


def test_publishing_with_a_retired_key_sends_nothing(world: World):
    world.hand_in(pictures(1))
    retire(world.db, "k1")
    with pytest.raises(ConfigurationError, match="'k1' was retired"):
        world.publish()
    assert world.ls.find_projects_by_title(world.project.title) == []


def test_a_project_without_tasks_is_named(world: World):
    with pytest.raises(DataError, match="'cars' has no tasks"):
        refresh(world)
