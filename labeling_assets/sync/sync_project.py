"""A sync of a whole labeling project without Dagster: only the batches in which something changed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, equal, not_equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.errors import DataError, LabelingAssetsError, TransientError
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

    With nothing to do it makes two requests to Label Studio, whatever the number of batches, and writes nothing. A
    batch that fails does not hold up the others; the next call tries it again.

    Raises:
        DataError: the project was never made, is gone, or Label Studio was rebuilt.
        LabelingAssetsError: some batches failed; names them all. TransientError if one may work later.
    """
    record = recorded_project(db, ls, project)
    if record is None:
        raise DataError(f"Project {project.slug!r} has no tasks in {ls.url} yet: import a batch first.")
    wanted = list(batches) or (batches_of(db, project.slug) if full else [])
    if wanted:
        failures: dict[str, LabelingAssetsError] = {}
        reports = _collected(
            wanted, lambda b: collect_annotations(db, ls, project, batch=b, full=full, progress=progress), failures
        )
        _raise(failures)
        return reports
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
    cursor = observe(db, ls, record, states, cursor=before, unsynced=unsynced)
    failures: dict[str, LabelingAssetsError] = {}
    reports = _collected(
        sorted(cursor.pending), lambda b: collect_annotations(db, ls, project, batch=b, progress=progress), failures
    )
    cursor = replace(cursor, pending={batch: p for batch, p in cursor.pending.items() if batch in failures})
    stored = max((state.watermark for state in load_states(db, record.key).values()), default="")
    cursor = replace(cursor, stored=stored)
    if cursor != before:
        _save_cursor(db, record, cursor)
    _raise(failures)
    return reports


def _collected(
    batches: Iterable[str], collect: Callable[[str], CollectReport], failures: dict[str, LabelingAssetsError]
) -> list[CollectReport]:
    """The reports of the batches that worked; the errors of the others go into `failures`."""
    reports = []
    for batch in batches:
        try:
            reports.append(collect(batch))
        except LabelingAssetsError as error:
            failures[batch] = error
    return reports


def _raise(failures: Mapping[str, LabelingAssetsError]) -> None:
    """One error for all of them; transient if any is."""
    if not failures:
        return
    first = next((e for e in failures.values() if isinstance(e, TransientError)), next(iter(failures.values())))
    named = "\n".join(f"  - {batch}: {error}" for batch, error in failures.items())
    raise type(first)(f"{len(failures)} batches were not synced; the others were.\n{named}") from first


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
