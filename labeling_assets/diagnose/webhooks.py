"""Webhooks: registered as they should be, to an address that takes them and that Label Studio calls."""

from collections.abc import Iterator
from typing import Final

import httpx

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.diagnose.finding import Finding, error, ok
from labeling_assets.diagnose.http import ask
from labeling_assets.errors import ConfigurationError, LabelingAssetsError, ServiceError
from labeling_assets.settings import Settings, WebhookTarget
from labeling_assets.stack.home import webhooks_of
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.register_webhook import PATH, PRIVATE, SECRET_HEADER, refused_address, webhook_problems

_OFF: Final = "or set LABELING_ASSETS_WEBHOOKS to off: changes are then found at the next look of the sensor."


def webhook_findings(settings: Settings, ls: LabelStudio | None, records: list[ProjectRecord]) -> Iterator[Finding]:
    """All that can be said of webhooks; nothing is wrong where they are off."""
    on = settings.model_copy(update={"webhooks": webhooks_of(settings)})
    try:
        target = on.webhook()
    except ConfigurationError as problem:
        yield error("webhooks.settings", str(problem), f"Set what it names, {_OFF}")
        return
    if target is None:
        yield ok("webhooks.settings", "Webhooks are off: changes are found at the next look of the sensor")
        return
    yield from _taken(target)
    if ls is not None:
        for record in records:
            yield from _registered(ls, record, target)
        if records:
            yield from _called(ls, records[0], target)


def _taken(target: WebhookTarget) -> Iterator[Finding]:
    """Whether the gateway takes a call with our secret. It is for no project, so nothing is noted."""
    name, url = "webhooks.reachable", f"{target.base_url}{PATH}/doctor/doctor"
    try:
        answer = ask("POST", url, headers={SECRET_HEADER: target.secret}, content=b"{}")
    except httpx.HTTPError as problem:
        text = f"The media gateway cannot be reached at {target.base_url} ({problem})"
        yield error(name, text, f"Start it, or set LABELING_ASSETS_WEBHOOK_URL, {_OFF}")
        return
    if answer.status_code == 403:
        text = f"The media gateway at {target.base_url} knows another secret"
        fix = (
            "Give Dagster and the gateway the same LABELING_ASSETS_WEBHOOK_SECRET or home folder; restart the gateway."
        )
        yield error(name, text, fix)
    elif "no such project" not in answer.text:
        text = f"{url} answers {answer.status_code}, and not as a media gateway that takes webhooks"
        yield error(
            name, text, "Start the gateway with LABELING_ASSETS_WEBHOOKS=on, or set LABELING_ASSETS_WEBHOOK_URL."
        )
    else:
        yield ok(name, f"The media gateway takes webhooks at {target.base_url}")


def _registered(ls: LabelStudio, record: ProjectRecord, target: WebhookTarget) -> Iterator[Finding]:
    name = "webhooks.registered"
    try:
        problems = webhook_problems(ls, record, target)
    except LabelingAssetsError as problem:
        yield error(name, f"{record.slug}: {problem}", "Run doctor again when Label Studio answers.")
        return
    if problems:
        text = f"The webhook of {record.slug!r} is not as it should be: {', '.join(problems)}"
        yield error(name, text, f"Materialize {record.slug}/tasks of any batch in Dagster: that repairs it.")
    else:
        yield ok(name, f"Label Studio calls for every change in {record.slug!r}")


def _called(ls: LabelStudio, record: ProjectRecord, target: WebhookTarget) -> Iterator[Finding]:
    name = "webhooks.private_address"
    try:
        refused = refused_address(ls, record, target)
    except ServiceError as problem:
        yield error(name, str(problem), "Run doctor again when Label Studio answers.")
        return
    if refused is None:
        yield ok(name, f"Label Studio may call {target.base_url}")
    else:
        yield error(name, f"Label Studio does not call {target.base_url}: {refused}", PRIVATE)
