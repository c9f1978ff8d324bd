"""The sample: a dozen photographs, a labeling project for them, and the labels that a person placed on them by hand."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from labeling_assets.identity import content_guid, sha256_of
from labeling_assets.settings import Settings
from labeling_assets.stack.hand_in import hand_in

BATCH: Final = "sample-photos"
PROJECT: Final = "photos"

_DATA: Final = Path(__file__).with_name("sample_data")
MEDIA: Final = _DATA / "media"

Result = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph and what the annotator says about it; `labels` is an entry of `annotations.json`."""

    name: str
    labels: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """The file."""
        return MEDIA / self.name

    @property
    def guid(self) -> str:
        """The GUID that it gets when it is ingested."""
        return content_guid(sha256_of(self.path.read_bytes()))

    @property
    def is_skipped(self) -> bool:
        """Whether the annotator skips its task."""
        return bool(self.labels.get("skip"))

    def result(self) -> Result:
        """The labels as Label Studio's editor would save them."""
        return result_of(self.name, self.labels)


@cache
def photos() -> tuple[Photo, ...]:
    """Every photograph of the sample."""
    return tuple(Photo(name, labels) for name, labels in _script()["photos"].items())


def photo(name: str) -> Photo:
    """The photograph in a file."""
    return next(candidate for candidate in photos() if candidate.name == name)


def afterwards() -> dict[str, dict[str, Any]]:
    """What the annotator changes later: `move`, `remove`, `delete`, `second_opinion`, each with its `photo`."""
    changes: dict[str, dict[str, Any]] = _script()["afterwards"]
    return changes


def install(settings: Settings, say: Callable[[str], None]) -> None:
    """Put the labeling project and the batch into the home folder; what is there already stays as it is."""
    project = settings.projects / PROJECT
    if not project.exists():
        settings.projects.mkdir(parents=True, exist_ok=True)
        shutil.copytree(_DATA / "project", project)
        say(f"Sample: labeling project {PROJECT} in {project}")
    if not (settings.inbox / BATCH).exists():
        done = hand_in(settings.inbox, MEDIA, batch=BATCH)
        say(f"Sample: batch {BATCH} of {done.added} photographs in {done.folder}")


def result_of(name: str, labels: Mapping[str, Any]) -> Result:
    """Boxes, outlines, scene, quality and caption of a photograph in Label Studio's form; coordinates in percent."""
    stem = Path(name).stem
    items = [_box(stem, box) for box in labels.get("boxes", ())]
    items += [_outline(stem, outline) for outline in labels.get("outlines", ())]
    items += [
        _item(f"{stem}-scene", "choices", "scene", {"choices": [labels["scene"]]}),
        _item(f"{stem}-quality", "rating", "quality", {"rating": labels["quality"]}),
        _item(f"{stem}-caption", "textarea", "caption", {"text": [labels["caption"]]}),
    ]
    width, height = _size(name)
    return [{"original_width": width, "original_height": height, "image_rotation": 0, **item} for item in items]


def _box(stem: str, box: Mapping[str, Any]) -> dict[str, Any]:
    geometry = {key: box[key] for key in ("x", "y", "width", "height")}
    value = {**geometry, "rotation": box.get("rotation", 0), "rectanglelabels": [box["label"]]}
    return _item(f"{stem}-{box['id']}", "rectanglelabels", "box", value)


def _outline(stem: str, outline: Mapping[str, Any]) -> dict[str, Any]:
    value = {"points": outline["points"], "closed": True, "polygonlabels": [outline["label"]]}
    return _item(f"{stem}-{outline['id']}-outline", "polygonlabels", "outline", value)


def _item(identifier: str, kind: str, control: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": identifier,
        "type": kind,
        "from_name": control,
        "to_name": "image",
        "origin": "manual",
        "value": value,
    }


@cache
def _size(name: str) -> tuple[int, int]:
    from PIL import Image

    with Image.open(MEDIA / name) as image:
        return image.size


def _script() -> dict[str, Any]:
    script: dict[str, Any] = json.loads((_DATA / "annotations.json").read_text(encoding="utf-8"))
    return script
