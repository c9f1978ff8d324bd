"""How fast the media gateway is, measured by wrk against nginx, which serves the same bytes from files.

Both run on this machine with as many processes as it has processors, and write a line of log for each request. They are
measured in turn, several times; the numbers are medians. Media come from the local ApertureDB server, which shares the
processors with everything else. Needs wrk and nginx (Debian: apt-get install wrk nginx-light).

- warm: pictures of 30 kB that the gateway has in memory and nginx in the cache of the system
- cold: pictures that the gateway was never asked for before, each from ApertureDB; nginx is warm
- ranges: 10 MB of a video of 100 MB that the gateway has on its disk

    python benchmarks/gateway.py [--quick] [--json]
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

os.environ["ADB_LOG_FILE"] = ""
os.environ["LOG_CONSOLE_LEVEL"] = "CRITICAL"  # the first tries to connect fail

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.query import Query
from labeling_assets.identity import sha256_of
from labeling_assets.media_urls import MediaLinks
from labeling_assets.sync.database import prepare_database

KEYS: Final = {"k1": "a secret of the benchmark"}
PICTURE_BYTES: Final = 30_000
PICTURES: Final = 1000
VIDEO_BYTES: Final = 100_000_000
RANGE_BYTES: Final = 10_000_000
CONNECTIONS: Final = 32
PROCESSES: Final = os.cpu_count() or 1
NGINX: Final = """
worker_processes {processes}; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx_error.log;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/nginx_access.log; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  types {{ image/jpeg jpg; video/mp4 mp4; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port} reuseport; root {folder}/files; }}
}}
"""
# Every request is the next line of a file; a line is a path, or a path and a range.
LUA: Final = """
local paths, ranges, n = {}, {}, 0
for line in io.lines("%s") do
  local path, range = line:match("^(%%S+) ?(.*)$")
  paths[#paths + 1], ranges[#ranges + 1] = path, range
end
request = function()
  n = n %% #paths + 1
  return wrk.format("GET", paths[n], ranges[n] ~= "" and {["Range"] = ranges[n]} or nil)
end
done = function(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("DONE %%d %%d %%d %%d\\n", summary.requests, summary.duration, summary.bytes, failed))
end
"""


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def program(command: Sequence[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs as long as the block."""
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, **environment}, cwd=log.parent
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when there is a server."""
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"a server did not start:\n{log.read_text()}")
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise SystemExit(f"nobody answers at {url}")


class Bench:
    """Both servers, and the rows measured so far."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.seconds = 2 if quick else 5
        self.rounds = 3 if quick else 5
        self.rows: list[dict[str, Any]] = []
        self.port, self.nginx_port, database_port = free_port(), free_port(), free_port()
        self.key = ""
        self._running = contextlib.ExitStack()
        serve = [sys.executable, "-m", "labeling_assets.cli", "aperturedb", "serve"]
        where = ["--data", str(folder / "aperturedb"), "--port", str(database_port)]
        who = ["--username", "admin", "--password", "admin"]
        self._start([*serve, *where, *who], folder / "aperturedb.log")
        self.key = self._key(database_port)
        self.links = MediaLinks(f"http://127.0.0.1:{self.port}", KEYS, "k1")

    def _start(self, command: Sequence[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
        return self._running.enter_context(program(command, log, **environment))

    def _key(self, port: int) -> str:
        import base64

        said = json.dumps([2, 0, f"127.0.0.1:{port}", None, "admin", "admin"])
        return base64.b64encode(said.encode()).decode()

    def start_nginx(self) -> None:
        """With a file for each medium."""
        configuration = self.folder / "nginx.conf"
        configuration.write_text(NGINX.format(processes=PROCESSES, folder=self.folder, port=self.nginx_port))
        log = self.folder / "nginx.log"
        process = self._start(["nginx", "-c", str(configuration), "-e", str(log)], log)
        answers(f"http://127.0.0.1:{self.nginx_port}/0.jpg", process, log)

    @contextlib.contextmanager
    def gateway(self) -> Iterator[None]:
        """A new one, with nothing in its memory; what is on its disk stays."""
        environment = {
            "APERTUREDB_KEY": self.key,
            "LABELING_ASSETS_HOME": str(self.folder / "home"),
            "LABELING_ASSETS_GATEWAY_URL": self.links.base_url,
            "LABELING_ASSETS_LINK_KEYS": json.dumps(KEYS),
            "LABEL_STUDIO_URL": "http://127.0.0.1:8080",
        }
        command = [sys.executable, "-m", "labeling_assets.cli", "gateway", "serve", "--port", str(self.port)]
        log = self.folder / "gateway.log"
        with program([*command, "--workers", str(PROCESSES)], log, **environment) as process:
            answers(f"{self.links.base_url}/readyz", process, log)
            yield

    def wrk(
        self, port: int, lines: Sequence[str], *, connections: int = CONNECTIONS, seconds: int = 0
    ) -> tuple[float, float]:
        """Requests and megabytes a second."""
        paths, script = self.folder / "paths.txt", self.folder / "walk.lua"
        paths.write_text("\n".join(lines) + "\n")
        script.write_text(LUA % paths)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds or self.seconds}s", "-s", str(script)]
        done = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True)
        requests, micros, sent, failed = map(int, re.findall(r"DONE (\d+) (\d+) (\d+) (\d+)", done.stdout)[0])
        if failed or not requests:
            raise SystemExit(f"{failed} of {requests} requests failed:\n{done.stdout}")
        return requests / micros * 1e6, sent / micros

    def add(self, name: str, measured: Sequence[tuple[float, float]], unit: str, target: float) -> None:
        ours, floor = (statistics.median(column) for column in zip(*measured, strict=True))
        ratio = ours / floor
        row = {"name": name, "ours": round(ours, 1), "floor": round(floor, 1), "unit": unit}
        self.rows.append({**row, "ratio": round(ratio, 3), "target": target, "met": ratio >= target})

    def stop(self) -> None:
        self._running.close()


