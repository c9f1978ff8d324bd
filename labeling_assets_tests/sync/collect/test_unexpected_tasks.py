"""Tasks in the project that show no medium of ApertureDB, under each policy."""

import json

import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.errors import DataError
from labeling_assets.sync.collect.unexpected_tasks import unexpected_tasks, unknown_ids
from labeling_assets_tests.sync.world import World, box

OWN = {"image": "http://pictures.example.org/a.png"}


def add(world: World, count: int = 1) -> list[int]:
    """What a person imports by hand, with a label on each."""
    tasks = world.ls.import_tasks(world.record.project_id, [{"data": OWN} for _ in range(count)])
    for task in tasks:
        world.annotate(task, box())
    return tasks


def kept(world: World) -> list[dict[str, object]]:
    return sorted(
        (json.loads(row["LS_data"]) for row in world.stored(names.UNEXPECTED)), key=lambda task: str(task["id"])
    )


def test_they_are_counted_and_left_alone(published: World):
    add(published, 2)
    published.annotate(published.task_ids()[0], box())
    report = published.collect()
    assert (report.created, report.unexpected) == (1, 2)
    assert published.stored(names.UNEXPECTED) == []


def test_their_json_is_kept_with_all_annotations(published: World):
    published.rewrite(yaml="unexpected: keep")
    (task,) = add(published)
    assert published.collect().unexpected == 1
    (found,) = kept(published)
    assert (found["id"], found["data"]) == (task, OWN)
    assert [one["result"] for one in found["annotations"]] == [[box()]]  # type: ignore[attr-defined]


def test_each_version_is_kept_once(published: World):
    published.rewrite(yaml="unexpected: keep")
    (task,) = add(published)
    for _ in range(2):
        published.collect(full=True)
    published.annotate(task, box("r2"))
    published.collect(full=True)
    assert sorted(len(found["annotations"]) for found in kept(published)) == [1, 2]  # type: ignore[arg-type]


def test_a_large_one_is_kept_in_a_blob(published: World):
    published.rewrite(yaml="unexpected: keep")
    (task,) = add(published)
    published.annotate(task, *(box(f"r{number}") for number in range(300)))
    for _ in range(2):
        published.collect(full=True)
    (row,) = published.stored(names.UNEXPECTED)
    query = Query()
    query.add("FindBlob", {"constraints": equal(names.LS_GUID, row[names.LS_GUID]), "blobs": True, "uniqueids": True})
    (blob,) = published.db.run(query).blobs
    assert "LS_data" not in row
    assert [len(one["result"]) for one in json.loads(blob)["annotations"]] == [1, 300]


def test_the_sync_fails_after_it_has_brought_everything_else(published: World):
    published.rewrite(yaml="unexpected: fail")
    (task,) = add(published)
    published.annotate(published.task_ids()[0], box())
    for full in (False, False, True):
        with pytest.raises(DataError, match=f"1 tasks of project 'cars' show no medium of ApertureDB: {task} "):
            published.collect(full=full)
    assert published.boxes("car") == 1
    published.ls.delete_task(task)
    published.collect()
    assert published.collect().idle


def test_an_idle_sync_after_they_were_kept_makes_two_requests(published: World):
    published.rewrite(yaml="unexpected: keep")
    add(published)
    published.collect()
    assert published.collect().requests == 2


def test_a_task_that_shows_a_medium_is_not_unexpected(published: World):
    data = dict(published.tasks()[0]["data"])
    published.ls.import_tasks(published.record.project_id, [{"data": {"image": data["image"]}}])
    assert unexpected_tasks(published.db, published.ls, published.record) == []


class Server:
    """Ids, and how they were asked for."""

    def __init__(self, *ids: int) -> None:
        self.ids, self.counted, self.listed = ids, 0, 0

    def count(self, low: int, high: int) -> int:
        self.counted += 1
        return sum(low <= number <= high for number in self.ids)

    def list(self, low: int, high: int) -> list[int]:
        found = [number for number in self.ids if low <= number <= high]
        self.listed += len(found)
        return found


@pytest.mark.parametrize("strange", [(), (1,), (4321,), (99_999,), (1, 2, 4321, 99_999)])
def test_unknown_ids_are_found_without_listing_the_known_ones(strange: tuple[int, ...]):
    known = range(1000, 9000, 2)
    server = Server(*known, *strange)
    assert unknown_ids(known, server.count, server.list) == list(strange)
    assert server.listed <= 200 * max(1, len(strange))
    assert server.counted <= 1 + 12 * len(strange)


def test_many_unknown_ids_are_listed():
    server = Server(*range(500))
    assert unknown_ids([7], server.count, server.list) == [number for number in range(500) if number != 7]
