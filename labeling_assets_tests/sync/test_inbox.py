"""What lies in the inbox, and what a look at it costs."""

import os
import time
from pathlib import Path

import pytest

from labeling_assets.sync.inbox import Inbox, InboxBatch, batch_signature, inbox_batches
from labeling_assets_tests.sync.world import write_files


def names_of(inbox: Path) -> list[str]:
    return [batch.name for batch in inbox_batches(inbox)[0]]


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


def test_a_link_to_a_file_is_a_file_and_one_to_a_folder_is_not_followed(tmp_path: Path):
    elsewhere = write_files(tmp_path / "elsewhere", {"a.png": b"x", "b.png": b"y"})
    folder = write_files(tmp_path / "inbox" / "May", {"c.png": b"z"})
    (folder / "a.png").symlink_to(elsewhere / "a.png")
    (folder / "more").symlink_to(elsewhere)
    look = Inbox(tmp_path / "inbox")
    look.look()
    assert look.files_read == 2


class Looks:
    """An inbox with the batch May, which is looked at for a while after its files have settled."""

    def __init__(self, folder: Path, files: dict[str, bytes | str]) -> None:
        self.now = time.time() + 10
        self.batch = write_files(folder / "May", files)
        self.inbox = Inbox(folder, clock=lambda: self.now)
        self.look()

    def look(self, *imported: str) -> tuple[str, int]:
        """The signature of May, and how many files were read to know it."""
        before = self.inbox.files_read
        (batch,) = self.inbox.look(imported)[0]
        return batch.signature, self.inbox.files_read - before


NESTED = {"a.png": b"a", "x/b.png": b"b", "x/y/c.png": b"c"}


@pytest.mark.parametrize("complete", ["ready", "imported"])
def test_the_files_of_a_complete_batch_are_not_read_again(tmp_path: Path, complete: str):
    looks = Looks(tmp_path, NESTED | ({"_READY": ""} if complete == "ready" else {}))
    imported = ["May"] if complete == "imported" else []
    assert looks.look(*imported) == (batch_signature(looks.batch), 0)


def test_a_batch_that_is_still_being_filled_is_read_file_by_file(tmp_path: Path):
    """A file that grows does not change the time of its folder."""
    looks = Looks(tmp_path, NESTED)
    before = looks.look()
    (looks.batch / "x" / "y" / "c.png").write_bytes(b"more")
    after = looks.look()
    assert (before[1], after[1], before[0] != after[0]) == (3, 3, True)


@pytest.mark.parametrize(
    "change", ["added", "added below", "removed below", "renamed", "new folder", "folder moved in"]
)
def test_a_file_that_comes_or_goes_anywhere_is_seen_at_once(tmp_path: Path, change: str):
    looks = Looks(tmp_path / "inbox", NESTED)
    before, _ = looks.look("May")
    deep = looks.batch / "x" / "y"
    if change == "added":
        write_files(looks.batch, {"d.png": b"d"})
    elif change == "added below":
        write_files(deep, {"d.png": b"d"})
    elif change == "removed below":
        (deep / "c.png").unlink()
    elif change == "renamed":
        (deep / "c.png").rename(deep / "d.png")
    elif change == "new folder":
        write_files(deep, {"z/d.png": b"d"})
    else:
        write_files(tmp_path / "other", {"d.png": b"d"}).rename(deep / "other")
    after, read = looks.look("May")
    assert (after, read > 0) == (batch_signature(looks.batch), True)
    assert after != before


def test_a_copy_that_sets_the_time_of_the_folder_back_is_seen(tmp_path: Path):
    """`rsync -a` and `cp -a` do that; the time of the last change of the folder's own record cannot be set."""
    looks = Looks(tmp_path, NESTED)
    before, _ = looks.look("May")
    status = looks.batch.stat()
    write_files(looks.batch, {"d.png": b"d"})
    os.utime(looks.batch, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert looks.look("May")[0] != before


def test_a_folder_that_was_replaced_is_read_again(tmp_path: Path):
    looks = Looks(tmp_path / "inbox", NESTED)
    looks.batch.rename(tmp_path / "old")
    write_files(looks.batch, {"a.png": b"another"})
    assert looks.look("May") == (batch_signature(looks.batch), 1)


def test_a_file_that_was_overwritten_in_place_is_seen_within_five_minutes(tmp_path: Path):
    looks = Looks(tmp_path, NESTED)
    before, _ = looks.look("May")
    (looks.batch / "a.png").write_bytes(b"another")
    looks.now += 299
    assert looks.look("May") == (before, 0)
    looks.now += 1
    assert looks.look("May") == (batch_signature(looks.batch), 3)


def test_a_folder_that_has_just_changed_is_read_again(tmp_path: Path):
    """The next file may come within one tick of the file system's clock, and leave the folder's time as it is."""
    folder = write_files(tmp_path / "May", NESTED)
    changed = folder.stat().st_ctime
    inbox = Inbox(tmp_path, clock=lambda: changed + 1.9)
    inbox.look(["May"])
    inbox.look(["May"])
    assert inbox.files_read == 6


def test_a_batch_that_went_away_is_forgotten(tmp_path: Path):
    looks = Looks(tmp_path / "inbox", NESTED)
    looks.batch.rename(tmp_path / "archive")
    assert looks.inbox.look(["May"]) == ([], [])


def test_what_is_told_does_not_depend_on_what_is_remembered(tmp_path: Path):
    looks = Looks(tmp_path, NESTED | {"_READY": ""})
    write_files(tmp_path, {"June.csv": "path\n", "July/a.png": b"x"})
    assert looks.inbox.look(["May"]) == looks.inbox.look(["May", "July"]) == inbox_batches(tmp_path)


def test_a_batch_that_is_told_to_be_ready_later_is_ready(tmp_path: Path):
    looks = Looks(tmp_path, NESTED)
    signature, _ = looks.look("May")
    write_files(looks.batch, {"_READY": ""})
    assert looks.inbox.look(["May"])[0] == [InboxBatch("May", signature, ready=True)]
