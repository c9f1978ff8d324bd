"""The annotations in a JSON document of Label Studio: exports, tasks, annotations, bare results."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from labeling_assets.mapping.json_min import is_min_row, results_of_row
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.mapping.value import is_list

Source = Literal["annotation", "prediction", "results", "json_min"]

# Of a task: what holds annotations (`completions` until version 1.0), and what they are.
_HOLDERS: Final[Mapping[str, Source]] = {
    "annotations": "annotation",
    "completions": "annotation",
    "predictions": "prediction",
}
# Beside `type`, a result has at least one of these.
_OF_AN_ITEM: Final = frozenset({"value", "from_id", "from_name", "to_name"})
_MIN_WITHOUT_CONFIG: Final = (
    "JSON-MIN does not say what single choices and texts are: without the label configuration they count as task data"
)
_MIN_UNKNOWN: Final = "columns of JSON-MIN that are no results of the label configuration count as task data"
_MOST_COLUMNS: Final = 20
# What an API wraps a list in.
_WRAPPERS: Final = ("tasks", "results", "annotation", "task")


@dataclass(frozen=True, slots=True)
class Found:
    """One annotation: `annotation` is the object as it stands in the document, at `place`.

    `result` are its items; of a JSON-MIN row they are made from the row. `data` is the data of its task, if known.
    """

    place: str
    source: Source
    annotation: Mapping[str, object]
    result: object
    task_id: object = None
    data: Mapping[str, object] = field(default_factory=dict)

    @property
    def result_place(self) -> str:
        """Where the items stand."""
        return self.place if self.source == "results" else f"{self.place}.result"


@dataclass(slots=True)
class Contents:
    """Everything a document holds.

    `problems` are elements that are nothing of Label Studio's, by place; `notes` are about all of it, each once.
    `columns` are those of JSON-MIN that are no results.
    """

    found: list[Found] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    columns: dict[str, None] = field(default_factory=dict)
    tasks: int = 0
    drafts: int = 0
    recognized: bool = False


def contents_of(document: object, config: LabelConfig | None = None) -> Contents:
    """The annotations of a document, in its order.

    Takes lists of tasks (JSON exports, also of versions before 1.0), JSON-MIN, a task, an annotation, a prediction,
    lists of them, a bare list of results, a single result, and the answers of the API. `recognized` is false if it
    is none of these. `config` tells the types that JSON-MIN leaves out.
    """
    contents = Contents()
    _read(document, "$", contents, config)
    contents.recognized = contents.recognized or document == []
    if contents.columns:
        names = [repr(name) for name in contents.columns]
        more = f" and {len(names) - _MOST_COLUMNS} more" if len(names) > _MOST_COLUMNS else ""
        why = _MIN_UNKNOWN if config else _MIN_WITHOUT_CONFIG
        contents.notes[f"{why}: {', '.join(names[:_MOST_COLUMNS])}{more}"] = None
    return contents


def _read(given: object, place: str, into: Contents, config: LabelConfig | None) -> None:
    stack: list[tuple[object, str]] = [(given, place)]
    while stack:
        one, at = stack.pop()
        if is_list(one) and not _is_results(one):
            stack += reversed([(item, f"{at}[{index}]") for index, item in enumerate(one)])
        else:
            stack += reversed(_read_one(one, at, into, config))


def _read_one(one: object, at: str, into: Contents, config: LabelConfig | None) -> list[tuple[object, str]]:
    """Note what stands here; what is wrapped in it is returned."""
    if is_list(one) or _is_item(one):
        items = list(one) if is_list(one) else [one]
        into.found.append(Found(at, "results", {"result": items}, items))
    elif not isinstance(one, Mapping):
        into.problems.append(f"expected an object @ {at}")
        return []
    elif "result" in one and not is_min_row(one):
        into.found.append(_annotation(one, at))
    elif _is_task(one):
        _read_task(one, at, into)
    elif is_min_row(one):
        result, columns = results_of_row(one, config)
        into.columns |= dict.fromkeys(columns)
        into.found.append(Found(at, "json_min", one, result, one.get("id"), one))
    else:
        return _unwrapped(one, at, into)
    into.recognized = True
    return []


def _unwrapped(one: Mapping[str, object], at: str, into: Contents) -> list[tuple[object, str]]:
    inner = [(one[name], f"{at}.{name}") for name in _WRAPPERS if isinstance(one.get(name), list | dict)]
    into.recognized = into.recognized or one.get("tasks") == []
    if not inner:
        into.problems.append(f"no annotations and no data of a task @ {at}")
    return inner


def _is_item(given: object) -> bool:
    return (
        isinstance(given, Mapping) and isinstance(given.get("type"), str) and ("value" in given or "from_id" in given)
    )


def _is_results(given: Sequence[object]) -> bool:
    """A bare list of results: one is enough, whatever else stands in the list."""
    return any(_is_item(item) for item in given) and not any(_is_task(item) or _has_result(item) for item in given)


def _has_result(given: object) -> bool:
    return isinstance(given, Mapping) and "result" in given


def _is_task(given: object) -> bool:
    if not isinstance(given, Mapping):
        return False
    if isinstance(given.get("data"), Mapping) or isinstance(given.get("completions"), list | dict):
        return True
    # Others call theirs annotations too.
    held = (given.get(name) for name in _HOLDERS)
    return any(_has_result(item) for items in held for item in (items if is_list(items) else [items]))


def _annotation(given: Mapping[str, object], at: str) -> Found:
    """On its own; storages write the task into it."""
    is_prediction = "model_version" in given and "completed_by" not in given
    task = given.get("task")
    data = task.get("data") if isinstance(task, Mapping) else None
    task_id = task.get("id") if isinstance(task, Mapping) else task
    source: Source = "prediction" if is_prediction else "annotation"
    return Found(at, source, given, given["result"], task_id, data if isinstance(data, Mapping) else {})


def _read_task(task: Mapping[str, object], at: str, into: Contents) -> None:
    into.tasks += 1
    drafts = task.get("drafts")
    into.drafts += len(drafts) if is_list(drafts) else 0
    data = task.get("data")
    for name, source in _HOLDERS.items():
        for given, place in _held(task.get(name), f"{at}.{name}"):
            if not isinstance(given, Mapping):
                what = "only an id" if isinstance(given, int) else "expected an object"  # as exports list predictions
                into.problems.append(f"{what} @ {place}")
                continue
            if "result" not in given:
                into.problems.append(f"no result @ {place}")
            own_data = data if isinstance(data, Mapping) else {}
            into.found.append(Found(place, source, given, given.get("result"), task.get("id"), own_data))


def _held(given: object, at: str) -> Iterator[tuple[object, str]]:
    if is_list(given):
        yield from ((item, f"{at}[{index}]") for index, item in enumerate(given))
    elif given is not None:
        yield given, at
