"""Processes to be killed, forked from one that has imported everything: a kill costs no second of imports.

`python -m labeling_assets_tests.faults.victims` reads a step as JSON from each line, forks, says the number of the
process, says how it ended, and lets go of it at the next line. It has one thread, as a process that forks must.
"""

import base64
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets_tests.faults.steps import Step


class Victims:
    """The other side of the pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout

    def start(self, step: Step) -> int:
        """The number of the process that runs the step."""
        self._say(json.dumps(step.as_json()))
        return int(self._out.readline())

    def wait(self) -> int:
        """How it ended: 0, 1 for an error, -9 if it was killed. Its number stays its own until `forget`."""
        return int(self._out.readline())

    def forget(self) -> None:
        self._say("")
        self._out.readline()

    def _say(self, line: str) -> None:
        self._in.write(line + "\n")
        self._in.flush()


@contextmanager
def victims() -> Iterator[Victims]:
    command = [sys.executable, "-m", "labeling_assets_tests.faults.victims"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Victims(process)
        assert process.stdin is not None
        process.stdin.close()


def _forked(step: Step) -> int:
    number = os.fork()
    if number:
        return number
    status = 1
    try:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        step.run(time.sleep)
        status = 0
    except Exception:  # noqa: BLE001  # whatever it is, the process must end here and not in the loop below
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _import_everything() -> None:
    """Also what the steps, and their libraries, import when they need it."""
    import av.subtitles.stream  # noqa: F401
    import cv2  # noqa: F401
    import label_studio_sdk.converter.brush  # noqa: F401
    from PIL import Image

    Image.init()
    parts = [2, 0, "127.0.0.1:1", None, "nobody", "nothing"]
    ApertureDB(base64.b64encode(json.dumps(parts).encode()).decode()).close()
    LabelStudio("http://127.0.0.1:1", "0" * 40).close()


def _main() -> None:
    _import_everything()
    for line in sys.stdin:
        number = _forked(Step(**json.loads(line)))
        print(number, flush=True)  # noqa: T201  # the pipe
        ended = os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        print(ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status, flush=True)  # noqa: T201
        sys.stdin.readline()
        os.waitpid(number, 0)
        print("gone", flush=True)  # noqa: T201


if __name__ == "__main__":
    _main()
