"""How fast tasks are made and labels come back, measured against a floor.

The floor of a row is raw HTTP calls to the same Label Studio (httpx, the cheapest calls that do it) plus bare writes of
the same objects to a copy of the same local ApertureDB: the queries that ours sent are sent again, without look-ups,
comparison, mapping, lease or watermark. Both are measured in turn; the numbers are medians, `ratio` is floor divided by
ours: 1 is as fast as the floor. Label Studio and ApertureDB run in processes of their own on this machine.

    python benchmarks/sync.py [--quick] [--json]
"""

import argparse
import io
import itertools
import multiprocessing
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

os.environ["ADB_LOG_FILE"] = ""
os.environ.setdefault("LOG_CONSOLE_LEVEL", "ERROR")

from floors.sync import RawLabelStudio, RecordingDatabase, replay
from local_aperturedb import Process, serve, show
from queries import key_of

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import format_time, in_batch, parse_time, updated_since
from labeling_assets.clients.query import Query
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import Project, load_project
from labeling_assets.stack.label_studio import Account, LabelStudioServer
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.labeling_project import ProjectRecord, ensure_project
from labeling_assets.sync.media_store import Medium
from labeling_assets.sync.publish_tasks import CHUNK, publish_tasks
from labeling_assets.sync.sync_project import sync_project
from labeling_assets.sync.task_record import add_task, find_project
from labeling_assets.sync.watermark import load_state

