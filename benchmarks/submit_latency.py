"""How long it takes from an annotator's Submit to the objects in ApertureDB, with the whole Dagster stack running.

`labeling-assets up` runs in a home folder of its own with twenty pictures, once with webhooks and once without, and a
labeling project with an empty project.yaml, so with the settings that everybody begins with. A hundred annotations are
submitted through Label Studio's API, as its page does, with random pauses of 1 to 10 seconds; each is looked for in
ApertureDB twice a second. `ours` is the time within which 95 of 100 arrived.

    python benchmarks/submit_latency.py [--quick] [--json]
"""

import argparse
import io
import json
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["ADB_LOG_FILE"] = ""
os.environ.setdefault("LOG_CONSOLE_LEVEL", "ERROR")

from local_aperturedb import show
from sync import CONFIG, box

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import one_of
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.settings import LocalStack

TARGETS = {"on": 15.0, "off": 60.0}
PICTURES = 20
PATIENCE_S = 300


def hand_in(home: Path) -> None:
    from PIL import Image

    project = home / "projects" / "cars"
    project.mkdir(parents=True)
    (project / "label_config.xml").write_text(CONFIG)
    (project / "project.yaml").write_text("")
    batch = home / "inbox" / "May"
    batch.mkdir(parents=True)
    for number in range(PICTURES):
        file = io.BytesIO()
        Image.new("RGB", (40, 30), (number, 0, 0)).save(file, "PNG")
        (batch / f"{number}.png").write_bytes(file.getvalue())
    (batch / "_READY").touch()


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


def measure(local: LocalStack, submits: int) -> list[float]:
    """Seconds from each Submit to ApertureDB, infinite for what did not come."""
    chance = random.Random(1)
    submitted: dict[int, float] = {}
    arrived: dict[int, float] = {}
    done = threading.Event()

    def watch() -> None:
        with ApertureDB(local.aperturedb_key) as db:
            while not done.is_set() or (len(arrived) < len(submitted) and time.monotonic() < ended[0] + PATIENCE_S):
                missing = [number for number in list(submitted) if number not in arrived]
                rows = (
                    db.find(
                        "FindEntity",
                        one_of("LS_annotation_id", missing),
                        class_name=names.ANNOTATION,
                        properties=["LS_annotation_id"],
                    )
                    if missing
                    else ()
                )
                now = time.monotonic()
                arrived.update({int(row["LS_annotation_id"]): now for row in rows})
                time.sleep(0.5)

    ended = [math.inf]
    watcher = threading.Thread(target=watch)
    watcher.start()
    tasks = _tasks(local)
    with LabelStudio(local.label_studio_url, local.label_studio_api_key) as ls:
        for number in range(submits):
            time.sleep(chance.uniform(1, 10))
            made = ls.create_annotation(tasks[number % len(tasks)], {"result": [box()], "lead_time": 1})
            submitted[int(made["id"])] = time.monotonic()
            if number % 10 == 9:
                print(f"{number + 1} submitted, {len(arrived)} arrived", file=sys.stderr, flush=True)
    ended[0] = time.monotonic()
    done.set()
    watcher.join()
    return [arrived.get(number, math.inf) - at for number, at in submitted.items()]


def row(webhooks: str, seconds: list[float]) -> dict[str, Any]:
    ours = sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1]
    how = "by webhook" if webhooks == "on" else "by polling"
    name = f"95 of 100 submits {how} (median {statistics.median(seconds):.1f} s)"
    target = TARGETS[webhooks]
    return {
        "name": name,
        "ours": round(ours, 2),
        "floor": 0,
        "unit": "s",
        "ratio": None,
        "target": target,
        "met": ours <= target,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the way from Submit to ApertureDB.")
    parser.add_argument("--quick", action="store_true", help="ten submits each")
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    options = parser.parse_args()
    for webhooks in ("on", "off"):
        with tempfile.TemporaryDirectory() as name:
            hand_in(Path(name))
            with stack(Path(name), webhooks) as local:
                seconds = measure(local, 10 if options.quick else 100)
            print(json.dumps([round(taken, 1) for taken in seconds]), file=sys.stderr)
            show(row(webhooks, seconds), as_json=options.json)


if __name__ == "__main__":
    main()
