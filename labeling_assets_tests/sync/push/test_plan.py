"""What is sent to a task is the difference between what is there and what is wanted."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.identity import is_as_sent
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.push.plan import (
    Authors,
    Rules,
    TaskPlan,
    content,
    import_id_of,
    missing_predictions,
    plan_annotations,
    plan_predictions,
)
from labeling_assets.sync.push.sources import Wanted, with_ids
from labeling_assets.sync.stored_annotations import annotation_guid


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


# Predictions of which some cannot be sent


def test_what_is_refused_may_be_one_of_those_that_are_there():
    found = plan_predictions(task("a", "b"), [wanted("a")], include_touched=False, refused={"m1": 1})
    assert (found.remove, found.replace, found.create, found.kept) == ([], [], [], 1)
    found = plan_predictions(task("a", "b", "c"), [wanted("d")], include_touched=False, refused={"m1": 1, "m0": 5})
    assert ([number for number, _ in found.replace], found.remove, found.kept) == ([1], [2], 1)
    found = plan_predictions(task("a"), [wanted("d")], include_touched=False, refused={"m1": 1})
    assert (found.replace, found.create, found.remove, found.kept) == ([], [wanted("d")], [], 1)


def test_a_region_with_the_same_id_tells_which_one_is_replaced():
    def of(region: str, value: str) -> list[dict[str, Any]]:
        return [{"id": region, "value": value}]

    there = task()
    there["predictions"] = [
        {"id": 1, "result": of("r1", "old"), "model_version": "m1", "score": 0.5},
        {"id": 2, "result": of("r2", "old"), "model_version": "m1", "score": 0.5},
    ]
    new = Wanted("k", "g", of("r2", "new"), "m1", 0.5)
    found = plan_predictions(there, [new], include_touched=False, refused={"m1": 1})
    assert (found.replace, found.remove, found.create, found.kept) == ([(2, new)], [], [], 1)


# Annotations

RECORD = ProjectRecord("here|cars", "cars", "here", 5, "2026-01-01T00:00:00.000000Z", "", "http://ls.example.org")
ME, EVE = 1, 2
AUTHORS = Authors({"eve@example.org": EVE}, ME)


def annotation(number: int, text: str, *, author: int = ME, **values: Any) -> dict[str, Any]:
    times = {"created_at": f"2026-02-01T00:00:00.00000{number}Z"}
    return {"id": number, "result": [{"value": text}], "completed_by": author, **times, **values}


def sent(number: int, one: Wanted, **values: Any) -> dict[str, Any]:
    """It, as a push made it."""
    return annotation(number, one.result[0]["value"], import_id=import_id_of(one)) | values


def labelled(text: str, key: str = "k", **values: Any) -> Wanted:
    return Wanted(key, "g", [{"value": text}], **values)


def annotations_plan(given: list[dict[str, Any]], *some: Wanted, **rules: Any) -> TaskPlan:
    return plan_annotations(RECORD, task(annotations=given), some, Rules(AUTHORS, **rules))


def test_the_source_itself_is_never_replaced():
    given = annotation(1, "edited")
    one = labelled("old", annotation_guid(RECORD, given), home=("here", 5))
    found = annotations_plan([given], one, include_touched=True)
    ((left, reason),) = found.differing
    assert (left, found.writes, found.edited) == (one, False, [])
    assert "sync first" in reason


def test_what_the_project_itself_had_is_not_made_again():
    assert annotations_plan([], labelled("a", home=("here", 5)), include_touched=True).deleted == [
        labelled("a", home=("here", 5))
    ]
    assert annotations_plan([], labelled("a", home=("here", 6))).create == [labelled("a", home=("here", 6))]
    assert annotations_plan([], labelled("a", home=("there", 5))).create == [labelled("a", home=("there", 5))]


def test_what_was_sent_and_is_gone_is_not_made_again():
    for rules in ({"sent": {(7, "k")}}, {"lost": {(7, "k")}}):
        assert annotations_plan([], labelled("a"), **rules).deleted == [labelled("a")]
        assert annotations_plan([], labelled("a"), include_deleted=True, **rules).create == [labelled("a")]
    assert annotations_plan([], labelled("a"), sent={(8, "k")}).create == [labelled("a")]


def test_what_nobody_edited_may_be_replaced_and_what_a_person_edited_is_looked_at():
    old, new = labelled("a"), labelled("b")
    found = annotations_plan([sent(1, old)], new, include_touched=True)
    assert (found.replace, found.edited, found.unrecorded) == ([(1, new)], [], [new])
    edited = sent(1, old, result=[{"value": "c"}])
    found = annotations_plan([edited], new, include_touched=True, sent={(7, "k")})
    assert (found.replace, found.edited, found.unrecorded) == ([], [(edited, new)], [])
    assert [one for one, _ in annotations_plan([edited], new).differing] == [new]


def test_the_same_by_the_same_author_is_the_same():
    one = labelled("a", author="eve@example.org")
    assert annotations_plan([annotation(1, "a", author=EVE)], one).unchanged == [one]
    found = annotations_plan([annotation(1, "a", author=ME)], one, include_touched=True)
    assert (found.create, found.unchanged) == ([one], [])
    stranger = labelled("a", author="gone@example.org")
    assert annotations_plan([annotation(1, "a", author=ME)], stranger).unchanged == [stranger]
    two = labelled("a", "k2", author="eve@example.org")
    found = annotations_plan([annotation(1, "a", author=EVE)], one, two, include_touched=True)
    assert (found.unchanged, found.create) == ([one], [two])


def test_an_old_copy_does_not_replace_what_it_was_made_of():
    original = annotation(1, "newer")
    guid = annotation_guid(RECORD, original)
    copy = labelled("older", "copy", import_id=import_id_of(labelled("older", guid)), is_copy=True)
    ((_, reason),) = annotations_plan([original], copy, include_touched=True).differing
    assert "newer" in reason
    corrected = labelled("corrected", "copy", import_id=copy.import_id)
    found = annotations_plan([original], corrected, include_touched=True)
    assert (found.edited, found.create) == ([(original, corrected)], [])
    # The original is somebody's work: another annotation waits.
    assert annotations_plan([original], corrected, labelled("x", "other")).touched == [labelled("x", "other")]


def test_what_was_sent_is_known_until_it_is_edited():
    one = labelled("a", ground_truth=True)
    assert is_as_sent(sent(1, one, ground_truth=True))
    assert not is_as_sent(sent(1, one, ground_truth=False))
