"""A pipeline of its own for a test: a home folder, an ApertureDB, the session's Label Studio, and Dagster."""

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from PIL import Image

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import in_batch
from labeling_assets.definitions import build_definitions
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.projects import load_project, load_projects
from labeling_assets.settings import LocalStack, Settings, load_settings, write_private
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.import_batch import import_batch
from labeling_assets.sync.publish_tasks import publish_tasks

CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="car"/><Label value="dog"/></RectangleLabels>
  <Choices name="scene" toName="image"><Choice value="indoors"/><Choice value="outdoors"/></Choices>
</View>
"""
LINK_SECRET = "link-secret-that-nobody-may-see"
DATABASE_PASSWORD = "password-that-nobody-may-see"
WIDTH, HEIGHT = 200, 120

_numbers = itertools.count(1)
_pictures = itertools.count(1)


@dataclass
class Pipeline:
    """What a user has, and short names for what a user does. `db` and `ls` are clients, `instance` is Dagster's."""

    settings: Settings
    database: LocalServer
    db: ApertureDB
    ls: LabelStudio
    instance: dg.DagsterInstance

    def add_project(self, slug: str = "cars", config: str = CONFIG, **values: object) -> None:
        """A labeling project with a title that no other has."""
        add_project(self.settings, slug, config, **{"title": f"{slug} {next(_numbers)}", **values})

    def title(self, slug: str = "cars") -> str:
        return str(yaml.safe_load((self.settings.projects / slug / "project.yaml").read_text())["title"])

    def definitions(self) -> dg.Definitions:
        """As Dagster loads them now."""
        return build_definitions(self.settings)

    def run(
        self, job: str, batch: str, *assets: str, run_config: Mapping[str, Any] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run a job for one batch, or only some of its assets, with the checks of those."""
        if batch not in self.instance.get_dynamic_partitions("import_batch"):
            self.instance.add_dynamic_partitions("import_batch", [batch])
        keys = [dg.AssetKey.from_user_string(asset) for asset in assets] or None
        return (
            self.definitions()
            .resolve_job_def(job)
            .execute_in_process(
                instance=self.instance,
                partition_key=batch,
                asset_selection=keys,
                run_config=run_config,
                raise_on_error=False,
            )
        )

    def import_batch(self, batch: str, *assets: str) -> dg.ExecuteInProcessResult:
        return self.run("import_batch", batch, *assets)

    def sync(self, batch: str, slug: str = "cars") -> dg.ExecuteInProcessResult:
        return self.run(f"sync_{slug}", batch)

    def imported(self, batch: str, pictures: int = 3) -> list[dict[str, Any]]:
        """A batch whose import was successful, without the run. Returns its tasks, in the order of their ids."""
        add_batch(self.settings, batch, pictures)
        self.instance.add_dynamic_partitions("import_batch", [batch])
        projects = load_projects(self.settings.projects)
        _, signature = import_batch(self.db, batch, projects=projects, settings=self.settings)
        note_materialized(self.instance, "media", batch, inbox_signature=signature)
        for project in projects:
            publish_tasks(self.db, self.ls, project, batch=batch, links=self.settings.links())
            note_materialized(self.instance, f"{project.slug}/tasks", batch)
        return self.tasks(batch)

    def synced(self, batch: str, slug: str = "cars") -> None:
        """Sync a batch, without the run."""
        started = time.time()
        collect_annotations(self.db, self.ls, load_project(self.settings.projects / slug), batch=batch)
        note_materialized(self.instance, f"{slug}/annotations", batch, started_at=started)
        note_materialized(self.instance, f"{slug}/dataset", batch)

    def check(self, asset: str, batch: str) -> dict[str, dg.AssetCheckEvaluation]:
        """Run only the checks of an asset, without the asset."""
        defs = self.definitions()
        selection = dg.AssetSelection.checks_for_assets(dg.AssetKey.from_user_string(asset))
        result = dg.materialize(
            [*(defs.assets or ()), *(defs.asset_checks or ())],  # type: ignore[list-item]  # they are definitions
            instance=self.instance,
            resources=defs.resources,
            # As a run that the UI launches for checks: `partition_key` looks for the partitions of assets.
            tags={"dagster/partition": batch},
            selection=selection,
            raise_on_error=False,
        )
        assert not materialized(result)
        return checks_of(result)

    def tasks(self, batch: str, slug: str = "cars") -> list[dict[str, Any]]:
        """The tasks of a batch in Label Studio."""
        return [dict(task) for task in self.ls.iterate_by_id(self.project_id(slug), [in_batch(batch)])]

    def project_id(self, slug: str = "cars") -> int:
        """The id of a project in Label Studio."""
        (found,) = self.ls.find_projects_by_title(self.title(slug))
        return found.id

    def label(self, task: Mapping[str, Any], *results: Mapping[str, Any]) -> int:
        """Annotate a task as a person would. Returns the id of the annotation."""
        return int(self.ls.create_annotation(task["id"], {"result": [dict(r) for r in results or (box(),)]})["id"])

    def change_guid(self, task: Mapping[str, Any], guid: str) -> None:
        """What a person can do by hand in Label Studio, and must not."""
        self.ls.patch_task_data(task["id"], {**task["data"], "guid": guid})


def note_materialized(instance: dg.DagsterInstance, asset: str, batch: str, **metadata: Any) -> None:
    """What a successful run leaves behind in Dagster."""
    key = dg.AssetKey.from_user_string(asset)
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=batch, metadata=metadata))


def box(x: float = 10, width: float = 20, *, label: str = "car", region: str = "r1") -> dict[str, Any]:
    """A rectangle as Label Studio has it, in percent."""
    value = {"x": x, "y": 10, "width": width, "height": 25, "rotation": 0, "rectanglelabels": [label]}
    return {
        "id": region,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": value,
    }


def choice(value: str) -> dict[str, Any]:
    """A choice for the whole picture."""
    named = {"id": "c1", "type": "choices", "from_name": "scene", "to_name": "image"}
    return {**named, "value": {"choices": [value]}}


def add_project(settings: Settings, slug: str, config: str = CONFIG, **values: object) -> Path:
    """A folder of a labeling project; the sensors react at once, unless `values` say otherwise."""
    folder = settings.projects / slug
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "project.yaml").write_text(yaml.safe_dump({"min_interval_seconds": 0, **values}))
    (folder / "label_config.xml").write_text(config)
    return folder


def add_batch(settings: Settings, name: str, pictures: int = 3, *, ready: bool = True) -> Path:
    """A folder of the inbox with pictures that no other batch has."""
    folder = settings.inbox / name
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        picture = Image.new("RGB", (WIDTH, HEIGHT), tuple(next(_pictures).to_bytes(3)))
        picture.save(folder / f"{number:02}.png")
    if ready:
        (folder / "_READY").touch()
    return folder


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """The metadata of the materialization of an asset in a run."""
    (event,) = result.asset_materializations_for_node(asset.replace("/", "__"))
    return {name: value.value for name, value in event.metadata.items()}


def version_of(result: dg.ExecuteInProcessResult, asset: str) -> str:
    """The data version of the materialization of an asset in a run."""
    (event,) = result.asset_materializations_for_node(asset.replace("/", "__"))
    return str((event.tags or {})["dagster/data_version"])


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """The results of the checks of a run, by name."""
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def offenders_of(evaluation: dg.AssetCheckEvaluation) -> list[dict[str, Any]]:
    """The rows of the offender table; empty when there is none."""
    table = evaluation.metadata.get("offenders")
    return [dict(record.data) for record in table.records] if isinstance(table, dg.TableMetadataValue) else []


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    """The assets that a run materialized."""
    events = result.get_asset_materialization_events()
    return {event.asset_key.to_user_string() for event in events if event.asset_key}


def messages_of(result: dg.ExecuteInProcessResult) -> str:
    """Everything that the failures of a run say."""
    failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return "\n".join(f"{data.error_display_string}" for data in failed)


@contextmanager
def without_settings_of_the_shell() -> Iterator[None]:
    """Nothing that the shell is set up for: no variable of ours."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith("LABELING_ASSETS_") or name in (
                "APERTUREDB_KEY",
                "LABEL_STUDIO_URL",
                "LABEL_STUDIO_API_KEY",
            ):
                patch.delenv(name)
        yield


