"""Asset checks: they read ApertureDB and Label Studio again, and show what is wrong in a table."""

from collections.abc import Iterator, Sequence
from typing import Final

import dagster as dg

from labeling_assets import metadata
from labeling_assets.assets import APERTUREDB_POOL, LABEL_STUDIO_POOL, MEDIA, SyncConfig, key_of
from labeling_assets.failures import RETRIES, as_failures
from labeling_assets.partitions import IMPORT_BATCH
from labeling_assets.projects import Project
from labeling_assets.resources import ApertureDBResource, LabelStudioResource
from labeling_assets.settings import Settings
from labeling_assets.sync.verify import Outcome

MAPPING: Final = "every_annotation_maps_to_one_medium"
# Name -> (attribute of AnnotationOutcomes, description). The first one blocks the dataset.
_ANNOTATION_CHECKS: Final = {
    MAPPING: ("mapping", "Each annotation belongs to exactly one medium in ApertureDB, by GUID."),
    "guid_and_link_agree": ("links", "The GUID and the media link of each task name the same medium."),
    "regions_inside_media": ("geometry", "Coordinates lie inside the picture."),
    "labels_known": (
        "vocabulary",
        "The label configuration knows every label in use, and nobody changed it in Label Studio.",
    ),
    "counts_agree": ("counts", "Tasks and annotated tasks in Label Studio are those in ApertureDB."),
}


def _spec(asset: dg.AssetKey, name: str, description: str, *, blocking: bool = False) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, description=description, blocking=blocking, partitions_def=IMPORT_BATCH)


def _result(asset: dg.AssetKey, name: str, outcome: Outcome, *, error: bool = False) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=outcome.passed,
        asset_key=asset,
        check_name=name,
        severity=severity,
        description=metadata.summary(outcome),
        metadata=metadata.of_outcome(outcome),
    )


def media_checks(settings: Settings) -> dg.AssetChecksDefinition:
    """The checks of `media`."""
    unique, rows = "guids_are_unique", "every_row_is_a_medium"

    @dg.multi_asset_check(
        name="media_checks",
        specs=[
            _spec(MEDIA, unique, "Every medium of the batch has a GUID that no other medium has.", blocking=True),
            _spec(MEDIA, rows, "Every file or row of the inbox became a medium of the batch."),
        ],
        pool=APERTUREDB_POOL,
        retry_policy=RETRIES,
    )
    def checks(context: dg.AssetCheckExecutionContext, aperturedb: ApertureDBResource) -> Iterator[dg.AssetCheckResult]:
        from labeling_assets.sync.batch_rows import batch_source, read_rows
        from labeling_assets.sync.verify import verify_media, verify_rows

        batch = context.partition_key
        with as_failures(batch), aperturedb.connect() as db:
            source = batch_source(settings.inbox, batch)
            yield _result(MEDIA, unique, verify_media(db, batch), error=True)
            yield _result(MEDIA, rows, verify_rows(db, batch, read_rows(source) if source else []))

    return checks


def project_checks(project: Project) -> list[dg.AssetChecksDefinition]:
    """The checks of one labeling project."""
    return [_task_checks(project), _annotation_checks(project)]


def _task_checks(project: Project) -> dg.AssetChecksDefinition:
    tasks, name = key_of(project, "tasks"), "one_task_per_medium"

    @dg.multi_asset_check(
        name=f"{project.slug}__task_checks",
        specs=[_spec(tasks, name, "Each medium of the batch has exactly one task in Label Studio.")],
        pool=LABEL_STUDIO_POOL,
        retry_policy=RETRIES,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, aperturedb: ApertureDBResource, label_studio: LabelStudioResource
    ) -> Iterator[dg.AssetCheckResult]:
        from labeling_assets.sync.verify import verify_tasks

        batch = context.partition_key
        with as_failures(batch), aperturedb.connect() as db, label_studio.connect() as ls:
            yield _result(tasks, name, verify_tasks(db, ls, project, batch), error=True)

    return checks


def _annotation_checks(project: Project) -> dg.AssetChecksDefinition:
    annotations = key_of(project, "annotations")
    specs = [
        _spec(annotations, name, description, blocking=name == MAPPING)
        for name, (_, description) in _ANNOTATION_CHECKS.items()
    ]

    @dg.multi_asset_check(name=annotation_checks_op(project), specs=specs, pool=LABEL_STUDIO_POOL, retry_policy=RETRIES)
    def checks(
        context: dg.AssetCheckExecutionContext,
        config: SyncConfig,
        aperturedb: ApertureDBResource,
        label_studio: LabelStudioResource,
    ) -> Iterator[dg.AssetCheckResult]:
        from labeling_assets.sync.verify import verify_annotations

        batch = context.partition_key
        with as_failures(batch), aperturedb.connect() as db, label_studio.connect() as ls:
            outcomes = verify_annotations(db, ls, project, batch, full=config.full)
        for name, (attribute, _) in _ANNOTATION_CHECKS.items():
            yield _result(annotations, name, getattr(outcomes, attribute), error=name == MAPPING)

    return checks


def annotation_checks_op(project: Project) -> str:
    """The name of the step, for run configuration."""
    return f"{project.slug}__annotation_checks"


def all_checks(projects: Sequence[Project], settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The checks of `media` and of every labeling project."""
    return [media_checks(settings), *(check for project in projects for check in project_checks(project))]
