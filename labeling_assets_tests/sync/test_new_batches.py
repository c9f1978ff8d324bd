"""Which batches of the inbox are imported, and when."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.sync.new_batches import (
    InboxBatch,
    InboxCursor,
    Seen,
    attempt,
    batch_signature,
    finish,
    inbox_batches,
    observed,
    plan_imports,
)
from labeling_assets_tests.sync.world import write_files

MAY = InboxBatch("May", "s1", ready=False)


def names_of(inbox: Path) -> list[str]:
    return [batch.name for batch in inbox_batches(inbox)[0]]


def keys(seen: Seen, batch: InboxBatch = MAY, **options: object) -> list[str]:
    given = {"lacking": {"May": ("media", "cars/tasks")}, "in_flight": (), "now": 1010.0, **options}
    return [request.run_key for request in plan_imports(InboxCursor({"May": seen}), [batch], **given)]


def test_folders_and_manifests_are_batches(tmp_path: Path):
    write_files(tmp_path, {"May/a.png": b"x", "June.csv": "path\n", "notes.txt": "no batch", ".hidden/a.png": b"x"})
    assert names_of(tmp_path) == ["June", "May"]


def test_an_inbox_that_does_not_exist_is_empty(tmp_path: Path):
    assert inbox_batches(tmp_path / "none") == ([], [])


def test_an_empty_folder_is_a_batch_only_when_it_says_that_it_is_ready(tmp_path: Path):
    (tmp_path / "May").mkdir()
    assert names_of(tmp_path) == []
    write_files(tmp_path, {"May/_READY": ""})
    assert names_of(tmp_path) == ["May"]


def test_a_name_that_cannot_be_a_batch_is_reported(tmp_path: Path):
    write_files(tmp_path, {"a|b/a.png": b"x"})
    batches, (problem,) = inbox_batches(tmp_path)
    assert batches == []
    assert "'a|b' cannot be the name of a batch" in problem


@pytest.mark.parametrize("change", ["added", "removed", "larger", "newer", "renamed"])
def test_a_signature_changes_with_the_files(tmp_path: Path, change: str):
    folder = write_files(tmp_path / "May", {"a.png": b"x", "b.png": b"y"})
    before = inbox_batches(tmp_path)[0][0].signature
    if change == "added":
        write_files(folder, {"c.png": b"z"})
    elif change == "removed":
        (folder / "a.png").unlink()
    elif change == "larger":
        (folder / "a.png").write_bytes(b"xx")
    elif change == "newer":
        os.utime(folder / "a.png", (1, 1))
    else:
        (folder / "a.png").rename(folder / "c.png")
    assert inbox_batches(tmp_path)[0][0].signature != before


@pytest.mark.parametrize("entry", ["May", "June.csv"])
def test_a_batch_has_the_same_signature_when_it_is_looked_at_alone(tmp_path: Path, entry: str):
    write_files(tmp_path, {"May/a.png": b"x", "May/more/b.png": b"y", "June.csv": "path\n"})
    signatures = {batch.name: batch.signature for batch in inbox_batches(tmp_path)[0]}
    assert batch_signature(tmp_path / entry) == signatures[entry.removesuffix(".csv")] != ""


def test_saying_that_it_is_ready_does_not_change_a_batch(tmp_path: Path):
    folder = write_files(tmp_path / "May", {"a.png": b"x"})
    before = inbox_batches(tmp_path)[0][0]
    write_files(folder, {"_READY": ""})
    after = inbox_batches(tmp_path)[0][0]
    assert (after.signature, before.ready, after.ready) == (before.signature, False, True)


def test_a_batch_is_imported_when_it_did_not_change_for_ten_seconds():
    assert keys(Seen("s1", 1000.0), now=1009.9) == []
    assert keys(Seen("s1", 1000.0), now=1010.0) == ["May:s1:media+cars/tasks:1000:0"]


def test_a_batch_that_is_ready_is_imported_at_once():
    assert keys(Seen("s1", 1000.0), InboxBatch("May", "s1", ready=True), now=1000.0) == [
        "May:s1:media+cars/tasks:1000:0"
    ]


def test_a_batch_that_is_done_is_not_imported_again():
    assert keys(Seen("s1", 1000.0, done=True)) == []


def test_a_batch_is_not_asked_for_while_a_run_of_it_is_in_flight():
    assert keys(Seen("s1", 1000.0), in_flight=["May"]) == []


def test_a_failed_import_is_asked_for_again_with_pauses_that_double():
    assert [attempt(waited) for waited in (0, 59, 60, 119, 120, 239, 240, 480, 960)] == [0, 0, 1, 1, 2, 2, 3, 4, 5]


def test_a_change_makes_a_batch_that_was_done_a_new_one():
    done = InboxCursor({"May": Seen("s1", 1000.0, done=True)})
    assert observed(done, [MAY], now=1100.0) == done
    changed = observed(done, [InboxBatch("May", "s2", ready=False)], now=1100.0)
    assert changed.seen["May"] == Seen("s2", 1100.0)


def test_a_batch_that_was_removed_is_forgotten():
    assert observed(InboxCursor({"May": Seen("s1", 1000.0)}), [], now=1100.0).seen == {}


def test_only_what_is_finished_is_marked_as_done():
    cursor = finish(InboxCursor({"May": Seen("s1", 1.0), "June": Seen("s2", 2.0)}), ["May", "other"])
    assert (cursor.seen["May"].done, cursor.seen["June"].done) == (True, False)


def test_not_too_many_at_once():
    batches = [InboxBatch(f"b{n}", "s", ready=True) for n in range(30)]
    cursor = observed(InboxCursor(), batches, now=0.0)
    lacking = {batch.name: ("media",) for batch in batches}
    assert len(plan_imports(cursor, batches, lacking=lacking, in_flight=[], now=1.0)) == 20


@given(st.dictionaries(st.text(), st.builds(Seen, st.text(), st.floats(0, 1e9), st.booleans())))
def test_a_cursor_survives_being_kept_as_text(seen):
    assert InboxCursor.load(InboxCursor(seen).dump()) == InboxCursor(seen)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"v": 0}', '{"v": 1}', '{"v": 1, "seen": 3}'])
def test_an_unreadable_cursor_is_an_empty_one(text: str | None):
    assert InboxCursor.load(text) == InboxCursor()
