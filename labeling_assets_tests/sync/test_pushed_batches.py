"""What a pushed batch holds, when it is closed, and what an import makes of it."""

import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.errors import InputError
from labeling_assets.settings import Settings, load_settings
from labeling_assets.sync.import_batch import import_batch
from labeling_assets.sync.pushed_batches import batch_marks, close_batch, closed_mark, media_in
from labeling_assets_tests.sync.world import Stock, picture, pictures, write_project


@pytest.fixture
def settings(stock: Stock) -> Settings:
    """A home folder without an inbox."""
    return load_settings(home=stock.inbox.parent / "home")


def closed_at(stock: Stock) -> str:
    return str(stock.stored(names.BATCH)[0]["LS_closed_at"]["_date"])


def test_the_media_of_a_batch_are_listed_by_name(stock: Stock) -> None:
    guids = stock.hand_in({"b.png": picture(1), "a.png": picture(2)}).guids
    held = media_in(stock.db, "May")
    assert [medium.name for medium in held] == ["a.png", "b.png"]
    assert (sorted(medium.guid for medium in held), {len(medium.sha256) for medium in held}) == (guids, {64})


def test_a_medium_of_two_names_is_listed_under_both(stock: Stock) -> None:
    stock.hand_in({"a.png": picture(), "b.png": picture()})
    first, second = media_in(stock.db, "May")
    assert (first.name, second.name, first.guid) == ("a.png", "b.png", second.guid)


@pytest.mark.parametrize("ask", [media_in, close_batch])
def test_a_batch_that_nobody_pushed_is_named(stock: Stock, ask) -> None:
    with pytest.raises(InputError, match="There is no batch 'Mai': push its media first"):
        ask(stock.db, "Mai")


def test_a_batch_without_media_cannot_be_closed(stock: Stock) -> None:
    body = {"class": names.BATCH, "properties": {names.KEY: "May"}, "if_not_found": equal(names.KEY, "May")}
    stock.db.one("AddEntity", body)
    with pytest.raises(InputError, match="'May' has no media"):
        close_batch(stock.db, "May")


def test_a_closed_batch_is_found(stock: Stock) -> None:
    for number, batch in enumerate(("June", "May")):
        stock.hand_in({"a.png": picture(number)}, batch=batch)
    closing = close_batch(stock.db, "May")
    assert (closing.media, batch_marks(stock.db)) == (1, {"June": "", "May": closing.mark})
    assert (closed_mark(stock.db, "May"), closed_mark(stock.db, "June")) == (closing.mark, "")


def test_closed_again_nothing_changes(stock: Stock) -> None:
    stock.hand_in(pictures(2))
    first = close_batch(stock.db, "May")
    assert close_batch(stock.db, "May") == first
    assert closed_at(stock) == first.closed_at


def test_closed_with_more_media_the_mark_is_another(stock: Stock) -> None:
    stock.hand_in(pictures(1))
    first = close_batch(stock.db, "May")
    stock.hand_in({"b.png": picture(50)})
    second = close_batch(stock.db, "May")
    assert first.mark != second.mark
    assert (second.media, second.closed_at > first.closed_at) == (2, True)


def test_an_import_says_with_which_media_a_batch_was_closed(stock: Stock, settings: Settings) -> None:
    stock.hand_in(pictures(2))
    mark = close_batch(stock.db, "May").mark
    report, signature = import_batch(stock.db, "May", projects=[stock.project], settings=settings)
    assert (report.closed, signature, len(report.guids)) == (mark, "", 2)


def test_media_that_were_pushed_without_the_project_are_marked_new(stock: Stock, settings: Settings) -> None:
    """A gateway that does not know the projects."""
    stock.hand_in({**pictures(2), "note.txt": "no picture"})
    project = write_project(stock.project.folder.with_name("dogs"))
    import_batch(stock.db, "May", projects=[project], settings=settings)
    assert [row["LS_state_dogs"] for row in stock.media("LS_state_dogs")] == ["new", "new"]
    assert stock.media("LS_state_dogs", command="FindBlob")[0]["LS_state_dogs"] is None


def test_marks_that_are_there_stay(stock: Stock, settings: Settings) -> None:
    stock.hand_in(pictures(1))
    condition, done = equal("LS_role", "media"), {"LS_state_cars": "done"}
    stock.db.one("UpdateImage", {"constraints": condition, "properties": done})
    stock.db.writes.clear()
    import_batch(stock.db, "May", projects=[stock.project], settings=settings)
    assert (stock.media("LS_state_cars")[0]["LS_state_cars"], stock.db.writes) == ("done", [])
