"""Links as they stand in tasks: what an annotator's browser really asks for."""

from collections.abc import Iterator

import httpx

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_records import ROW_FIELDS
from labeling_assets.diagnose.finding import Finding, error, ok
from labeling_assets.diagnose.http import ask
from labeling_assets.errors import LabelingAssetsError
from labeling_assets.settings import Settings
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.link_rules import load_link_rules
from labeling_assets.sync.stored_links import StoredLink, stored_links


def stored_link_findings(
    settings: Settings, db: ApertureDB, ls: LabelStudio, records: list[ProjectRecord]
) -> Iterator[Finding]:
    """Whether the links of the newest task of each project open."""
    try:
        links, denied = settings.links(), load_link_rules(db).denied
    except LabelingAssetsError:
        return  # other findings say why
    for record in records:
        try:
            page = ls.list_tasks(record.project_id, ordering="-tasks:id", page_size=1, include=ROW_FIELDS)
        except LabelingAssetsError:
            continue  # other findings say why
        for task in page.tasks:
            found = [link for link in stored_links(task["data"]) if link.guid not in denied]
            if found:
                yield _opened(record, int(task["id"]), found[0], reason=links.refusal(found[0].guid, found[0].query))


def _opened(record: ProjectRecord, task: int, link: StoredLink, *, reason: str | None) -> Finding:
    name = "links.stored"
    where = f"Task {task} of {record.slug!r}"
    refresh = f"Sign its links anew: labeling-assets links refresh --project {record.slug} --apply"
    if reason is not None:
        return error(name, f"{where} has a link that does not open: {reason}", refresh)
    try:
        status = ask("HEAD", link.text.replace("&amp;", "&")).status_code
    except httpx.HTTPError as problem:
        text = f"{where} has a link to {link.base_url}, which cannot be reached ({problem})"
        return error(name, text, f"If the gateway has another address now: {refresh}")
    if status in (200, 401):  # 401: a proxy asks for the session of Label Studio
        return ok(name, f"The link in task {task} of {record.slug!r} opens")
    return error(name, f"{where} has a link that is answered with {status}", refresh)
