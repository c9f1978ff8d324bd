"""Batches that ApertureDB knows and Dagster does not: its storage was lost, or the batch was adopted."""

from collections.abc import Collection, Sequence

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, not_equal, one_of
from labeling_assets.projects import Project
from labeling_assets.sync.counts import count_by


def batches_unknown_to(known: Collection[str], db: ApertureDB, projects: Sequence[Project]) -> list[str]:
    """Batches with tasks in one of these projects that wants them and that are not in `known`, by name.

    Costs one count where Dagster knows as many batches as ApertureDB has.
    """
    if not projects or db.count("FindEntity", None, class_name=names.BATCH) <= len(known):
        return []
    of_projects = one_of("LS_project", [project.slug for project in projects])
    live = all_of(of_projects, not_equal("LS_state", "withdrawn"))
    slugs: dict[str, set[str]] = {}
    for slug, batch in count_by(db, names.TASK, live, by=["LS_project", "LS_batch"]):
        slugs.setdefault(batch, set()).add(slug)
    return sorted(
        batch
        for batch, of in slugs.items()
        if batch and batch not in known and any(project.slug in of and project.wants(batch) for project in projects)
    )
