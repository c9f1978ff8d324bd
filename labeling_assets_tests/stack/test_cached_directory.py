import subprocess
import sys
from pathlib import Path

import pytest

from labeling_assets.stack.cached_directory import build_once

# Builds slowly and notes each build, so that two processes at once would both be seen.
BUILDER = """
import sys, time
from pathlib import Path
from labeling_assets.stack.cached_directory import build_once
def build(directory):
    with open(sys.argv[1] + ".builds", "a") as builds:
        builds.write("built ")
    (directory / "half").touch()
    time.sleep(0.5)
    (directory / "whole").touch()
made = build_once(Path(sys.argv[1]), build, announce=print)
print((made / "whole").exists())
"""


class Builder:
    def __init__(self) -> None:
        self.built: list[Path] = []
        self.said: list[str] = []

    def __call__(self, directory: Path) -> None:
        self.built.append(directory)
        assert list(directory.iterdir()) == []
        (directory / "file").touch()


def test_a_directory_is_built_once(tmp_path: Path):
    build = Builder()
    for _ in range(3):
        made = build_once(tmp_path / "a" / "b", build, announce=build.said.append)
    assert (made / "file").exists()
    assert build.built == [tmp_path / "a" / "b"]


def test_a_half_made_directory_is_built_again(tmp_path: Path):
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "left by a killed process").touch()
    build = Builder()
    build_once(tmp_path / "venv", build, announce=build.said.append)
    assert build.built == [tmp_path / "venv"]


def test_a_directory_that_is_no_longer_usable_is_built_again(tmp_path: Path):
    build = Builder()

    def has_file(directory: Path) -> bool:
        return (directory / "file").exists()

    build_once(tmp_path / "venv", build, announce=build.said.append, usable=has_file)
    (tmp_path / "venv" / "file").unlink()
    build_once(tmp_path / "venv", build, announce=build.said.append, usable=has_file)
    assert len(build.built) == 2


def test_a_failed_build_is_tried_again_by_the_next(tmp_path: Path):
    def fail(directory: Path) -> None:
        (directory / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        build_once(tmp_path / "venv", fail, announce=print)
    build = Builder()
    build_once(tmp_path / "venv", build, announce=build.said.append)
    assert build.built == [tmp_path / "venv"]


def test_of_two_processes_one_builds_and_the_other_waits(tmp_path: Path):
    command = [sys.executable, "-c", BUILDER, str(tmp_path / "venv")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [text.splitlines()[-1] for text in said] == ["True", "True"]
    assert (tmp_path / "venv.builds").read_text() == "built "
