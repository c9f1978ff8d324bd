"""How fast the local ApertureDB server is, measured against a floor.

The floor of a row is what cannot be saved: the same official client against a server that answers every query with a
canned reply of the same size, plus SQLite (WAL, the same durability) and plain files storing or reading the same data.
Both are measured in turn, several times; the numbers are medians. `ratio` is ours divided by floor for rates.

    python benchmarks/local_aperturedb.py [--quick] [--json]
"""

import argparse
import io
import json
import multiprocessing
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ["ADB_LOG_FILE"] = ""
os.environ.setdefault("LOG_CONSOLE_LEVEL", "ERROR")

from floors.aperturedb import Files, connect, message, serve_nothing

Query = tuple[list[dict[str, Any]], list[bytes]]
# What a floor does besides the canned replies.
Storing = Callable[[], object]
IMAGE_BYTES = 30_000
BOXES = 10
FLAT_MEGABYTES = 48
_SPAWN = multiprocessing.get_context("spawn")


def serve(folder: str, control: Connection) -> None:
    """The server in a process of its own: sends its port, and its memory in megabytes whenever it is asked."""
    from labeling_assets.local_aperturedb.server import LocalServer

    with LocalServer(Path(folder)) as server:
        control.send(server.port)
        while control.recv() is not None:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            control.send(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


class Process:
    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        self.control, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=target, args=(*arguments, theirs), daemon=True)
        self._process.start()
        theirs.close()  # else nobody would notice that it ended before it said its port
        self.client = connect(self.control.recv())

    def ask(self, value: object) -> Any:
        self.control.send(value)
        return self.control.recv()

    def query(self, query: Query) -> tuple[Any, list[bytes]]:
        answer, blobs = self.client.query(*query)
        if not isinstance(answer, list):
            raise SystemExit(f"the server refused a query: {answer}")
        return answer, blobs

    def stop(self) -> None:
        self.control.send(None)
        self._process.join(30)


