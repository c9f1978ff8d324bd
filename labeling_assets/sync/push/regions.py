"""Boxes and polygons that a model or a person put into ApertureDB, as one prediction (or annotation) per picture."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from labeling_assets.clients.aperturedb import ApertureDB, Object
from labeling_assets.identity import labels_guid
from labeling_assets.mapping.from_native import NativeRegion, items_of
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.mapping.region import PixelBox, PixelPolygon
from labeling_assets.mapping.validate import validate_results
from labeling_assets.sync.media_store import Medium
from labeling_assets.sync.push.report import PushRow
from labeling_assets.sync.push.sources import Wanted, find_regions, media_with_regions
from labeling_assets.sync.shown_medium import picture_of


@dataclass(slots=True)
class _OfMedium:
    """What the regions of one picture became: results, and the scores of those that have one."""

    items: list[dict[str, Any]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


class RegionSource:
    """Boxes and polygons of images that are in no annotation, named by their ids in ApertureDB.

    Their labels choose the controls. A region that no control takes is refused alone: the others of its picture are
    sent. The score of the prediction is the smallest of the regions' `LS_score`, so that sorting by it shows first what
    the model was least sure of.
    """

    def __init__(self, db: ApertureDB, config: LabelConfig, *, model_version: str) -> None:
        self._db, self._config, self._model_version = db, config, model_version

    def media_guids(self) -> Iterator[str]:
        return media_with_regions(self._db)

    def load(self, media: Mapping[str, Medium]) -> tuple[list[Wanted], list[PushRow]]:
        found: dict[str, _OfMedium] = {}
        refused: list[PushRow] = []
        for guid, region in self._regions(media):
            medium = picture_of(media[guid])
            items = items_of(region, self._config, medium)
            if isinstance(items, str):
                refused.append(PushRow(guid, region.region_id, "", "", items, "error"))
                continue
            findings = [row for row in validate_results(items, self._config, medium) if row.severity == "error"]
            if findings:
                first = findings[0]
                refused.append(PushRow(guid, region.region_id, first.control, first.path, first.message, "error"))
                continue
            made = found.setdefault(guid, _OfMedium())
            made.items += items
            made.scores += [items[0]["score"]] if "score" in items[0] else []
        # Of a picture whose regions are all refused there may be a prediction from before: it stays.
        alone = [row if row.guid in found else replace(row, model_version=self._model_version) for row in refused]
        return [self._wanted(guid, made) for guid, made in found.items()], alone

    def _wanted(self, guid: str, made: _OfMedium) -> Wanted:
        key = labels_guid("regions", guid, self._model_version)
        return Wanted(key, guid, list(made.items), self._model_version, min(made.scores, default=None))

    def _regions(self, media: Mapping[str, Medium]) -> Iterator[tuple[str, NativeRegion]]:
        for guid, row in find_regions(self._db, media, "FindBoundingBox", coordinates=True):
            at = row["_coordinates"]
            box = PixelBox(int(at["x"]), int(at["y"]), int(at["width"]), int(at["height"]))
            yield guid, _native(row, box, "box")
        for guid, row in find_regions(self._db, media, "FindPolygon", vertices=True):
            parts = row["_vertices"]
            for number, part in enumerate(parts):
                polygon = PixelPolygon(tuple((float(x), float(y)) for x, y in part))
                # Label Studio's polygons have one part each; the exact percents are of the whole.
                exact = row if len(parts) == 1 else {"LS_score": row["LS_score"]}
                yield guid, _native({**row, "LS_points": None, **exact}, polygon, "polygon", number)


def _native(row: Object, form: PixelBox | PixelPolygon, *kind: str | int) -> NativeRegion:
    return NativeRegion(form, row.get("_label"), labels_guid("native", row["_uniqueid"], *kind), row)
