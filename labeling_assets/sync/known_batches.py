"""Batches that ApertureDB holds and Dagster does not know: its storage was lost, or the batch was adopted."""

from collections.abc import Collection, Sequence
from typing import Final

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB, Reply
from labeling_assets.clients.constraints import all_of, compare, not_equal, one_of, present
from labeling_assets.clients.query import Query
from labeling_assets.projects import Project
from labeling_assets.sync.counts import add_counts, counts
from labeling_assets.sync.lease import PUBLISHING
from labeling_assets.sync.media_store import chunks

_CHUNK: Final = 500
_TASKS_BY: Final = ("LS_batch", "LS_project")
_MEDIA_BY: Final = ("LS_batch",)


def forgotten_batches(db: ApertureDB, projects: Sequence[Project], unknown: Collection[str], *, now: float) -> set[str]:
    """Those of the batches that a project wants and Dagster should know.

    They have tasks in the project, or a run of Dagster imported their media. Neither is true of a batch that is still
    being pushed, nor of what `adopt storage` made of the labels of others: nothing is to be published of these.

    Args:
        db: Where tasks and media are; it is not asked if `unknown` is empty.
        projects: The labeling projects.
        unknown: Names of batches of ApertureDB that are no partitions.
        now: Seconds since the epoch. Batches of a project that somebody publishes to or adopts now have to wait.
    """
    forgotten: set[str] = set()
    for some in chunks(sorted(unknown), _CHUNK):
        tasks, imported, busy = _known_of(db, some, now)
        for project in projects:
            if project.slug not in busy:
                of_project = imported | {batch for batch, slug in tasks if slug == project.slug}
                forgotten |= {batch for batch in of_project if project.wants(batch)}
    return forgotten


def _known_of(db: ApertureDB, batches: Sequence[str], now: float) -> tuple[set[tuple[str, ...]], set[str], set[str]]:
    """Batch and project of their tasks, those that Dagster imported, and projects that are being published to."""
    query = Query()
    of_these = one_of("LS_batch", batches)
    tasks = add_counts(query, names.TASK, all_of(of_these, not_equal("LS_state", "withdrawn")), by=_TASKS_BY)
    imported = all_of(of_these, present("LS_run_id"))
    body = {"with_class": names.BATCH_MEDIA, "constraints": imported, "results": {"group": list(_MEDIA_BY)}}
    media = query.add("FindConnection", body)
    held = {"with_class": names.SYNC, "constraints": compare("LS_lease_until", ">", now)}
    leases = query.add("FindEntity", {**held, "results": {"list": [names.KEY]}})
    reply = db.run(query)
    return (
        set(counts(reply, tasks, by=_TASKS_BY)),
        {batch for (batch,) in counts(reply, media, by=_MEDIA_BY)},
        _published_to(reply, leases),
    )


def _published_to(reply: Reply, leases: int) -> set[str]:
    """The slugs of projects whose lease for publishing somebody holds."""
    keys = (str(row[names.KEY]) for row in reply.objects(leases))
    return {key.split("|")[1] for key in keys if key.endswith(f"|{PUBLISHING}")}