class Bench:
    """Ours, the floor, and the rows measured so far."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.rounds = 3 if quick else 5
        self.ours = Process(serve, str(folder / "ours"))
        self.nothing = Process(serve_nothing)
        self.files = Files(folder / "floor")
        self.rows: list[dict[str, Any]] = []

    def rate(self, name: str, target: float, count: int, rounds: Iterator[tuple[list[Query], Storing]]) -> None:
        """Objects per second, of queries with `count` objects in all; each round has queries of its own."""
        ours, floors = [], []
        for queries, store in rounds:
            begun = time.perf_counter()
            answers = [self.ours.query(query) for query in queries]
            ours.append(count / (time.perf_counter() - begun))
            # Replies of one row are of one size.
            answer, blobs = answers[0]
            self.nothing.ask(message(json.dumps(answer, sort_keys=True, separators=(",", ":")), list(blobs)))
            begun = time.perf_counter()
            for query in queries:
                self.nothing.query(query)
            store()
            floors.append(count / (time.perf_counter() - begun))
        self.add(name, statistics.median(ours), statistics.median(floors), "objects/s", target)

    def add(self, name: str, ours: float, floor: float, unit: str, target: float, *, most: bool = False) -> None:
        """With `most`, the target is a limit on ours, not on the ratio."""
        ratio = ours / floor if floor else None
        met = ours <= target if most else bool(ratio is not None and ratio >= target)
        row = {"name": name, "ours": round(ours, 4), "floor": round(floor, 4), "unit": unit}
        row |= {"ratio": None if ratio is None else round(ratio, 3), "target": target, "met": met}
        self.rows.append(row)

    def stop(self) -> None:
        self.ours.stop()
        self.nothing.stop()
        self.files.close()


def properties(number: int) -> dict[str, Any]:
    return {"guid": f"guid-{number}", "name": f"object {number}", "size": number, "done": number % 2 == 0}


def entities(bench: Bench) -> None:
    """Added in queries of 500, found one by one and a hundred at a time by an indexed property."""
    count, size = (1000 if bench.quick else 2500), 500
    bench.ours.query(([{"CreateIndex": {"target": "entity", "class": "Thing", "property": "guid"}}], []))

    def adding() -> Iterator[tuple[list[Query], Storing]]:
        for turn in range(bench.rounds):
            made = [properties(turn * count + number) for number in range(count)]
            parts = [made[start : start + size] for start in range(0, count, size)]
            queries = [([{"AddEntity": {"class": "Thing", "properties": item}} for item in part], []) for part in parts]
            yield queries, lambda parts=parts: [bench.files.add(_rows(part), []) for part in parts]

    bench.rate("entities added in queries of 500", 0.35, count, adding())
    wanted = {"list": ["guid", "name", "size", "done"]}

    def finding(keys: int, finds: int) -> Iterator[tuple[list[Query], Storing]]:
        for turn in range(bench.rounds):
            guids = [
                [f"guid-{(turn + number * 7 + key * 3) % count}" for key in range(keys)] for number in range(finds)
            ]
            where = [["$guid", "==", one[0]] if keys == 1 else ["$guid", "in", {"array": one}] for one in guids]
            find = [{"with_class": "Thing", "constraints": term, "results": wanted} for term in where]
            yield [([{"FindEntity": item}], []) for item in find], lambda guids=guids: [*map(bench.files.find, guids)]

    finds = 200 if bench.quick else 500
    bench.rate("single finds by an indexed property", 0.4, finds, finding(1, finds))
    finds = 20 if bench.quick else 50
    bench.rate("a hundred keys with in", 0.5, finds * 100, finding(100, finds))


def pictures(count: int) -> list[bytes]:
    """Different images of about 30 kB."""
    import numpy as np
    from PIL import Image

    made = []
    random = np.random.default_rng(1)
    for _ in range(count):
        buffer = io.BytesIO()
        Image.fromarray(random.integers(0, 255, (100, 100, 3), np.uint8)).save(buffer, "PNG")
        made.append(buffer.getvalue()[: IMAGE_BYTES + 10_000])
    return made


def images(bench: Bench) -> None:
    """Added and read back in queries of 50."""
    count, size = (100 if bench.quick else 250), 50
    contents = pictures(count)
    bench.ours.query(([{"CreateIndex": {"target": "entity", "class": "_Image", "property": "guid"}}], []))

    def parts(turn: int) -> list[tuple[list[dict[str, Any]], list[bytes]]]:
        made = [{**properties(turn * count + number), "guid": f"image-{turn}-{number}"} for number in range(count)]
        return [(made[start : start + size], contents[start : start + size]) for start in range(0, count, size)]

    def adding() -> Iterator[tuple[list[Query], Storing]]:
        for turn in range(bench.rounds):
            queries = [([{"AddImage": {"properties": item}} for item in part], blobs) for part, blobs in parts(turn)]
            yield queries, lambda turn=turn: [bench.files.add(_rows(part), blobs) for part, blobs in parts(turn)]

    bench.rate("images of 30 kB added in queries of 50", 0.6, count, adding())

    def reading() -> Iterator[tuple[list[Query], Storing]]:
        for turn in range(bench.rounds):
            keys = [[item["guid"] for item in part] for part, _ in parts(turn)]
            find = [{"constraints": ["$guid", "in", {"array": guids}], "blobs": True} for guids in keys]
            queries = [([{"FindImage": {**item, "results": {"list": ["guid"]}}}], []) for item in find]
            yield queries, lambda keys=keys: [bench.files.find(guids, files=True) for guids in keys]

    bench.rate("images of 30 kB read back in queries of 50", 0.6, count, reading())


def boxes(bench: Bench) -> None:
    """The boxes of 500 images, grouped by their images, in one query."""
    count = 100 if bench.quick else 500
    (picture,) = pictures(1)
    for start in range(0, count, 50):
        commands: list[dict[str, Any]] = []
        for number in range(1, 51):
            commands.append({"AddImage": {"_ref": number, "properties": {"boxed": True, "number": start + number}}})
            box = {"rectangle": {"x": 1, "y": 2, "width": 30, "height": 40}, "label": "dog"}
            commands += [{"AddBoundingBox": {"image_ref": number, **box, "properties": {"n": n}}} for n in range(BOXES)]
        bench.ours.query((commands, [picture] * 50))
        bench.files.add([(None, f"boxed-{start + number}", "{}") for number in range(1, 51)], [])
    owners = bench.files.find([f"boxed-{number}" for number in range(1, count + 1)])
    bench.files.add([(row[0], "", '{"n": 1, "label": "dog"}') for row in owners for _ in range(BOXES)], [])
    query = [
        {"FindImage": {"_ref": 1, "constraints": ["$boxed", "==", True], "uniqueids": True}},
        {
            "FindBoundingBox": {
                "image_ref": 1,
                "group_by_source": True,
                "coordinates": True,
                "labels": True,
                "results": {"list": ["n"]},
            }
        },
    ]
    rounds: Iterator[tuple[list[Query], Storing]] = iter([([(query, [])], bench.files.owned)] * bench.rounds)
    bench.rate(f"{count} images x {BOXES} boxes by group_by_source", 0.3, count * BOXES, rounds)


def memory(bench: Bench) -> None:
    """How much the server grows while images go in and out; the first hundred have warmed it up."""
    count, size = (1000 if bench.quick else 10_000), 50
    contents = pictures(size)
    sizes = []
    for turn in range(count // size + 2):
        bench.ours.query(([{"AddImage": {"properties": {"turn": turn}}} for _ in range(size)], contents))
        where = {"constraints": ["$turn", "==", turn]}
        bench.ours.query(([{"FindImage": {**where, "blobs": True}}], []))
        bench.ours.query(([{"DeleteImage": where}], []))
        sizes.append(bench.ours.ask("memory"))
    bench.add(f"growth while {count:,} images go in and out", sizes[-1] - sizes[1], 0, "MB", FLAT_MEGABYTES, most=True)


def many(bench: Bench) -> None:
    """An indexed find in a file of a million entities, beside one of a thousand."""
    large = 100_000 if bench.quick else 1_000_000
    for count in (1000, large):
        fill(bench.folder / f"many-{count}", count)
    servers = {count: Process(serve, str(bench.folder / f"many-{count}")) for count in (1000, large)}
    samples: dict[int, list[float]] = {count: [] for count in servers}
    for turn in range(500):
        for count, server in servers.items():
            find = {"with_class": "Thing", "constraints": ["$guid", "==", f"guid-{turn * 7919 % count}"]}
            begun = time.perf_counter()
            server.query(([{"FindEntity": {**find, "results": {"list": ["name"]}}}], []))
            samples[count].append((time.perf_counter() - begun) * 1000)
    for server in servers.values():
        server.stop()
    times = {count: statistics.median(taken) for count, taken in samples.items()}
    # A rate, as in the other rows: finds per second in the large file beside those in the small one.
    bench.add(f"indexed finds among {large:,} (floor: 1,000)", 1000 / times[large], 1000 / times[1000], "finds/s", 0.8)


def fill(folder: Path, count: int) -> None:
    """A data directory with that many entities: the first through the server, the rest into its file."""
    process = Process(serve, str(folder))
    process.query(([{"CreateIndex": {"target": "entity", "class": "Thing", "property": "guid"}}], []))
    process.query(([{"AddEntity": {"class": "Thing", "properties": properties(0)}}], []))
    process.stop()
    database = sqlite3.connect(folder / "aperturedb.sqlite")
    with database:
        ((class_id,),) = database.execute("SELECT id FROM class WHERE name = 'Thing'")
        rows = (
            (number + 1, class_id, json.dumps(properties(number), separators=(",", ":"))) for number in range(1, count)
        )
        database.executemany("INSERT INTO entity (id, class, txn, props) VALUES (?, ?, 1, ?)", rows)
        database.execute("UPDATE tally SET matched = ? WHERE class = ?", (count, class_id))
        database.execute("UPDATE counter SET next_object = ?", (count + 1,))
    database.close()


def _rows(items: list[dict[str, Any]]) -> list[tuple[None, str, str]]:
    return [(None, item["guid"], json.dumps(item)) for item in items]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the local ApertureDB server against a floor.")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), quick=options.quick)
        for measure in (entities, images, boxes, memory, many):
            shown = len(bench.rows)
            measure(bench)
            for row in bench.rows[shown:]:
                show(row, as_json=options.json)
        bench.stop()


def show(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(row), flush=True)
        return
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.3f}"
    target = "" if row["target"] is None else row["target"]
    verdict = {True: "met", False: "MISSED", None: ""}[row["met"]]
    numbers = f"{row['ours']:>12,.1f} {row['floor']:>12,.1f} {row['unit']:<10} {ratio:>6} {target:>6}"
    print(f"{row['name']:<52} {numbers} {verdict}", flush=True)


if __name__ == "__main__":
    main()
