"""The table of current labels."""

import json
from pathlib import Path

import pandas as pd
import pytest

from labeling_assets.sync.build_dataset import DatasetReport, build_dataset
from labeling_assets_tests.sync.world import Stock, World, box, note, outline


def build(world: Stock, folder: Path) -> DatasetReport:
    return build_dataset(world.db, world.project, batch="May", folder=folder)


@pytest.fixture
def labelled(published: World) -> World:
    """A box, an outline and a text on the first picture, a skipped box on the second."""
    first, second, _ = published.task_ids()
    published.annotate(first, box(), outline(), note("too dark"))
    published.annotate(second, box(label="dog"), was_cancelled=True)
    published.collect()
    return published


def test_each_current_label_is_a_row(labelled: World, tmp_path: Path):
    report = build(labelled, tmp_path)
    assert (report.rows, report.media, report.annotations) == (3, 1, 1)
    assert report.labels == {"car": 1, "road": 1}
    assert report.path == tmp_path / "cars" / "May.parquet"


def test_a_row_has_geometry_in_percent_and_pixels(labelled: World, tmp_path: Path):
    table = pd.read_parquet(build(labelled, tmp_path).path)
    car = table[table["label"] == "car"].iloc[0]
    assert [car[f"{name}_percent"] for name in ("x", "y", "width", "height")] == [10, 20, 30, 40]
    assert [car[f"{name}_px"] for name in ("x", "y", "width", "height")] == [4, 6, 12, 12]
    assert (car["media_guid"], car["batch"]) == (labelled.tasks()[0]["data"]["guid"], "May")


def test_an_outline_has_its_points(labelled: World, tmp_path: Path):
    table = pd.read_parquet(build(labelled, tmp_path).path)
    road = table[table["label"] == "road"].iloc[0]
    assert json.loads(road["points_percent"]) == [[10, 10], [60, 10], [10, 60]]
    assert (road["x_px"], road["y_px"], road["kind"]) == (4, 3, "polygon")


def test_a_label_of_the_whole_picture_has_no_geometry(labelled: World, tmp_path: Path):
    table = pd.read_parquet(build(labelled, tmp_path).path)
    text = table[table["kind"] == "text"].iloc[0]
    assert (text["text"], text["task_level"], pd.isna(text["x_px"])) == ("too dark", True, True)


def test_an_unchanged_dataset_has_an_unchanged_digest_and_a_changed_one_another(labelled: World, tmp_path: Path):
    first = build(labelled, tmp_path)
    assert build(labelled, tmp_path).digest == first.digest
    labelled.annotate(labelled.task_ids()[2], box(label="dog"))
    labelled.collect()
    assert build(labelled, tmp_path).digest != first.digest


def test_without_labels_the_table_has_its_columns_and_no_rows(stock: Stock, tmp_path: Path):
    report = build(stock, tmp_path)
    table = pd.read_parquet(report.path)
    assert (report.rows, report.labels) == (0, {})
    assert {"media_guid", "label", "x_px", "polygon_px"} <= set(table.columns)


def test_no_half_written_file_is_left(stock: Stock, tmp_path: Path):
    build(stock, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "cars").iterdir()] == ["May.parquet"]
