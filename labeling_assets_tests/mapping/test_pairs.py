"""Pairs of files, a folder for each kind: what Label Studio gives, and what ApertureDB gets."""

import json
from pathlib import Path

import pytest

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.objects import objects_of
from labeling_assets.mapping.round_trip import check_regions, lossless_differences

FOLDER = Path(__file__).parent.parent / "data" / "mapping"
CASES = sorted(str(path.relative_to(FOLDER)).split(".")[0] for path in FOLDER.glob("*/*.label_studio.json"))


@pytest.mark.parametrize("case", CASES)
def test_pair(case: str):
    given = json.loads((FOLDER / f"{case}.label_studio.json").read_text())
    expected = json.loads((FOLDER / f"{case}.aperturedb.json").read_text())
    mapped = map_annotation(given["result"], Medium(**given["medium"]))
    assert json.loads(json.dumps(objects_of(mapped))) == expected


def test_each_case_is_a_pair():
    assert len(CASES) >= 20
    assert len(list(FOLDER.glob("*/*.json"))) == 2 * len(CASES)


@pytest.mark.parametrize("case", CASES)
def test_way_back(case: str):
    """The JSON exactly, and items made from the regions alone within 1e-6; those read as the same regions again."""
    given = json.loads((FOLDER / f"{case}.label_studio.json").read_text())
    medium = Medium(**given["medium"])
    mapped = map_annotation(given["result"], medium)
    assert list(lossless_differences({"result": given["result"]}, "$")) == []
    assert check_regions(given["result"], mapped, medium, "$.result").differences == ()
