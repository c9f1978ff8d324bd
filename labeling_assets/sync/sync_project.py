"""A sync of a whole labeling project without Dagster: only the batches in which something changed."""

import time
from collections.abc import Iterable
from dataclasses import replace

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, equal, not_equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.errors import DataError
from labeling_assets.projects import Project
from labeling_assets.sync.changes import Cursor, observe
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.labeling_project import ProjectRecord, recorded_project
from labeling_assets.sync.report import CollectReport, Progress
from labeling_assets.sync.watermark import load_states


def sync_project(
    db: ApertureDB,
    ls: LabelStudio,
    project: Project,
    *,
    batches: Iterable[str] = (),
    full: bool = False,
    progress: Progress = lambda _: None,
) -> list[CollectReport]:
    """Sync the batches that changed since the last call, or those named, or with `full` all of them.

    With nothing to do it makes two requests to Label Studio, whatever the number of batches, and writes nothing.

    Raises:
        DataError: the project was never made, is gone, or Label Studio was rebuilt.
    """
    record = recorded_project(db, ls, project)
    if record is None:
        raise DataError(f"Project {project.slug!r} has no tasks in {ls.url} yet: import a batch first.")
    wanted = list(batches) or (batches_of(db, project.slug) if full else [])
    if wanted:
        return [collect_annotations(db, ls, project, batch=b, full=full, progress=progress) for b in wanted]
    return _sync_changed(db, ls, project, record, progress)


def batches_of(db: ApertureDB, slug: str) -> list[str]:
    """The batches that have tasks in a project, by name."""
    live = all_of(equal("LS_project", slug), not_equal("LS_state", "withdrawn"))
    found = db.find("FindEntity", live, class_name=names.TASK, properties=["LS_batch"])
    return sorted({str(row["LS_batch"]) for row in found})


def _sync_changed(
    db: ApertureDB, ls: LabelStudio, project: Project, record: ProjectRecord, progress: Progress
) -> list[CollectReport]:
    states = load_states(db, record.key)
    before = _load_cursor(db, record)
    unsynced = set(batches_of(db, project.slug)) - states.keys()
    cursor = observe(db, ls, record, states, cursor=before, unsynced=unsynced, now=time.time())
    reports = []
    for batch in sorted(cursor.pending):
        reports.append(collect_annotations(db, ls, project, batch=batch, progress=progress))
        cursor = replace(cursor, pending={b: p for b, p in cursor.pending.items() if b != batch})
    stored = max((state.watermark for state in load_states(db, record.key).values()), default="")
    cursor = replace(cursor, stored=stored)
    if cursor != before:
        _save_cursor(db, record, cursor)
    return reports


def _load_cursor(db: ApertureDB, record: ProjectRecord) -> Cursor:
    condition = equal(names.KEY, f"{record.key}|")
    found = db.find("FindEntity", condition, class_name=names.SYNC, properties=["LS_cursor"])
    return Cursor.load(found[0]["LS_cursor"] if found else None)


def _save_cursor(db: ApertureDB, record: ProjectRecord, cursor: Cursor) -> None:
    key = f"{record.key}|"  # no batch has an empty name
    properties = {names.KEY: key, "LS_cursor": cursor.dump()}
    condition = equal(names.KEY, key)
    db.one("AddEntity", {"class": names.SYNC, "properties": properties, "if_not_found": condition})
    db.one("UpdateEntity", {"with_class": names.SYNC, "constraints": condition, "properties": properties})
