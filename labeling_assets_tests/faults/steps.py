"""The steps of the pipeline that the tests disturb, one function: in this process or in one that is to be killed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.projects import load_project
from labeling_assets.sync import changes, watermark
from labeling_assets.sync import publish_tasks as publishing
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.collect import read_tasks
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.publish_tasks import publish_tasks
from labeling_assets.sync.push.push_labels import push_labels
from labeling_assets.sync.push.report import PushRequest
from labeling_assets.sync.sync_project import sync_project
from labeling_assets_tests.sync.world import LINKS


class _QuickDatabase(ApertureDB):
    """Comes back at once after a lost connection, and as often as it is lost."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self._root.config.retry_interval_seconds = 0
        self._root.config.retry_max_attempts = 6


@dataclass(frozen=True)
class Step:
    """What to run, and where. `proxy` is an HTTP proxy to Label Studio, or empty.

    `tasks_an_import`, `tasks_a_query`, `large` (a batch of so many is read from a snapshot) and `overlap_s` make of a
    few tasks of one minute what many of a day are; 0 and None: as they are.
    """

    name: str
    key: str
    folder: str
    inbox: str
    url: str
    api_key: str
    proxy: str = ""
    batch: str = "May"
    tasks_an_import: int = 0
    tasks_a_query: int = 0
    large: int = 0
    overlap_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def run(self, sleep: Callable[[float], None]) -> None:
        with self._scaled():
            self._run(sleep)

    @contextmanager
    def _scaled(self) -> Iterator[None]:
        chunk, overlap, large = read_tasks._CHUNK, watermark.OVERLAP, read_tasks.SNAPSHOT_FROM
        imported = publishing.CHUNK
        try:
            publishing.CHUNK = self.tasks_an_import or imported  # type: ignore[misc]
            read_tasks._CHUNK = self.tasks_a_query or chunk  # type: ignore[misc]  # for this run only
            read_tasks.SNAPSHOT_FROM = self.large or large  # type: ignore[misc]
            if self.overlap_s is not None:
                watermark.OVERLAP = changes.OVERLAP = read_tasks.OVERLAP = timedelta(seconds=self.overlap_s)  # type: ignore[misc]
            yield
        finally:
            publishing.CHUNK = imported  # type: ignore[misc]
            read_tasks._CHUNK, read_tasks.SNAPSHOT_FROM = chunk, large  # type: ignore[misc]
            watermark.OVERLAP = changes.OVERLAP = read_tasks.OVERLAP = overlap  # type: ignore[misc]

    def _run(self, sleep: Callable[[float], None]) -> None:
        project = load_project(Path(self.folder))
        transport = httpx.HTTPTransport(proxy=self.proxy) if self.proxy else None
        with (
            _QuickDatabase(self.key) as db,
            LabelStudio(self.url, self.api_key, transport=transport, sleep=sleep) as ls,
        ):
            match self.name:
                case "ingest":
                    rows = read_rows(Path(self.inbox) / self.batch)
                    ingest_media(db, rows, batch=self.batch, projects=[project])
                case "publish":
                    publish_tasks(db, ls, project, batch=self.batch, links=LINKS, settle_s=3, sleep=sleep)
                case "collect":
                    collect_annotations(db, ls, project, batch=self.batch)
                case "collect in full":
                    collect_annotations(db, ls, project, batch=self.batch, full=True)
                case "sync project":
                    sync_project(db, ls, project)
                case "reconcile":
                    sync_project(db, ls, project, full=True)
                case "push predictions" | "push annotations":
                    target = self.name.removeprefix("push ")
                    request = PushRequest(target=target, source="annotations", from_project="cars", model_version=None)  # type: ignore[arg-type]
                    push_labels(db, ls, project, request, settle_s=3, sleep=sleep)
                case _:
                    raise ValueError(self.name)
