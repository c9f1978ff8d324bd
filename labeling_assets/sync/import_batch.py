"""One batch into ApertureDB, wherever its media come from: the inbox, a claim, or media pushed before."""

from collections.abc import Sequence

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import equal
from labeling_assets.errors import InputError
from labeling_assets.projects import Project, claimed_by
from labeling_assets.settings import Settings
from labeling_assets.sync.batch_rows import batch_source, checked_batch, read_rows
from labeling_assets.sync.claim_media import claim_media
from labeling_assets.sync.database import prepare_database
from labeling_assets.sync.inbox import batch_signature
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.media_store import media_of_batch
from labeling_assets.sync.pushed_batches import closed_mark, mark_new
from labeling_assets.sync.report import IngestReport, Progress


def import_batch(
    db: ApertureDB,
    batch: str,
    *,
    projects: Sequence[Project],
    settings: Settings,
    run_id: str = "",
    progress: Progress = lambda _: None,
) -> tuple[IngestReport, str]:
    """Import a batch and return the report and the signature of its folder, which is empty for other sources.

    Raises:
        InputError: the name cannot be a batch, the inbox has no such batch, or none of its rows can be used.
    """
    checked_batch(batch)
    closed = closed_mark(db, batch)  # before reading, as the signature below
    report, signature = _imported(db, batch, projects=projects, settings=settings, run_id=run_id, progress=progress)
    report.closed = closed
    return report, signature


def _imported(
    db: ApertureDB,
    batch: str,
    *,
    projects: Sequence[Project],
    settings: Settings,
    run_id: str,
    progress: Progress,
) -> tuple[IngestReport, str]:
    source = batch_source(settings.inbox, batch)
    if source is not None:
        # Taken before reading: what is added meanwhile gives another signature, and the batch runs again.
        signature = batch_signature(source)
        limit = int(settings.media_size_limit_mb * 1e6)
        rows = read_rows(source)
        report = ingest_media(
            db,
            rows,
            batch=batch,
            projects=projects,
            size_limit_bytes=limit,
            sources=settings.registered_media,
            run_id=run_id,
            progress=progress,
        )
        return report, signature
    slug = claimed_by(batch)
    for project in projects:
        if project.slug == slug and project.query:
            return claim_media(db, project, batch=batch, run_id=run_id, progress=progress), ""
    return _present(db, batch, projects, settings), ""


def _present(db: ApertureDB, batch: str, projects: Sequence[Project], settings: Settings) -> IngestReport:
    """A batch whose folder was removed, or that was pushed: its media are in ApertureDB already."""
    if not db.count("FindEntity", equal(names.KEY, batch), class_name=names.BATCH):
        raise InputError(
            f"There is no batch {batch!r}: neither {settings.inbox / batch}/ nor {settings.inbox / batch}.csv exists, "
            "and ApertureDB has no such batch. Put it into the inbox, or delete the partition."
        )
    concerned = [project for project in projects if project.wants(batch)]
    prepare_database(db, tuple(project.state for project in concerned))
    mark_new(db, batch, concerned)
    guids = sorted(medium.guid for medium in media_of_batch(db, batch, properties=(names.GUID,)))
    return IngestReport(batch, rows=len(guids), known=len(guids), guids=guids)
