"""What can be wrong with the gateway, made to happen with running ones."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from labeling_assets.diagnose.gateway import gateway_findings
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.settings import load_settings
from labeling_assets.sync.link_rules import deny_medium, retire
from labeling_assets_tests.diagnose.patient import Patient, with_header, without_header, without_question
from labeling_assets_tests.sync.served_files import served

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)


@pytest.mark.parametrize(
    ("gateway", "label_studio", "level", "text"),
    [
        ("http://media.example.org", "https://labels.example.org", "error", "browsers load nothing from"),
        ("http://127.0.0.1:9", "https://labels.example.org", "warning", "another machine for everybody"),
        ("http://localhost:9", "http://labels.example.org", "warning", "another machine for everybody"),
        ("https://media.example.org", "https://labels.example.org", "ok", "Browsers load media from"),
        ("http://media.example.org", "http://labels.example.org", "ok", "Browsers load media from"),
        ("http://127.0.0.1:9", "http://127.0.0.1:8080", "ok", "Browsers load media from"),
    ],
)
def test_where_browsers_load_from(tmp_path: Path, gateway: str, label_studio: str, level: str, text: str) -> None:
    settings = load_settings(home=tmp_path, gateway_url=gateway, label_studio_url=label_studio)
    finding = next(iter(gateway_findings(settings, None)))
    assert (finding.name, finding.level, text in finding.text) == ("gateway.address", level, True)


@pytest.mark.parametrize("url", ["media.example.org", "ftp://media.example.org"])
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    (finding,) = gateway_findings(load_settings(home=tmp_path, gateway_url=url), None)
    assert (finding.name, finding.level) == ("gateway.settings", "error")


def test_projects_with_links_of_their_own_need_no_gateway(patient: Patient) -> None:
    patient.settings_with(gateway_url="http://127.0.0.1:9")
    patient.pipeline.add_project(data={"image": "column:link"})
    findings = [one for one in patient.findings() if one.name.startswith("gateway")]
    assert [(one.level, one.text) for one in findings] == [("ok", "No labeling project shows media of the gateway")]


def test_a_gateway_that_is_not_there(patient: Patient) -> None:
    patient.settings_with(gateway_url="http://127.0.0.1:9")
    (finding,) = patient.found("gateway.reachable")
    assert (finding.level, "cannot be reached" in finding.text) == ("error", True)


def test_something_else_in_its_place(patient: Patient) -> None:
    with served({"healthz": b"I am well"}) as url:
        patient.settings_with(gateway_url=url)
        (finding,) = patient.found("gateway.reachable")
    assert "not as a media gateway" in finding.text


def test_a_gateway_whose_database_was_stopped(patient: Patient, tmp_path: Path) -> None:
    with LocalServer(tmp_path / "other") as other:
        patient.gateway(key=other.key)
    (finding,) = patient.found("gateway.ready")
    assert (finding.level, "(503)" in finding.text) == ("error", True)


def test_a_gateway_with_another_database(patient: Patient, tmp_path: Path) -> None:
    with LocalServer(tmp_path / "other") as other:
        patient.gateway(key=other.key)
        (finding,) = patient.found("gateway.link")
    assert "answers 404" in finding.text
    assert "APERTUREDB_KEY" in finding.fix


def test_a_gateway_with_other_keys(patient: Patient) -> None:
    patient.gateway(secret="quite another secret of links")
    (finding,) = patient.found("gateway.link")
    assert "answers 403" in finding.text
    assert "LABELING_ASSETS_LINK_KEYS" in finding.fix


def test_a_key_that_signs_and_was_retired(patient: Patient) -> None:
    retire(patient.pipeline.db, "k1")
    (finding,) = patient.found("gateway.link")
    assert "'k1' was retired" in finding.text
    assert "LABELING_ASSETS_LINK_SIGNING_KEY" in finding.fix


def test_no_medium_and_media_that_are_denied(patient: Patient, tmp_path: Path) -> None:
    """Nothing is wrong, and nothing can be tried."""
    guid = patient.pipeline.tasks("may")[0]["data"]["guid"]
    deny_medium(patient.pipeline.db, guid)
    findings = {one.name: one for one in patient.findings()}
    assert (findings["gateway.link"].level, "no link was tried" in findings["gateway.link"].text) == ("ok", True)
    assert "links.stored" not in findings


def test_a_proxy_that_wants_a_session(patient: Patient) -> None:
    def refusing(app):
        async def proxy(scope, receive, send):
            if scope["type"] == "http" and scope["path"].startswith("/media/"):
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b""})
            else:
                await app(scope, receive, send)

        return proxy

    patient.gateway(around=refusing)
    findings = [one for one in patient.findings() if one.name == "gateway.link"]
    assert [(one.level, "logged in at Label Studio" in one.text) for one in findings] == [("ok", True)]


def test_a_gateway_without_the_origin_of_label_studio(patient: Patient) -> None:
    patient.gateway(origins=("https://elsewhere.example.org",))
    findings = patient.found("gateway.cors")
    assert [one.level for one in findings] == ["error"] * 2  # 127.0.0.1 and localhost
    assert f"Browsers show no media on {patient.pipeline.ls.url}" in findings[0].text
    assert "the answer allows no origin; the preflight allows no origin" in findings[0].text
    assert "LABELING_ASSETS_GATEWAY_ORIGINS" in findings[0].fix


def test_a_gateway_for_every_website(patient: Patient) -> None:
    patient.gateway(origins=("*",))
    findings = patient.found("gateway.cors")
    assert {(one.level, one.text.partition(",")[0]) for one in findings} == {
        ("warning", "Every website may load media")
    }


def test_origins_of_the_settings_are_what_is_tried(patient: Patient) -> None:
    patient.settings_with(gateway_origins=("https://labels.example.org",))
    (finding,) = patient.found("gateway.cors")
    assert "https://labels.example.org" in finding.text


def test_nobody_said_where_label_studio_is(patient: Patient) -> None:
    stack = patient.settings.local_stack.model_copy(update={"label_studio_url": ""})
    patient.settings.save_local_stack(stack)
    (finding,) = [one for one in gateway_findings(patient.settings, patient.pipeline.db) if one.name == "gateway.cors"]
    assert (finding.level, "no website may load them" in finding.text) == ("error", True)


def test_the_origin_of_label_studio_needs_no_cors(patient: Patient) -> None:
    patient.gateway(origins=())
    url = patient.settings.local_stack.gateway_url
    patient.settings_with(gateway_origins=(url,))
    findings = [one for one in patient.findings() if one.name == "gateway.cors"]
    assert "Media have the origin of Label Studio" in [one.text for one in findings]


@pytest.mark.parametrize(
    ("around", "name", "level"),
    [
        (partial(with_header, name=b"content-type", value=b"text/plain"), "gateway.content_type", "error"),
        (partial(without_header, name=b"content-type"), "gateway.content_type", "error"),
        (partial(without_question, name=b"range"), "gateway.ranges", "error"),
        (partial(without_header, name=b"vary"), "gateway.vary", "warning"),
        (partial(without_header, name=b"access-control-allow-headers"), "gateway.cors", "error"),
        (partial(without_header, name=b"access-control-allow-origin"), "gateway.cors", "error"),
    ],
)
def test_a_proxy_that_spoils_answers(patient: Patient, around: Callable, name: str, level: str) -> None:
    patient.gateway(around=around)
    findings = patient.found(name)
    assert [one.level for one in findings] in ([level], [level] * 2)


def test_a_clock_that_is_wrong(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of this machine is as good as that of the others."""
    clock = SimpleNamespace(time=lambda: time.time() + 600)
    monkeypatch.setattr("labeling_assets.diagnose.clocks.time", clock)
    warned = [one for one in patient.findings() if one.name.endswith(".clock") and one.level == "warning"]
    assert [one.name for one in warned] == ["label_studio.clock", "gateway.clock"]
    assert "s behind that of this machine" in warned[1].text


def test_the_link_keys_are_wrong(patient: Patient) -> None:
    patient.settings_with(link_keys={"k1": SecretStr("short")})
    (finding,) = patient.found("gateway.settings")
    assert "The link key 'k1' cannot be used" in finding.text


def test_secrets_are_not_shown(patient: Patient) -> None:
    patient.gateway(secret="quite another secret of links")
    shown = str(patient.findings())
    assert "nobody-may-see" not in shown
    assert patient.pipeline.database.key not in shown
