"""`labeling-assets links` as a person types it: a key is changed, a medium denied, and no secret is shown."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest
from click.testing import CliRunner, Result

from labeling_assets.cli import main
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.gateway.app import create_app
from labeling_assets.settings import write_private
from labeling_assets_tests.gateway.running import running_gateway
from labeling_assets_tests.link_parts import query_of
from labeling_assets_tests.pipeline import DATABASE_PASSWORD, LINK_SECRET, Pipeline
from labeling_assets_tests.waiting import eventually

pytest_plugins = ("labeling_assets_tests.pipeline_fixtures",)

NEW_SECRET = "newer-secret-that-nobody-may-see"
Run = Callable[..., Result]


@pytest.fixture
def run(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Two pictures are tasks, and a newer key signs since."""
    pipeline.imported("may", 2)
    write_private(pipeline.settings.home / "link_keys.json", json.dumps({"k1": LINK_SECRET, "k2": NEW_SECRET}))
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(pipeline.settings.home))
    return lambda *arguments: CliRunner().invoke(main, ("links", *arguments))


@pytest.fixture
def gateway(pipeline: Pipeline, run: Run) -> Iterator[str]:
    """The address of a gateway with the same settings."""
    with ApertureDB(pipeline.database.key) as database:
        app = create_app(lambda: database, pipeline.settings.links(), ())
        with running_gateway(app) as url:
            yield url


def image(pipeline: Pipeline, number: int = 0) -> str:
    return str(pipeline.tasks("may")[number]["data"]["image"])


def status(gateway: str, link: str) -> int:
    return httpx.get(link.replace("http://127.0.0.1:9", gateway, 1)).status_code


def test_the_way_from_one_key_to_the_next(pipeline: Pipeline, run: Run, gateway: str) -> None:
    old = image(pipeline)
    shown = run("show").stdout
    assert "k1.cars: 2 tasks of cars" in shown
    assert "k2: signs new links" in shown

    early = run("retire", "k1")
    assert (early.exit_code, "2 tasks of cars" in early.stderr) == (1, True)

    plan = run("refresh", "--project", "cars")
    assert (plan.exit_code, image(pipeline)) == (0, old)
    assert "2 tasks would get links signed by k2.cars" in plan.stdout
    assert plan.stdout.endswith("Nothing was written. Add --apply to do it.\n")

    done = run("refresh", "--project", "cars", "--apply")
    assert (done.exit_code, "2 tasks have links signed by k2.cars." in done.stdout) == (0, True)
    assert (query_of(image(pipeline))["k"], status(gateway, image(pipeline)), status(gateway, old)) == (
        "k2.cars",
        200,
        200,
    )

    retired = run("retire", "k1", "--reason", "a laptop was lost")
    assert (retired.exit_code, "Retired k1." in retired.stdout) == (0, True)
    eventually(lambda: status(gateway, old) == 403)
    assert status(gateway, image(pipeline)) == 200
    keys = json.loads(run("show", "--json").stdout)
    assert (keys["keys"], keys["signs"], keys["retired"]) == (["k1", "k2"], "k2", {"k1": "a laptop was lost"})
    assert keys["projects"][0]["tasks"] == {"k2.cars": 2}
    assert "k1: retired (a laptop was lost)" in run("show").stdout

    assert "Links of k1 open again." in run("retire", "k1", "--undo").stdout
    assert "k1 was not retired." in run("retire", "k1", "--undo").stdout
    eventually(lambda: status(gateway, old) == 200)


def test_in_an_emergency_nobody_is_asked(pipeline: Pipeline, run: Run, gateway: str) -> None:
    assert run("retire", "k1", "--force").exit_code == 0
    eventually(lambda: status(gateway, image(pipeline)) == 403)


def test_a_medium_is_denied_and_allowed_again(pipeline: Pipeline, run: Run, gateway: str) -> None:
    guid = pipeline.tasks("may")[0]["data"]["guid"]
    assert run("deny", guid, "--reason", "a face").exit_code == 0
    eventually(lambda: status(gateway, image(pipeline)) == 403)
    assert status(gateway, image(pipeline, 1)) == 200
    assert f"Denied: {guid} (a face)" in run("show").stdout
    assert f"Links open {guid} again." in run("allow", guid).stdout
    eventually(lambda: status(gateway, image(pipeline)) == 200)
    assert f"{guid} was not denied." in run("allow", guid).stdout


def test_wrong_guids_and_names_are_told(run: Run) -> None:
    unknown = run("deny", "nobody")
    assert (unknown.exit_code, unknown.stderr) == (0, "Warning: ApertureDB holds no medium nobody.\n")
    wrong = run("deny", "a/b")
    assert (wrong.exit_code, "'a/b' cannot be a GUID" in wrong.stderr) == (1, True)
    project = run("refresh", "--project", "cats")
    assert (project.exit_code, "There is no labeling project 'cats'" in project.stderr) == (1, True)


def test_links_that_are_left_alone_are_told(pipeline: Pipeline, run: Run) -> None:
    first = pipeline.tasks("may")[0]
    forged = f"http://127.0.0.1:9/media/secret?k=k1&s={'A' * 27}"
    pipeline.ls.patch_task_data(first["id"], {**first["data"], "more": forged})
    result = run("refresh", "--project", "cars", "--apply")
    assert result.exit_code == 1
    assert f"1 are left alone:\n  task {first['id']}: its link to medium 'secret' is not ours to sign" in result.stdout
    assert (
        json.loads(run("refresh", "--project", "cars", "--json").stdout)["left"][0]["subject"] == f"task {first['id']}"
    )


def test_no_secret_is_shown_anywhere(
    pipeline: Pipeline, run: Run, gateway: str, label_studio_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in tasks, in what commands print, in answers, in the log of the gateway, nor in ApertureDB."""
    guid = pipeline.tasks("may")[0]["data"]["guid"]
    shown = []
    with caplog.at_level("DEBUG"):
        for arguments in (
            ("show",),
            ("retire", "k1"),
            ("refresh", "--project", "cars", "--apply", "--json"),
            ("deny", guid),
            ("retire", "k1"),
            ("retire", "k2"),
            ("show", "--json"),
        ):
            result = run(*arguments)
            shown += [result.stdout, result.stderr]
        good = image(pipeline, 1)
        for link in (good, image(pipeline), good.replace("k2", "k1"), good.replace("k2", "k9"), f"{good}&e=1"):
            answer = httpx.get(link.replace("http://127.0.0.1:9", gateway, 1))
            shown += [str(answer.headers), answer.text]
    shown += [caplog.text, json.dumps(pipeline.tasks("may"))]
    shown.append(
        json.dumps(pipeline.db.find("FindEntity", None, class_name="LS_link_rule", properties=["LS_key", "LS_reason"]))
    )
    made = pipeline.settings.links()
    derived = [made._secret("k1.cars"), made._secret("k2.cars")]
    secrets = [LINK_SECRET, NEW_SECRET, *derived, DATABASE_PASSWORD, pipeline.database.key, label_studio_key]
    assert len("".join(shown)) > 2000
    assert [text[:200] for text in shown for secret in secrets if str(secret) in text] == []
