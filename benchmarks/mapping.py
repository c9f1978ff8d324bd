"""How fast annotations become regions, measured against a floor.

The floor of the first rows is reading the same annotations from their JSON text, which cannot be saved; of the masks,
what the SDK and Pillow take to decode the same mask and to write it as PNG, without box and outline. Both are measured
in turn, several times; the numbers are medians of processor time, since nothing here waits. `target` is a limit on
ours: at least so many tasks a second, or at most so many milliseconds.

    python benchmarks/mapping.py [--quick] [--json]
"""

import argparse
import io
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from labeling_assets.mapping.annotation import map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.mapping.rle import encode_alpha

Row = dict[str, Any]
Result = list[dict[str, Any]]
REGIONS = 3
# Twenty times the 300 annotated tasks a second that are to be synchronised.
TASKS_PER_SECOND = 6000
MASK_MS = 50
FULL_HD = Medium("image", 1920, 1080)


def item(kind: str, number: int, value: dict[str, Any]) -> dict[str, Any]:
    names = {"id": f"region-{number}", "type": kind, "from_name": "label", "to_name": "image", "origin": "manual"}
    size = {"original_width": 1920, "original_height": 1080, "image_rotation": 0}
    return {**names, **size, "value": {**value, kind: [f"class {number % 7}"]}}


def box(random: np.random.Generator, rotation: float = 0) -> dict[str, Any]:
    x, y, width, height = random.uniform(5, 40, 4)
    return {"x": x, "y": y, "width": width, "height": height, "rotation": rotation}


def polygon(random: np.random.Generator, corners: int) -> dict[str, Any]:
    angles = np.linspace(0, np.pi * 2, corners, endpoint=False)
    radii = random.uniform(10, 30, corners)
    points = np.stack((50 + radii * np.cos(angles), 50 + radii * np.sin(angles)), axis=1)
    return {"points": points.tolist(), "closed": True}


def ellipse(random: np.random.Generator) -> dict[str, Any]:
    x, y, across, down = (*random.uniform(40, 60, 2), *random.uniform(2, 30, 2))
    return {"x": x, "y": y, "radiusX": across, "radiusY": down, "rotation": random.uniform(0, 360)}


def annotations(count: int, *kinds: Callable[[np.random.Generator], tuple[str, dict[str, Any]]]) -> list[Result]:
    random = np.random.default_rng(1)
    made = [[make(random) for make in kinds] for _ in range(count)]
    return [[item(kind, number, value) for number, (kind, value) in enumerate(parts)] for parts in made]


def rate(name: str, given: list[Result], rounds: int, target: float) -> Row:
    """Tasks per second. The texts are read outside of what is measured as ours."""
    texts = [json.dumps(result) for result in given]
    ours, floors = [], []
    for _ in range(rounds):
        begun = time.process_time()
        results = [json.loads(text) for text in texts]
        floors.append(len(given) / (time.process_time() - begun))
        begun = time.process_time()
        mapped = [map_annotation(result, FULL_HD) for result in results]
        ours.append(len(given) / (time.process_time() - begun))
        if not all(len(it.regions) == len(given[0]) and not it.problems for it in mapped):
            raise SystemExit(f"{name}: not every annotation was mapped: {mapped[0].problems}")
    return row(name, statistics.median(ours), statistics.median(floors), "tasks/s", target)


def painted(random: np.random.Generator, strokes: int) -> Any:
    """A mask as the brush leaves it: round strokes with soft edges."""
    import cv2

    alpha = np.zeros((1080, 1920), np.uint8)
    for _ in range(strokes):
        line = np.cumsum(random.integers(-220, 220, (12, 2)), axis=0) + random.integers((400, 300), (1500, 800))
        cv2.polylines(alpha, [line.astype(np.int32)], False, 255, int(random.integers(60, 90)), cv2.LINE_AA)
    return alpha


