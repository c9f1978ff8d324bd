"""The rows of a folder or a manifest, and what a manifest may not be."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.errors import InputError
from labeling_assets.sync.batch_rows import batch_source, checked_batch, read_rows, shown_url
from labeling_assets_tests.sync.world import write_files


def manifest(tmp_path: Path, content: bytes | str) -> Path:
    return write_files(tmp_path, {"May.csv": content}) / "May.csv"


@pytest.mark.parametrize("name", ["May", "2026-05-01", "a.b_c-d", "x" * 100])
def test_a_name_that_can_be_a_batch(name: str):
    assert checked_batch(name) == name


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a|b", "a,b", "a..b", ".a", "-a", "ä", "x" * 101, "a\n"])
def test_a_name_that_cannot_be_a_batch_is_refused_by_name(name: str):
    with pytest.raises(InputError, match="cannot be the name of a batch: use 1 to 100 letters") as refused:
        checked_batch(name)
    assert repr(name) in str(refused.value)


def test_files_are_rows_in_the_order_of_their_names(tmp_path: Path):
    write_files(tmp_path, {"b.png": "", "a/c.png": "", "_READY": "", ".DS_Store": "", ".git/x": ""})
    rows = read_rows(tmp_path)
    assert [(row.number, row.source, row.path) for row in rows] == [
        (1, "a/c.png", tmp_path / "a/c.png"),
        (2, "b.png", tmp_path / "b.png"),
    ]


def test_an_empty_folder_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"is empty: put media files or a manifest\.csv into it, or remove it"):
        read_rows(tmp_path)


def test_a_manifest_in_a_folder_says_which_files_are_meant(tmp_path: Path):
    write_files(tmp_path, {"a.png": "", "b.png": "", "manifest.csv": "path,shop\nb.png,Bern\n"})
    (row,) = read_rows(tmp_path)
    assert (row.source, row.path, row.columns) == ("b.png", tmp_path / "b.png", {"shop": "Bern"})


def test_paths_are_relative_to_the_manifest_and_cells_may_be_empty(tmp_path: Path):
    rows = read_rows(manifest(tmp_path, '﻿path,url,shop\npics/a.png,,"Bern, Bundesplatz"\n,http://x/b.png,\n'))
    assert (rows[0].path, rows[0].columns) == (tmp_path / "pics/a.png", {"shop": "Bern, Bundesplatz"})
    assert (rows[1].url, rows[1].path, rows[1].columns) == ("http://x/b.png", None, {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,shop\na.png,Bern\n", "has no column 'path' or 'url' (its columns: file, shop)"),
        ("", "has no column 'path' or 'url' (its columns: none)"),
        ("path\n", "has a header but no rows"),
        ("path,shop,shop\na.png,1,2\n", "has two columns of one name (its columns: path, shop, shop)"),
        ("path,two words\na.png,1\n", "the columns 'two words' cannot be properties in ApertureDB"),
        ("path,LS_x\na.png,1\n", "the columns 'LS_x' cannot be properties"),
        ("path,ls_x\na.png,1\n", "the columns 'ls_x' cannot be properties"),
        ("path,\na.png,1\n", "the columns '' cannot be properties"),
        ("path,_id\na.png,1\n", "the columns '_id' cannot be properties"),
        ("path,shop\na.png,grüße\n".encode("latin-1"), "is not UTF-8 (byte 18): save it as UTF-8"),
        ('path,shop\na.png,"Bern\n', "is not a CSV file: unexpected end of data"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(tmp_path: Path, content: bytes | str, message: str):
    with pytest.raises(InputError) as refused:
        read_rows(manifest(tmp_path, content))
    assert message in str(refused.value)
    assert str(tmp_path / "May.csv") in str(refused.value)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("a.png,", "it does not have as many cells as the header has columns"),
        ("a.png,,Bern,Bundesplatz", "it does not have as many cells as the header has columns"),
        ("a.png,http://x/a.png,", "give either a path or a url, not both"),
        (",,Bern", "give either a path or a url, not neither"),
        ("a\0.png,,", "there is a NUL character in it"),
        ("a.png,,Be\0rn", "there is a NUL character in it"),
    ],
)
def test_a_row_that_cannot_be_used_says_why_and_the_others_can(tmp_path: Path, row: str, problem: str):
    bad, good = read_rows(manifest(tmp_path, f"path,url,shop\n{row}\nb.png,,Basel\n"))
    assert bad.problem.startswith(f"May.csv, row 1: {problem}")
    assert (bad.path, bad.url, "\0" in bad.source) == (None, None, False)
    assert (good.path, good.problem) == (tmp_path / "b.png", "")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x/a.png", "https://x/a.png"),
        ("https://x/a.png?size=2&page=3#top", "https://x/a.png?size=2&page=3#top"),
        ("https://ann:secret@x/a.png", "https://x/a.png"),
        ("https://x/a.png?X-Amz-Date=1&X-Amz-Signature=2&size=2", "https://x/a.png?size=2"),
        ("https://x/a.png?x%2Damz-signature=1", "https://x/a.png"),
        ("https://x/a.png?sv=2&se=2026&sig=abc", "https://x/a.png?sv=2"),
        ("https://x/a.png?Expires=1&Key-Pair-Id=2&Signature=3", "https://x/a.png"),
        ("https://x/a.png?access_token=1&api_key=2", "https://x/a.png"),
        ("http://a:port/", "http://a:port/"),
        ("http://[", "http://["),
    ],
)
def test_a_url_is_shown_without_what_gives_access(url: str, shown: str):
    assert shown_url(url) == shown


@given(st.binary(max_size=200))
def test_whatever_stands_in_a_manifest_only_an_input_error_comes_of_it(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "May.csv"
    path.write_bytes(b"path,shop\n" + content)
    with contextlib.suppress(InputError):
        assert read_rows(path)


def test_a_batch_is_a_folder_or_a_manifest(tmp_path: Path):
    write_files(tmp_path, {"May/a.png": "", "June.csv": "path\n"})
    assert batch_source(tmp_path, "May") == tmp_path / "May"
    assert batch_source(tmp_path, "June") == tmp_path / "June.csv"
    assert batch_source(tmp_path, "July") is None


def test_a_batch_that_is_both_is_refused(tmp_path: Path):
    write_files(tmp_path, {"May/a.png": "", "May.csv": "path\n"})
    with pytest.raises(InputError, match=r"holds both .*/May/ and .*/May\.csv: move one of them away or rename it"):
        batch_source(tmp_path, "May")
