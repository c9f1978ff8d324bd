"""A Label Studio project with 10,000 labelled tasks becomes a labeling project: killed half-way, finished, done again.

Its tasks have links to pictures on a web server of this program; ApertureDB is empty at first, so every picture is
fetched. After the adoption a sync brings the annotations. What is said at the end is compared one by one: every task
has its GUID and all its other data, every annotation its author and times, ApertureDB every annotation on its medium.

    python benchmarks/adoption.py [--quick]
"""

import argparse
import io
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

os.environ["ADB_LOG_FILE"] = ""
os.environ.setdefault("LOG_CONSOLE_LEVEL", "ERROR")

from local_aperturedb import Process, serve
from queries import key_of
from sync import CONFIG, box

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.identity import content_guid, sha256_of
from labeling_assets.projects import load_project
from labeling_assets.stack.label_studio import Account, LabelStudioServer
from labeling_assets.sync.adopt.adopt_project import adopt_project
from labeling_assets.sync.sync_project import sync_project

_SPAWN: Final = multiprocessing.get_context("spawn")


def picture(number: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (40, 30), (number % 256, number // 256 % 256, number // 65536)).save(file, "PNG")
    return file.getvalue()


@contextmanager
def pictures() -> Iterator[str]:
    """The address of a web server with /0.png, /1.png, ..."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = picture(int(self.path.strip("/").removesuffix(".png")))
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def adopt(key: str, folder: str, url: str, token: str, project_id: int, result: Any) -> None:
    """In a process of its own, because it is killed once; sends seconds and megabytes that it grew by."""
    begun = time.perf_counter()
    with ApertureDB(key) as db, LabelStudio(url, token) as ls:
        db.check()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        adopt_project(db, ls, load_project(Path(folder)), project_id=project_id, apply=True)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    result.send((time.perf_counter() - begun, grown))


def tasks_of(ls: LabelStudio, project_id: int) -> dict[int, dict[str, Any]]:
    return {int(task["id"]): task for task in ls.snapshot(project_id).tasks}


def adopted(ls: LabelStudio, project_id: int) -> int:
    from labeling_assets.clients.label_studio_query import Filter

    there = Filter("data.import_batch", "equal", "String", f"project-{project_id}")
    return ls.count_tasks(project_id, [there])


def run(arguments: tuple[Any, ...], kill_at: int = 0, ls: LabelStudio | None = None) -> tuple[float, float]:
    """One adoption; with `kill_at` it is killed when so many tasks are adopted."""
    mine, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=adopt, args=(*arguments, theirs))
    begun = time.perf_counter()
    process.start()
    if kill_at and ls is not None:
        while process.is_alive() and adopted(ls, arguments[-1]) < kill_at:
            time.sleep(1)
        process.kill()
        process.join()
        return time.perf_counter() - begun, 0.0
    found: tuple[float, float] = mine.recv()
    process.join()
    return found


def verify(db: ApertureDB, ls: LabelStudio, project_id: int, before: dict[int, dict[str, Any]]) -> list[str]:
    """What is not as it should be."""
    wrong = []
    wanted = ["LS_annotation_id", "LS_media_guid", "LS_task_id", "LS_annotator"]
    stored = {
        int(row["LS_annotation_id"]): row
        for row in db.find("FindEntity", None, class_name=names.ANNOTATION, properties=wanted)
    }
    for number, task in tasks_of(ls, project_id).items():
        was = before[number]
        data = {key: value for key, value in task["data"].items() if key not in ("guid", "import_batch")}
        guid = content_guid(sha256_of(picture(int(was["data"]["number"]))))
        if data != was["data"] or task["data"]["guid"] != guid:
            wrong.append(f"task {number}: {task['data']}")
        if task["annotations"] != was["annotations"]:
            wrong.append(f"task {number}: its annotation was changed")
        for annotation in was["annotations"]:
            row = stored.pop(int(annotation["id"]), None)
            if row is None or (row["LS_media_guid"], int(row["LS_task_id"])) != (guid, number):
                wrong.append(f"annotation {annotation['id']}: {row}")
    return wrong + [f"annotation {number} is in ApertureDB only" for number in stored]


def main() -> None:
    parser = argparse.ArgumentParser(description="Adopt a large Label Studio project, killed half-way.")
    parser.add_argument("--quick", action="store_true", help="200 tasks")
    count = 200 if parser.parse_args().quick else 10_000
    with (
        tempfile.TemporaryDirectory() as name,
        pictures() as web,
        LabelStudioServer(Path(name) / "label_studio", Account.random()) as server,
        LabelStudio(server.url, server.personal_access_token()) as ls,
    ):
        place = Path(name) / "cars"
        place.mkdir()
        (place / "label_config.xml").write_text(CONFIG)
        (place / "project.yaml").write_text("title: adopted\n")
        there = ls.create_project("Made by people", CONFIG)
        for start in range(0, count, 500):
            labels = [{"result": [box()], "ground_truth": False, "lead_time": 2.5}]
            tasks = [
                {"data": {"image": f"{web}/{number}.png", "number": number}, "annotations": labels}
                for number in range(start, start + 500)
                if number < count
            ]
            ls.import_tasks(there.id, tasks)
        before = tasks_of(ls, there.id)
        print(f"{len(before)} tasks made", file=sys.stderr, flush=True)
        database = Process(serve, str(Path(name) / "aperturedb"))
        token = server.personal_access_token()
        with LabelStudio(server.url, token) as ls, ApertureDB(key_of(database)) as db:
            arguments = (key_of(database), str(place), server.url, token, there.id)
            first, _ = run(arguments, kill_at=count // 2, ls=ls)
            half = adopted(ls, there.id)
            print(f"killed after {first:.0f} s with {half} tasks adopted", file=sys.stderr, flush=True)
            second, grown = run(arguments)
            third, _ = run(arguments)
            reports = sync_project(db, ls, load_project(place))
            wrong = verify(db, ls, there.id, before)
        database.stop()
        print(
            json.dumps(
                {
                    "tasks": count,
                    "adopted when killed": half,
                    "seconds until killed": round(first),
                    "seconds for the rest": round(second),
                    "tasks a second": round((count - half) / second, 1),
                    "seconds with nothing to do": round(third, 1),
                    "MB grown": round(grown, 1),
                    "annotations synced": sum(report.created for report in reports),
                    "wrong": wrong[:10],
                }
            )
        )
        if wrong:
            raise SystemExit(f"{len(wrong)} things are not as they should be.")


if __name__ == "__main__":
    main()
