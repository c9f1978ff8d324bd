"""The whole of it: nothing is wrong where all is well, and nothing is changed."""

from labeling_assets.settings import load_settings
from labeling_assets.sync.webhook_notes import news_of
from labeling_assets_tests.diagnose.patient import Patient

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)


EVERYTHING = {
    "projects.readable",
    "database.reachable",
    "database.dialect",
    "database.schema",
    "label_studio.reachable",
    "label_studio.clock",
    "label_studio.token",
    "label_studio.projects",
    "projects.label_config",
    "webhooks.reachable",
    "webhooks.registered",
    "webhooks.private_address",
    "gateway.address",
    "gateway.reachable",
    "gateway.clock",
    "gateway.link",
    "gateway.content_type",
    "gateway.ranges",
    "gateway.cors",
    "links.stored",
    "dagster.home",
    "inbox.readable",
}


def test_where_all_is_well_nothing_is_found(patient: Patient) -> None:
    findings = patient.findings()
    assert [finding for finding in findings if finding.level != "ok"] == []
    assert {finding.name for finding in findings} == EVERYTHING


def test_it_changes_nothing(patient: Patient) -> None:
    """No webhook is made for the test of the address, no note, no object."""
    db, ls = patient.pipeline.db, patient.pipeline.ls
    before = ls.webhooks(patient.record.project_id), patient.pipeline.tasks("may"), news_of(db, patient.record)
    schema = db.one("GetSchema", {})
    patient.findings()
    assert (ls.webhooks(patient.record.project_id), patient.pipeline.tasks("may")) == before[:2]
    assert (news_of(db, patient.record), db.one("GetSchema", {})) == (before[2], schema)
    assert list((patient.settings.home / "webhook_notes").glob("*")) == []


def test_what_is_wrong_says_how_to_mend_it_in_one_line(patient: Patient) -> None:
    patient.stack.close()
    patient.pipeline.ls.delete_project(patient.record.project_id)
    wrong = [finding for finding in patient.findings() if finding.level != "ok"]
    assert len(wrong) >= 3
    assert [finding for finding in wrong if not finding.fix or "\n" in finding.fix] == []


def test_an_empty_home_has_a_fix_for_everything(tmp_path) -> None:
    from labeling_assets.diagnose.run import diagnose

    findings = [one for one in diagnose(load_settings(home=tmp_path / "home")) if one.level != "ok"]
    assert {one.name: one.level for one in findings} == {
        "projects.readable": "warning",
        "database.reachable": "error",
        "label_studio.settings": "error",
        "webhooks.settings": "error",
        "gateway.settings": "error",
        "dagster.home": "warning",
        "inbox.readable": "warning",
    }
    assert all(one.fix for one in findings)
