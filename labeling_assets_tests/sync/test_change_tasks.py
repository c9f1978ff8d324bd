"""Tasks get other data only while they are what they were."""

import dataclasses
from typing import Any

import pytest

from labeling_assets.clients.label_studio import LabelStudio, TaskRow
from labeling_assets.sync.change_tasks import change_tasks
from labeling_assets_tests.conftest import MakeProject


@pytest.fixture
def task(label_studio: LabelStudio, ls_project: MakeProject) -> tuple[int, TaskRow]:
    """A project and its only task."""
    project = ls_project().id
    label_studio.import_tasks(project, [{"data": {"image": "http://example.org/a.png"}}])
    (raw,) = label_studio.iterate_by_id(project)
    return project, TaskRow.from_json(raw)


def test_a_task_gets_the_data(label_studio: LabelStudio, task: tuple[int, TaskRow]) -> None:
    project, row = task
    assert change_tasks(label_studio, project, [(row, {**row.data, "guid": "g"})]) == {}
    assert label_studio.task(row.id)["data"] == {"image": "http://example.org/a.png", "guid": "g"}


def test_a_task_that_somebody_changed_stays(label_studio: LabelStudio, task: tuple[int, TaskRow]) -> None:
    project, row = task
    theirs = {**row.data, "remark": "mine"}
    label_studio.patch_task_data(row.id, theirs)
    unchanged = change_tasks(label_studio, project, [(row, {**row.data, "guid": "g"})])
    assert (unchanged[row.id].overtaken, label_studio.task(row.id)["data"]) == (True, theirs)


def test_a_task_that_was_deleted_is_named(label_studio: LabelStudio, task: tuple[int, TaskRow]) -> None:
    project, row = task
    label_studio.delete_task(row.id)
    assert change_tasks(label_studio, project, [(row, row.data)])[row.id].text == "it was just deleted"


def test_a_task_with_an_id_that_was_given_again_stays(label_studio: LabelStudio, task: tuple[int, TaskRow]) -> None:
    """SQLite gives the id of a deleted task again."""
    project, row = task
    earlier = dataclasses.replace(row, created_at=row.created_at.replace(year=2020))
    assert change_tasks(label_studio, project, [(earlier, {**row.data, "guid": "g"})])[row.id].overtaken


class Interrupted(LabelStudio):
    """A client during whose first change somebody else edits the `last` task."""

    last: TaskRow | None = None

    def patch_task_data(self, task_id: int, data: dict[str, Any]) -> dict[str, Any]:
        last, self.last = self.last, None
        if last is not None:
            super().patch_task_data(last.id, {**last.data, "remark": "mine"})
        return super().patch_task_data(task_id, data)


def test_what_somebody_changes_while_others_are_changed_stays(
    label_studio: LabelStudio, label_studio_key: str, ls_project: MakeProject
):
    project = ls_project().id
    label_studio.import_tasks(
        project, [{"data": {"image": f"http://example.org/{number}.png"}} for number in range(12)]
    )
    rows = [TaskRow.from_json(raw) for raw in label_studio.iterate_by_id(project)]
    with Interrupted(label_studio.url, label_studio_key) as client:
        client.last = rows[-1]
        unchanged = change_tasks(client, project, [(row, {**row.data, "guid": "g"}) for row in rows])
    assert list(unchanged) == [rows[-1].id]
    assert label_studio.task(rows[-1].id)["data"] == {**rows[-1].data, "remark": "mine"}