def fill(bench: Bench, cold: int) -> None:
    """Pictures and a video into ApertureDB, and those that nginx serves into files."""
    files = bench.folder / "files"
    files.mkdir()
    chance = random.Random(1)
    for _ in range(600):
        with contextlib.suppress(Exception), ApertureDB(bench.key) as database:
            database.check()
            break
        time.sleep(0.1)
    with ApertureDB(bench.key) as database:
        prepare_database(database)
        for start in range(0, PICTURES + cold, 50):
            query = Query()
            for number in range(start, min(start + 50, PICTURES + cold)):
                data = chance.randbytes(PICTURE_BYTES)
                add(query, f"picture-{number}", data, "image/jpeg")
                if number < PICTURES:
                    (files / f"{number}.jpg").write_bytes(data)
            database.run(query)
        video = chance.randbytes(VIDEO_BYTES)
        (files / "video.mp4").write_bytes(video)
        query = Query()
        add(query, "video", video, "video/mp4")
        database.run(query)


def add(query: Query, guid: str, data: bytes, mime_type: str) -> None:
    properties = {"guid": guid, "LS_role": "media", "LS_mime_type": mime_type, "LS_media_type": mime_type.split("/")[0]}
    # As blobs: what is random is no picture.
    properties |= {"LS_size_bytes": len(data), "LS_sha256": sha256_of(data)}
    query.add("AddBlob", {"properties": properties}, data)


def path_of(bench: Bench, guid: str) -> str:
    return bench.links.link(guid).removeprefix(bench.links.base_url)


def warm(bench: Bench) -> None:
    ours = [path_of(bench, f"picture-{number}") for number in range(PICTURES)]
    theirs = [f"/{number}.jpg" for number in range(PICTURES)]
    with bench.gateway():
        bench.wrk(bench.port, ours, seconds=3)
        bench.wrk(bench.nginx_port, theirs, seconds=1)
        measured = [
            (bench.wrk(bench.port, ours)[0], bench.wrk(bench.nginx_port, theirs)[0]) for _ in range(bench.rounds)
        ]
    bench.add("pictures of 30 kB, warm", measured, "requests/s", 0.3)


def cold(bench: Bench, count: int) -> None:
    """Each round has pictures of its own, so that none is asked for twice."""
    theirs = [f"/{number}.jpg" for number in range(PICTURES)]
    each = count // bench.rounds
    measured = []
    for turn in range(bench.rounds):
        first = PICTURES + turn * each
        ours = [path_of(bench, f"picture-{number}") for number in range(first, first + each)]
        with bench.gateway():
            # Its connections to ApertureDB take longer than these pictures.
            bench.wrk(bench.port, [path_of(bench, f"picture-{number}") for number in range(PICTURES)], seconds=2)
            rate, _ = bench.wrk(bench.port, ours, seconds=1)
            if rate > each:
                raise SystemExit(f"{rate:.0f} requests a second were more than the {each} pictures of a round")
            measured.append((rate, bench.wrk(bench.nginx_port, theirs)[0]))
    bench.add("pictures of 30 kB, cold, from ApertureDB", measured, "requests/s", 0.1)


def ranges(bench: Bench) -> None:
    chance = random.Random(2)
    firsts = [chance.randrange(VIDEO_BYTES - RANGE_BYTES) for _ in range(500)]
    wanted = [f"bytes={first}-{first + RANGE_BYTES - 1}" for first in firsts]
    ours = [f"{path_of(bench, 'video')} {one}" for one in wanted]
    theirs = [f"/video.mp4 {one}" for one in wanted]
    with bench.gateway():
        # From ApertureDB to the disk, which takes longer than wrk waits.
        urllib.request.urlopen(urllib.request.Request(bench.links.link("video"), method="GET"), timeout=60).read(1)
        measured = [
            (bench.wrk(bench.port, ours, connections=4)[1], bench.wrk(bench.nginx_port, theirs, connections=4)[1])
            for _ in range(bench.rounds)
        ]
    bench.add("ranges of 10 MB of a video", measured, "MB/s", 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="shorter")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    arguments = parser.parse_args()
    missing = [name for name in ("wrk", "nginx") if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} cannot be found (Debian: apt-get install wrk nginx-light)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's workers are another user
        bench = Bench(folder, quick=arguments.quick)
        count = 6000 * bench.rounds
        try:
            fill(bench, count)
            bench.start_nginx()
            measure: list[Callable[[], None]] = [lambda: warm(bench), lambda: ranges(bench), lambda: cold(bench, count)]
            for step in measure:
                step()
        finally:
            bench.stop()
    for row in bench.rows:
        show(row, as_json=arguments.json)


def show(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(row))
        return
    met = "met" if row["met"] else "MISSED"
    figures = f"{row['ours']:>10} {row['floor']:>10} {row['unit']:<10}"
    print(f"{row['name']:<42} {figures} ratio {row['ratio']:>6}, target {row['target']}: {met}")


if __name__ == "__main__":
    main()
