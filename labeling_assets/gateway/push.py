"""Pushed media: they are in ApertureDB when the answer comes, a batch of them becomes tasks when it is closed.

POST /batches/{batch}/media   files of a form, or addresses as JSON: 200, 400, 401, 408, 413, 415, 422
GET  /batches/{batch}/media   what the batch holds: what a pusher that was interrupted need not send again
POST /batches/{batch}/close   the batch is complete: Dagster's sensor makes it a partition and a run

They are ingested by the functions that ingest a folder of the inbox. A file that arrived whole stays, also when the
rest of the request does not; sent again, it is known by its content.
"""

import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import httpx
from PIL import Image
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import ConfigurationError, InputError
from labeling_assets.gateway import responses
from labeling_assets.gateway.api_token import ApiToken
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.gateway.public_addresses import public_client
from labeling_assets.gateway.push_body import Limits, TooLarge, TooSlow, Unsupported, rows_of
from labeling_assets.gateway.task_lists import Projects
from labeling_assets.projects import Project, claimed_by
from labeling_assets.settings import Network
from labeling_assets.sync.batch_rows import Row, checked_batch
from labeling_assets.sync.ingest_media import ingest_rows
from labeling_assets.sync.pushed_batches import close_batch, media_in
from labeling_assets.sync.read_media import Accepted, BatchRules
from labeling_assets.sync.report import IngestReport

_log = logging.getLogger(__name__)

_THREADS: Final = 2
_AT_ONCE: Final = 4  # requests whose bodies are read; the others wait in their sockets
_TIMEOUT_S: Final = 900.0  # for one chunk; four downloads may take 200 s each
_LOOK_TIMEOUT_S: Final = 60.0
_CHUNK_ROWS: Final = 48
_CHUNK_URLS: Final = 4
_CHUNK_BYTES: Final = 24 * 2**20
_STATUS: Final[dict[type[Exception], int]] = {TooLarge: 413, TooSlow: 408, Unsupported: 415, InputError: 400}
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PushRules:
    """What is taken.

    Args:
        body_bytes: Largest request.
        file_bytes: Largest medium.
        media_types: As the settings name them.
        networks: Networks that are not public and may be downloaded from all the same.
    """

    body_bytes: int
    file_bytes: int
    media_types: frozenset[str]
    networks: tuple[Network, ...] = ()

    @property
    def accepted(self) -> Accepted:
        """Pictures up to the size that Pillow takes for harmless; it would only warn of them."""
        return Accepted(self.media_types, Image.MAX_IMAGE_PIXELS)


@dataclass(slots=True)
class _Push:
    """One request: its batch, and what became of its rows so far."""

    batch: str
    projects: Sequence[Project]
    media: list[Answer] = field(default_factory=list)

    def answer(self, **more: object) -> Answer:
        named = [project.slug for project in self.projects if project.wants(self.batch)]
        failed = sum(row["status"] not in ("created", "known") for row in self.media)
        return {"batch": self.batch, "projects": named, "failed": failed, "media": self.media, **more}


