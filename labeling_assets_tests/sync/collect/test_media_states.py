"""A medium is as far as the furthest of its tasks, whatever the order in which they are read."""

from labeling_assets import names
from labeling_assets_tests.sync.world import World, box


def states(world: World) -> list[str]:
    return [str(row[world.project.state]) for row in world.media(world.project.state)]


def copy(world: World, task: int) -> int:
    data = next(found["data"] for found in world.tasks() if found["id"] == task)
    return world.ls.import_tasks(world.record.project_id, [{"data": dict(data)}])[0]


def test_an_open_copy_of_a_task_does_not_hide_that_the_medium_is_done(published: World):
    first = published.task_ids()[0]
    published.annotate(first, box())
    copy(published, first)
    published.collect()
    assert states(published) == ["done", "open", "open"]


def test_a_copy_that_comes_later_does_not_open_the_medium_again(published: World):
    first = published.task_ids()[0]
    published.annotate(first, box())
    published.collect()
    copy(published, first)
    published.collect()
    assert states(published) == ["done", "open", "open"]


def test_a_medium_is_open_again_when_its_labelled_copy_is_gone(published: World):
    first = published.task_ids()[0]
    twin = copy(published, first)
    published.annotate(twin, box())
    published.collect()
    assert states(published)[0] == "done"
    published.ls.delete_task(twin)
    published.collect()
    assert states(published)[0] == "open"


def test_a_full_comparison_settles_what_a_tampered_task_left_behind(published: World):
    """While its GUID was that of another medium, that medium seemed to have a task."""
    first, second, _ = published.tasks()
    published.ls.patch_task_data(second["id"], {**second["data"], "guid": first["data"]["guid"]})
    published.ls.delete_task(first["id"])
    published.collect()
    published.ls.patch_task_data(second["id"], second["data"])
    published.collect(full=True)
    assert states(published) == ["withdrawn", "open", "open"]
    writes = len(published.db.writes)
    published.collect(full=True)
    assert [name for name in published.db.writes[writes:] if name.startswith("UpdateImage")] == []
    assert published.db.count("FindEntity", None, class_name=names.TASK) == 3
