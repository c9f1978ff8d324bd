"""What `labeling-assets aperturedb probe` prints."""

import os
import signal

import pytest
from click.testing import CliRunner

from labeling_assets.cli import main
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.probe import run
from labeling_assets.probe.declare import Probe
from labeling_assets.probe.report import summary, text
from labeling_assets.probe.run import Finding

PROBE = Probe("color", "?", "the sky is blue", {"color": "blue"}, lambda scratch: {"color": "blue"})


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (Finding(PROBE, {"color": "blue"}), "  server   the same"),
        (Finding(PROBE, {"color": "grey"}), '  SERVER   {"color": "grey"}'),
        (Finding(PROBE, error="KeyError: 'color'"), "  FAILED   KeyError: 'color'"),
    ],
    ids=["same", "different", "failed"],
)
def test_a_finding_as_text(finding, line):
    assert text(finding) == f'color [?] the sky is blue\n  assumed  {{"color": "blue"}}\n{line}'


def test_what_is_left_is_named():
    assert text(Finding(PROBE, {"color": "blue"}, left=("Entity P",))).endswith("  LEFT     Entity P")


def test_the_summary_counts():
    findings = [Finding(PROBE, {"color": "blue"}), Finding(PROBE, 1), Finding(PROBE, error="x")]
    assert summary(findings) == "3 probes: 1 as assumed, 1 different, 1 failed"


@pytest.mark.parametrize(("sky", "code"), [("blue", 0), ("grey", 1)])
def test_the_exit_code_says_whether_all_is_as_assumed(tmp_path, monkeypatch, sky, code):
    probe = Probe("color", "?", "the sky is blue", "blue", lambda scratch: sky)
    monkeypatch.setattr(run.run_probes, "__defaults__", ((probe,),))
    monkeypatch.chdir(tmp_path)
    with LocalServer(tmp_path / "db") as server:
        monkeypatch.setenv("APERTUREDB_KEY", server.key)
        result = CliRunner().invoke(main, ["aperturedb", "probe"])
    assert result.exit_code == code
    assert result.output.splitlines()[0] == "color [?] the sky is blue"


def test_sigterm_ends_it_and_leaves_nothing(tmp_path, monkeypatch):
    def observe(scratch):
        scratch.add(scratch.name("P"), {"n": 1})
        os.kill(os.getpid(), signal.SIGTERM)
        return scratch.ask({"GetStatus": {}})

    probe = Probe("ended", "?", "it ends", None, observe)
    monkeypatch.setattr(run.run_probes, "__defaults__", ((probe,),))
    monkeypatch.chdir(tmp_path)
    with LocalServer(tmp_path / "db") as server:
        monkeypatch.setenv("APERTUREDB_KEY", server.key)
        result = CliRunner().invoke(main, ["aperturedb", "probe"])
        with ApertureDB(server.key) as db:
            assert db.ask([{"GetSchema": {}}])[0]["GetSchema"]["entities"] is None
    assert result.exit_code == 1
    assert "Aborted" in result.output


def test_without_a_server_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with LocalServer(tmp_path / "db") as server:
        monkeypatch.setenv("APERTUREDB_KEY", server.key)
    result = CliRunner().invoke(main, ["aperturedb", "probe"])
    assert result.exit_code == 1
    assert "cannot be reached" in result.output
