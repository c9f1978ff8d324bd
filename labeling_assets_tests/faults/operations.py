"""What people do in Label Studio, each a function that does it once and says what it did.

None: there is nothing it could be done to.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.errors import RefusedError
from labeling_assets_tests.faults.office import Item, Office
from labeling_assets_tests.faults.raw_label_studio import RawAnnotation, RawTask
from labeling_assets_tests.sync.world import LINKS

Operation = Callable[[Office], str | None]


# Annotations


def annotate(office: Office) -> str | None:
    task, person = office.task(), office.person()
    if task is None:
        return None
    result, skipped = office.result(), office.chance.random() < 0.1
    body = {"result": result, "was_cancelled": skipped, "lead_time": office.chance.randint(1, 90) / 2}
    made = person.ls.create_annotation(task.id, body)
    return f"{person.name} makes annotation {made['id']} of task {task.id}: {_said(result)}{', skipped' * skipped}"


def annotate_after_another(office: Office) -> str | None:
    """Somebody who has not worked on the task yet."""
    task = office.task(lambda task: bool(task.annotations))
    if task is None:
        return None
    others = {one.author for one in task.annotations}
    person = office.any_of(person for person in office.people if person.email not in others) or office.person()
    made = person.ls.create_annotation(
        task.id, {"result": office.result(), "ground_truth": office.chance.random() < 0.2}
    )
    return f"{person.name} makes annotation {made['id']} of task {task.id}, which has {len(task.annotations)}"


def edit(office: Office) -> str | None:
    """Draw again, rename, remove, add."""
    annotation, person = office.annotation(lambda one: bool(one.result)), office.person()
    if annotation is None:
        return None
    change = office.chance.choice([_redrawn, _renamed, _without_one, _with_another])
    result = change(office, annotation.result)
    person.ls.update_annotation(annotation.id, {"result": result})
    what = f"{change.__name__}, {_said(result)}"
    return f"{person.name} edits annotation {annotation.id} of task {annotation.task_id}: {what}"


def replace(office: Office) -> str | None:
    annotation, person = office.annotation(), office.person()
    if annotation is None:
        return None
    result = office.result()
    person.ls.update_annotation(annotation.id, {"result": result, "lead_time": 99})
    return f"{person.name} replaces annotation {annotation.id} of task {annotation.task_id}: {_said(result)}"


def save_without_a_change(office: Office) -> str | None:
    return _patched(office, lambda _: {}, "saves")


def empty(office: Office) -> str | None:
    return _patched(office, lambda _: {"result": []}, "empties")


def skip_or_take_back(office: Office) -> str | None:
    return _patched(office, lambda one: {"was_cancelled": not one.skipped}, "skips, or does so no more,")


def toggle_ground_truth(office: Office) -> str | None:
    """Label Studio takes it from every other annotation of the task, whose own times stay."""
    return _patched(office, lambda one: {"ground_truth": not one.ground_truth}, "toggles the ground truth of")


def delete_annotation(office: Office) -> str | None:
    annotation, person = office.annotation(), office.person()
    if annotation is None:
        return None
    person.ls.delete_annotation(annotation.id)
    return f"{person.name} deletes annotation {annotation.id} of task {annotation.task_id}"


def delete_annotations_in_bulk(office: Office) -> str | None:
    tasks, person = office.some_of(_annotated(office), 4), office.person()
    if not tasks:
        return None
    ids = [task.id for task in tasks]
    person.ls.run_action(office.project_id, "delete_tasks_annotations", ids)
    return f"{person.name} deletes all annotations of tasks {ids}"


def accept_prediction(office: Office) -> str | None:
    """One at a time, as the editor does, or many by the action of the data manager."""
    tasks, person = office.some_of(office.tasks().values(), 3), office.person()
    if not tasks:
        return None
    made = [_predicted(office, task) for task in tasks]
    if office.chance.random() < 0.5:
        ids = [task.id for task in tasks]
        person.ls.run_action(office.project_id, "predictions_to_annotations", ids)
        return f"{person.name} turns the predictions of tasks {ids} into annotations"
    result = [{**item, "origin": "prediction"} for item in made[0]["result"]]
    body = {"result": result, "parent_prediction": made[0]["id"]}
    annotation = person.ls.create_annotation(tasks[0].id, body)
    return f"{person.name} accepts prediction {made[0]['id']} as annotation {annotation['id']} of task {tasks[0].id}"


def draft(office: Office) -> str | None:
    task, person = office.task(), office.person()
    if task is None:
        return None
    annotation = office.any_of(task.annotations)
    of = f"/annotations/{annotation.id}" if annotation and office.chance.random() < 0.5 else ""
    body = {"result": office.result(), "lead_time": 1}
    person.ls._connection.write("POST", f"/api/tasks/{task.id}{of}/drafts", body=body)
    return f"{person.name} begins a draft in task {task.id}{of}"


# Tasks


def add_a_key(office: Office) -> str | None:
    """It is nobody's business but theirs."""
    task, person = office.task(), office.person()
    if task is None:
        return None
    value = office.chance.randint(1, 3)
    person.ls.patch_task_data(task.id, {**task.data, "priority": value})
    return f"{person.name} writes priority {value} into task {task.id}"


