"""What a push has to do to one task, from what is there and what is wanted; nothing is sent from here."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labeling_assets.clients.label_studio_records import Task
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.push_sources import Wanted, number_of
from labeling_assets.sync.stored_annotations import annotation_guid


@dataclass(slots=True)
class TaskPlan:
    """`replace` are ids in Label Studio with what is to stand there, `remove` are ids of twins."""

    task: Task
    create: list[Wanted] = field(default_factory=list)
    replace: list[tuple[int, Wanted]] = field(default_factory=list)
    remove: list[int] = field(default_factory=list)
    unchanged: list[Wanted] = field(default_factory=list)
    differing: list[Wanted] = field(default_factory=list)
    touched: list[Wanted] = field(default_factory=list)

    @property
    def task_id(self) -> int:
        return int(self.task["id"])

    @property
    def writes(self) -> bool:
        return bool(self.create or self.replace or self.remove)


def content(result: Any, score: float | None = None) -> str:
    """Equal for equal results: 10 and 10.0 are one number, the order of keys says nothing."""
    return json.dumps([_plain(result), _plain(score)], sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def plan_predictions(task: Task, wanted: Sequence[Wanted], *, include_touched: bool) -> TaskPlan:
    """Of the model versions that are wanted, the task is to have exactly these predictions; others stay.

    A prediction with other content is replaced where it stands, so that there is no moment without it.
    """
    plan = TaskPlan(task)
    if not include_touched and _somebody_worked(task, ()):
        plan.touched += wanted
        return plan
    for version in dict.fromkeys(one.model_version for one in wanted):
        there = [given for given in task.get("predictions") or () if given.get("model_version") == version]
        _match(plan, there, [one for one in wanted if one.model_version == version])
    return plan


def _match(plan: TaskPlan, there: Sequence[Mapping[str, Any]], wanted: Sequence[Wanted]) -> None:
    left: dict[str, list[int]] = {}
    for given in sorted(there, key=lambda given: int(given["id"])):
        left.setdefault(content(given["result"], given["score"]), []).append(int(given["id"]))
    absent: list[Wanted] = []
    for one in wanted:
        same = left.get(content(one.result, one.score))
        if same:
            same.pop(0)
            plan.unchanged.append(one)
        else:
            absent.append(one)
    old = sorted(number for numbers in left.values() for number in numbers)
    plan.replace += zip(old, absent, strict=False)
    plan.create += absent[len(old) :]
    plan.remove += old[len(absent) :]


def missing_predictions(task: Task, wanted: Sequence[Wanted]) -> list[Wanted]:
    """Those of the predictions that the task does not have, with this content and model version."""
    there = Counter(
        (given.get("model_version"), content(given["result"], given["score"]))
        for given in task.get("predictions") or ()
    )
    absent = []
    for one in wanted:
        key = one.model_version, content(one.result, one.score)
        if there[key] > 0:
            there[key] -= 1
        else:
            absent.append(one)
    return absent


def plan_annotations(record: ProjectRecord, task: Task, wanted: Sequence[Wanted], *, include_touched: bool) -> TaskPlan:
    """Each of the annotations once; one that is there with other content is somebody's work.

    `include_touched` adds to tasks that others annotated, and replaces what differs.
    """
    plan = TaskPlan(task)
    there = known_annotations(record, task, wanted)
    blocked = not include_touched and _somebody_worked(task, {int(given["id"]) for given in there.values()})
    for one in wanted:
        given = there.get(one.key)
        if given is None:
            (plan.touched if blocked else plan.create).append(one)
        elif same_annotation(given, one):
            plan.unchanged.append(one)
        elif include_touched:
            plan.replace.append((int(given["id"]), one))
        else:
            plan.differing.append(one)
    return plan


def known_annotations(record: ProjectRecord, task: Task, wanted: Sequence[Wanted]) -> dict[str, Mapping[str, Any]]:
    """Key -> the annotation of the task that it was sent as, or that it is itself."""
    given = task.get("annotations") or ()
    by_number = {each["import_id"]: each for each in given if each.get("import_id") is not None}
    by_guid = {annotation_guid(record, each): each for each in given}
    found = {one.key: by_number.get(number_of(one.key)) or by_guid.get(one.key) for one in wanted}
    return {key: each for key, each in found.items() if each is not None}


def same_annotation(given: Mapping[str, Any], one: Wanted) -> bool:
    """Whether it says the same: its regions, and whether the task was skipped."""
    skipped = bool(given.get("was_cancelled")) == one.was_cancelled
    return skipped and content(given.get("result") or []) == content(one.result)


def _somebody_worked(task: Task, ours: Any) -> bool:
    """An annotation (a skipped task has one, too) or a draft that no push made."""
    others = [given for given in task.get("annotations") or () if int(given["id"]) not in ours]
    return bool(others or task.get("draft_exists"))
