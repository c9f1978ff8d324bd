"""How long the local ApertureDB server takes for the queries of docs/queries.md among 100,000 regions.

The regions are boxes, turned boxes, polygons, clips and choices of ten batches and four annotators; a tenth of the
annotations was edited once. They are written by the functions that a sync uses. The floor of a row is the official
client against a server that answers at once with a reply of the same size; both are measured in turn, medians. The
target is a second for each query; `ratio` is ours divided by floor.

    python benchmarks/queries.py [--quick] [--json]
"""

import argparse
import base64
import io
import itertools
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

os.environ["ADB_LOG_FILE"] = ""
os.environ.setdefault("LOG_CONSOLE_LEVEL", "ERROR")

from floors.aperturedb import message, serve_nothing
from local_aperturedb import Process, serve, show

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.mapping.annotation import content_hash, map_annotation
from labeling_assets.sync.collect.write_tasks import mark_task, task_state
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.media_store import Medium
from labeling_assets.sync.shown_medium import picture_of
from labeling_assets.sync.stored_annotations import annotation_guid, annotations_by_guid, old_versions
from labeling_assets.sync.task_record import add_task, find_project
from labeling_assets.sync.write_annotation import AnnotationWriter, TaskContext

PAGE: Final = Path(__file__).parent.parent / "docs" / "queries.md"
BLOCK: Final = re.compile(r"^## (.+?)$(?:(?!^## ).)*?^```json$(.+?)^```$", re.MULTILINE | re.DOTALL)
REGIONS: Final = 100_000
LONGEST_MS: Final = 1000
WIDTH, HEIGHT = 640, 480
OF_PICTURE, OF_VIDEO = 10, 20  # regions of an annotation
BATCHES: Final = ("monday", *(f"day-{number}" for number in range(2, 11)))
PEOPLE: Final = {1: "ada@example.org", 2: "ben@example.org", 3: "cyd@example.org", 4: "dot@example.org"}
LABELS: Final = {"car": 55, "road": 20, "pedestrian": 20, "sign": 4.7, "scratch": 0.3}
STATE: Final = "LS_state_street"
RECORD: Final = ProjectRecord("server|street", "street", "server", 1, "", "a hash", "http://ls.example.org/projects/1")
MADE: Final = "2026-03-02T06:00:00.000000Z"
FIRST, SECOND = (datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (8, 14))


def picture(number: int) -> bytes:
    """A JPEG of some 40 kB."""
    import numpy as np
    from PIL import Image

    drawn = np.random.default_rng(number).integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(drawn).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


def film() -> bytes:
    """An MP4 of a minute, ten frames a second."""
    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        for number in range(600):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 256, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def on_picture(chance: random.Random, number: int) -> dict[str, Any]:
    """One region of a picture; every tenth is a choice about it."""
    (label,) = chance.choices([*LABELS], [*LABELS.values()])
    x, y = chance.uniform(0, 70), chance.uniform(0, 70)
    kind = chance.choices(("rectanglelabels", "turned", "polygonlabels"), (70, 5, 25))[0]
    if number % 10 == 9:
        kind, label = "choices", chance.choice(("sunny", "rain"))
    values = {
        "rectanglelabels": {"x": x, "y": y, "width": 20, "height": 15, "rotation": 0},
        "turned": {"x": x + 10, "y": y + 5, "width": 10, "height": 10, "rotation": 30},
        "polygonlabels": {"points": [[x, y], [x + 20, y + 3], [x + 18, y + 20], [x + 5, y + 14]], "closed": True},
        "choices": {},
    }
    kind, value = ("rectanglelabels" if kind == "turned" else kind), values[kind]
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    return _item(number, kind, {**value, kind: [label]}, size)


def on_video(chance: random.Random, number: int) -> dict[str, Any]:
    """Up to six seconds of a video."""
    start = chance.randrange(1, 540)
    ranges = [{"start": start, "end": start + chance.randrange(60)}]
    label = chance.choice(("goal", "foul", "corner", "throw"))
    return _item(number, "timelinelabels", {"ranges": ranges, "timelinelabels": [label]}, {})


