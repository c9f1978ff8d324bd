"""The inbox of Label Studio's webhooks: checks the secret, notes the call on the disk, answers.

Label Studio calls inside the request of the annotator and waits for the answer, so nothing else is done here. The
payload names a project with its tokens: only the annotation and the batch of its task are kept.
"""

import asyncio
import hmac
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio_query import format_time
from labeling_assets.errors import TransientError
from labeling_assets.gateway import responses
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.gateway.note_spool import NoteForwarder, NoteSpool
from labeling_assets.sync.register_webhook import PATH, SECRET_HEADER
from labeling_assets.sync.webhook_notes import WebhookNote

_log = logging.getLogger(__name__)

DEFAULT_LIMIT_BYTES: Final = 16 * 2**20
_THREADS: Final = 2
_TIMEOUT_S: Final = 10.0  # Label Studio has hung up by then
_BODY_S: Final = 60.0
_INSTANCE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_SLUG: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_LONGEST_ACTION: Final = 100


class WebhookInbox:
    """POST /webhooks/label_studio/{instance}/{project}: 204, 400, 403, 404, 408, 413, 503. Label Studio ignores them.

    Args:
        secret: What the header X-Labeling-Assets-Secret must hold.
        folder: Where calls wait for ApertureDB.
        database: Gives the connection to ApertureDB; used by a thread of its own.
        limit_bytes: A larger call wakes the sync all the same, but what it carries is not kept.
    """

    def __init__(
        self,
        secret: str,
        folder: Path,
        database: Callable[[], ApertureDB],
        *,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
    ) -> None:
        self._secret = secret.encode()
        self._limit_bytes = limit_bytes
        self._spool = NoteSpool(folder)
        self._forwarder = NoteForwarder(self._spool, database)
        # Threads of its own: those that read media may all wait for ApertureDB.
        self._calls = BlockingCalls(threads=_THREADS, timeout_s=_TIMEOUT_S)

    @property
    def route(self) -> Route:
        return Route(PATH + "/{instance}/{slug}", self._receive, methods=["POST"])

    def start(self) -> None:
        """Begin to bring notes to ApertureDB, with those that an earlier process left."""
        self._forwarder.start()

    def close(self) -> None:
        """Take no more calls; what ApertureDB does not have yet waits for the next start."""
        self._calls.close()
        self._forwarder.close()

    async def _receive(self, request: Request) -> Response:
        instance, slug = request.path_params["instance"], request.path_params["slug"]
        if not hmac.compare_digest(request.headers.get(SECRET_HEADER, "").encode(), self._secret):
            _log.warning("Refused a webhook: wrong or no secret in %s", SECRET_HEADER)
            return responses.error(403, "This webhook is not known.", "The log of the media gateway says why.")
        if not _INSTANCE.match(instance) or not _SLUG.match(slug):
            return responses.error(404, "There is no such project.")
        call = Call(instance, slug)
        try:
            async with asyncio.timeout(_BODY_S):
                body = await _limited(request, self._limit_bytes)
        except TimeoutError:
            _log.warning("A webhook of %s did not come to its end within %g s", slug, _BODY_S)
            return responses.error(408, "This webhook did not come to its end.", headers={"Connection": "close"})
        try:
            if body is not None:
                await self._calls.run(lambda: self._keep(call.notes(body)))
                answer = Response(status_code=204)
            else:
                _log.warning("A webhook of %s has more than %d bytes: noted without them", slug, self._limit_bytes)
                await self._calls.run(lambda: self._keep([call.bare("too large")]))
                answer = responses.error(413, f"This webhook has more than {self._limit_bytes} bytes.")
        except (ValueError, RecursionError) as error:
            _log.warning("Refused a webhook of %s: %s", slug, error)
            return responses.error(400, "This is no webhook of Label Studio.")
        except (OSError, TransientError) as error:
            _log.error("A webhook of %s could not be noted: %s", slug, error)
            return responses.error(503, "This webhook could not be noted.")
        return answer

    def _keep(self, notes: list[WebhookNote]) -> None:
        self._spool.put(notes, notes[0].mark)
        self._forwarder.wake()


class Call:
    """One call of the webhook of a project, received now."""

    def __init__(self, instance: str, slug: str) -> None:
        self._instance, self._slug = instance, slug
        self._mark = f"{time.time_ns():020}-{secrets.token_hex(4)}"
        self._received_at = format_time(datetime.now(UTC))

    def notes(self, body: bytes) -> list[WebhookNote]:
        """At least one: those of the annotations it carries, or a bare one.

        Raises:
            ValueError: it is no JSON object.
        """
        given = json.loads(body)
        if not isinstance(given, Mapping):
            raise ValueError("it is no JSON object")
        action = str(given.get("action"))[:_LONGEST_ACTION]
        batches = {task.get("id"): _batch(task) for task in _objects(given.get("task"))}
        notes = []
        for annotation in _objects(given.get("annotation")):
            batch = batches.get(_id(annotation.get("task")), "")
            if batch:
                notes.append(self._note(action, batch, annotation))
        return notes or [self.bare(action)]

    def bare(self, action: str) -> WebhookNote:
        """That something happened."""
        return self._note(action, "", None)

    def _note(self, action: str, batch: str, annotation: Mapping[str, Any] | None) -> WebhookNote:
        return WebhookNote(
            self._instance, self._slug, action, self._mark, self._received_at, batch=batch, annotation=annotation
        )


def _objects(given: object) -> list[Mapping[Any, Any]]:
    """One object or a list of them, with ids that can be one."""
    found = given if isinstance(given, list) else [given]
    return [value for value in found if isinstance(value, Mapping) and isinstance(value.get("id"), int)]


def _id(given: object) -> int | None:
    return given if isinstance(given, int) else None


def _batch(task: Mapping[Any, Any]) -> str:
    data = task.get("data")
    batch = data.get("import_batch") if isinstance(data, Mapping) else None
    return batch if isinstance(batch, str) else ""


async def _limited(request: Request, limit_bytes: int) -> bytes | None:
    """The body, or None as soon as it is longer than that."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit_bytes:
        return None
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit_bytes:
            return None
    return bytes(body)
