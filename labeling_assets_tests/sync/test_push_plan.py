"""What is sent to a task is the difference between what is there and what is wanted."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.sync.push_plan import TaskPlan, content, missing_predictions, plan_predictions
from labeling_assets.sync.push_sources import Wanted, number_of, with_ids


def wanted(text: str, version: str = "m1") -> Wanted:
    return Wanted(f"{version}|{text}", "g", [{"value": text}], version, 0.5)


def task(*texts: str, version: str = "m1", **values: Any) -> dict[str, Any]:
    given = [
        {"id": number, "result": [{"value": text}], "model_version": version, "score": 0.5}
        for number, text in enumerate(texts, start=1)
    ]
    return {"id": 7, "data": {"guid": "g"}, "predictions": given, "annotations": [], "draft_exists": False, **values}


def plan(there: dict[str, Any], *some: Wanted) -> TaskPlan:
    return plan_predictions(there, some, include_touched=False)


def test_what_is_there_stays():
    found = plan(task("a", "b"), wanted("b"), wanted("a"))
    assert (found.writes, len(found.unchanged)) == (False, 2)


def test_other_content_is_replaced_where_it_stands():
    found = plan(task("a", "b"), wanted("a"), wanted("c"))
    assert ([number for number, _ in found.replace], found.create, found.remove) == ([2], [], [])


def test_twins_go_and_the_oldest_stays():
    found = plan(task("a", "a", "a"), wanted("a"))
    assert (found.remove, found.unchanged) == ([2, 3], [wanted("a")])


def test_other_versions_stay():
    found = plan(task("a", version="m0"), wanted("b"))
    assert (found.create, found.replace, found.remove) == ([wanted("b")], [], [])


def test_a_skipped_task_was_touched():
    skipped = task(annotations=[{"id": 1, "was_cancelled": True, "result": []}])
    assert plan(skipped, wanted("a")).touched == [wanted("a")]


def test_one_number_is_one_number():
    assert content([{"x": 10.0, "y": [1.5], "on": True}], 1.0) == content([{"on": True, "y": [1.5], "x": 10}], 1)
    assert content([{"x": True}]) != content([{"x": 1}])


_TEXTS = st.lists(st.sampled_from("abc"), max_size=4)


@given(_TEXTS, _TEXTS)
def test_after_the_plan_the_task_has_exactly_what_is_wanted(there: list[str], texts: list[str]):
    some = [wanted(text) for text in texts]
    found = plan(task(*there), *some)
    after = {given["id"]: given["result"][0]["value"] for given in task(*there)["predictions"]}
    for number in found.remove:
        del after[number]
    for number, one in found.replace:
        after[number] = one.result[0]["value"]
    assert sorted([*after.values(), *(one.result[0]["value"] for one in found.create)]) == sorted(
        texts or after.values()
    )
    assert len(found.unchanged) + len(found.create) + len(found.replace) == len(texts)


def test_missing_predictions_are_counted():
    assert missing_predictions(task("a", "b"), [wanted("a"), wanted("a"), wanted("c")]) == [wanted("a"), wanted("c")]


def test_items_without_an_id_get_the_same_one_each_time():
    result = [{"value": 1}, {"id": "x"}, {"type": "relation", "from_id": "x", "to_id": "y"}]
    first, second = with_ids(result, "key"), with_ids(result, "key")
    assert (first, first[1:]) == (second, result[1:])
    assert first[0]["id"] != with_ids(result, "other")[0]["id"]


def test_the_number_of_a_key_is_one_that_a_browser_can_read():
    numbers = {number_of(str(key)) for key in range(1000)}
    assert (len(numbers), max(numbers) < 2**52, min(numbers) >= 0) == (1000, True, True)
