"""What docs/gateway.md tells people to type does what it says, against the command that it names."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.sync.pushed_batches import batch_marks
from labeling_assets_tests.sync.world import picture, write_files, write_project

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")
LISTS, PUSH, HELD = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a person with a gateway of his own, and two files in the folder where he is."""
    write_files(tmp_path, {"a.png": picture(1), "b.png": picture(2)})
    write_project(tmp_path / "labeling_home" / "projects" / "cars")
    with LocalServer(tmp_path / "aperturedb") as server:
        environment = {
            **os.environ,
            "APERTUREDB_KEY": server.key,
            "LABELING_ASSETS_HOME": str(tmp_path / "labeling_home"),
            "LABELING_ASSETS_GATEWAY_URL": "http://gateway.example.org",
            "PWD": str(tmp_path),
        }
        command = [sys.executable, "-m", "labeling_assets.cli", "gateway", "serve", "--port", "0"]
        with (
            (tmp_path / "gateway.log").open("w") as log,
            subprocess.Popen(
                command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=log, text=True
            ) as gateway,
        ):
            assert gateway.stdout is not None
            address = gateway.stdout.readline().strip().rpartition(" ")[2]
            token = (tmp_path / "labeling_home" / "gateway_token").read_text()
            yield {**environment, "GATEWAY": address, "TOKEN": token}
            gateway.terminate()
            assert gateway.wait(20) == 0


def typed(commands: str, shell: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-ec", commands], env=shell, cwd=shell["PWD"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_push_close_and_list(shell: dict[str, str]) -> None:
    pushed = typed(PUSH, shell)
    rows = json.loads(pushed[: pushed.index("}{") + 1])["media"]
    assert [(row["name"], row["status"]) for row in rows] == [("a.png", "created"), ("b.png", "created")]
    with ApertureDB(shell["APERTUREDB_KEY"]) as db:
        assert batch_marks(db)["May"]
        assert [row["shop"] for row in db.find("FindImage", None, properties=["shop"], blobs=False)] == ["Bern"] * 2
    held = json.loads(typed(HELD, shell))
    assert [medium["name"] for medium in held["media"]] == ["a.png", "b.png"]
    typed(LISTS, shell)
    tasks = json.loads((Path(shell["PWD"]) / "tasks.json").read_text())
    links = (Path(shell["PWD"]) / "tasks.txt").read_text().splitlines()
    assert [task["data"]["image"] for task in tasks] == links
    assert len(links) == 2


def test_the_log_has_a_line_for_each_request_and_no_query(shell: dict[str, str]) -> None:
    typed(f'{PUSH} curl -s "$GATEWAY/media/g?k=k9&s=a-signature"', shell)
    log = (Path(shell["PWD"]) / "gateway.log").read_text()
    assert len(re.findall(r"INFO POST '/batches/May/(media|close)' 200", log)) == 2
    assert ("WARNING Refused a link to medium 'g': unknown key id" in log, "a-signature" in log) == (True, False)


def test_a_wrong_token_fails(shell: dict[str, str]) -> None:
    with pytest.raises(AssertionError):
        typed(PUSH, {**shell, "TOKEN": "another token"})
