"""How far batches are, and what it costs to know it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from labeling_assets import names
from labeling_assets.clients.aperturedb import Reply
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.sync.status import BatchStatus, project_status
from labeling_assets_tests.sync.world import Stock, WatchedDatabase, World, box, picture, pictures, write_project


class CountedDatabase(WatchedDatabase):
    """A connection that counts its queries and the objects that they listed."""

    queries = listed = 0

    def run(self, query: Query) -> Reply:
        reply = super().run(query)
        self.queries += bool(query.commands)
        self.listed += sum(len(reply.objects(place)) for place in range(len(reply.answers)))
        return reply


def status(stock: Stock) -> list[BatchStatus]:
    return project_status(stock.db, [stock.project])


def test_without_batches_there_is_nothing_to_tell(stock: Stock):
    assert status(stock) == []


def test_media_wait_until_they_have_tasks(stock: Stock):
    stock.hand_in(pictures(3))
    assert status(stock) == [BatchStatus("cars", "May", 3, 3, 0, 0, 0, 0, 0, "")]


def test_a_medium_in_several_rows_is_counted_once(stock: Stock):
    stock.hand_in({"a.png": picture(1), "again.png": picture(1), "b.png": picture(2)})
    (line,) = status(stock)
    assert (line.media, line.waiting) == (2, 2)


def test_a_batch_that_the_project_does_not_want_is_left_out(stock: Stock):
    stock.project = write_project(stock.project.folder, yaml="batches: [street-*]")
    stock.hand_in(pictures(1))
    assert status(stock) == []


def test_every_number_is_that_of_the_batch(world: World):
    world.hand_in({"a.png": picture(1), "again.png": picture(1), "b.png": picture(2), "c.png": picture(3)})
    world.publish()
    world.hand_in({"d.png": picture(4)}, batch="June")
    first, second, third = world.task_ids()
    world.annotate(first, box())
    gone = world.annotate(second, box())
    world.collect()
    world.ls.delete_annotation(gone["id"])
    world.ls.patch_task_data(third, {"image": "http://gateway.example.org/no-medium"})
    report = world.collect(full=True)
    may = BatchStatus("cars", "May", 3, 0, 3, 1, 1, 1, 1, report.watermark, world.ls.url)
    assert status(world) == [BatchStatus("cars", "June", 1, 1, 0, 0, 0, 0, 0, ""), may]


def add(db: WatchedDatabase, class_name: str, *rows: Mapping[str, Any]) -> None:
    query = Query()
    for row in rows:
        query.add("AddEntity", {"class": class_name, "properties": dict(row)})
    db.run(query)


def task(batch: str, number: int, instance: str = "i1", state: str = "open") -> dict[str, Any]:
    names_of = {"LS_project": "cars", "LS_instance": instance, "LS_batch": batch}
    return {**names_of, "LS_task_id": number, "LS_state": state}


def test_the_tasks_of_two_servers_are_not_added_up(stock: Stock):
    add(stock.db, names.INSTANCE, *({names.LS_GUID: f"i{n}", "LS_url": f"http://ls{n}"} for n in (1, 2)))
    add(stock.db, names.TASK, task("May", 1), task("May", 2), task("May", 1, "i2"), task("May", 3, "i2", "withdrawn"))
    lines = status(stock)
    assert [(line.server, line.batch, line.tasks) for line in lines] == [
        ("http://ls1", "May", 2),
        ("http://ls2", "May", 1),
    ]


@pytest.fixture
def many(stock: Stock, aperturedb: Any) -> Any:
    """1,000 batches with three tasks each, and as many sync states."""
    with CountedDatabase(aperturedb.key) as db:
        add(db, names.INSTANCE, {names.LS_GUID: "i1", "LS_url": "http://ls"})
        for start in range(0, 1000, 250):
            batches = [f"b{number:04}" for number in range(start, start + 250)]
            add(db, names.BATCH, *({names.KEY: batch} for batch in batches))
            add(db, names.SYNC, *({names.KEY: f"i1|cars|{batch}", "LS_watermark": "2026"} for batch in batches))
            add(db, names.TASK, *(task(batch, number) for batch in batches for number in range(3)))
        stock.db = db
        yield db


def test_the_status_of_1000_batches_is_a_handful_of_queries(many: CountedDatabase, stock: Stock):
    many.queries = many.listed = 0
    lines = status(stock)
    assert (len(lines), lines[-1].tasks, lines[-1].watermark) == (1000, 3, "2026")
    # Servers, batches, rows, counts, media that wait, states; and batch by batch, where tasks are not one a row.
    assert many.queries == 6 + 5
    assert many.listed == 1 + 1000 + 1000


def test_the_status_of_settled_batches_counts_none_of_them_alone(many: CountedDatabase, stock: Stock):
    """There is a task for each row: then no medium is in several rows."""
    for number in range(3):
        query = Query()
        query.add("AddImage", {"properties": {names.GUID: f"g{number}"}}, picture(number))
        many.run(query)
    for start in range(0, 1000, 250):
        connect(many, [f"b{number:04}" for number in range(start, start + 250)])
    many.queries = 0
    assert [(line.media, line.waiting) for line in status(stock)] == [(3, 0)] * 1000
    assert many.queries == 6


def connect(db: WatchedDatabase, batches: Sequence[str]) -> None:
    """The media g0, g1, g2 are in each of these batches."""
    query = Query()
    media = [query.reference() for _ in range(3)]
    for number, medium in enumerate(media):
        shown = equal(names.GUID, f"g{number}")
        query.add("FindImage", {"_ref": medium, "constraints": shown, "blobs": False})
    for batch in batches:
        source, key = query.reference(), equal(names.KEY, batch)
        query.add("FindEntity", {"_ref": source, "with_class": names.BATCH, "constraints": key})
        for medium in media:
            edge = f"{batch}|{medium}"
            query.connect(names.BATCH_MEDIA, edge, source=source, destination=medium, LS_batch=batch)
    db.run(query)
