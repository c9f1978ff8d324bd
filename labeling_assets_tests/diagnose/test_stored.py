"""Links that stand in tasks, and do not open any more."""

from pydantic import SecretStr

from labeling_assets_tests.diagnose.patient import Patient

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)


def test_a_key_that_is_gone(patient: Patient) -> None:
    patient.settings_with(link_keys={"k2": SecretStr("a newer secret of links")})
    (finding,) = patient.found("links.stored")
    assert (finding.level, "unknown key id 'k1.cars'" in finding.text) == ("error", True)
    assert "labeling-assets links refresh --project cars --apply" in finding.fix


def test_a_gateway_that_has_moved(patient: Patient) -> None:
    old = patient.pipeline.tasks("may")[0]
    moved = old["data"]["image"].replace(patient.settings.local_stack.gateway_url, "http://127.0.0.1:9")
    patient.pipeline.ls.patch_task_data(old["id"], {**old["data"], "image": moved})
    (finding,) = patient.found("links.stored")
    assert "a link to http://127.0.0.1:9, which cannot be reached" in finding.text


def test_a_medium_that_is_gone(patient: Patient) -> None:
    guid = patient.pipeline.tasks("may")[0]["data"]["guid"]
    patient.pipeline.db.one("DeleteImage", {"constraints": {"guid": ["==", guid]}})
    (finding,) = patient.found("links.stored")
    assert "answered with 404" in finding.text
