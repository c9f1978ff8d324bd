"""Label Studio: reachable, of a known version, with a token that it takes, and with the projects that are ours."""

import re
import time
from collections.abc import Iterator
from typing import Final

import httpx

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_tokens import token_expiry
from labeling_assets.diagnose.clocks import clock_findings
from labeling_assets.diagnose.finding import Finding, error, ok, warning
from labeling_assets.errors import ConfigurationError, DataError, LabelingAssetsError, RefusedError, ServiceError
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.projects import Project
from labeling_assets.settings import Settings
from labeling_assets.stack.label_studio_install import VERSION
from labeling_assets.sync.labeling_project import ProjectRecord, checked_project, recorded_projects
from labeling_assets.sync.task_data import data_sources

TIMEOUT_S: Final = 10.0
_DAY_S: Final = 86_400
_SOON_S: Final = 30 * _DAY_S


def server_findings(settings: Settings, found: list[LabelStudio]) -> Iterator[Finding]:
    """Whether the server answers and takes the token; if it does, a client is put into `found`."""
    try:
        url, key = settings.label_studio()
        client = LabelStudio(url, key, timeout_s=TIMEOUT_S, sleep=lambda _: None)
    except ConfigurationError as problem:
        yield error(
            "label_studio.settings",
            str(problem),
            "Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, or start labeling-assets up.",
        )
        return
    findings = list(_reached(url))
    yield from findings
    if any(finding.level == "error" for finding in findings):
        client.close()
        return
    found.append(client)
    yield from _token_findings(client, key)


def _reached(url: str) -> Iterator[Finding]:
    name = "label_studio.reachable"
    local = re.match(r"http://(127\.|localhost\b)", url) is not None
    try:
        answer = httpx.get(f"{url}/api/version", timeout=TIMEOUT_S, trust_env=not local)
        release = str(answer.json()["release"])
    except httpx.HTTPError as problem:
        yield error(name, f"{url} cannot be reached ({problem})", "Start Label Studio, or set LABEL_STUDIO_URL.")
        return
    except (ValueError, KeyError, TypeError):
        text = f"{url} answers {answer.status_code} to /api/version, and not as Label Studio does"
        yield error(name, text, "Set LABEL_STUDIO_URL to the address of Label Studio itself, without a path after it.")
        return
    yield ok(name, f"Label Studio {release} at {url}")
    if release != VERSION:
        text = f"Label Studio has version {release}; this release is tested with {VERSION}"
        yield warning("label_studio.version", text, f"Use label-studio=={VERSION}, or try first on a copy.")
    yield from clock_findings("label_studio.clock", "Label Studio", answer)


def _token_findings(ls: LabelStudio, key: str) -> Iterator[Finding]:
    name = "label_studio.token"
    ends = token_expiry(key)
    kind = "legacy token" if ends is None else "personal access token"
    try:
        user = ls.whoami()
    except LabelingAssetsError as problem:
        fix = "Create a personal access token (Account & Settings) and set LABEL_STUDIO_API_KEY to it."
        yield error(name, str(problem), fix)
        return
    yield ok(name, f"The {kind} is that of {user.email}")
    if ends is not None and ends - time.time() < _SOON_S:
        days = max(0, int((ends - time.time()) // _DAY_S))
        fix = "Create a new one (Account & Settings, Personal Access Token) and set LABEL_STUDIO_API_KEY to it."
        yield warning(name, f"The personal access token ends in {days} days", fix)


def record_findings(
    db: ApertureDB, ls: LabelStudio, projects: list[Project], found: list[ProjectRecord]
) -> Iterator[Finding]:
    """Whether Label Studio has the projects that ApertureDB has noted; those that it has are put into `found`."""
    name = "label_studio.projects"
    try:
        here, elsewhere = recorded_projects(db, ls.url)
    except DataError:
        return  # of another data model, which the database's findings say
    noted = {record.slug for record in here}
    for slug, home in elsewhere:
        if slug in {project.slug for project in projects} - noted:
            text = f"Project {slug!r} was made in {home}, and LABEL_STUDIO_URL is {ls.url}"
            fix = "Set LABEL_STUDIO_URL to that server; if it is this one, labeling-assets sync notes its new name."
            yield error(name, text, fix)
    for record in here:
        try:
            there = checked_project(ls, record)
        except (DataError, ServiceError, ConfigurationError) as problem:
            yield error(name, str(problem), "Restore Label Studio's database, or read the message: it names the ways.")
            continue
        found.append(record)
        yield ok(name, f"Project {record.slug!r} is project {record.project_id} with {there.task_number} tasks")


def config_findings(ls: LabelStudio | None, projects: list[Project]) -> Iterator[Finding]:
    """Whether the label configuration of each folder is one, for us and for Label Studio."""
    name = "projects.label_config"
    for project in projects:
        path = project.folder / "label_config.xml"
        try:
            xml = project.label_config()
            data_sources(project, LabelConfig.parse(xml))
            if ls is not None:
                ls.validate_label_config(xml)
        except ConfigurationError as problem:
            yield error(name, f"{project.slug}: {problem}", f"Correct {path}, or `data` in project.yaml.")
        except RefusedError as problem:
            yield error(name, f"{project.slug}: {problem}", f"Correct {path}; Label Studio says what is wrong with it.")
        except ServiceError as problem:
            yield error(name, f"{project.slug}: {problem}", "Run doctor again when Label Studio answers.")
        else:
            yield ok(name, f"The label configuration of {project.slug!r} is valid")
