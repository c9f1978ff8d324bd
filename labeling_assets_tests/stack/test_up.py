"""The whole local stack, as a user starts it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling_assets.errors import ServiceError
from labeling_assets.settings import LocalStack, Settings
from labeling_assets.stack.home import HOST, port_of
from labeling_assets.stack.processes import ManagedProcess, free_port
from labeling_assets.stack.progress import Progress
from labeling_assets.stack.services import ChildService
from labeling_assets.stack.up import Stack, addresses, name_broken_projects

UP = [sys.executable, "-m", "labeling_assets.cli", "up"]

pytestmark = pytest.mark.usefixtures("label_studio_database")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder with ports that nobody else uses."""
    stack = LocalStack(
        aperturedb_port=free_port(),
        label_studio_url=f"http://{HOST}:{free_port()}",
        gateway_url=f"http://{HOST}:{free_port()}",
        dagster_url=f"http://{HOST}:{free_port()}",
    )
    Settings(home=tmp_path / "home").save_local_stack(stack)
    return tmp_path / "home"


@contextlib.contextmanager
def up(home: Path, *arguments: str) -> Iterator[ManagedProcess]:
    """`labeling-assets up` on a home folder; stopped at the end in any case."""
    process = ManagedProcess(
        "up",
        [*UP, *arguments],
        env=os.environ | {"LABELING_ASSETS_HOME": str(home)},
        log_path=home.parent / "up.log",
        cwd=home.parent,
    )
    with process:
        yield process


def ports(home: Path) -> list[int]:
    stack = Settings(home=home).local_stack
    return [stack.aperturedb_port, *map(port_of, (stack.label_studio_url, stack.gateway_url, stack.dagster_url))]


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def test_a_server_that_has_ended_is_reported_with_its_log(tmp_path: Path) -> None:
    code = "import time; print('last words', flush=True); time.sleep(0.5)"
    talker = ManagedProcess("Talker", [sys.executable, "-c", code], log_path=tmp_path / "talker.log")
    with Stack(Settings(home=tmp_path), Progress(lambda line: None)) as stack:
        stack.start_service(ChildService(talker, "nowhere", lambda process: "last words" in process.log_text()))
        talker.wait(10)
        with pytest.raises(ServiceError, match=r"Talker has ended(?s:.*)last words"):
            stack.check()


def test_the_addresses_of_servers_elsewhere_are_theirs(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, label_studio_url="http://ls.example.org", gateway_url="http://media.example.org")
    shown = dict(addresses(settings, LocalStack(dagster_url="http://127.0.0.1:3000")))
    assert shown["Label Studio"] == "http://ls.example.org"
    assert shown["Media gateway"] == "http://media.example.org"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_up_prints_the_addresses_and_stops_all_it_started(home: Path) -> None:
    with up(home) as process:
        process.wait_ready(lambda: "Stop with Ctrl-C" in process.log_text(), 200)
        text = process.log_text()
        assert all(map(is_listening, ports(home)))
        second = subprocess.run(
            UP, env=os.environ | {"LABELING_ASSETS_HOME": str(home)}, capture_output=True, text=True
        )
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
        ending = process.log_text()[len(text) :]
    stack = Settings(home=home).local_stack
    assert all(
        value in text
        for value in (
            stack.dagster_url,
            stack.label_studio_url,
            stack.label_studio_password,
            stack.gateway_url,
            stack.aperturedb_key,
        )
    )
    assert "No labeling project yet" in text
    assert (second.returncode, "already runs on" in second.stderr) == (1, True)
    assert not any(map(is_listening, ports(home)))
    # Dagster's code server hangs now and then when it is asked to end; then it is killed, and `up` says so.
    log = (home / "logs" / "dagster_code_server.log").read_text()
    assert "Shutting down" in log or "Dagster code server did not stop within" in ending


def test_a_project_that_cannot_be_read_is_named_before_anything_starts(home: Path) -> None:
    (home / "projects" / "photos").mkdir(parents=True)
    (home / "projects" / "photos" / "project.yaml").write_text("colour: red\n")
    with up(home) as process:
        assert process.wait(30) == 1
        text = process.log_text()
    assert "project.yaml is wrong: colour" in text
    assert "..." not in text


def test_a_broken_project_among_others_is_named_and_stops_nothing(home: Path) -> None:
    settings, lines = Settings(home=home), list[str]()
    for name, text in (("photos", "colour: red\n"), ("films", "")):
        (settings.projects / name).mkdir(parents=True)
        (settings.projects / name / "project.yaml").write_text(text)
    with Progress(lines.append, interactive=False) as progress:
        name_broken_projects(settings, progress)
    assert [line.partition(": ")[0] for line in lines] == ["Warning"]
    assert "photos/project.yaml is wrong: colour" in lines[0]


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_the_sample_goes_all_the_way(home: Path) -> None:
    """Real photographs, real servers, Dagster's own sensors and runs."""
    with up(home, "--sample", "--until-done") as process:
        code = process.wait(660)
        text = process.log_text()
    assert code == 0, text
    for row in (
        "media             12  in ApertureDB",
        "tasks             12  in Label Studio; 12 in ApertureDB",
        "annotations       12  in Label Studio, 1 of them skipped",
        "annotations       12  in ApertureDB, current",
        "regions           68  in ApertureDB: 28 boxes, 7 polygons",
        "deleted            1",
        "checks passed      8  of 8",
    ):
        assert row in text


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_run_that_fails_ends_the_wait_with_its_error(home: Path) -> None:
    project = home / "projects" / "photos"
    project.mkdir(parents=True)
    (project / "project.yaml").write_text("title: Broken\n")
    (project / "label_config.xml").write_text(
        '<View><Image name="i" value="$image"/><Rating name="r" toName="x"/></View>'
    )
    with up(home, "--sample", "--until-done") as process:
        assert process.wait(200) == 1
        text = process.log_text()
    assert "Error: The run import_batch of sample-photos failed: http://127.0.0.1:" in text
    assert "toName='x'" in text
    assert "Stopped." in text
