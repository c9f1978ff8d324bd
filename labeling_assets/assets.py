"""Assets: media, and for each labeling project its tasks, annotations and dataset, partitioned by import batch."""

import time
from collections.abc import Sequence
from typing import Final

import dagster as dg

from labeling_assets import metadata
from labeling_assets.errors import ConfigurationError
from labeling_assets.failures import RETRIES, as_failures
from labeling_assets.partitions import IMPORT_BATCH
from labeling_assets.projects import BrokenProject, Project
from labeling_assets.resources import ApertureDBResource, LabelStudioResource, MediaLinksResource
from labeling_assets.settings import Settings

GROUP: Final = "labeling"
MEDIA: Final = dg.AssetKey("media")
APERTUREDB_POOL: Final = "aperturedb"
LABEL_STUDIO_POOL: Final = "label_studio"
_SENSOR_TAG: Final = "dagster/sensor_name"  # Dagster's, of runs that a sensor asked for


class SyncConfig(dg.Config):
    """`full` compares everything again, whatever the watermark says.

    `allow_mass_deletion`: it is meant that much of the batch, or the whole project, is gone from Label Studio.
    """

    full: bool = False
    allow_mass_deletion: bool = False


def key_of(project: Project, name: str) -> dg.AssetKey:
    """The key of an asset of a labeling project."""
    return dg.AssetKey([project.slug, name])


def media_asset(
    projects: Sequence[Project], settings: Settings, broken: Sequence[BrokenProject] = ()
) -> dg.AssetsDefinition:
    """The `media` asset, which all labeling projects share; it waits for `broken` ones that may shape a batch."""

    @dg.asset(
        key=MEDIA,
        partitions_def=IMPORT_BATCH,
        group_name=GROUP,
        kinds={"aperturedb"},
        pool=APERTUREDB_POOL,
        retry_policy=RETRIES,
        code_version="1",
    )
    def media(context: dg.AssetExecutionContext, aperturedb: ApertureDBResource) -> dg.MaterializeResult[None]:
        """Images, videos, audio and texts of an import batch in ApertureDB, each with a GUID for life."""
        from labeling_assets.sync.import_batch import import_batch

        with as_failures(context.partition_key), aperturedb.connect() as db:
            _wait_for_repair(broken, context.partition_key)
            report, signature = import_batch(
                db,
                context.partition_key,
                projects=projects,
                settings=settings,
                run_id=_run_id(context),
                progress=context.log.info,
            )
        return dg.MaterializeResult(metadata=metadata.of_ingest(report, signature), data_version=_version(report.guids))

    return media


def broken_project_asset(broken: BrokenProject, number: int) -> dg.AssetsDefinition:
    """The `tasks` of a labeling project that cannot be read: shows why, and says it again when it is materialized.

    `number` makes the name of the step.
    """
    # The name of an output that is made from the key could not hold what the name of a folder can.
    out = dg.AssetOut(
        key=dg.AssetKey([broken.name, "tasks"]),
        description=f"This labeling project is broken, the others are not. {broken.error}",
        group_name=GROUP,
        kinds={"labelstudio"},
    )
    name = f"broken_project_{number}"

    @dg.multi_asset(name=name, outs={"tasks": out}, deps=[MEDIA], partitions_def=IMPORT_BATCH)
    def tasks(context: dg.AssetExecutionContext) -> None:
        with as_failures(context.partition_key):
            raise ConfigurationError(f"{broken.error} Correct it, then reload the code location.")

    return tasks


def _wait_for_repair(broken: Sequence[BrokenProject], batch: str) -> None:
    for project in broken:
        if project.may_shape(batch):
            raise ConfigurationError(
                f"The labeling project {project.name!r} is broken and names guid or columns, which the media of this "
                f"batch keep for life, so nothing was imported. Correct it, then reload the code location. "
                f"{project.error}"
            )


def project_assets(project: Project, settings: Settings) -> list[dg.AssetsDefinition]:
    """`tasks`, `annotations` and `dataset` of one labeling project."""
    return [_tasks(project), _annotations(project), _dataset(project, settings)]


