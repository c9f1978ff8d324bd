"""How long it takes from an annotator's Submit to the objects in ApertureDB, with the whole Dagster stack running.

`labeling-assets up` runs in a home folder of its own with twenty pictures, once with webhooks and once without, and a
labeling project with an empty project.yaml, so with the settings that everybody begins with. A hundred annotations are
submitted through Label Studio's API, as its page does, with random pauses of 1 to 10 seconds; each is looked for in
ApertureDB four times a second. `ours` is the time within which 95 of 100 arrived, counted from before the request.

The floor is the same Submit in a project that Dagster does not know, with the same servers under the same load, whose
sync this program calls at once: what no pipeline can be quicker than. It is measured after every fifth submit. The
rows without a target say where the time goes; the run that wrote an annotation is noted with it.

    python benchmarks/submit_latency.py [--quick] [--json]
"""

import argparse
import io
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

os.environ["ADB_LOG_FILE"] = ""
os.environ.setdefault("LOG_CONSOLE_LEVEL", "ERROR")

from local_aperturedb import show
from sync import CONFIG, LINKS, box

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import one_of
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.projects import Project, load_project
from labeling_assets.settings import LocalStack
from labeling_assets.stack.dagster import DagsterUI
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.publish_tasks import publish_tasks

TARGETS: Final = {"on": 15.0, "off": 60.0}
PICTURES: Final = 20
PATIENCE_S: Final = 300
BATCH: Final = "May"
RUNS: Final = "{ runsOrError { ... on Runs { results { runId creationTime startTime } } } }"


def write_pictures(folder: Path, first: int) -> None:
    from PIL import Image

    folder.mkdir(parents=True)
    for number in range(first, first + PICTURES):
        file = io.BytesIO()
        Image.new("RGB", (40, 30), (number, 0, 0)).save(file, "PNG")
        (folder / f"{number}.png").write_bytes(file.getvalue())


def write_project(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "label_config.xml").write_text(CONFIG)
    (folder / "project.yaml").write_text("")


