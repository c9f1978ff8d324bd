"""What can be wrong with webhooks, made to happen in a real Label Studio."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.settings import WebhookTarget
from labeling_assets.stack.label_studio import Account, LabelStudioServer
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.register_webhook import refused_address
from labeling_assets_tests.conftest import BOXES
from labeling_assets_tests.diagnose.patient import Patient

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)


def hook_of(patient: Patient) -> dict:
    (hook,) = patient.pipeline.ls.webhooks(patient.record.project_id)
    return dict(hook)


def test_webhooks_that_are_off_are_no_finding(patient: Patient) -> None:
    settings = patient.settings.model_copy(update={"webhooks": "off"})
    settings.model_fields_set.add("webhooks")
    patient.pipeline.settings = settings
    findings = [one for one in patient.findings() if one.name.startswith("webhooks")]
    assert [(one.level, "are off" in one.text) for one in findings] == [("ok", True)]


def test_no_webhook(patient: Patient) -> None:
    patient.pipeline.ls.delete_webhook(hook_of(patient)["id"])
    (finding,) = patient.found("webhooks.registered")
    assert (finding.level, "there is none" in finding.text) == ("error", True)
    assert finding.fix.startswith("Materialize cars/tasks of any batch")


def test_a_webhook_without_actions(patient: Patient) -> None:
    """As somebody leaves it who changes it over the API without naming them."""
    patient.pipeline.ls.update_webhook(hook_of(patient)["id"], {}, actions=[])
    (finding,) = patient.found("webhooks.registered")
    assert "it is not sent for ANNOTATIONS_CREATED, ANNOTATIONS_DELETED, ANNOTATION_CREATED" in finding.text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"is_active": False}, "it is switched off"),
        ({"send_payload": False}, "it brings no annotation"),
        ({"headers": {"X-Labeling-Assets-Secret": "another"}}, "it brings another secret"),
        ({"send_for_all_actions": True}, "it is sent for every action"),
    ],
)
def test_a_webhook_that_was_changed(patient: Patient, values: dict, text: str) -> None:
    hook = hook_of(patient)
    patient.pipeline.ls.update_webhook(hook["id"], values, actions=hook["actions"])
    (finding,) = patient.found("webhooks.registered")
    assert text in finding.text
    assert "another" not in finding.text.replace("another secret", "")


def test_a_webhook_to_an_old_address(patient: Patient) -> None:
    old = patient.settings.local_stack.gateway_url
    patient.gateway()
    (finding,) = patient.found("webhooks.registered")
    assert f"it goes to {old}/webhooks/label_studio/" in finding.text


def test_two_webhooks(patient: Patient) -> None:
    hook = hook_of(patient)
    wanted = ("url", "headers", "actions", "send_payload", "send_for_all_actions", "is_active")
    patient.pipeline.ls.create_webhook(patient.record.project_id, {name: hook[name] for name in wanted})
    (finding,) = patient.found("webhooks.registered")
    assert "there are 2" in finding.text


def test_a_gateway_that_is_not_there(patient: Patient) -> None:
    patient.settings_with(webhook_url="http://127.0.0.1:9")
    (finding,) = patient.found("webhooks.reachable")
    assert (finding.level, "cannot be reached at http://127.0.0.1:9" in finding.text) == ("error", True)


def test_a_gateway_with_another_secret(patient: Patient) -> None:
    patient.gateway(webhook_secret="quite another secret")
    (finding,) = patient.found("webhooks.reachable")
    assert "knows another secret" in finding.text
    assert "LABELING_ASSETS_WEBHOOK_SECRET" in finding.fix


def test_a_gateway_that_takes_no_webhooks(patient: Patient) -> None:
    patient.gateway(webhooks=False)
    (finding,) = patient.found("webhooks.reachable")
    assert "LABELING_ASSETS_WEBHOOKS=on" in finding.fix


def test_a_secret_that_is_too_short(patient: Patient) -> None:
    patient.settings_with(webhook_secret=SecretStr("short"))
    (finding,) = patient.found("webhooks.settings")
    assert (finding.level, "at least 12 characters" in finding.text) == ("error", True)


def test_a_name_that_label_studio_cannot_resolve(patient: Patient) -> None:
    patient.settings_with(webhook_url="http://gateway.invalid")
    (finding,) = patient.found("webhooks.private_address")
    assert finding.level == "error"


class StrictServer(LabelStudioServer):
    """Label Studio as it is started by people who do not read about webhooks."""

    def _account_variables(self) -> dict[str, str]:
        return {**super()._account_variables(), "USE_DEFAULT_BANNED_SUBNETS": "true"}


@pytest.fixture
def strict(label_studio_database: None, tmp_path: Path) -> Iterator[LabelStudio]:
    with (
        StrictServer(tmp_path / "strict", Account.random()) as server,
        LabelStudio(server.url, server.personal_access_token()) as ls,
    ):
        yield ls


def test_a_label_studio_that_calls_no_private_address(patient: Patient, strict: LabelStudio) -> None:
    """Nothing is made there to find it out."""
    from labeling_assets.diagnose.webhooks import _called

    project = strict.create_project("cars", BOXES)
    record = ProjectRecord("i|cars", "cars", "i", project.id, "", "", "")
    target = WebhookTarget(patient.settings.local_stack.gateway_url, "a secret of webhooks")
    (finding,) = _called(strict, record, target)
    assert (finding.name, finding.level) == ("webhooks.private_address", "error")
    assert "USE_DEFAULT_BANNED_SUBNETS=false" in finding.fix
    assert refused_address(strict, record, WebhookTarget("https://93.184.215.14", "a secret of webhooks")) is None
    assert strict.webhooks(project.id) == []
