"""What can be wrong with Label Studio and the projects in it, made to happen on a real one."""

import base64
import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from labeling_assets import names
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_tokens import token_expiry
from labeling_assets.diagnose.finding import Finding
from labeling_assets.diagnose.label_studio import config_findings, server_findings
from labeling_assets.projects import load_project
from labeling_assets.settings import load_settings
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.diagnose.patient import Patient
from labeling_assets_tests.sync.served_files import served
from labeling_assets_tests.sync.world import write_project

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)


def server(tmp_path: Path, url: str, key: str) -> list[Finding]:
    found: list[LabelStudio] = []
    findings = list(
        server_findings(load_settings(home=tmp_path, label_studio_url=url, label_studio_api_key=key), found)
    )
    for client in found:
        client.close()
    return findings


def wrong(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.name, one.level) for one in findings if one.level != "ok"]


def jwt(ends_s: float) -> str:
    parts = ({"alg": "HS256"}, {"token_type": "refresh", "exp": int(ends_s)})
    coded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join([*coded, "signature"])


def test_it_says_which_token_is_whose(
    label_studio_server: LabelStudioServer, label_studio_key: str, tmp_path: Path
) -> None:
    texts = [one.text for one in server(tmp_path, label_studio_server.url, label_studio_key)]
    assert f"The personal access token is that of {label_studio_server.account.username}" in texts
    legacy = label_studio_server.account.legacy_token
    texts = [one.text for one in server(tmp_path, label_studio_server.url, legacy)]
    assert f"The legacy token is that of {label_studio_server.account.username}" in texts


def test_nothing_is_set(tmp_path: Path) -> None:
    (finding,) = server_findings(load_settings(home=tmp_path), [])
    assert (finding.name, finding.level) == ("label_studio.settings", "error")


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    (finding,) = server(tmp_path, "http://127.0.0.1:9", "0" * 40)
    assert (finding.name, finding.level) == ("label_studio.reachable", "error")
    assert "Start Label Studio" in finding.fix


def test_something_else_that_answers(tmp_path: Path) -> None:
    with served({"api/version": b"<html>"}) as url:
        (finding,) = server(tmp_path, url, "0" * 40)
    assert (finding.level, "not as Label Studio does" in finding.text) == ("error", True)


def test_another_version(tmp_path: Path) -> None:
    with served({"api/version": b'{"release": "1.8.0"}'}) as url:
        findings = server(tmp_path, url, "0" * 40)
    assert ("label_studio.version", "warning") in wrong(findings)
    assert "has version 1.8.0" in findings[1].text


@pytest.mark.parametrize("token", ["0" * 40, jwt(time.time() + 1e9)], ids=["legacy token", "personal access token"])
def test_a_token_that_is_not_taken(label_studio_server: LabelStudioServer, tmp_path: Path, token: str) -> None:
    findings = server(tmp_path, label_studio_server.url, token)
    assert wrong(findings) == [("label_studio.token", "error")]
    assert "personal access token" in findings[-1].fix
    assert token not in str(findings)


def test_when_a_token_ends() -> None:
    assert token_expiry(jwt(1_900_000_000)) == 1_900_000_000
    assert token_expiry("0" * 40) is None


def test_a_token_that_ends_soon(
    label_studio_server: LabelStudioServer, label_studio_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Label Studio makes them for 200 years."""
    ends = token_expiry(label_studio_key)
    assert ends is not None
    clock = SimpleNamespace(time=lambda: ends - 3.5 * 86_400)
    monkeypatch.setattr("labeling_assets.diagnose.label_studio.time", clock)
    findings = server(tmp_path, label_studio_server.url, label_studio_key)
    assert findings[-1].text == "The personal access token ends in 3 days"
    assert findings[-1].level == "warning"


def test_a_project_that_is_gone(patient: Patient) -> None:
    patient.pipeline.ls.delete_project(patient.record.project_id)
    (finding,) = patient.found("label_studio.projects")
    assert (finding.level, "is gone from" in finding.text) == ("error", True)


def test_a_project_that_is_another_one(patient: Patient) -> None:
    """Label Studio was rebuilt, and gave the id again."""
    properties = {"LS_project_created_at": "2020-01-01T00:00:00.000000Z"}
    patient.pipeline.db.one("UpdateEntity", {"with_class": names.PROJECT, "properties": properties})
    (finding,) = patient.found("label_studio.projects")
    assert "Label Studio was rebuilt or restored" in finding.text


def test_a_project_that_was_made_on_another_server(patient: Patient) -> None:
    properties = {"LS_url": "http://old.example.org"}
    patient.pipeline.db.one("UpdateEntity", {"with_class": names.INSTANCE, "properties": properties})
    (finding,) = patient.found("label_studio.projects")
    assert "Project 'cars' was made in http://old.example.org" in finding.text


def showing(variable: str = "image", target: str = "image") -> str:
    choices = f'<Choices name="scene" toName="{target}"><Choice value="indoors"/></Choices>'
    return f'<View><Image name="image" value="${variable}"/>{choices}</View>'


@pytest.mark.parametrize(
    ("config", "yaml", "text"),
    [
        ("<View>", "", "cars: "),
        (showing("guid"), "", "uses $guid"),
        (showing(), "data: {picture: link}", "gives data for picture"),
        (showing(target="picture"), "", "picture"),
    ],
)
def test_a_label_configuration_that_cannot_be_used(
    label_studio: LabelStudio, tmp_path: Path, config: str, yaml: str, text: str
) -> None:
    """The last one asks Label Studio, too: no tag has this name."""
    write_project(tmp_path / "cars", config=config, yaml=yaml)
    (finding,) = config_findings(label_studio, [load_project(tmp_path / "cars")])
    assert (finding.name, finding.level) == ("projects.label_config", "error")
    assert text in finding.text
    assert "label_config.xml" in finding.fix


def test_a_label_configuration_that_is_missing(tmp_path: Path) -> None:
    project = write_project(tmp_path / "cars")
    (tmp_path / "cars" / "label_config.xml").unlink()
    (finding,) = config_findings(None, [project])
    assert "label_config.xml is missing" in finding.text
