"""What Dagster loads: the assets, checks, jobs, sensors and schedules of every labeling project in the home folder."""

import warnings

import dagster as dg

from labeling_assets.assets import media_asset, project_assets
from labeling_assets.checks import all_checks
from labeling_assets.jobs import import_job, sync_job
from labeling_assets.projects import load_projects
from labeling_assets.resources import ApertureDBResource, LabelStudioResource, MediaLinksResource
from labeling_assets.sensors import changed_annotations_sensor, claim_sensor, new_batches_sensor, reconcile_schedule
from labeling_assets.settings import Settings, load_settings

# Partitioned checks are a preview in Dagster 1.13; the versions are pinned, so the warning says nothing new.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions for the settings of the environment; opens no connection."""
    return build_definitions(load_settings())


def build_definitions(settings: Settings) -> dg.Definitions:
    """Definitions for given settings: `media`, and the assets of each labeling project under its own prefix."""
    projects = load_projects(settings.projects)
    home = str(settings.home)
    return dg.Definitions(
        assets=[media_asset(projects, settings), *(a for p in projects for a in project_assets(p, settings))],
        asset_checks=all_checks(projects, settings),
        jobs=[import_job(projects), *map(sync_job, projects)],
        sensors=[
            new_batches_sensor(projects, settings),
            *(changed_annotations_sensor(project, settings) for project in projects),
            *(claim_sensor(project, settings) for project in projects if project.query),
        ],
        schedules=[reconcile_schedule(project, settings) for project in projects],
        resources={
            "aperturedb": ApertureDBResource(home=home),
            "label_studio": LabelStudioResource(home=home),
            "media_links": MediaLinksResource(home=home),
        },
        # A step of its own process costs four times the CPU of the run (facts: 18.4 against 4.0 CPU-seconds).
        executor=dg.in_process_executor,
    )
