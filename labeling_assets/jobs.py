"""Jobs: one that imports a batch, and one for each labeling project that brings its labels back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import dagster as dg

from labeling_assets.assets import MEDIA, key_of
from labeling_assets.projects import Project

if TYPE_CHECKING:
    # Dagster gives the result of define_asset_job no public name.
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

IMPORT_JOB: Final = "import_batch"


def import_job(projects: Sequence[Project]) -> "UnresolvedAssetJobDefinition":
    """`media` and the tasks of every project; runs ask for those of the projects that want the batch."""
    keys = [MEDIA, *(key_of(project, "tasks") for project in projects)]
    return dg.define_asset_job(
        IMPORT_JOB,
        selection=dg.AssetSelection.assets(*keys),
        description="Import a batch: media into ApertureDB, tasks into Label Studio, and their checks.",
    )


def sync_job_name(project: Project) -> str:
    """The name of the project's sync job."""
    return f"sync_{project.slug}"


def sync_job(project: Project) -> "UnresolvedAssetJobDefinition":
    """`annotations` and `dataset` of a project, with their checks."""
    return dg.define_asset_job(
        sync_job_name(project),
        selection=dg.AssetSelection.assets(key_of(project, "annotations"), key_of(project, "dataset")),
        description=f"Bring the annotations of {project.title!r} back and rebuild the dataset of the batch.",
    )