def mask(name: str, alpha: Any, rounds: int) -> Row:
    """Milliseconds for one mask: decoded, written as PNG, its box and its outline."""
    from label_studio_sdk.converter.brush import decode_rle
    from PIL import Image

    rle = encode_alpha(alpha)
    result = [item("brushlabels", 1, {"format": "rle", "rle": rle})]
    ours, floors = [], []
    for turn in range(rounds + 1):
        begun = time.process_time()
        (region,) = map_annotation(result, FULL_HD).regions
        took = time.process_time() - begun
        begun = time.process_time()
        decoded = decode_rle(rle).reshape(1080, 1920, 4)[:, :, 3]
        Image.fromarray(decoded).save(io.BytesIO(), "PNG")
        floor = time.process_time() - begun
        if turn:  # the first imports libraries
            ours.append(took * 1000)
            floors.append(floor * 1000)
    if region.mask is None or region.derived_box is None:
        raise SystemExit(f"{name}: the mask was not mapped: {region.reason}")
    return row(name, statistics.median(ours), statistics.median(floors), "ms", MASK_MS, most=True)


def row(name: str, ours: float, floor: float, unit: str, target: float, *, most: bool = False) -> Row:
    met = ours <= target if most else ours >= target
    return {
        "name": name,
        "ours": round(ours, 2),
        "floor": round(floor, 2),
        "unit": unit,
        "ratio": round(ours / floor, 3),
        "target": target,
        "met": met,
    }


def rows(*, quick: bool) -> list[Callable[[], Row]]:
    rounds = 3 if quick else 7
    count = 500 if quick else 2000
    random = np.random.default_rng(2)

    def upright(random: np.random.Generator) -> tuple[str, dict[str, Any]]:
        return "rectanglelabels", box(random)

    def turned(random: np.random.Generator) -> tuple[str, dict[str, Any]]:
        return "rectanglelabels", {**box(random), "x": 50, "y": 50, "width": 9, "height": 5, "rotation": 30}

    def outlined(random: np.random.Generator) -> tuple[str, dict[str, Any]]:
        return "polygonlabels", polygon(random, 12)

    def round_(random: np.random.Generator) -> tuple[str, dict[str, Any]]:
        return "ellipselabels", ellipse(random)

    def point(random: np.random.Generator) -> tuple[str, dict[str, Any]]:
        x, y = random.uniform(0, 100, 2)
        return "keypointlabels", {"x": x, "y": y, "width": 0.4}

    boxes = annotations(count, *[upright] * REGIONS)
    mixed = annotations(count, upright, outlined, point)
    turned_boxes = annotations(count, *[turned] * REGIONS)
    polygons = annotations(count, *[outlined] * REGIONS)
    ellipses = annotations(count, *[round_] * REGIONS)
    return [
        lambda: rate("3 boxes", boxes, rounds, TASKS_PER_SECOND),
        lambda: rate("a box, a polygon of 12 corners, a point", mixed, rounds, TASKS_PER_SECOND),
        lambda: rate("3 rotated boxes", turned_boxes, rounds, TASKS_PER_SECOND),
        lambda: rate("3 polygons of 12 corners", polygons, rounds, TASKS_PER_SECOND),
        lambda: rate("3 ellipses, 64 corners derived", ellipses, rounds, TASKS_PER_SECOND),
        lambda: mask("a brush mask of 1920 x 1080, 1 stroke", painted(random, 1), rounds * 3),
        lambda: mask("a brush mask of 1920 x 1080, 12 strokes", painted(random, 12), rounds * 3),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the mapping of annotations against a floor.")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    options = parser.parse_args()
    for measure in rows(quick=options.quick):
        show(measure(), as_json=options.json)


def show(row: Row, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(row), flush=True)
        return
    numbers = f"{row['ours']:>12,.1f} {row['floor']:>12,.1f} {row['unit']:<8} {row['ratio']:>7.3f} {row['target']:>6}"
    print(f"{row['name']:<45} {numbers} {'met' if row['met'] else 'MISSED'}", flush=True)


if __name__ == "__main__":
    main()
