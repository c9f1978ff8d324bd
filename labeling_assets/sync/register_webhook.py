"""The webhook of a labeling project in Label Studio, as code: made once, repaired where it differs, never twice."""

from collections.abc import Mapping
from typing import Any, Final

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_records import Webhook
from labeling_assets.errors import RefusedError, ServiceError
from labeling_assets.projects import Project
from labeling_assets.settings import WebhookTarget
from labeling_assets.sync.labeling_project import ProjectRecord, recorded_project
from labeling_assets.sync.report import Note

SECRET_HEADER: Final = "X-Labeling-Assets-Secret"
PATH: Final = "/webhooks/label_studio"
# Everything that moves an annotation or takes one away. Not TASKS_CREATED: it would send every import back to us, three
# megabytes for 5,000 tasks, while the import waits.
ACTIONS: Final = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
    "TASKS_DELETED",
)
PRIVATE: Final = (
    "Label Studio calls no address of a private network or of its own machine, unless it is started with "
    "USE_DEFAULT_BANNED_SUBNETS=false (USER_ADDITIONAL_BANNED_SUBNETS then lists the networks that stay forbidden) or "
    "SSRF_PROTECTION_ENABLED=false. Or set LABELING_ASSETS_WEBHOOK_URL to a public address of the media gateway, or "
    "LABELING_ASSETS_WEBHOOKS to off."
)
_HARMLESS: Final = "Nothing is lost without it: changes are found at the next look of the sensor."


def register_webhook(db: ApertureDB, ls: LabelStudio, project: Project, target: WebhookTarget | None) -> list[Note]:
    """See to it that Label Studio calls the gateway for this project, one request if it does already.

    Nothing is sent when `target` is None: a webhook that is there stays. What Label Studio refuses is returned and
    stops nothing, because the sync needs no webhook.

    Raises:
        DataError: the project was made on another server.
    """
    record = recorded_project(db, ls, project) if target else None
    if record is None or target is None:
        return []
    try:
        _ensure(ls, record, _wanted(record, target))
    except ServiceError as error:
        hint = PRIVATE if isinstance(error, RefusedError) and error.status == 403 else _HARMLESS
        return [Note("webhook", f"{error} {hint}")]
    return []


def webhook_problems(ls: LabelStudio, record: ProjectRecord, target: WebhookTarget) -> list[str]:
    """In what the webhook of a project is not what `register_webhook` would make of it; changes nothing."""
    ours = _ours(ls, record)
    if not ours:
        return ["there is none"]
    first, wanted = ours[0], _wanted(record, target)
    problems = [f"there are {len(ours)}"] if len(ours) > 1 else []
    missing = sorted(set(ACTIONS) - set(first.get("actions") or ()))
    told = {
        "url": f"it goes to {first['url']}",
        "headers": "it brings another secret",
        "send_payload": "it brings no annotation",
        "send_for_all_actions": "it is sent for every action",
        "is_active": "it is switched off",
    }
    problems += [text for name, text in told.items() if first.get(name) != wanted[name]]
    if missing and not first.get("send_for_all_actions"):
        problems.append(f"it is not sent for {', '.join(missing)}")
    return problems


def refused_address(ls: LabelStudio, record: ProjectRecord, target: WebhookTarget) -> str | None:
    """Why Label Studio would not call the gateway, None if it would. Asked with a webhook that it never makes."""
    body = {**_wanted(record, target), "is_active": False, "actions": ["NO_SUCH_ACTION"]}
    try:
        # It looks at the address first, and refuses that there is no such action.
        made = ls.create_webhook(record.project_id, body)
    except RefusedError as error:
        return None if error.status == 400 and "NO_SUCH_ACTION" in str(error) else str(error)
    ls.delete_webhook(int(made["id"]))  # a version that takes any action
    return None


def path_of(record: ProjectRecord) -> str:
    """The path of the gateway that takes the webhook of a project."""
    return f"{PATH}/{record.instance}/{record.slug}"


def _wanted(record: ProjectRecord, target: WebhookTarget) -> dict[str, Any]:
    return {
        "url": target.base_url + path_of(record),
        "headers": {SECRET_HEADER: target.secret},
        "send_payload": True,
        "send_for_all_actions": False,
        "is_active": True,
    }


def _ensure(ls: LabelStudio, record: ProjectRecord, wanted: Mapping[str, Any]) -> None:
    """Ours are known by their path: the gateway may have moved. Others of the project are left alone."""
    ours = _ours(ls, record)
    if not ours:
        ls.create_webhook(record.project_id, {**wanted, "actions": list(ACTIONS)})
        return
    first, *twins = ours
    as_wanted = all(first.get(name) == value for name, value in wanted.items())
    if not as_wanted or set(first.get("actions") or ()) != set(ACTIONS):
        ls.update_webhook(int(first["id"]), dict(wanted), actions=ACTIONS)
    for twin in twins:
        ls.delete_webhook(int(twin["id"]))


def _ours(ls: LabelStudio, record: ProjectRecord) -> list[Webhook]:
    return [hook for hook in ls.webhooks(record.project_id) if str(hook["url"]).endswith(path_of(record))]
