import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

from labeling_assets.definitions import build_definitions
from labeling_assets.failures import RETRIES
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.partitions import IMPORT_BATCH
from labeling_assets.settings import LocalStack, Settings, load_settings
from labeling_assets_tests.pipeline import add_batch, add_project, without_settings_of_the_shell

pytestmark = pytest.mark.filterwarnings("error", "ignore::dagster.PreviewWarning")

REPOSITORY = Path(__file__).parents[1]
HEAVY = ("label_studio_sdk", "aperturedb", "pandas", "cv2", "pyarrow")
# Loads the definitions as a code server does, with a network that cannot be used.
PROGRAM = """
import json, socket, sys, time

def refuse(*_):
    raise AssertionError("a connection was opened")

socket.socket.connect = socket.socket.connect_ex = socket.create_connection = refuse

from labeling_assets.definitions import defs

repository = defs().get_repository_def()
print(json.dumps({
    "assets": sorted(key.to_user_string() for key in repository.assets_defs_by_key),
    "modules": sorted(sys.modules),
    "cpu_seconds": time.process_time(),
}))
"""


def environment(**values: str) -> dict[str, str]:
    """What a process needs to start, and nothing that the shell says."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return kept | {"DAGSTER_DISABLE_TELEMETRY": "1", **values}


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def bare(empty_folder: Path) -> dict[str, Any]:
    """What a process says that loaded the definitions without environment, network and home folder."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=empty_folder,
        env=environment(PYTHONPATH=str(REPOSITORY)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    loaded: dict[str, Any] = json.loads(ran.stdout)
    return loaded


def test_definitions_load_without_environment_network_and_home(bare: dict[str, Any]) -> None:
    assert bare["assets"] == ["media"]


def test_loading_makes_no_files(bare: dict[str, Any], empty_folder: Path) -> None:
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize("library", HEAVY)
def test_loading_imports_no_heavy_library(bare: dict[str, Any], library: str) -> None:
    assert library not in bare["modules"]


def test_loading_takes_seconds(bare: dict[str, Any]) -> None:
    """Measured 3 s, of which Dagster is 2; CPU time, because a test machine is busy."""
    assert bare["cpu_seconds"] < 10


@pytest.mark.slow
def test_dagster_accepts_the_workspace(tmp_path: Path) -> None:
    add_project(load_settings(home=tmp_path), "cars")
    ran = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(REPOSITORY / "workspace.yaml")],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(REPOSITORY), LABELING_ASSETS_HOME=str(tmp_path), HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A home without projects."""
    with without_settings_of_the_shell():
        yield load_settings(home=tmp_path / "home")


@pytest.fixture
def repository(settings: Settings) -> dg.RepositoryDefinition:
    """A home with one project, which claims media."""
    add_project(settings, "cars", query=[["site", "==", "north"]])
    return build_definitions(settings).get_repository_def()


def assets_of(settings: Settings) -> set[str]:
    repository = build_definitions(settings).get_repository_def()
    return {key.to_user_string() for key in repository.assets_defs_by_key}


def test_a_project_adds_its_assets(repository: dg.RepositoryDefinition) -> None:
    keys = {key.to_user_string() for key in repository.assets_defs_by_key}
    assert keys == {"media", "cars/tasks", "cars/annotations", "cars/dataset"}


def test_a_project_adds_its_checks(repository: dg.RepositoryDefinition) -> None:
    names = [key.name for key in repository.asset_checks_defs_by_key if key.asset_key.path[0] == "cars"]
    assert sorted(names) == [
        "counts_agree",
        "every_annotation_maps_to_one_medium",
        "guid_and_link_agree",
        "labels_known",
        "one_task_per_medium",
        "regions_inside_media",
    ]


def test_a_project_adds_its_sensors(repository: dg.RepositoryDefinition) -> None:
    names = {sensor.name for sensor in repository.sensor_defs}
    assert names == {"new_batches", "closed_batches", "changed_annotations_cars", "new_media_cars"}


def test_a_project_without_a_query_claims_nothing(settings: Settings) -> None:
    add_project(settings, "cars")
    names = {sensor.name for sensor in build_definitions(settings).get_repository_def().sensor_defs}
    assert names == {"new_batches", "closed_batches", "changed_annotations_cars"}


def test_a_project_adds_its_schedule(repository: dg.RepositoryDefinition) -> None:
    (schedule,) = repository.schedule_defs
    assert (schedule.name, schedule.cron_schedule) == ("reconcile_cars", "0 3 * * *")


def test_projects_share_media_only(settings: Settings) -> None:
    add_project(settings, "cars")
    add_project(settings, "dogs")
    keys = {f"{slug}/{name}" for slug in ("cars", "dogs") for name in ("tasks", "annotations", "dataset")}
    assert assets_of(settings) == {"media"} | keys


def test_a_hidden_folder_is_no_project(settings: Settings) -> None:
    add_project(settings, "cars").rename(settings.projects / ".cars")
    assert assets_of(settings) == {"media"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("poll_seconds: soon", "poll_seconds"),
        ("annotators: 0", "annotators"),
        ("colour: red", "colour"),
        ("title: ''", "title"),
        ("query: [[site, like, north]]", "'like'"),
        ("title: [", "is not YAML"),
        ("- cars", "must hold names and values"),
        ("reconcile_cron: every night", "reconcile_cron"),
        ("guid: filename", "filename"),
    ],
)
def test_a_broken_project_has_one_asset_that_names_file_and_field(settings: Settings, text: str, named: str) -> None:
    folder = add_project(settings, "cars")
    (folder / "project.yaml").write_text(text)
    graph = build_definitions(settings).get_repository_def().asset_graph
    assert {key.to_user_string() for key in graph.materializable_asset_keys} == {"media", "cars/tasks"}
    description = str(graph.get(dg.AssetKey(["cars", "tasks"])).description)
    assert str(folder / "project.yaml") in description
    assert named in description


def test_a_folder_that_cannot_be_a_project_is_shown_under_its_name(settings: Settings) -> None:
    add_project(settings, "Street Cars")
    graph = build_definitions(settings).get_repository_def().asset_graph
    assert "'Street Cars' cannot be a project" in str(graph.get(dg.AssetKey(["Street Cars", "tasks"])).description)


@pytest.fixture
def one_broken(settings: Settings) -> Settings:
    """The project `cars` works, `dogs` and `a b` do not."""
    add_project(settings, "cars", query=[["site", "==", "north"]])
    add_project(settings, "a b")
    (add_project(settings, "dogs") / "project.yaml").write_text("colour: red")
    return settings


def test_a_broken_project_leaves_the_others_as_they_are(one_broken: Settings) -> None:
    repository = build_definitions(one_broken).get_repository_def()
    keys = {key.to_user_string() for key in repository.assets_defs_by_key}
    assert keys == {"media", "cars/tasks", "cars/annotations", "cars/dataset", "dogs/tasks", "a b/tasks"}
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "new_batches",
        "closed_batches",
        "changed_annotations_cars",
        "new_media_cars",
    }
    assert {"import_batch", "sync_cars"} <= {job.name for job in repository.get_all_jobs()}
    selected = repository.get_job("import_batch").asset_layer.selected_asset_keys
    assert {key.to_user_string() for key in selected} == {"media", "cars/tasks"}


def test_dagster_can_load_definitions_with_a_broken_project(one_broken: Settings) -> None:
    dg.Definitions.validate_loadable(build_definitions(one_broken))


@pytest.mark.parametrize("key", [["dogs", "tasks"], ["a b", "tasks"]])
def test_materializing_a_broken_project_fails_with_what_is_wrong(one_broken: Settings, key: list[str]) -> None:
    job = build_definitions(one_broken).get_repository_def().get_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("import_batch", ["b1"])
        result = job.execute_in_process(
            instance=instance,
            partition_key="b1",
            asset_selection=[dg.AssetKey(key)],
            raise_on_error=False,
        )
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert f"{one_broken.projects / key[0]}" in str(failure.error_display_string)
    assert "reload the code location" in str(failure.error_display_string)


def test_the_sensor_of_the_inbox_tells_of_broken_projects(one_broken: Settings) -> None:
    """Where people look when something does not come."""
    repository = build_definitions(one_broken).get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        with context:
            message = str(repository.get_sensor_def("new_batches").evaluate_tick(context).skip_message)
    assert "dogs/project.yaml is wrong: colour" in message


@pytest.mark.parametrize(("rules", "waits"), [("guid: column:id", True), ("batches: [street-*]", False)])
def test_media_wait_for_a_broken_project_that_may_say_their_guids(
    settings: Settings, tmp_path: Path, rules: str, waits: bool
) -> None:
    """A GUID is for life: media are not given another one because of a typing error."""
    folder = add_project(settings, "cars")
    (folder / "project.yaml").write_text(f"colour: red\n{rules}\n")
    add_batch(settings, "b1", 1)
    with LocalServer(tmp_path / "db") as server, dg.DagsterInstance.ephemeral() as instance:
        settings.save_local_stack(LocalStack(aperturedb_key=server.key))
        instance.add_dynamic_partitions("import_batch", ["b1"])
        job = build_definitions(settings).resolve_job_def("import_batch")
        media = [dg.AssetKey("media")]
        result = job.execute_in_process(
            instance=instance, partition_key="b1", asset_selection=media, raise_on_error=False
        )
    failed = [str(event.step_failure_data) for event in result.all_events if event.is_step_failure]
    assert (result.success, len(failed)) == (not waits, int(waits))
    assert all("which the media of this batch keep for life" in text for text in failed)


def test_a_label_configuration_that_does_not_parse_stops_no_other_project(settings: Settings) -> None:
    """It is read when tasks are made: their run fails and says so."""
    add_project(settings, "cars")
    add_project(settings, "dogs", "<View><Image")
    assert {"cars/tasks", "dogs/tasks", "dogs/annotations"} <= assets_of(settings)


def test_dagster_can_load_everything(settings: Settings) -> None:
    add_project(settings, "cars", query=[["site", "==", "north"]])
    dg.Definitions.validate_loadable(build_definitions(settings))


def test_dagster_warns_of_nothing(settings: Settings) -> None:
    """But of partitioned checks, which are a preview, and the versions are pinned."""
    add_project(settings, "cars", query=[["site", "==", "north"]])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build_definitions(settings).get_repository_def()
    assert {warning.category for warning in caught} <= {dg.PreviewWarning}


def test_assets_show_group_kinds_and_description(repository: dg.RepositoryDefinition) -> None:
    specs = [spec for asset in repository.assets_defs_by_key.values() for spec in asset.specs]
    assert {spec.group_name for spec in specs} == {"labeling"}
    assert [spec.key for spec in specs if not spec.kinds or not spec.description] == []


def test_assets_are_partitioned_by_batch_and_have_a_code_version(repository: dg.RepositoryDefinition) -> None:
    assets = repository.assets_defs_by_key.values()
    assert {asset.partitions_def for asset in assets} == {IMPORT_BATCH}
    assert {spec.code_version for asset in assets for spec in asset.specs} == {"1"}


def test_assets_and_checks_take_a_pool_and_are_tried_again(repository: dg.RepositoryDefinition) -> None:
    assets = [asset.op for asset in repository.assets_defs_by_key.values()]
    checks = [check.op for check in repository.asset_checks_defs_by_key.values()]
    assert {op.pool for op in [*assets, *checks]} == {"aperturedb", "label_studio"}
    assert all(op.retry_policy == RETRIES for op in [*assets, *checks])


def test_every_asset_comes_after_the_one_before(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    parents = {key.to_user_string(): graph.get(key).parent_keys for key in graph.materializable_asset_keys}
    assert {name: [key.to_user_string() for key in keys] for name, keys in parents.items()} == {
        "media": [],
        "cars/tasks": ["media"],
        "cars/annotations": ["cars/tasks"],
        "cars/dataset": ["cars/annotations"],
    }


def test_checks_are_partitioned_and_described(repository: dg.RepositoryDefinition) -> None:
    specs = [spec for check in repository.asset_checks_defs_by_key.values() for spec in check.check_specs]
    assert {spec.partitions_def for spec in specs} == {IMPORT_BATCH}
    assert [spec.name for spec in specs if not str(spec.description).endswith(".")] == []


def test_the_guid_mapping_blocks(repository: dg.RepositoryDefinition) -> None:
    specs = [spec for check in repository.asset_checks_defs_by_key.values() for spec in check.check_specs]
    blocking = {spec.name for spec in specs if spec.blocking}
    assert blocking == {"guids_are_unique", "every_annotation_maps_to_one_medium"}


@pytest.mark.parametrize("job", ["import_batch", "sync_cars"])
def test_runs_stay_in_one_process(repository: dg.RepositoryDefinition, job: str) -> None:
    """A step of its own process costs four times the CPU."""
    assert repository.get_job(job).executor_def is dg.in_process_executor


def test_the_job_of_the_asset_page_stays_in_one_process(repository: dg.RepositoryDefinition) -> None:
    assert repository.get_implicit_global_asset_job_def().executor_def is dg.in_process_executor


def test_jobs_sensors_and_schedules_are_described(repository: dg.RepositoryDefinition) -> None:
    jobs = [repository.get_job(name) for name in ("import_batch", "sync_cars")]
    described: list[Any] = [*jobs, *repository.sensor_defs, *repository.schedule_defs]
    assert [thing.name for thing in described if not thing.description] == []


@pytest.mark.parametrize(("setting", "status"), [("on", "RUNNING"), ("off", "STOPPED")])
def test_sensors_and_schedules_start_as_the_settings_say(settings: Settings, setting: str, status: str) -> None:
    add_project(settings, "cars", query=[["site", "==", "north"]])
    repository = build_definitions(settings.model_copy(update={"sensors": setting})).get_repository_def()
    started: list[Any] = [*repository.sensor_defs, *repository.schedule_defs]
    assert {thing.default_status.value for thing in started} == {status}


def test_sensors_look_as_often_as_the_project_says(settings: Settings) -> None:
    add_project(settings, "cars", poll_seconds=120)
    repository = build_definitions(settings).get_repository_def()
    assert repository.get_sensor_def("changed_annotations_cars").minimum_interval_seconds == 120


def test_no_secret_is_in_the_definitions(settings: Settings) -> None:
    add_project(settings, "cars")
    settings.save_local_stack(LocalStack(aperturedb_key="hush-1", label_studio_api_key="hush-2"))
    given = load_settings(home=settings.home, aperturedb_key="hush-3", link_keys={"k1": "hush-4-of-some-length"})
    defs = build_definitions(given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Dagster's own: it reads a property of its own
        shown = dg.serialize_value(RepositorySnap.from_def(defs.get_repository_def())) + repr(defs)
    assert "label_studio" in shown
    assert "hush" not in shown