@contextmanager
def stack(home: Path, webhooks: str) -> Iterator[LocalStack]:
    """The whole stack; ready when the batch has its tasks."""
    environment = {**os.environ, "LABELING_ASSETS_HOME": str(home), "LABELING_ASSETS_WEBHOOKS": webhooks}
    command = [sys.executable, "-m", "labeling_assets.cli", "up"]
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield _until_tasks(home, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _until_tasks(home: Path, process: subprocess.Popen[bytes]) -> LocalStack:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        file = home / "local_stack.json"
        found = LocalStack.model_validate_json(file.read_text()) if file.exists() else LocalStack()
        if found.label_studio_api_key and _tasks(found):
            return found
        time.sleep(1)
    raise SystemExit((home / "up.log").read_text()[-3000:])


def _tasks(local: LocalStack) -> list[int]:
    with LabelStudio(local.label_studio_url, local.label_studio_api_key) as ls:
        projects = ls.find_projects_by_title("cars")
        return [int(task["id"]) for task in ls.iterate_by_id(projects[0].id)] if projects else []


@dataclass
class Submit:
    """One annotation; times in seconds since the epoch, as Dagster has them, infinite where it did not arrive."""

    annotation: int
    at: float
    arrived: float = math.inf
    run: str = ""


@dataclass
class Arrivals:
    """Looks for what was submitted, in a thread of its own."""

    key: str
    open: dict[int, Submit] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        deadline = math.inf
        with ApertureDB(self.key) as db:
            while not self.closing.is_set() or (self.open and time.monotonic() < deadline):
                if self.closing.is_set() and deadline == math.inf:
                    deadline = time.monotonic() + PATIENCE_S
                self.look(db)
                time.sleep(0.25)

    def look(self, db: ApertureDB) -> None:
        if not self.open:
            return
        wanted = ["LS_annotation_id", "LS_run_id"]
        condition = one_of("LS_annotation_id", list(self.open))
        for row in db.find("FindEntity", condition, class_name=names.ANNOTATION, properties=wanted):
            submit = self.open.pop(int(row["LS_annotation_id"]))
            submit.arrived, submit.run = time.time(), str(row["LS_run_id"])


@dataclass
class Floor:
    """A project of which Dagster knows nothing, with its tasks."""

    db: ApertureDB
    ls: LabelStudio
    project: Project
    tasks: list[int]

    def measure(self, number: int) -> float:
        begun = time.perf_counter()
        self.ls.create_annotation(self.tasks[number % len(self.tasks)], {"result": [box()], "lead_time": 1})
        report = collect_annotations(self.db, self.ls, self.project, batch="floor")
        taken = time.perf_counter() - begun
        assert report.created == 1, report
        return taken


@contextmanager
def floor_of(local: LocalStack, folder: Path) -> Iterator[Floor]:
    write_project(folder / "floor")
    write_pictures(folder / "pictures", PICTURES)
    project = load_project(folder / "floor")
    with (
        ApertureDB(local.aperturedb_key) as db,
        LabelStudio(local.label_studio_url, local.label_studio_api_key) as ls,
    ):
        ingest_media(db, read_rows(folder / "pictures"), batch="floor", projects=[project])
        report = publish_tasks(db, ls, project, batch="floor", links=LINKS)
        yield Floor(db, ls, project, [int(task["id"]) for task in ls.iterate_by_id(report.project_id)])


def measure(local: LocalStack, floor: Floor, submits: int) -> tuple[list[Submit], list[float]]:
    chance = random.Random(1)
    arrivals = Arrivals(local.aperturedb_key)
    watcher = threading.Thread(target=arrivals.watch)
    watcher.start()
    made: list[Submit] = []
    floors: list[float] = []
    tasks = _tasks(local)
    try:
        with LabelStudio(local.label_studio_url, local.label_studio_api_key) as ls:
            for number in range(submits):
                time.sleep(chance.uniform(1, 10))
                at = time.time()
                answer = ls.create_annotation(tasks[number % len(tasks)], {"result": [box()], "lead_time": 1})
                made.append(Submit(int(answer["id"]), at))
                arrivals.open[made[-1].annotation] = made[-1]
                if number % 5 == 4:
                    time.sleep(chance.uniform(1, 10))
                    floors.append(floor.measure(number))
                    print(f"{number + 1} submitted, {len(arrivals.open)} under way", file=sys.stderr, flush=True)
    finally:
        arrivals.closing.set()
        watcher.join()
    return made, floors


def shares(local: LocalStack, submits: Sequence[Submit]) -> dict[str, list[float]]:
    """Where the seconds of those that arrived went."""
    found = DagsterUI(local.dagster_url).ask(RUNS)["runsOrError"]["results"]
    runs = {run["runId"]: (run["creationTime"], run["startTime"]) for run in found}
    parts: dict[str, list[float]] = {"a run is asked for": [], "it has started": [], "it has written": []}
    for submit in submits:
        if submit.run in runs:
            created, started = runs[submit.run]
            for part, seconds in zip(
                parts.values(), (created - submit.at, started - created, submit.arrived - started), strict=True
            ):
                part.append(seconds)
    return parts


def rows(webhooks: str, submits: Sequence[Submit], floors: Sequence[float], parts: dict[str, list[float]]) -> Any:
    how = "by webhook" if webhooks == "on" else "by polling"
    seconds = sorted(submit.arrived - submit.at for submit in submits)
    ours, floor, target = seconds[math.ceil(0.95 * len(seconds)) - 1], statistics.median(floors), TARGETS[webhooks]
    met = ours <= target
    yield _row(f"Submit {how}, 95 of 100 within", ours, floor=floor, target=target, met=met)
    yield _row(f"Submit {how}, median", statistics.median(seconds), floor=floor)
    for part, some in parts.items():
        yield _row(f"Submit {how}, median until {part}", statistics.median(some))


def _row(name: str, ours: float, *, floor: float = 0.0, target: float | None = None, met: bool | None = None) -> Any:
    ratio = round(floor / ours, 3) if floor else None
    return {
        "name": name,
        "ours": round(ours, 2),
        "floor": round(floor, 2),
        "unit": "s",
        "ratio": ratio,
        "target": target,
        "met": met,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the way from Submit to ApertureDB.")
    parser.add_argument("--quick", action="store_true", help="ten submits each")
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    options = parser.parse_args()
    for webhooks in TARGETS:
        with tempfile.TemporaryDirectory() as name:
            home, elsewhere = Path(name) / "home", Path(name) / "elsewhere"
            write_project(home / "projects" / "cars")
            write_pictures(home / "inbox" / BATCH, 0)
            (home / "inbox" / BATCH / "_READY").touch()
            with stack(home, webhooks) as local, floor_of(local, elsewhere) as floor:
                submits, floors = measure(local, floor, 10 if options.quick else 100)
                parts = shares(local, submits)
            for row in rows(webhooks, submits, floors, parts):
                show(row, as_json=options.json)


if __name__ == "__main__":
    main()