CONFIG: Final = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="car"/><Label value="dog"/></RectangleLabels>
</View>
"""
LINKS: Final = MediaLinks("http://gateway.example.org", {"k1": "a secret of the benchmark"}, "k1")
CHANGES: Final = 100
IDLE_S: Final = 0.5
MEGABYTES: Final = 100
_SPAWN = multiprocessing.get_context("spawn")


def box(label: str = "car", number: int = 0) -> dict[str, Any]:
    value = {"x": 10 + number, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": [label]}
    size = {"original_width": 40, "original_height": 30, "image_rotation": 0}
    kind = {"type": "rectanglelabels", "from_name": "label", "to_name": "image"}
    return {"id": f"r{number}", **kind, "value": value, **size}


@dataclass
class Bench:
    """Servers for all rows; every row has a project and a database of its own."""

    folder: Path
    ls: LabelStudio
    raw: RawLabelStudio
    url: str
    token: str
    quick: bool
    rows: list[dict[str, Any]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def many(self) -> int:
        return 500 if self.quick else 5000

    def project(self, slug: str) -> Project:
        """A labeling project whose title no other row has."""
        place = self.folder / "projects" / slug
        place.mkdir(parents=True, exist_ok=True)
        (place / "label_config.xml").write_text(CONFIG)
        (place / "project.yaml").write_text(f"title: benchmark {next(self.numbers)}\nmax_deleted_share: 1\n")
        return load_project(place)

    @contextmanager
    def database(self, before: Path | None = None) -> Iterator[tuple[RecordingDatabase, Path]]:
        """A server in a process of its own, on a copy of a folder if one is given."""
        place = self.folder / f"database-{next(self.numbers)}"
        if before is not None:
            shutil.copytree(before, place)
        server = Process(serve, str(place))
        try:
            with RecordingDatabase(key_of(server)) as db:
                yield db, place
        finally:
            server.stop()

    def add(self, name: str, ours: float, floor: float, *, target: float, unit: str = "s", most: bool = False) -> None:
        """A row; with `most` it is ours that must not be above the target, else the ratio not below it."""
        ratio = None if most else round(floor / ours, 3)
        met = ours <= target if most else floor / ours >= target
        row = {"name": name, "ours": round(ours, 3), "floor": round(floor, 3), "unit": unit, "ratio": ratio}
        self.rows.append(row | {"target": target, "met": met})

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def picture() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, "PNG")
    return file.getvalue()


def add_media(db: ApertureDB, project: Project, batch: str, guids: list[str], state: str = "new") -> None:
    """What importing a batch leaves, as far as a sync looks at it."""
    content = picture()
    db.one("AddEntity", {"class": names.BATCH, "properties": {names.KEY: batch}})
    for start in range(0, len(guids), 500):
        query = Query()
        source = query.reference()
        query.add("FindEntity", {"_ref": source, "with_class": names.BATCH, "constraints": key(batch)})
        for number, guid in enumerate(guids[start : start + 500], start):
            properties = {names.GUID: guid, "LS_role": "media", "LS_media_type": "image", project.state: state}
            properties |= {"LS_width": 40, "LS_height": 30, "LS_orientation": 1, "LS_sha256": guid}
            properties |= {"LS_mime_type": "image/png", "LS_size_bytes": len(content)}
            image = query.reference()
            query.add("AddImage", {"_ref": image, "properties": properties}, content)
            edge = {"LS_batch": batch, "LS_row": number, "LS_source_uri": f"{guid}.png"}
            query.connect(names.BATCH_MEDIA, f"{batch}|{guid}", source=source, destination=image, **edge)
        db.run(query)


def key(batch: str) -> Any:
    from labeling_assets.clients.constraints import equal

    return equal(names.KEY, batch)


def task_of(guid: str, batch: str) -> dict[str, Any]:
    return {"data": {"guid": guid, "import_batch": batch, "image": LINKS.link(guid)}}


def add_tasks(db: ApertureDB, record: ProjectRecord, batch: str, rows: list[tuple[int, str, str]]) -> None:
    """What publishing leaves: (task id, created_at, GUID) each."""
    for start in range(0, len(rows), 500):
        query = Query()
        project = find_project(query, record)
        for task_id, created_at, guid in rows[start : start + 500]:
            place = {"project": project, "task_id": task_id, "created_at": created_at, "batch": batch}
            add_task(query, record, **place, medium=Medium(guid, "Image", {}))
        db.run(query)


def creating(bench: Bench) -> None:
    """Tasks for a batch of media that have none."""
    guids = [f"medium-{number:06}" for number in range(bench.many)]
    slug = "creating"
    with bench.database() as (db, before):
        project = bench.project(slug)
        prepare_database(db, (project.state,))
        add_media(db, project, "May", guids)
    ours, floor = [], []
    for _ in range(3):
        project = bench.project(slug)
        with bench.database(before) as (db, _):
            begun = time.perf_counter()
            publish_tasks(db, bench.ls, project, batch="May", links=LINKS)
            ours.append(time.perf_counter() - begun)
            recorded = db.recorded
        other = bench.ls.create_project("floor", CONFIG)
        tasks = [task_of(guid, "May") for guid in guids]
        with bench.database(before) as (db, _):
            db.run(Query())
            begun = time.perf_counter()
            bench.raw.import_tasks(other.id, tasks, CHUNK)
            replay(db, recorded)
            floor.append(time.perf_counter() - begun)
        bench.say(f"{bench.many} tasks: {ours[-1]:.1f} s, floor {floor[-1]:.1f} s")
    bench.add(f"creating {bench.many:,} tasks", statistics.median(ours), statistics.median(floor), target=0.8)


def annotated(
    bench: Bench, db: RecordingDatabase, project: Project, batches: dict[str, int], labelled: str
) -> ProjectRecord:
    """A project of many tasks, recorded as publishing records them; those of one batch have a label of three boxes."""
    prepare_database(db, (project.state,))
    record = ensure_project(db, bench.ls, project)
    for batch, count in batches.items():
        guids = [f"{batch}-{number:06}" for number in range(count)]
        add_media(db, project, batch, guids, "open")
        tasks = [task_of(guid, batch) for guid in guids]
        if batch == labelled:
            label = [{"result": [box(number=number) for number in range(3)], "ground_truth": False}]
            tasks = [{**task, "annotations": label} for task in tasks]
        ids: list[int] = []
        for start in range(0, count, 500):
            ids += bench.ls.import_tasks(record.project_id, tasks[start : start + 500])
        listed = bench.ls.iterate_by_id(
            record.project_id, [in_batch(batch)], include=("id", "created_at"), page_size=1000
        )
        made = {int(task["id"]): format_time(parse_time(task["created_at"])) for task in listed}
        add_tasks(db, record, batch, [(task, made[task], guid) for task, guid in zip(ids, guids, strict=True)])
        bench.say(f"{batch}: {count} tasks made")
    return record


def first_sync(bench: Bench) -> None:
    """Everything of a batch, for the first time."""
    project = bench.project("first")
    with bench.database() as (db, before):
        record = annotated(bench, db, project, {"May": bench.many}, "May")
    ours, floor = [], []
    for _ in range(3):
        with bench.database(before) as (db, _):
            begun = time.perf_counter()
            report = collect_annotations(db, bench.ls, project, batch="May")
            ours.append(time.perf_counter() - begun)
            assert report.created == bench.many, report
            recorded = db.recorded
        with bench.database(before) as (db, _):
            begun = time.perf_counter()
            assert len(bench.raw.snapshot(record.project_id, [in_batch("May")])) == bench.many
            replay(db, recorded)
            floor.append(time.perf_counter() - begun)
        bench.say(f"first sync, read by {report.read_by}: {ours[-1]:.1f} s, floor {floor[-1]:.1f} s")
    name = f"first sync of {bench.many:,} annotated tasks"
    bench.add(name, statistics.median(ours), statistics.median(floor), target=0.8)


def changes(bench: Bench) -> None:
    """A hundred changes in one batch, of a small and a large project; idle and memory in the large one."""
    small = {"May": bench.many}
    large = {"May": bench.many, **{f"b{number}": bench.many for number in range(9)}}
    taken: dict[int, float] = {}
    for slug, batches in (("small", small), ("large", large)):
        total = sum(batches.values())
        project = bench.project(slug)
        with bench.database() as (db, place):
            record = annotated(bench, db, project, batches, "May")
            sync_project(db, bench.ls, project)
            collect_annotations(db, bench.ls, project, batch="May")
            # The first change after that reads once more what changed within a minute before, which is all of it.
            time.sleep(61)
            _change(bench, record, "car")
            collect_annotations(db, bench.ls, project, batch="May")
            ours, floor = _changed(bench, db, place, project, record)
            taken[total] = ours
            bench.add(f"{CHANGES} changes in a project of {total:,} tasks", ours, floor, target=0.7)
            if slug == "large":
                idle = statistics.median(_seconds(partial(sync_project, db, bench.ls, project)) for _ in range(5))
                bench.add(f"idle, a project of {total:,} tasks", idle, 0, target=IDLE_S, most=True)
                grown = in_process(_growth, db.key, bench.url, bench.token, str(project.folder))
                name = f"memory of a full comparison of {total:,} tasks"
                bench.add(name, grown, 0, target=MEGABYTES, unit="MB", most=True)
    (few, short), (much, long) = taken.items()
    bench.add(f"the same changes in {much:,} tasks, floor: {few:,}", long, short, target=0.8)


def _changed(
    bench: Bench, db: RecordingDatabase, place: Path, project: Project, record: ProjectRecord
) -> tuple[float, float]:
    ours, floor = [], []
    for turn in range(5):
        time.sleep(1)
        _change(bench, record, "dog" if turn % 2 == 0 else "car")
        state = load_state(db, record.sync_key("May"))
        db.recorded.clear()
        copy = bench.folder / f"copy-{next(bench.numbers)}"
        shutil.copytree(place, copy)  # nobody writes now
        ours.append(_seconds(partial(collect_annotations, db, bench.ls, project, batch="May", changed=True)))
        recorded = list(db.recorded)
        since = parse_time(state.watermark) - timedelta(seconds=60)
        with bench.database(copy) as (other, _):
            other.run(Query())
            begun = time.perf_counter()
            assert len(bench.raw.listed(record.project_id, [in_batch("May"), updated_since(since)])) >= CHANGES
            replay(other, recorded)
            floor.append(time.perf_counter() - begun)
        bench.say(f"{CHANGES} changes: {ours[-1]:.2f} s, floor {floor[-1]:.2f} s")
        shutil.rmtree(copy)
    return statistics.median(ours), statistics.median(floor)


def _change(bench: Bench, record: ProjectRecord, label: str) -> None:
    """A hundred annotations get another label, as people would give it."""
    for task in itertools.islice(bench.ls.iterate_by_id(record.project_id, [in_batch("May")]), CHANGES):
        changed = {"result": [box(label, number) for number in range(3)]}
        bench.ls.update_annotation(task["annotations"][0]["id"], changed)


def _seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def in_process(target: Callable[..., None], *arguments: Any) -> Any:
    mine, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=target, args=(*arguments, theirs))
    process.start()
    found = mine.recv()
    process.join()
    return found


def _growth(key: str, url: str, token: str, folder: str, result: Any) -> None:
    """Megabytes that a process grows by while it compares a whole project, at its highest, after its imports."""
    project = load_project(Path(folder))
    with ApertureDB(key) as db, LabelStudio(url, token) as ls:
        db.check()
        sync_project(db, ls, project)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sync_project(db, ls, project, full=True)
        result.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure publishing and syncing against a floor.")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    parser.add_argument("--only", choices=("creating", "first_sync", "changes"), help="only this part")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        LabelStudioServer(Path(name) / "label_studio", Account.random()) as server,
    ):
        token = server.personal_access_token()
        with LabelStudio(server.url, token) as ls:
            raw = RawLabelStudio(server.url, ls.authorization)
            bench = Bench(Path(name), ls, raw, server.url, token, options.quick)
            for measure in (creating, first_sync, changes):
                shown = len(bench.rows)
                if options.only in (None, measure.__name__):
                    measure(bench)
                for row in bench.rows[shown:]:
                    show(row, as_json=options.json)
            raw.close()


if __name__ == "__main__":
    main()
