"""The command line: exit codes, messages, and how quickly it loads."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from labeling_assets.cli import main
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import ConfigurationError
from labeling_assets.stack.home import locked
from labeling_assets.stack.processes import ManagedProcess

SERVE = [sys.executable, "-m", "labeling_assets.cli", "aperturedb", "serve"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder that the commands use."""
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("APERTUREDB_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_help_names_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(name in result.output for name in main.commands)


def test_loading_the_command_line_loads_no_heavy_library() -> None:
    code = "import sys, labeling_assets.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"dagster", "aperturedb", "label_studio_sdk", "pandas", "PIL", "starlette"} & set(loaded) == set()


def test_a_refused_name_is_a_message_and_exit_code_1(home: Path, tmp_path: Path) -> None:
    result = run("batch", "add", str(tmp_path), "--batch", "a..b")
    assert result.exit_code == 1
    assert "'a..b' cannot be the name of a batch" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["batch", "add", "."], "Missing option '--batch'"),
        (["batch", "add", "no/such/folder", "--batch", "b"], "does not exist"),
        (["up", "--until-done"], "--sample"),
        (["aperturedb", "serve", "--data", "x"], "Missing option '--password'"),
        (["nonsense"], "No such command"),
    ],
    ids=["no batch", "no such path", "until done without sample", "no password", "unknown command"],
)
def test_wrong_usage_is_exit_code_2(home: Path, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_certificate_needs_its_key(home: Path, tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.touch()
    result = run("aperturedb", "serve", "--data", "x", "--password", "p", "--tls-cert", str(certificate))
    assert result.exit_code == 2
    assert "together" in result.stderr


def test_the_gateway_says_what_it_lacks(home: Path) -> None:
    result = run("gateway", "serve", "--port", "0")
    assert result.exit_code == 1
    assert "LABELING_ASSETS_GATEWAY_URL" in result.stderr


def test_a_wrong_setting_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELING_ASSETS_SENSORS", "sometimes")
    result = run("up")
    assert result.exit_code == 1
    assert "sensors" in result.stderr


def test_batch_add_puts_a_ready_batch_into_the_inbox(home: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a.txt").write_text("a")
    result = run("batch", "add", str(tmp_path / "new"), "--batch", "first")
    assert result.exit_code == 0
    assert "1 files added" in result.output
    assert sorted(path.name for path in (home / "inbox" / "first").iterdir()) == ["_READY", "a.txt"]


def test_up_refuses_a_home_folder_that_is_in_use(home: Path) -> None:
    with locked(home):
        result = run("up")
    assert result.exit_code == 1
    assert f"already runs on {home} (process {os.getpid()})" in result.stderr


def test_up_refuses_a_token_without_an_address(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0123456789abcdef0123456789abcdef01234567")
    result = run("up")
    assert result.exit_code == 1
    assert "LABEL_STUDIO_URL is not" in result.stderr


def test_aperturedb_serve_says_ready_and_stops_with_0(tmp_path: Path) -> None:
    with _serving(tmp_path) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(10) == 0


def test_aperturedb_serve_takes_only_its_password(tmp_path: Path) -> None:
    from aperturedb.Configuration import Configuration

    def key(password: str) -> str:
        return Configuration.create_aperturedb_key("127.0.0.1", port, None, False, False, None, "admin", password)

    with _serving(tmp_path) as server:
        port = _port(server)
        with ApertureDB(key("right")) as db:
            assert db.check()["status"] == 0
        with ApertureDB(key("wrong")) as db, pytest.raises(ConfigurationError, match="login"):
            db.check()


def test_aperturedb_serve_names_a_port_in_use(tmp_path: Path) -> None:
    with _serving(tmp_path) as server:
        port = str(_port(server))
        environment = os.environ | {"LABELING_ASSETS_APERTUREDB_PASSWORD": "p"}
        arguments = [*SERVE, "--data", str(tmp_path / "other"), "--port", port]
        second = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert port in second.stderr
    assert "Traceback" not in second.stderr


@contextmanager
def _serving(tmp_path: Path) -> Iterator[ManagedProcess]:
    """A server that is ready, on a port of its own."""
    process = ManagedProcess(
        "aperturedb serve",
        [*SERVE, "--data", tmp_path / "data", "--port", "0"],
        env=os.environ | {"LABELING_ASSETS_APERTUREDB_PASSWORD": "right"},
        log_path=tmp_path / "server.log",
    )
    with process:
        process.wait_ready(lambda: "ready" in process.log_text(), 30)
        yield process


def _port(server: ManagedProcess) -> int:
    return int(server.log_text().split("ready on 127.0.0.1:")[1].split()[0])