def _item(number: int, kind: str, value: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"r{number}", "type": kind, "from_name": kind, "to_name": "medium", "value": value, **more}


def add_media(db: ApertureDB, count: int, videos: int) -> list[tuple[str, Medium]]:
    """Media of all batches, each with its batch; the pictures are 50 different ones."""
    prepare_database(db, (STATE,))
    pictures, video = [picture(number) for number in range(50)], film()
    facts = {"LS_media_type": "image", "LS_width": WIDTH, "LS_height": HEIGHT, "LS_orientation": 1}
    of_video = {"LS_media_type": "video", "LS_width": 64, "LS_height": 48}
    of_video |= {"LS_fps": 10.0, "LS_frame_count": 600, "LS_duration_s": 60.0}
    made: list[tuple[str, Medium]] = []
    for start in range(0, count + videos, 100):
        query = Query()
        for number in range(start, min(start + 100, count + videos)):
            kind = "Image" if number < count else "Video"
            batch = BATCHES[number * len(BATCHES) // count] if number < count else BATCHES[number % len(BATCHES)]
            held = {names.GUID: f"medium-{number}", **(facts if kind == "Image" else of_video)}
            made.append((batch, Medium(f"medium-{number}", kind, held)))
            data = pictures[number % 50] if kind == "Image" else video
            _add_medium(query, made[-1], number, data)
        db.run(query)
    return made


def _add_medium(query: Query, placed: tuple[str, Medium], number: int, data: bytes) -> None:
    batch, medium = placed
    source, reference = query.reference(), query.reference()
    condition = equal(names.KEY, batch)
    query.add(
        "AddEntity",
        {"_ref": source, "class": names.BATCH, "properties": {names.KEY: batch}, "if_not_found": condition},
    )
    origin = f"inbox/{batch}/{number}.jpg"
    properties = {**medium.properties, "LS_role": "media", "LS_source_uri": origin, STATE: "new"}
    run = {"LS_run_id": f"media-{batch}"}
    query.add(f"Add{medium.kind}", {"_ref": reference, "properties": {**properties, **run}}, data)
    key = f"{batch}|{medium.guid}"
    edge = {"LS_batch": batch, "LS_row": number, "LS_source_uri": origin}
    query.connect(names.BATCH_MEDIA, key, source=source, destination=reference, **edge, **run)


def annotations(chance: random.Random, number: int, medium: Medium) -> list[dict[str, Any]]:
    """Those of two people; every tenth medium is not labelled."""
    make, count = (on_picture, OF_PICTURE) if medium.kind == "Image" else (on_video, OF_VIDEO)
    people = chance.sample([*PEOPLE], 2)
    return [
        {
            "id": 2 * number + place + 1,
            "completed_by": person,
            "created_at": MADE,
            "updated_at": MADE,
            "result": [make(chance, region) for region in range(count)],
        }
        for place, person in enumerate(people)
    ]


def label(db: ApertureDB, media: list[tuple[str, Medium]]) -> None:
    """Tasks for nineteen of twenty media, two annotations for nine of ten of those; every tenth is edited later."""
    chance = random.Random(1)
    db.one("AddEntity", {"class": names.PROJECT, "properties": {names.KEY: RECORD.key, names.SLUG: RECORD.slug}})
    tasks = [(number, placed) for number, placed in enumerate(media) if number % 20]
    for part in _parts(tasks, 50):
        given = [(*task, annotations(chance, task[0], task[1][1]) if task[0] % 10 else []) for task in part]
        write(db, given, run="first", now=FIRST)
        edited = [(n, placed, [_edited(one) for one in made]) for n, placed, made in given if n % 10 == 1]
        write(db, edited, run="second", now=SECOND)


def _edited(annotation: dict[str, Any]) -> dict[str, Any]:
    return {**annotation, "result": annotation["result"][:-1]}


def _parts(values: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def write(db: ApertureDB, given: list[Any], *, run: str, now: datetime) -> None:
    """What a sync writes, in one query. Most is of one run, which is the longest answer a run can have."""
    keys = [annotation_guid(RECORD, one) for *_, made in given for one in made]
    stored, old = annotations_by_guid(db, keys), old_versions(db, keys)
    query = Query()
    writer = AnnotationWriter(query, now=now)
    project = find_project(query, RECORD)
    for number, (batch, medium), made in given:
        place = {"project": project, "task_id": number, "created_at": MADE, "batch": batch}
        task, source = add_task(query, RECORD, **place, medium=medium, run_id=f"tasks-{batch}")
        context = TaskContext(RECORD, batch, number, medium, source, task, PEOPLE, run)
        for one in made:
            mapped = map_annotation(one["result"], picture_of(medium))
            known = stored.get(annotation_guid(RECORD, one))
            if known is None:
                writer.create(context, one, mapped)
            elif known.content_hash != content_hash(one):
                writer.update(context, one, mapped, stored=known, old=dict(old[known.guid]))
        mark_task(query, context, STATE, task_state(made))
    db.run(query)


def measure(ours: Process, nothing: Process, title: str, text: str, rounds: int) -> dict[str, Any]:
    """One row: a query as it stands in the page, but for the names that it leaves open."""
    one = annotation_guid(RECORD, {"id": 4, "created_at": MADE})
    for name, value in {"annotation": one, "medium": "medium-1", "run": "first"}.items():
        text = text.replace(f'"<{name}>"', json.dumps(value))
    query = (json.loads(text), [])
    taken: dict[Process, list[float]] = {ours: [], nothing: []}
    answer, blobs = ours.query(query)
    nothing.ask(message(json.dumps(answer, sort_keys=True, separators=(",", ":")), list(blobs)))
    for _, server in itertools.product(range(rounds), (ours, nothing)):
        begun = time.perf_counter()
        server.query(query)
        taken[server].append((time.perf_counter() - begun) * 1000)
    found = sum(_size(next(iter(command.values()))) for command in answer)
    mine, floor = (statistics.median(taken[server]) for server in (ours, nothing))
    row = {"name": f"{title} ({found:,} found)", "ours": round(mine, 2), "floor": round(floor, 2), "unit": "ms"}
    return row | {"ratio": round(mine / floor, 3), "target": LONGEST_MS, "met": mine <= LONGEST_MS}


def _size(answer: dict[str, Any]) -> int:
    return len(answer.get("entities") or answer.get("connections") or answer.get("groups") or ())


def key_of(server: Process) -> str:
    """The value of APERTUREDB_KEY that leads to it."""
    parts = [2, 0, f"127.0.0.1:{server.client.port}", None, "admin", "admin"]
    return base64.b64encode(json.dumps(parts).encode()).decode()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the queries of docs/queries.md on the local server.")
    parser.add_argument("--quick", action="store_true", help="10,000 regions")
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    options = parser.parse_args()
    regions = REGIONS // 10 if options.quick else REGIONS
    with tempfile.TemporaryDirectory() as folder:
        ours, nothing = Process(serve, str(Path(folder) / "ours")), Process(serve_nothing)
        # Of twenty media, eighteen have two annotations.
        videos = regions // 1000
        count = (regions - videos * 36) * 20 // (18 * 2 * OF_PICTURE)
        begun = time.perf_counter()
        with ApertureDB(key_of(ours)) as db:
            media = add_media(db, count, videos)
            label(db, media)
            commands = (
                ("FindBoundingBox", None),
                ("FindPolygon", None),
                ("FindClip", None),
                ("FindEntity", names.REGION),
            )
            held = sum(db.count(command, equal("LS_derived", False), class_name=name) for command, name in commands)
        print(f"{held:,} regions written in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        for title, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            show(measure(ours, nothing, title, text, 3 if options.quick else 5), as_json=options.json)
        ours.stop()
        nothing.stop()


if __name__ == "__main__":
    main()
