"""GET /projects/{slug}/tasks.json, tasks.csv, tasks.txt: task lists, made whole before the first byte is sent."""

import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import IO, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import ConfigurationError, InputError
from labeling_assets.gateway import responses
from labeling_assets.gateway.api_token import STATES, ApiToken, ListQuery
from labeling_assets.gateway.blocking_calls import BlockingCalls
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import BrokenProject, Project
from labeling_assets.sync.batch_rows import checked_batch
from labeling_assets.sync.task_lists import FORMATS, MEDIA_TYPES, ListReport, TaskList

_log = logging.getLogger(__name__)

Projects = Callable[[], tuple[list[Project], list[BrokenProject]]]
_THREADS: Final = 2
_TIMEOUT_S: Final = 300.0
_IN_MEMORY_BYTES: Final = 4 * 2**20
_PIECE_BYTES: Final = 256 * 1024
_NOTES_LOGGED: Final = 20


class TaskLists:
    """Answers 200, 400, 401, 404, 422. A list that cannot be completed is an error, never a shorter list.

    Args:
        database: Gives the connection to ApertureDB.
        projects: The labeling projects as they are now, and those that cannot be read.
        links: Make the links in the list.
        token: Who may read it.
    """

    def __init__(
        self, database: Callable[[], ApertureDB], projects: Projects, links: MediaLinks, token: ApiToken
    ) -> None:
        self._database, self._projects, self._links, self._token = database, projects, links, token
        # Threads of its own: those that read media must not wait for a list of 10,000 texts.
        self._calls = BlockingCalls(threads=_THREADS, timeout_s=_TIMEOUT_S)

    @property
    def routes(self) -> list[Route]:
        return [Route("/projects/{slug}/tasks.{form}", self._answer, methods=["GET"])]

    def start(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Take no more requests."""
        self._calls.close()

    async def _answer(self, request: Request) -> Response:
        query = _query(request)
        if isinstance(query, Response):
            return query
        refused = self._token.list_refusal(request, query)
        if refused is not None:
            return refused
        try:
            if query.batch:
                checked_batch(query.batch)
            file, report = await self._calls.run(lambda: self._written(query))
        except LookupError:
            return responses.error(404, f"There is no labeling project {query.slug!r}.")
        except InputError as error:
            return responses.error(422, str(error))
        for note in report.left_out[:_NOTES_LOGGED]:
            _log.warning("Left out of the task list of %s: medium %s: %s", query.slug, note.subject, note.text)
        return _sent(file, query, report)

    def _written(self, query: ListQuery) -> tuple[IO[bytes], ListReport]:
        project = self._project(query.slug)
        try:
            tasks = TaskList(self._database(), project, self._links)
        except ConfigurationError as error:  # of the project, which the caller can correct
            raise InputError(str(error)) from error
        file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115  # closed when it was sent
        try:
            report = tasks.write(file, query.form, batch=query.batch or None, everything=query.state == "all")
        except BaseException:
            file.close()
            raise
        return file, report

    def _project(self, slug: str) -> Project:
        projects, broken = self._projects()
        for project in projects:
            if project.slug == slug:
                return project
        for other in broken:
            if other.name == slug:
                raise InputError(other.error)
        raise LookupError(slug)


def _query(request: Request) -> ListQuery | Response:
    form = next((form for form in FORMATS if form == request.path_params["form"]), None)
    if form is None:
        return responses.error(404, "Not Found")
    given = request.query_params.get("state", "new")
    state = next((state for state in STATES if state == given), None)
    if state is None:
        return responses.error(400, f"state is {given[:100]!r}; use {' or '.join(STATES)}.")
    return ListQuery(request.path_params["slug"], form, request.query_params.get("batch", ""), state)


def _sent(file: IO[bytes], query: ListQuery, report: ListReport) -> Response:
    size = file.tell()
    file.seek(0)
    name = f"{query.slug}-{query.batch}" if query.batch else query.slug  # both of letters, digits, '.', '_', '-'
    headers = {
        "Content-Type": MEDIA_TYPES[query.form],
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{name}.{query.form}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Tasks": str(report.tasks),
        "X-Left-Out": str(len(report.left_out)),
    }
    return StreamingResponse(_pieces(file), headers=headers)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
