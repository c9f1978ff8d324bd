"""The result of the sample is right only if both systems agree and every check passed."""

from dataclasses import replace

import pytest

from labeling_assets.stack.pipeline_view import Check
from labeling_assets.stack.tally import ApertureDBTally, LabelStudioTally
from labeling_assets.stack.until_done import Outcome

LABEL_STUDIO = LabelStudioTally(tasks=12, skipped=1, regions=68, contents={1: "a", 2: "b"})
APERTUREDB = ApertureDBTally(
    media=12, tasks=12, deleted=1, boxes=28, polygons=7, other_regions=33, contents={1: "a", 2: "b"}
)
PASSED = Check("media: guids_are_unique", "SUCCEEDED", "")
GOOD = Outcome(LABEL_STUDIO, APERTUREDB, [PASSED], 60.0)


def test_nothing_is_wrong_when_all_agrees() -> None:
    assert GOOD.problems() == []


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (replace(GOOD, aperturedb=replace(APERTUREDB, media=11)), "media in ApertureDB and photographs"),
        (replace(GOOD, aperturedb=replace(APERTUREDB, tasks=13)), "tasks in ApertureDB and in Label Studio: 13 and 12"),
        (replace(GOOD, aperturedb=replace(APERTUREDB, boxes=27)), "regions in ApertureDB and in Label Studio"),
        (replace(GOOD, aperturedb=replace(APERTUREDB, contents={1: "a", 2: "c"})), "differ in content"),
        (replace(GOOD, label_studio=replace(LABEL_STUDIO, contents={1: "a"})), "annotations in ApertureDB and"),
        (replace(GOOD, checks=[PASSED, Check("late", "NEVER RUN", "")]), "check late: NEVER RUN"),
    ],
    ids=["media lost", "task twice", "region lost", "other content", "annotation too many", "check not run"],
)
def test_what_differs_is_named(outcome: Outcome, problem: str) -> None:
    assert any(problem in found for found in outcome.problems())


def test_the_table_counts_what_is_where() -> None:
    table = GOOD.table()
    assert "  regions           68  in ApertureDB: 28 boxes, 7 polygons, 33 of other kinds" in table
    assert "  checks passed      1  of 1" in table