class Push:
    """The three routes.

    Args:
        database: Gives the connection to ApertureDB.
        projects: The labeling projects as they are now, and those that cannot be read.
        token: Who may push.
        rules: What is taken.
        pushed: Is told the number of rows with each status.
    """

    def __init__(
        self,
        database: Callable[[], ApertureDB],
        projects: Projects,
        token: ApiToken,
        rules: PushRules,
        *,
        pushed: Callable[[str], None] = lambda status: None,
    ) -> None:
        self._database, self._projects, self._token, self._rules = database, projects, token, rules
        self._pushed = pushed
        self._tls = httpx.create_ssl_context()
        self._calls = BlockingCalls(threads=_THREADS, timeout_s=_TIMEOUT_S)
        # Nobody who only looks, or closes, waits for the downloads of others.
        self._looks = BlockingCalls(threads=_THREADS, timeout_s=_LOOK_TIMEOUT_S)
        self._at_once = anyio.CapacityLimiter(_AT_ONCE)

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/batches/{batch}/media", self._media, methods=["GET", "POST"]),
            Route("/batches/{batch}/close", self._close, methods=["POST"]),
        ]

    def start(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Take no more requests."""
        self._calls.close()
        self._looks.close()

    async def _media(self, request: Request) -> Response:
        refused = self._token.refusal(request) or _refused_batch(request)
        if refused is not None:
            return refused
        return await (self._receive(request) if request.method == "POST" else self._show(request))

    async def _receive(self, request: Request) -> Response:
        push = _Push(request.path_params["batch"], ())
        try:
            push.projects = await self._looks.run(lambda: self._checked_projects(push.batch))
        except ConfigurationError as error:
            return responses.error(409, str(error))
        async with self._at_once:
            return await self._taken(request, push)

    def _checked_projects(self, batch: str) -> list[Project]:
        projects, broken = self._projects()
        for other in broken:
            if other.may_shape(batch):
                raise ConfigurationError(
                    f"The labeling project {other.name!r} is broken and names guid or columns, which the media of this "
                    "batch keep for life, so nothing was taken. Correct it."
                )
        BatchRules.of([project for project in projects if project.wants(batch)], batch)
        return projects

    async def _taken(self, request: Request, push: _Push) -> Response:
        limits = Limits(self._rules.body_bytes, self._rules.file_bytes)
        with tempfile.TemporaryDirectory(prefix="labeling-push-") as folder:
            try:
                async with aclosing(rows_of(request, Path(folder), limits)) as rows:
                    await self._ingested(rows, push)
            except ClientDisconnect:
                _log.warning("The pusher of batch %s went away; %d media are kept", push.batch, len(push.media))
                return Response(status_code=400)  # nobody reads it
            except (TooLarge, TooSlow, Unsupported, InputError) as error:
                return _stopped(error, push)
        status = 422 if push.answer()["failed"] == len(push.media) else 200
        return _json(push.answer(), status)

    async def _ingested(self, rows: AsyncIterator[Row], push: _Push) -> None:
        """Ingest the rows a few at a time; those that are complete also when the next one cannot be read."""
        chunk: list[Row] = []
        size = 0
        try:
            async for row in rows:
                chunk.append(row)
                size += row.path.stat().st_size if row.path else 0
                if len(chunk) >= (_CHUNK_URLS if row.url else _CHUNK_ROWS) or size >= _CHUNK_BYTES:
                    ready, chunk, size = chunk, [], 0
                    await self._ingest(ready, push)
        finally:
            if chunk:
                await self._ingest(chunk, push)

    async def _ingest(self, rows: Sequence[Row], push: _Push) -> None:
        try:
            push.media += await self._calls.run(lambda: self._placed(rows, push))
        finally:
            for row in rows:
                if row.path is not None:
                    row.path.unlink(missing_ok=True)

    def _placed(self, rows: Sequence[Row], push: _Push) -> list[Answer]:
        with public_client(self._rules.networks, tls=self._tls) as http:
            report, transient = ingest_rows(
                self._database(),
                rows,
                batch=push.batch,
                projects=push.projects,
                http=http,
                size_limit_bytes=self._rules.file_bytes,
                accepted=self._rules.accepted,
            )
        again = {note.subject for note in transient}
        answers = [_row_answer(row, report, again) for row in rows]
        for answer in answers:
            self._pushed(str(answer["status"]))
        return answers

    async def _show(self, request: Request) -> Response:
        batch = request.path_params["batch"]
        try:
            media = await self._looks.run(lambda: media_in(self._database(), batch))
        except InputError as error:
            return responses.error(404, str(error))
        return _json({"batch": batch, "media": [asdict(medium) for medium in media]})

    async def _close(self, request: Request) -> Response:
        refused = self._token.refusal(request) or _refused_batch(request)
        if refused is not None:
            return refused
        batch = request.path_params["batch"]
        try:
            closing = await self._looks.run(lambda: close_batch(self._database(), batch))
        except InputError as error:
            return responses.error(404, str(error))
        return _json({"batch": batch, "media": closing.media, "closed_at": closing.closed_at})


def _refused_batch(request: Request) -> Response | None:
    batch = request.path_params["batch"]
    try:
        checked_batch(batch)
    except InputError as error:
        return responses.error(400, str(error))
    if claimed_by(batch) is not None:
        return responses.error(400, f"{batch!r} is the name of a claim: use another one.")
    return None


def _row_answer(row: Row, report: IngestReport, again: set[str]) -> Answer:
    answer: Answer = {"row": row.number, "name": row.source}
    placed = report.placed.get(row.number)
    if placed is not None:
        return {**answer, "status": "created" if placed.created else "known", **_identity(placed.guid, placed.sha256)}
    problem = next((note.text for note in report.failed if note.subject == row.subject), "")
    status = "failed" if problem and row.subject not in again else "retry"
    return {**answer, "status": status, "problem": problem or "it was not tried: too many before it failed."}


def _identity(guid: str, sha256: str) -> Answer:
    return {"guid": guid, "sha256": sha256}


def _stopped(error: Exception, push: _Push) -> Response:
    """What arrived whole before is told, so that it need not be sent again."""
    if isinstance(error, Unsupported):
        hint = "Send files as multipart/form-data, or addresses as application/json."
        return responses.error(415, f"A body of type {str(error)[:100]!r} is not taken.", hint)
    # The rest of the body is not read: a client that goes on sending must not wait for it.
    headers = {"Connection": "close"} if isinstance(error, TooLarge | TooSlow) else {}
    status = _STATUS[type(error)]
    return _json(push.answer(error=str(error)), status, headers=headers)


def _json(body: Answer, status: int = 200, *, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, status, headers={"Cache-Control": "no-store", **(headers or {})})