MakePipeline = Callable[..., Pipeline]


@contextmanager
def pipelines(folder: Path, label_studio_server: LabelStudioServer, key: str) -> Iterator[MakePipeline]:
    """`make(instance=...)` gives a new pipeline with the project `cars`; all are stopped at the end."""
    with ExitStack() as stack:
        stack.enter_context(without_settings_of_the_shell())

        def make(instance: dg.DagsterInstance | None = None, **project: Any) -> Pipeline:
            home = folder / f"home{next(_numbers)}"
            server = stack.enter_context(LocalServer(home / "aperturedb", port=0, password=DATABASE_PASSWORD))
            settings = load_settings(home=home)
            local = LocalStack(
                aperturedb_key=server.key,
                label_studio_url=label_studio_server.url,
                label_studio_api_key=key,
                gateway_url="http://127.0.0.1:9",
            )
            settings.save_local_stack(local)
            write_private(home / "link_keys.json", f'{{"k1": "{LINK_SECRET}"}}')
            pipeline = Pipeline(
                settings,
                server,
                stack.enter_context(ApertureDB(server.key)),
                stack.enter_context(LabelStudio(label_studio_server.url, key)),
                instance or stack.enter_context(dg.DagsterInstance.ephemeral()),
            )
            stack.callback(_delete_projects, pipeline)
            pipeline.add_project(**project)
            return pipeline

        yield make


def _delete_projects(pipeline: Pipeline) -> None:
    for folder in pipeline.settings.projects.iterdir():
        for project in pipeline.ls.find_projects_by_title(pipeline.title(folder.name)):
            pipeline.ls.delete_project(project.id)
