"""Batches come into the inbox whole or not at all."""

from pathlib import Path

import pytest

from labeling_assets.errors import InputError
from labeling_assets.stack.hand_in import hand_in
from labeling_assets.sync.batch_rows import read_rows


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def folder_of(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "source"
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_is_copied_with_its_subfolders(inbox: Path, tmp_path: Path) -> None:
    done = hand_in(inbox, folder_of(tmp_path, a="1", sub__b="2"), batch="new")
    assert names(inbox / "new") == ["_READY", "a", "sub/b"]
    assert (done.added, done.known) == (2, 0)


def test_hidden_files_stay_behind(inbox: Path, tmp_path: Path) -> None:
    source = folder_of(tmp_path, a="1")
    (source / ".DS_Store").write_text("x")
    hand_in(inbox, source, batch="new")
    assert names(inbox / "new") == ["_READY", "a"]


def test_one_file_is_a_batch(inbox: Path, tmp_path: Path) -> None:
    hand_in(inbox, folder_of(tmp_path, a="1", b="2") / "a", batch="new")
    assert names(inbox / "new") == ["_READY", "a"]


@pytest.mark.skipif(not Path("/proc/version").is_file(), reason="needs a file on another disk")
def test_nothing_of_a_failed_batch_is_left(inbox: Path) -> None:
    with pytest.raises(InputError, match="leave out --link"):
        hand_in(inbox, Path("/proc/version"), batch="new", link=True)
    assert list(inbox.iterdir()) == []


def test_links_share_the_bytes(inbox: Path, tmp_path: Path) -> None:
    source = folder_of(tmp_path, a="1")
    hand_in(inbox, source, batch="new", link=True)
    assert (inbox / "new" / "a").samefile(source / "a")


def test_an_empty_folder_is_refused(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is empty"):
        hand_in(inbox, tmp_path / "empty", batch="new")
    assert not (inbox / "new").exists()


@pytest.mark.parametrize("name", ["", "a..b", ".hidden", "a/b", "a,b", "x" * 101])
def test_a_name_that_dagster_cannot_use_is_refused(inbox: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a batch"):
        hand_in(inbox, folder_of(tmp_path, a="1"), batch=name)


def test_a_batch_gets_what_is_new(inbox: Path, tmp_path: Path) -> None:
    source = folder_of(tmp_path, a="1")
    hand_in(inbox, source, batch="new")
    (source / "b").write_text("2")
    done = hand_in(inbox, source, batch="new")
    assert (done.added, done.known) == (1, 1)
    assert names(inbox / "new") == ["_READY", "a", "b"]


def test_a_batch_that_gets_nothing_is_refused(inbox: Path, tmp_path: Path) -> None:
    source = folder_of(tmp_path, a="1")
    hand_in(inbox, source, batch="new")
    with pytest.raises(InputError, match="already holds all 1 files"):
        hand_in(inbox, source, batch="new")


def test_a_file_of_the_same_name_with_other_bytes_is_refused(inbox: Path, tmp_path: Path) -> None:
    source = folder_of(tmp_path, a="1")
    hand_in(inbox, source, batch="new")
    (source / "a").write_text("2")
    (source / "b").write_text("2")
    with pytest.raises(InputError, match=r"Nothing was added\.\n  - a"):
        hand_in(inbox, source, batch="new")
    assert (inbox / "new" / "a").read_text() == "1"
    assert not (inbox / "new" / "b").exists()


def test_files_of_a_manifest_outside_of_a_folder_stay_where_they_are(inbox: Path, tmp_path: Path) -> None:
    source = folder_of(tmp_path, a="1")
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,camera\nsource/a,left\n")
    done = hand_in(inbox, manifest, batch="new")
    assert names(inbox / "new") == ["_READY", "manifest.csv"]
    [row] = read_rows(inbox / "new")
    assert row.path == source / "a"
    assert row.columns == {"camera": "left"}
    assert done.is_manifest


def test_a_manifest_adds_its_new_rows(inbox: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("url\nhttps://example.org/a\n")
    hand_in(inbox, manifest, batch="new")
    manifest.write_text("url\nhttps://example.org/a\nhttps://example.org/b\n")
    done = hand_in(inbox, manifest, batch="new")
    assert (done.added, done.known) == (1, 1)
    assert [row.url for row in read_rows(inbox / "new")] == ["https://example.org/a", "https://example.org/b"]


def test_other_columns_cannot_be_added(inbox: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("url\nhttps://example.org/a\n")
    hand_in(inbox, manifest, batch="new")
    manifest.write_text("url,camera\nhttps://example.org/b,left\n")
    with pytest.raises(InputError, match="has the columns url, not url, camera"):
        hand_in(inbox, manifest, batch="new")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\na\n", "no column 'path' or 'url'"),
        ("path\nnowhere.jpg\n", "row 1: .*nowhere.jpg"),
        ("path\n", "no rows"),
    ],
    ids=["no column", "no such file", "no rows"],
)
def test_a_manifest_that_cannot_be_read_is_refused(inbox: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        hand_in(inbox, tmp_path / "list.csv", batch="new")
    assert not (inbox / "new").exists()


def test_a_folder_with_a_manifest_brings_what_it_names(inbox: Path, tmp_path: Path) -> None:
    source = folder_of(tmp_path, a="1", b="2")
    (source / "manifest.csv").write_text("path\na\n")
    hand_in(inbox, source, batch="new")
    assert names(inbox / "new") == ["_READY", "a", "manifest.csv"]


def test_a_manifest_that_was_dropped_by_hand_is_left_alone(inbox: Path, tmp_path: Path) -> None:
    inbox.mkdir()
    (inbox / "new.csv").write_text("url\nhttps://example.org/a\n")
    with pytest.raises(InputError, match="exists already"):
        hand_in(inbox, folder_of(tmp_path, a="1"), batch="new")