def tamper(office: Office) -> str | None:
    """GUID, link, both or batch of a task that ApertureDB knows."""
    tasks = office.tasks()
    task = office.any_of(
        task for key, task in tasks.items() if key in office.history.made and key not in office.repairs
    )
    guid = office.any_of(sorted(office.history.media - {task.data["guid"]})) if task else None
    if task is None or guid is None:
        return None
    other = office.chance.choice([*office.batches, "no batch at all"])
    changes: Mapping[str, dict[str, str]] = {
        "guid": {"guid": guid},
        "link": {"image": LINKS.link(guid)},
        "guid and link": {"guid": guid, "image": LINKS.link(guid)},
        "batch": {"import_batch": other},
    }
    what = office.chance.choice(list(changes))
    office.repairs[task.key] = {name: task.data[name] for name in ("guid", "image", "import_batch")}
    office.people[0].ls.patch_task_data(task.id, {**task.data, **changes[what]})
    return f"{office.people[0].name} tampers with the {what} of task {task.id}: {changes[what]}"


def repair(office: Office) -> str | None:
    task = office.task(lambda task: task.key in office.repairs)
    if task is None:
        return None
    office.people[0].ls.patch_task_data(task.id, {**task.data, **office.repairs.pop(task.key)})
    return f"{office.people[0].name} repairs task {task.id}"


def delete_task(office: Office) -> str | None:
    task, person = office.task(), office.person()
    if task is None or len(office.tasks()) < 4:
        return None
    person.ls.delete_task(task.id)
    office.removed.append(dict(task.data))
    return f"{person.name} deletes task {task.id} with {len(task.annotations)} annotations"


def delete_tasks_in_bulk(office: Office) -> str | None:
    tasks, person = office.some_of(office.tasks().values(), 3), office.person()
    if len(office.tasks()) < 8:
        return None
    person.ls.delete_tasks_bulk(office.project_id, [task.id for task in tasks])
    office.removed += [dict(task.data) for task in tasks]
    return f"{person.name} deletes tasks {[task.id for task in tasks]}"


def import_again(office: Office) -> str | None:
    """A task that was deleted; SQLite gives it the id of the newest that was deleted."""
    data, person = office.any_of(office.removed), office.person()
    if data is None:
        return None
    office.removed.remove(data)
    (made,) = person.ls.import_tasks(office.project_id, [{"data": data}])
    return f"{person.name} imports {data.get('guid')} again as task {made}"


def import_a_twin(office: Office) -> str | None:
    """A copy of a task, with work in it or without."""
    task, person = office.task(), office.person()
    if task is None:
        return None
    work: dict[str, Any] = {"annotations": [{"result": office.result()}]} if office.chance.random() < 0.5 else {}
    (made,) = person.ls.import_tasks(office.project_id, [{"data": dict(task.data), **work}])
    return f"{person.name} imports a copy of task {task.id} as task {made}, with {len(work)} annotations"


