"""What a push has to do to one task, from what is there and what is wanted; nothing is sent from here."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets.clients.label_studio_records import Annotation, Task
from labeling_assets.identity import is_as_sent, is_sent_for, plain_content, sent_import_id
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.push.sources import Wanted
from labeling_assets.sync.stored_annotations import annotation_guid

ANOTHER: Final = "its annotation in task {task} is another by now; --include-touched replaces it"
CHANGED_HERE: Final = (
    "the annotation in task {task} is this one itself, and was changed since the last sync: sync first"
)
OLD_COPY: Final = "it is a copy of an annotation in task {task} that was changed since: what is there is the newer one"
UNSYNCED: Final = (
    "its annotation in task {task} was changed by a person, and ApertureDB does not have that yet: sync the project "
    "first, so that it is kept as a version"
)


@dataclass(frozen=True, slots=True)
class Authors:
    """`ids`: user id in Label Studio by e-mail. `owner`: whose the token is, and what strangers did becomes."""

    ids: Mapping[str, int]
    owner: int

    def of(self, one: Wanted) -> int:
        """Who will be the author of it in Label Studio."""
        return self.ids.get(one.author or "", self.owner)


@dataclass(frozen=True, slots=True)
class Rules:
    """How annotations are planned.

    `include_touched` adds to tasks on which others worked and replaces what differs, `include_deleted` makes again what
    a person deleted. `sent` (recorded as sent) and `lost` (known to have been there otherwise) hold task id and key.
    """

    authors: Authors
    include_touched: bool = False
    include_deleted: bool = False
    sent: Collection[tuple[int, str]] = ()
    lost: Collection[tuple[int, str]] = ()


@dataclass(slots=True)
class TaskPlan:
    """`replace` are ids in Label Studio with what is to stand there, `remove` are ids of predictions too many.

    `edited` are annotations to be replaced that a person changed: only if ApertureDB has that version. `differing` are
    left alone, with the reason; `deleted` were there and are gone; `kept` counts predictions that may be of what was
    refused. `unrecorded` are there, and ApertureDB does not know yet that they were sent.
    """

    task: Task
    create: list[Wanted] = field(default_factory=list)
    replace: list[tuple[int, Wanted]] = field(default_factory=list)
    remove: list[int] = field(default_factory=list)
    unchanged: list[Wanted] = field(default_factory=list)
    edited: list[tuple[Annotation, Wanted]] = field(default_factory=list)
    differing: list[tuple[Wanted, str]] = field(default_factory=list)
    deleted: list[Wanted] = field(default_factory=list)
    touched: list[Wanted] = field(default_factory=list)
    unrecorded: list[Wanted] = field(default_factory=list)
    kept: int = 0

    @property
    def task_id(self) -> int:
        return int(self.task["id"])

    @property
    def guid(self) -> str:
        return str(self.task["data"]["guid"])

    @property
    def writes(self) -> bool:
        return bool(self.create or self.replace or self.remove or self.unrecorded)

    def leave(self, one: Wanted, reason: str) -> None:
        """What is there differs and stays."""
        self.differing.append((one, reason.format(task=self.task_id)))


def content(result: Any, score: float | None = None) -> str:
    """Equal for equal results: 10 and 10.0 are one number, the order of keys says nothing."""
    return plain_content([result, score])


# Predictions


def plan_predictions(
    task: Task, wanted: Sequence[Wanted], *, include_touched: bool, refused: Mapping[str, int] | None = None
) -> TaskPlan:
    """Of the model versions that are wanted, the task is to have exactly these predictions; others stay.

    A prediction with other content is replaced where it stands, so that there is no moment without it. `refused` are
    numbers of predictions by version that cannot be sent: as many of those that are there may be theirs, and stay.
    """
    plan = TaskPlan(task)
    if not include_touched and somebody_worked(task):
        plan.touched += wanted
        return plan
    for version in dict.fromkeys(one.model_version for one in wanted):
        there = [given for given in task.get("predictions") or () if given.get("model_version") == version]
        _match(plan, there, [one for one in wanted if one.model_version == version], (refused or {}).get(version, 0))
    return plan


def _match(plan: TaskPlan, there: Sequence[Mapping[str, Any]], wanted: Sequence[Wanted], refused: int) -> None:
    left: dict[str, list[Mapping[str, Any]]] = {}
    for given in sorted(there, key=lambda given: int(given["id"])):
        left.setdefault(content(given["result"], given["score"]), []).append(given)
    absent: list[Wanted] = []
    for one in wanted:
        same = left.get(content(one.result, one.score))
        if same:
            same.pop(0)
            plan.unchanged.append(one)
        else:
            absent.append(one)
    old = sorted((given for some in left.values() for given in some), key=lambda given: int(given["id"]))
    absent = _replace_earlier_versions(plan, old, absent)
    free = [int(given["id"]) for given in old][: max(0, len(old) - refused)]
    plan.kept += len(old) - len(free)
    plan.replace += zip(free, absent, strict=False)
    plan.create += absent[len(free) :]
    plan.remove += free[len(absent) :]


def _replace_earlier_versions(plan: TaskPlan, old: list[Mapping[str, Any]], absent: Sequence[Wanted]) -> list[Wanted]:
    """What has a region id in common with one that is there is its new version; it is taken out of `old`."""
    left = []
    for one in absent:
        ids = _region_ids(one.result)
        earlier = next((given for given in old if ids & _region_ids(given["result"])), None)
        if earlier is None:
            left.append(one)
        else:
            old.remove(earlier)
            plan.replace.append((int(earlier["id"]), one))
    return left


def _region_ids(result: Any) -> set[str]:
    items = result if isinstance(result, list) else []
    return {str(item["id"]) for item in items if isinstance(item, Mapping) and item.get("id")}


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


# Annotations


def plan_annotations(record: ProjectRecord, task: Task, wanted: Sequence[Wanted], rules: Rules) -> TaskPlan:
    """Each of the annotations once; one that is there with other content is somebody's work.

    An annotation by the same author that says the same is the same, wherever it came from.
    """
    plan = TaskPlan(task)
    there = known_annotations(record, task, wanted)
    ours = {int(given["id"]) for key, given in there.items() if _is_ours(record, given, key)}
    blocked = not rules.include_touched and somebody_worked(task, ours)
    equal = _equal_ones(task, there, wanted, rules.authors)
    for one in wanted:
        given = there.get(one.key)
        if given is not None:
            _plan_known(plan, record, given, one, rules)
        elif one.key in equal:
            plan.unchanged.append(one)
        elif not rules.include_deleted and _was_there(record, plan, one, rules):
            plan.deleted.append(one)
        else:
            (plan.touched if blocked else plan.create).append(one)
    return plan


def _plan_known(plan: TaskPlan, record: ProjectRecord, given: Annotation, one: Wanted, rules: Rules) -> None:
    sent = is_sent_for(given.get("import_id"), one.key)
    if sent and (plan.task_id, one.key) not in rules.sent:
        plan.unrecorded.append(one)
    if same_annotation(given, one):
        plan.unchanged.append(one)
    elif annotation_guid(record, given) == one.key:
        plan.leave(one, CHANGED_HERE)
    elif one.is_copy and not sent:
        plan.leave(one, OLD_COPY)
    elif not rules.include_touched:
        plan.leave(one, ANOTHER)
    elif is_as_sent(given):
        plan.replace.append((int(given["id"]), one))
    else:
        plan.edited.append((given, one))


def _was_there(record: ProjectRecord, plan: TaskPlan, one: Wanted, rules: Rules) -> bool:
    """It is not there, and was: it is of this project itself, or was sent, or is a copy of one that was."""
    at = plan.task_id, one.key
    return one.home == (record.instance, record.project_id) or at in rules.sent or at in rules.lost


def _is_ours(record: ProjectRecord, given: Annotation, key: str) -> bool:
    return is_sent_for(given.get("import_id"), key) or annotation_guid(record, given) == key


def known_annotations(record: ProjectRecord, task: Task, wanted: Sequence[Wanted]) -> dict[str, Annotation]:
    """Key -> the annotation of the task that it is itself, that it was sent as, or that it is a copy of."""
    left = {annotation_guid(record, given): given for given in task.get("annotations") or ()}
    found: dict[str, Annotation] = {}
    for fits in _NAMES:
        for one in wanted:
            if one.key in found:
                continue
            match = next((guid for guid, given in left.items() if fits(one, guid, given)), None)
            if match is not None:
                found[one.key] = left.pop(match)
    return found


def _equal_ones(
    task: Task, there: Mapping[str, Annotation], wanted: Sequence[Wanted], authors: Authors
) -> Collection[str]:
    """Keys of what is there under no name that we know: somebody sent it from here, or it was sent to here."""
    claimed = {int(given["id"]) for given in there.values()}
    left = [given for given in task.get("annotations") or () if int(given["id"]) not in claimed]
    found = set()
    for one in wanted:
        if one.key in there:
            continue
        same = next((g for g in left if author_of(g) == authors.of(one) and same_annotation(g, one)), None)
        if same is not None:
            left.remove(same)
            found.add(one.key)
    return found


def author_of(given: Annotation) -> int | None:
    """The user's id, whether Label Studio gives it alone or as an object."""
    author = given.get("completed_by")
    return author.get("id") if isinstance(author, Mapping) else author


def same_annotation(given: Annotation, one: Wanted) -> bool:
    """Whether it says the same: its regions, and whether the task was skipped."""
    skipped = bool(given.get("was_cancelled")) == one.was_cancelled
    return skipped and content(given.get("result") or []) == content(one.result)


def import_id_of(one: Wanted) -> int:
    """The number by which it is known again."""
    said = {"result": one.result, "was_cancelled": one.was_cancelled, "ground_truth": one.ground_truth}
    return sent_import_id(one.key, said)


def somebody_worked(task: Task, ours: Collection[int] = ()) -> bool:
    """An annotation (a skipped task has one, too) or a draft that no push made."""
    others = [given for given in task.get("annotations") or () if int(given["id"]) not in ours]
    return bool(others or task.get("draft_exists"))


# What is wanted, and GUID and content of what is there: the surest way to know it comes first.
_NAMES: Final[tuple[Callable[[Wanted, str, Annotation], bool], ...]] = (
    lambda one, guid, given: guid == one.key,
    lambda one, guid, given: given.get("import_id") == import_id_of(one),
    lambda one, guid, given: is_sent_for(given.get("import_id"), one.key),
    lambda one, guid, given: is_sent_for(one.import_id, guid),
)
