"""ApertureDB: reachable, of a known dialect and data model, with no property of another type in the way."""

import time
from collections.abc import Iterator

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import all_of, compare, not_equal
from labeling_assets.diagnose.finding import Finding, error, ok, warning
from labeling_assets.errors import ConfigurationError, DataError, LabelingAssetsError, RefusedError, TransientError
from labeling_assets.projects import Project
from labeling_assets.settings import Settings
from labeling_assets.sync.database import SCHEMA_VERSION, schema_conflicts
from labeling_assets.sync.lease import LIFETIME_S

_TOLERATED_S = 30.0


def reached(settings: Settings, found: list[ApertureDB]) -> Iterator[Finding]:
    """Whether the database answers; if it does, the connection is put into `found`, to be closed by the caller."""
    name = "database.reachable"
    try:
        db = ApertureDB(settings.database_key(), dialect=settings.aperturedb_dialect)
    except ConfigurationError as problem:
        yield error(name, str(problem), "Set APERTUREDB_KEY (adb config get_key), or start labeling-assets up.")
        return
    try:
        status = db.check()
    except (TransientError, ConfigurationError, RefusedError) as problem:
        db.close()
        yield error(name, str(problem), _fix(problem))
        return
    found.append(db)
    version = f"{status.get('system', '')} {status.get('version', '')}".strip()
    yield ok(name, f"{version} at {db.address} ({status.get('info', 'OK')})")


def _fix(problem: LabelingAssetsError) -> str:
    if isinstance(problem, TransientError):
        return "Start the server, or set APERTUREDB_KEY to one that runs."
    return "Set APERTUREDB_KEY to a key with the right user and password: adb config create, adb config get_key."


def dialect_findings(db: ApertureDB) -> Iterator[Finding]:
    """Whether the server takes queries as they are sent."""
    name = "database.dialect"
    try:
        db.count("FindEntity", not_equal(names.KEY, ""), class_name=names.SYNC)
    except RefusedError as problem:
        yield error(
            name,
            f"The server does not take the dialect {db.dialect.value!r}: {problem}",
            "Set LABELING_ASSETS_APERTUREDB_DIALECT to auto.",
        )
        return
    yield ok(name, f"The server takes queries of the dialect {db.dialect.value!r}")


def schema_findings(db: ApertureDB, projects: list[Project]) -> Iterator[Finding]:
    """The data model, and properties that are there with other types than we need."""
    wanted = [names.SLUG, names.SCHEMA_VERSION]
    other = not_equal(names.SCHEMA_VERSION, SCHEMA_VERSION)
    rows = db.find("FindEntity", other, class_name=names.PROJECT, properties=wanted)
    for row in rows:
        yield error(
            "database.schema_version",
            f"Project {row[names.SLUG]!r} was written in version {row[names.SCHEMA_VERSION] or '?'} of the data model; "
            f"this release has version {SCHEMA_VERSION}",
            "Use the release that wrote it, or an empty ApertureDB (docs/data_model.md, Another version).",
        )
    conflicts = schema_conflicts(db, tuple(project.state for project in projects))
    for conflict in conflicts:
        yield error(
            "database.types",
            conflict,
            "Remove or rename the property (its type is fixed per class), or use another ApertureDB.",
        )
    if not rows and not conflicts:
        yield ok("database.schema", f"Data model of version {SCHEMA_VERSION}, no property of another type in the way")


def lease_findings(db: ApertureDB) -> Iterator[Finding]:
    """A lease that ends later than any can was taken by a machine whose clock is ahead, or ours is behind."""
    latest_s = time.time() + LIFETIME_S + _TOLERATED_S
    condition = all_of(compare("LS_lease_until", ">", latest_s))
    wanted = ["LS_lease_owner", "LS_lease_until"]
    for row in db.find("FindEntity", condition, class_name=names.SYNC, properties=wanted):
        owner = str(row["LS_lease_owner"]).partition("/")[0].partition(":")[0]
        yield warning(
            "database.clock",
            f"A process on {owner} holds a lease that ends in {row['LS_lease_until'] - time.time():.0f} s, and leases "
            f"have {LIFETIME_S:.0f}: its clock is ahead, or that of this machine is behind",
            f"Set the clocks of {owner} and of this machine by the network; nobody else writes until then.",
        )


def database_findings(db: ApertureDB, projects: list[Project]) -> Iterator[Finding]:
    """All that can be said of a database that answers."""
    findings = list(dialect_findings(db))
    yield from findings
    if any(finding.level == "error" for finding in findings):
        return
    try:
        yield from schema_findings(db, projects)
        yield from lease_findings(db)
    except (RefusedError, TransientError, DataError) as problem:
        yield error("database.reachable", str(problem), "Look at the log of ApertureDB, and run doctor again.")
