"""Looks at everything, one after the other; what cannot be reached is named, and what depends on it is left out."""

from collections.abc import Iterator
from contextlib import ExitStack

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.diagnose import database, gateway, home, label_studio, stored, webhooks
from labeling_assets.diagnose.finding import Finding
from labeling_assets.projects import Project
from labeling_assets.settings import Settings
from labeling_assets.sync.labeling_project import ProjectRecord


def diagnose(settings: Settings) -> Iterator[Finding]:
    """One finding after the other, in the order in which they are best mended."""
    databases: list[ApertureDB] = []
    servers: list[LabelStudio] = []
    projects: list[Project] = []
    records: list[ProjectRecord] = []
    with ExitStack() as stack:
        yield from home.project_findings(settings, projects)
        yield from database.reached(settings, databases)
        for db in databases:
            stack.enter_context(db)
            yield from database.database_findings(db, projects)
        yield from label_studio.server_findings(settings, servers)
        for ls in servers:
            stack.enter_context(ls)
        for db, ls in zip(databases, servers, strict=False):  # one of each, or none
            yield from label_studio.record_findings(db, ls, projects, records)
        yield from label_studio.config_findings(next(iter(servers), None), projects)
        yield from webhooks.webhook_findings(settings, next(iter(servers), None), records)
        yield from gateway.gateway_findings(settings, next(iter(databases), None), projects)
        for db, ls in zip(databases, servers, strict=False):
            yield from stored.stored_link_findings(settings, db, ls, records)
        yield from home.dagster_findings(settings)
        yield from home.inbox_findings(settings)