def remove_duplicates(office: Office) -> str | None:
    """Label Studio refuses some, after it has moved their annotations."""
    tasks, person = [task.id for task in office.tasks().values()], office.person()
    try:
        person.ls.run_action(office.project_id, "remove_duplicates", tasks)
    except RefusedError as error:
        return f"{person.name} removes duplicated tasks, refused: {error}"
    left = {task.id for task in office.tasks().values()}
    return f"{person.name} removes duplicated tasks: {sorted(set(tasks) - left)}"


def import_a_stranger(office: Office) -> str | None:
    """A task that is not ours: without a batch, or in one of ours with a medium that nobody knows."""
    person, batch = office.person(), office.chance.choice([*office.batches, None])
    named = {"guid": "nobody", "import_batch": batch} if batch else {}
    link = LINKS.link("nobody") if batch else "http://elsewhere.example.org/x.png"
    body = {"data": {"image": link, **named}, "annotations": [{"result": office.result()}]}
    (made,) = person.ls.import_tasks(office.project_id, [body])
    return f"{person.name} imports task {made} of something else into {batch}"


# The project


def change_overlap(office: Office) -> str | None:
    overlap = office.chance.randint(1, 3)
    office.world.ls.update_project(office.project_id, maximum_annotations=overlap)
    return f"the owner wants {overlap} annotations for each task"


def _patched(office: Office, change: Callable[[RawAnnotation], dict[str, Any]], what: str) -> str | None:
    annotation, person = office.annotation(), office.person()
    if annotation is None:
        return None
    body = change(annotation)
    person.ls.update_annotation(annotation.id, body)
    return f"{person.name} {what} annotation {annotation.id} of task {annotation.task_id}: {body}"


def _annotated(office: Office) -> list[RawTask]:
    return [task for task in office.tasks().values() if task.annotations]


def _predicted(office: Office, task: RawTask) -> dict[str, Any]:
    ls: LabelStudio = office.world.ls
    result = [office.box()]
    return ls.create_prediction({"task": task.id, "result": result, "model_version": "m1", "score": 0.5})


def _redrawn(office: Office, result: list[Item]) -> list[Item]:
    place = office.chance.randrange(len(result))
    value = dict(result[place].get("value") or {})
    if "x" in value:
        value["x"] = (value["x"] + 10) % 60
    elif "points" in value:
        up = 10 if max(y for _, y in value["points"]) < 90 else -40
        value["points"] = [[x, y + up] for x, y in value["points"]]
    return [{**item, "value": value} if number == place and value else item for number, item in enumerate(result)]


def _renamed(office: Office, result: list[Item]) -> list[Item]:
    label = office.chance.choice(office.labels)
    return [
        {**item, "value": {**item["value"], "rectanglelabels": [label]}} if item["type"] == "rectanglelabels" else item
        for item in result
    ]


def _without_one(office: Office, result: list[Item]) -> list[Item]:
    """The relations of a region go with it."""
    gone = office.chance.choice(result).get("id")
    return [item for item in result if gone not in (item.get("id"), item.get("from_id"), item.get("to_id"))]


def _with_another(office: Office, result: list[Item]) -> list[Item]:
    return [*result, office.box()]


def _said(result: list[Item]) -> str:
    return ", ".join(str(item["type"]) for item in result) or "nothing"


OPERATIONS: Final[Mapping[Operation, int]] = {
    annotate: 22,
    annotate_after_another: 7,
    edit: 14,
    replace: 3,
    save_without_a_change: 3,
    empty: 3,
    skip_or_take_back: 6,
    toggle_ground_truth: 6,
    delete_annotation: 6,
    delete_annotations_in_bulk: 2,
    accept_prediction: 4,
    draft: 3,
    add_a_key: 3,
    tamper: 3,
    repair: 3,
    delete_task: 3,
    delete_tasks_in_bulk: 1,
    import_again: 3,
    import_a_twin: 4,
    remove_duplicates: 3,
    import_a_stranger: 2,
    change_overlap: 1,
}
"""How often each is done, among all."""
