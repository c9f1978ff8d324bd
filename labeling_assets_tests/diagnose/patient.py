"""A whole installation of which something can be broken: databases, Label Studio, a gateway, tasks with links."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.diagnose.finding import Finding
from labeling_assets.diagnose.run import diagnose
from labeling_assets.gateway.app import create_app
from labeling_assets.gateway.cors import origins_for
from labeling_assets.gateway.webhook import WebhookInbox
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import load_project
from labeling_assets.settings import Settings
from labeling_assets.stack.home import webhooks_of
from labeling_assets.sync.labeling_project import ProjectRecord, recorded_project
from labeling_assets.sync.register_webhook import register_webhook
from labeling_assets_tests.gateway.running import running_gateway
from labeling_assets_tests.pipeline import LINK_SECRET, Pipeline


@dataclass
class Patient:
    """What is looked at; `gateway()` puts another gateway in the place of the first."""

    pipeline: Pipeline
    stack: ExitStack

    @property
    def settings(self) -> Settings:
        return self.pipeline.settings

    @property
    def record(self) -> ProjectRecord:
        record = recorded_project(self.pipeline.db, self.pipeline.ls, self.project)
        assert record is not None
        return record

    @property
    def project(self) -> Any:
        return load_project(self.settings.projects / "cars")

    def settings_with(self, **values: Any) -> None:
        """Other settings from now on."""
        self.pipeline.settings = self.settings.model_copy(update=values)

    def gateway(
        self,
        *,
        key: str = "",
        secret: str = LINK_SECRET,
        origins: Sequence[str] | None = None,
        webhook_secret: str = "",
        webhooks: bool = True,
        around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    ) -> str:
        """Start a gateway that the settings name from now on; what is not given is as it should be."""
        database = self.stack.enter_context(ApertureDB(key or self.pipeline.database.key))
        target = self.settings.model_copy(update={"webhooks": "on"}).webhook()
        assert target is not None
        notes = self.settings.home / "webhook_notes"
        inbox = WebhookInbox(webhook_secret or target.secret, notes, lambda: database) if webhooks else None
        links = MediaLinks("http://gateway", {"k1": secret}, "k1")
        allowed = origins_for((), self.pipeline.ls.url) if origins is None else origins
        app = create_app(lambda: database, links, allowed, inbox=inbox)
        url = self.stack.enter_context(running_gateway(around(app)))  # type: ignore[arg-type]  # any application will do
        self.settings.save_local_stack(self.settings.local_stack.model_copy(update={"gateway_url": url}))
        return url

    def findings(self) -> list[Finding]:
        return list(diagnose(self.settings))

    def found(self, name: str) -> list[Finding]:
        """What is not right, of one name."""
        return [one for one in self.findings() if one.name == name and one.level != "ok"]


@contextmanager
def healthy(pipeline: Pipeline) -> Iterator[Patient]:
    """Nothing is wrong with it, but that Dagster is not there; one picture is a task."""
    with ExitStack() as stack:
        patient = Patient(pipeline, stack)
        patient.gateway()
        pipeline.imported("may", 1)
        on = pipeline.settings.model_copy(update={"webhooks": webhooks_of(pipeline.settings)})
        assert register_webhook(pipeline.db, pipeline.ls, patient.project, on.webhook()) == []
        folder = pipeline.settings.home / "dagster"
        folder.mkdir()
        (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        yield patient


def without_header(app: ASGIApp, name: bytes) -> ASGIApp:
    """A proxy that does not pass on a header of answers."""

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        async def changed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [pair for pair in message["headers"] if pair[0].lower() != name]
            await send(message)

        await app(scope, receive, changed)

    return proxy


def with_header(app: ASGIApp, name: bytes, value: bytes) -> ASGIApp:
    """A proxy that changes a header of answers."""
    inner = without_header(app, name)

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        async def changed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (name, value)]
            await send(message)

        await inner(scope, receive, changed)

    return proxy


def without_question(app: ASGIApp, name: bytes) -> ASGIApp:
    """A proxy that does not pass on a header of questions."""

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != name]}
        await app(scope, receive, send)

    return proxy
