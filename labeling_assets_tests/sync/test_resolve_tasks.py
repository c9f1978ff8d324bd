"""Which medium a task belongs to."""

from typing import Any

import pytest

from labeling_assets.sync.resolve_tasks import claimed_guid
from labeling_assets_tests.sync.world import LINKS

A, B = LINKS.link("a"), LINKS.link("b")


@pytest.mark.parametrize(
    ("data", "guid"),
    [
        ({"guid": "a", "image": A}, "a"),
        ({"guid": "a"}, "a"),
        ({"guid": "a", "image": "http://elsewhere/b.png"}, "a"),
        ({"image": A}, "a"),
        ({"image": A, "preview": A}, "a"),
        ({"guids": ["a", "b"], "left": A, "right": B}, "a"),
        ({"guid": "a", "guids": ["a", "b"], "left": A, "right": B}, "a"),
        ({"guid": 7}, "7"),
    ],
    ids=[
        "both",
        "no link",
        "a link of others",
        "only a link",
        "one link twice",
        "several media",
        "and a guid",
        "number",
    ],
)
def test_a_task_names_its_medium(data: dict[str, Any], guid: str):
    assert claimed_guid(data) == (guid, None)


@pytest.mark.parametrize(
    ("data", "guid", "problem"),
    [
        ({"guid": "a", "image": B}, "a", "data.guid is 'a', but its media link names 'b'"),
        ({"guid": "a", "guids": ["a"], "right": B}, "a", "data.guid is 'a', but its media link names 'b'"),
        ({}, None, "its data has no guid and not exactly one media link"),
        ({"left": A, "right": B}, None, "its data has no guid and not exactly one media link"),
        ({"image": "http://elsewhere/x.png"}, None, "its data has no guid and not exactly one media link"),
        ({"guids": []}, None, "its data has no guid and not exactly one media link"),
    ],
    ids=["link of another", "one link too many", "nothing", "two links", "a foreign link", "an empty list"],
)
def test_a_contradiction_is_told(data: dict[str, Any], guid: str | None, problem: str):
    assert claimed_guid(data) == (guid, problem)
