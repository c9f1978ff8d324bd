"""`labeling-assets dataset`: what it refuses. That it writes the table stands in sync/adopt/test_adopt_storage.py."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from labeling_assets import names
from labeling_assets.cli import main
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets_tests.sync.world import WatchedDatabase, write_project


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedDatabase]:
    """A database with the batch `May`, and a project `cars`."""
    write_project(tmp_path / "home" / "projects" / "cars")
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(tmp_path / "home"))
    with LocalServer(tmp_path / "aperturedb") as server, WatchedDatabase(server.key) as db:
        monkeypatch.setenv("APERTUREDB_KEY", server.key)
        db.one("AddEntity", {"class": names.BATCH, "properties": {names.KEY: "May"}})
        yield db


def test_a_batch_that_is_not_there_is_refused(db: WatchedDatabase, tmp_path: Path):
    result = CliRunner().invoke(main, ["dataset", "cars", "--batch", "May", "--batch", "June"])
    assert (result.exit_code, "There is no batch 'June'" in result.output) == (1, True)
    assert not (tmp_path / "home" / "datasets").exists()


def test_a_batch_with_a_quarantined_task_is_refused(db: WatchedDatabase, tmp_path: Path):
    db.one("AddEntity", {"class": names.PROJECT, "properties": {names.KEY: "server|cars", names.SLUG: "cars"}})
    state = {names.KEY: "server|cars|May", "LS_watermark": "", "LS_quarantined": json.dumps({"7": "no such GUID"})}
    db.one("AddEntity", {"class": names.SYNC, "properties": state})
    result = CliRunner().invoke(main, ["dataset", "cars", "--batch", "May"])
    assert (result.exit_code, "Task 7 of batch 'May' is quarantined (no such GUID)" in result.output) == (1, True)
    assert not (tmp_path / "home" / "datasets").exists()


def test_an_empty_batch_has_an_empty_table(db: WatchedDatabase, tmp_path: Path):
    result = CliRunner().invoke(main, ["dataset", "cars", "--batch", "May"])
    assert result.exit_code == 0, result.output
    assert "May.parquet: 0 rows, 0 annotations, 0 media" in result.output
    assert (tmp_path / "home" / "datasets" / "cars" / "May.parquet").exists()
