"""What Dagster loads: the assets, checks, jobs, sensors and schedules of every labeling project in the home folder."""

import logging
import warnings

import dagster as dg

from labeling_assets.assets import broken_project_asset, media_asset, project_assets
from labeling_assets.checks import all_checks
from labeling_assets.errors import ConfigurationError
from labeling_assets.jobs import import_job, sync_job
from labeling_assets.projects import BrokenProject, Project, readable_projects
from labeling_assets.resources import ApertureDBResource, LabelStudioResource, MediaLinksResource
from labeling_assets.sensors import (
    changed_annotations_sensor,
    claim_sensor,
    closed_batches_sensor,
    new_batches_sensor,
    reconcile_schedule,
)
from labeling_assets.settings import Settings, load_settings

_log = logging.getLogger(__name__)
# Partitioned checks are a preview in Dagster 1.13; the versions are pinned, so the warning says nothing new.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions for the settings of the environment; opens no connection."""
    return build_definitions(load_settings())


def build_definitions(settings: Settings) -> dg.Definitions:
    """Definitions for given settings: `media`, and the assets of each labeling project under its own prefix.

    A project that cannot be read has one asset, which says why; the others are not touched by it.
    """
    projects, schedules, broken = _loaded(settings)
    for project in broken:
        _log.error("A labeling project is broken: %s", project.error)
    home = str(settings.home)
    return dg.Definitions(
        assets=[
            media_asset(projects, settings, broken),
            *(asset for project in projects for asset in project_assets(project, settings)),
            *(broken_project_asset(project, number) for number, project in enumerate(broken, start=1)),
        ],
        asset_checks=all_checks(projects, settings),
        jobs=[import_job(projects), *map(sync_job, projects)],
        sensors=[
            new_batches_sensor(projects, settings, broken=[project.error for project in broken]),
            closed_batches_sensor(projects, settings),
            *(changed_annotations_sensor(project, settings) for project in projects),
            *(claim_sensor(project, settings) for project in projects if project.query),
        ],
        schedules=schedules,
        resources={
            "aperturedb": ApertureDBResource(home=home),
            "label_studio": LabelStudioResource(home=home),
            "media_links": MediaLinksResource(home=home),
        },
        # A step of its own process costs four times the CPU of the run (facts: 18.4 against 4.0 CPU-seconds).
        executor=dg.in_process_executor,
    )


def _loaded(settings: Settings) -> tuple[list[Project], list[dg.ScheduleDefinition], list[BrokenProject]]:
    """The projects with their schedules; Dagster says what is no cron schedule, so that breaks a project as well."""
    projects: list[Project] = []
    schedules: list[dg.ScheduleDefinition] = []
    readable, broken = readable_projects(settings.projects)
    for project in readable:
        try:
            schedules.append(reconcile_schedule(project, settings))
            projects.append(project)
        except ConfigurationError as error:
            broken.append(BrokenProject(project.folder, str(error)))
    return projects, schedules, broken
