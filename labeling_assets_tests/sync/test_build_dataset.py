"""The table of current labels."""

import json
from pathlib import Path

import pandas as pd
import pytest

from labeling_assets.sync import build_dataset as module
from labeling_assets.sync.build_dataset import DatasetReport, build_dataset, columns
from labeling_assets_tests.sync.desk import ON_PICTURE, ON_VIDEO, Desk, annotation, desks_of
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


def test_every_form_on_a_picture_is_one_row(on_picture: Desk, tmp_path: Path):
    on_picture.create(ON_PICTURE)
    table = pd.read_parquet(build(on_picture.stock, tmp_path).path).set_index("region_id")
    assert table["form"].fillna("").to_dict() == {"r1": "box", "r2": "polygon", "r3": "", "r4": ""}
    boxes = table[["x_px", "y_px", "width_px", "height_px"]]
    assert [list(row) for row in boxes.loc[["r1", "r2", "r3"]].to_numpy()] == [
        [4, 6, 12, 12],
        [4, 3, 20, 15],
        [0, 0, 40, 30],
    ]
    assert table["polygon_px"].dropna().map(json.loads).to_dict() == {
        "r2": [[[4, 3], [24, 3], [4, 18]]],
        "r3": [[[0, 0], [4, 0], [0, 4]], [[20, 20], [24, 20], [20, 24]]],
    }
    assert table.loc["r3", "mask_area_px"] == 1200


def test_every_form_on_a_video_is_one_row(on_video: Desk, tmp_path: Path):
    on_video.create(ON_VIDEO)
    table = pd.read_parquet(build(on_video.stock, tmp_path).path).set_index("region_id")
    assert table["form"].fillna("").to_dict() == {"v1": "clip", "v2": "clip", "v3": ""}
    assert table[["start_s", "end_s", "length_s"]].loc["v1"].tolist() == [0, 0.2, 0.2]


def test_media_are_taken_in_turns(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The table and its digest do not show it."""
    desks = [*desks_of(stock, 3)]
    for number, here in enumerate(desks):
        writer, context = here.writer()
        writer.create(context, annotation(id=number), ON_PICTURE)
        here.send()
    whole = build(stock, tmp_path / "whole")
    monkeypatch.setattr(module, "_MEDIA_AT_ONCE", 1)
    turns = build(stock, tmp_path / "turns")
    assert (turns.rows, turns.media, turns.annotations, turns.labels) == (
        12,
        3,
        3,
        {"road": 6, "animal/dog": 3, "car": 3},
    )
    assert (whole.rows, whole.labels, whole.digest) == (turns.rows, turns.labels, turns.digest)
    pd.testing.assert_frame_equal(pd.read_parquet(whole.path), pd.read_parquet(turns.path))
    assert list(pd.read_parquet(turns.path)["media_guid"].unique()) == sorted(here.guid for here in desks)


def test_an_empty_table_has_the_types_of_a_full_one(stock: Stock, on_picture: Desk, tmp_path: Path):
    empty = pd.read_parquet(build(stock, tmp_path / "empty").path)
    on_picture.create(ON_PICTURE)
    full = pd.read_parquet(build(stock, tmp_path / "full").path)
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert list(full.columns) == list(columns())
