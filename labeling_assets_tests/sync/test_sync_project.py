"""A sync of all that changed, without Dagster."""

from collections.abc import Iterator
from typing import Any

import pytest

from labeling_assets import names
from labeling_assets.clients.label_studio import LabelStudio, TaskPage
from labeling_assets.clients.label_studio_query import in_batch
from labeling_assets.clients.query import Query
from labeling_assets.errors import LabelingAssetsError, RefusedError, TransientError
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.report import CollectReport
from labeling_assets.sync.sync_project import batches_of, sync_project
from labeling_assets_tests.sync.world import Stock, World, box, picture


class Failing(LabelStudio):
    """Label Studio that fails for the tasks of some batches."""

    errors: dict[str, LabelingAssetsError]

    def list_tasks(self, project_id: int, **options: Any) -> TaskPage:
        for batch, error in self.errors.items():
            if in_batch(batch) in options.get("filters", ()):
                raise error
        return super().list_tasks(project_id, **options)


@pytest.fixture
def failing(label_studio_server: LabelStudioServer, label_studio_key: str) -> Iterator[Failing]:
    with Failing(label_studio_server.url, label_studio_key) as client:
        client.errors = {}
        yield client


@pytest.fixture
def labelled(world: World) -> World:
    """One labelled task in each of b1, b2, b3."""
    for number, batch in enumerate(("b1", "b2", "b3")):
        world.hand_in({"a.png": picture(number)}, batch=batch)
        world.publish(batch)
    for task in world.task_ids():
        world.annotate(task, box())
    return world


def synced(world: World, ls: LabelStudio | None = None, *batches: str) -> list[str]:
    return [report.batch for report in sync_project(world.db, ls or world.ls, world.project, batches=batches)]


def test_every_batch_that_changed_is_synced_once(labelled: World):
    assert synced(labelled) == ["b1", "b2", "b3"]
    assert synced(labelled) == []


def test_with_nothing_to_do_it_makes_two_requests_and_writes_nothing(labelled: World):
    synced(labelled)
    synced(labelled)
    labelled.db.writes.clear()
    before = labelled.ls.request_count
    assert synced(labelled) == []
    assert (labelled.ls.request_count - before, labelled.db.writes) == (2, [])


def test_a_full_comparison_includes_a_batch_whose_tasks_were_all_deleted(labelled: World):
    """Restored from a backup, Label Studio has them again with times that nobody looks at."""
    synced(labelled)
    first = labelled.tasks()[0]
    labelled.ls.delete_task(first["id"])
    assert synced(labelled) == ["b1"]
    again = {"data": first["data"], "annotations": [{"result": [box(label="dog")]}]}
    labelled.ls.import_tasks(labelled.record.project_id, [again])
    reports = sync_project(labelled.db, labelled.ls, labelled.project, full=True)
    assert [(report.batch, report.created) for report in reports] == [("b1", 1), ("b2", 0), ("b3", 0)]


def test_a_batch_that_fails_does_not_hold_up_the_others(labelled: World, failing: Failing):
    failing.errors = {"b1": RefusedError("no"), "b2": TransientError("later")}
    done: list[CollectReport] = []
    with pytest.raises(TransientError, match=r"2 batches were not synced(.|\n)*b1: no\n.*b2: later"):
        sync_project(labelled.db, failing, labelled.project, done=done.append)
    assert [report.batch for report in done] == ["b3"]
    assert [row["LS_batch"] for row in labelled.annotations()] == ["b3"]


def test_a_batch_that_failed_is_tried_again_by_the_next_call(labelled: World, failing: Failing):
    failing.errors = {"b1": TransientError("later")}
    with pytest.raises(TransientError):
        synced(labelled, failing)
    failing.errors = {}
    assert synced(labelled, failing) == ["b1"]


def test_an_error_that_stays_is_no_transient_one(labelled: World, failing: Failing):
    failing.errors = {"b1": RefusedError("no")}
    with pytest.raises(RefusedError, match="b1: no"):
        synced(labelled, failing)


def test_named_batches_do_not_hold_up_each_other(labelled: World, failing: Failing):
    failing.errors = {"b1": RefusedError("no")}
    with pytest.raises(RefusedError, match="1 batches were not synced"):
        synced(labelled, failing, "b1", "b2")
    assert len(labelled.stored(names.ANNOTATION)) == 1


def test_the_batches_of_a_project_are_those_with_tasks_on_this_server(stock: Stock):
    query = Query()
    for batch, instance, slug, state in (
        ("b2", "i1", "cars", "open"),
        ("b1", "i1", "cars", "done"),
        ("b2", "i1", "cars", "done"),
        ("b3", "i1", "cars", "withdrawn"),
        ("b4", "i2", "cars", "open"),
        ("b5", "i1", "dogs", "open"),
    ):
        properties = {"LS_batch": batch, "LS_instance": instance, "LS_project": slug, "LS_state": state}
        query.add("AddEntity", {"class": names.TASK, "properties": properties})
    stock.db.run(query)
    record = ProjectRecord("i1|cars", "cars", "i1", 1, "", "", "")
    assert batches_of(stock.db, record) == ["b1", "b2"]
