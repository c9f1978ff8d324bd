"""The steps of the pipeline that the tests disturb, one function: in this process or in one that is to be killed."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.projects import load_project
from labeling_assets.sync.batch_rows import read_rows
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.ingest_media import ingest_media
from labeling_assets.sync.publish_tasks import publish_tasks
from labeling_assets.sync.push.push_labels import push_labels
from labeling_assets.sync.push.report import PushRequest
from labeling_assets_tests.sync.world import LINKS


class _QuickDatabase(ApertureDB):
    """Comes back at once after a lost connection, and as often as it is lost."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self._root.config.retry_interval_seconds = 0
        self._root.config.retry_max_attempts = 6


@dataclass(frozen=True)
class Step:
    """What to run, and where. `proxy` is an HTTP proxy to Label Studio, or empty."""

    name: str
    key: str
    folder: str
    inbox: str
    url: str
    api_key: str
    proxy: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)

    def run(self, sleep: Callable[[float], None]) -> None:
        project = load_project(Path(self.folder))
        transport = httpx.HTTPTransport(proxy=self.proxy) if self.proxy else None
        with (
            _QuickDatabase(self.key) as db,
            LabelStudio(self.url, self.api_key, transport=transport, sleep=sleep) as ls,
        ):
            match self.name:
                case "ingest":
                    ingest_media(db, read_rows(Path(self.inbox) / "May"), batch="May", projects=[project])
                case "publish":
                    publish_tasks(db, ls, project, batch="May", links=LINKS, settle_s=3, sleep=sleep)
                case "collect":
                    collect_annotations(db, ls, project, batch="May")
                case "push predictions" | "push annotations":
                    target = self.name.removeprefix("push ")
                    request = PushRequest(target=target, source="annotations", from_project="cars", model_version=None)  # type: ignore[arg-type]
                    push_labels(db, ls, project, request, settle_s=3, sleep=sleep)
                case _:
                    raise ValueError(self.name)