def _tasks(project: Project) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(project, "tasks"),
        deps=[MEDIA],
        partitions_def=IMPORT_BATCH,
        group_name=GROUP,
        kinds={"labelstudio"},
        pool=LABEL_STUDIO_POOL,
        retry_policy=RETRIES,
        code_version="1",
    )
    def tasks(
        context: dg.AssetExecutionContext,
        aperturedb: ApertureDBResource,
        label_studio: LabelStudioResource,
        media_links: MediaLinksResource,
    ) -> dg.MaterializeResult[None]:
        """Labeling tasks in Label Studio: exactly one for each medium of the batch."""
        from labeling_assets.sync.publish_tasks import publish_tasks
        from labeling_assets.sync.register_webhook import register_webhook

        batch = context.partition_key
        with as_failures(batch), aperturedb.connect() as db, label_studio.connect() as ls:
            links, webhook = media_links.links(), media_links.webhook()
            report = publish_tasks(
                db, ls, project, batch=batch, links=links, run_id=_run_id(context), progress=context.log.info
            )
            report.warnings += register_webhook(db, ls, project, webhook)
        return dg.MaterializeResult(metadata=metadata.of_publish(report), data_version=_version(report.task_guids))

    return tasks


def _annotations(project: Project) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(project, "annotations"),
        deps=[key_of(project, "tasks")],
        partitions_def=IMPORT_BATCH,
        group_name=GROUP,
        kinds={"labelstudio", "aperturedb"},
        pool=LABEL_STUDIO_POOL,
        retry_policy=RETRIES,
        code_version="1",
    )
    def annotations(
        context: dg.AssetExecutionContext,
        config: SyncConfig,
        aperturedb: ApertureDBResource,
        label_studio: LabelStudioResource,
    ) -> dg.MaterializeResult[None]:
        """Annotations of the batch in ApertureDB, as they stand in Label Studio, with every earlier version."""
        from labeling_assets.sync.collect_annotations import collect_annotations
        from labeling_assets.sync.pictures import labelled_pictures
        from labeling_assets.sync.stored_annotations import batch_versions

        batch, started = context.partition_key, time.time()
        with as_failures(batch), aperturedb.connect() as db, label_studio.connect() as ls:
            report = collect_annotations(
                db,
                ls,
                project,
                batch=batch,
                full=config.full,
                allow_mass_deletion=config.allow_mass_deletion,
                run_id=_run_id(context),
                progress=context.log.info,
                changed=_SENSOR_TAG in context.run.tags,
            )
            pictures = [] if report.idle else labelled_pictures(db, project, batch=batch)
            versions = batch_versions(db, project.slug, batch)
            url = f"{ls.url}/projects/{report.project_id}"
        values = metadata.of_collect(report, pictures, current=len(versions), project_url=url, started=started)
        return dg.MaterializeResult(metadata=values, data_version=_version(versions))

    return annotations


def _dataset(project: Project, settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(project, "dataset"),
        deps=[key_of(project, "annotations")],
        partitions_def=IMPORT_BATCH,
        group_name=GROUP,
        kinds={"parquet", "pandas"},
        pool=APERTUREDB_POOL,
        retry_policy=RETRIES,
        code_version="1",
    )
    def dataset(context: dg.AssetExecutionContext, aperturedb: ApertureDBResource) -> dg.MaterializeResult[None]:
        """The current labels of the batch as one Parquet table, built only when every annotation maps to a GUID."""
        from labeling_assets.sync.build_dataset import build_dataset

        batch = context.partition_key
        with as_failures(batch), aperturedb.connect() as db:
            report = build_dataset(db, project, batch=batch, folder=settings.home / "datasets")
        return dg.MaterializeResult(
            metadata=metadata.of_dataset(report), data_version=dg.DataVersion(report.digest[:16])
        )

    return dataset


def _run_id(context: dg.AssetExecutionContext) -> str:
    """Also of an asset that is called directly: `context.run` is refused there, `context.run_id` is deprecated."""
    return context.op_execution_context.run_id


def _version(parts: Sequence[str]) -> dg.DataVersion:
    """A digest of the whole batch, so that a run which changed nothing has the same data version."""
    import hashlib

    return dg.DataVersion(hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16])
