"""`labeling-assets up`: starts what is missing, watches it, stops it in reverse order."""

import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, Self

from labeling_assets.errors import ConfigurationError, ServiceError
from labeling_assets.projects import readable_projects
from labeling_assets.settings import LocalStack, Settings
from labeling_assets.stack import dagster
from labeling_assets.stack.home import child_environment, locked, prepare
from labeling_assets.stack.progress import Progress
from labeling_assets.stack.sample import install
from labeling_assets.stack.services import (
    LabelStudioService,
    Service,
    last_words,
    local_aperturedb,
    media_gateway,
)
from labeling_assets.stack.until_done import SampleError, follow_sample

_LOOK_S: Final = 0.5


def run(settings: Settings, *, sample: bool, until_done: bool, definitions: str = dagster.DEFINITIONS) -> int:
    """Run the local stack until Ctrl-C, SIGTERM or, with `until_done`, the end of the sample.

    Returns:
        Exit code: 0 after a clean stop; with `until_done` only if the sample came through.

    Raises:
        ConfigurationError: another `up` has the home folder, or a setting, every project, the definitions are wrong.
        ServiceError: something did not start, or ended; the message has the end of its log.
    """
    settings = settings.model_copy(update={"home": settings.home.absolute()})
    with locked(settings.home), _ended_as_by_ctrl_c(), Progress() as progress, Stack(settings, progress) as stack:
        try:
            if sample:
                install(settings, progress.say)
            name_broken_projects(settings, progress)
            stack.start(definitions)
            _welcome(settings, stack, progress)
            if until_done:
                return 0 if follow_sample(settings, progress, stack.check, began=stack.began) else 1
            progress.say("Stop with Ctrl-C.\n")
            if sample:
                _show_sample(settings, stack, progress)
            stack.watch()
        except KeyboardInterrupt:
            progress.say("Stopping ...")
            return 1 if until_done else 0
    return 0


def name_broken_projects(settings: Settings, progress: Progress) -> None:
    """They are better named now than after all servers have started; if others work, these must not stop them.

    Raises:
        ConfigurationError: none of the projects can be read.
    """
    projects, broken = readable_projects(settings.projects)
    if broken and not projects:
        raise ConfigurationError(broken[0].error)
    for project in broken:
        progress.say(f"Warning: {project.error}")


def _show_sample(settings: Settings, stack: "Stack", progress: Progress) -> None:
    """Whatever becomes of the sample, the servers stay up: that is where one sees why."""
    try:
        follow_sample(settings, progress, stack.check, began=stack.began)
    except SampleError as error:
        progress.say(f"Error: {error}")


class Stack:
    """The servers of one `up`. Leaving it stops all of them, the last one first."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._services: list[Service] = []
        self._sockets = Path(tempfile.mkdtemp(prefix="labeling-assets-"))
        self.began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with _no_interrupts():
            for service in reversed(self._services):
                service.stop()
            shutil.rmtree(self._sockets, ignore_errors=True)
        if self._services:
            self._progress.say("Stopped.")

    def start(self, definitions: str = dagster.DEFINITIONS) -> None:
        """Start everything that the settings do not name elsewhere, at the same time where that is possible."""
        for folder in (self._settings.inbox, self._settings.projects):
            folder.mkdir(parents=True, exist_ok=True)
        local, warnings = prepare(self._settings)
        for warning in warnings:
            self._progress.say(f"Warning: {warning}")
        environment = child_environment(self._settings)
        socket = self._sockets / "code_server"
        dagster.write_configuration(self._settings, socket)
        dagster.make_storage(self._settings, environment)
        label_studio = None if self._settings.label_studio_url else LabelStudioService(self._settings, local)
        others: list[Service] = [
            dagster.code_server(self._settings, environment, socket, definitions=definitions),
            dagster.webserver(self._settings, local, environment),
        ]
        if not self._settings.gateway_url:
            others.insert(0, media_gateway(self._settings, local, environment))
        if not self._settings.aperturedb_key:
            others.insert(0, local_aperturedb(self._settings, local, environment))
        self._start_together(others, label_studio)
        # Its sensors look for the others, so they come first.
        self.start_service(dagster.daemon(self._settings, environment))

    def check(self) -> None:
        """Raises ServiceError if a server has ended; the message has the end of its log."""
        for service in self._services:
            if not service.alive:
                raise ServiceError(f"{service.name} has ended. The end of {service.log_path}:\n{last_words(service)}")

    def watch(self) -> None:
        """Return never; see `check`."""
        while True:
            self.check()
            time.sleep(_LOOK_S)

    def start_service(self, service: Service) -> None:
        """Start one more, and show how long it takes; it is stopped with the others, ready or not."""
        self._services.append(service)
        with self._progress.step(service.name) as step:
            service.start(lambda text: self._progress.note(step, text))
            step.note = service.address

    def _start_together(self, others: list[Service], label_studio: Service | None) -> None:
        """The others in threads; Label Studio here, because installing it can only be interrupted here."""
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=_keep(self.start_service, service, failures), daemon=True) for service in others
        ]
        for thread in threads:
            thread.start()
        if label_studio is not None:
            self.start_service(label_studio)
        while any(thread.is_alive() for thread in threads) and not failures:
            time.sleep(_LOOK_S / 5)
        if failures:
            raise failures[0]


def _keep(start: Callable[[Service], None], service: Service, failures: list[BaseException]) -> Callable[[], None]:
    def target() -> None:
        try:
            start(service)
        # Whatever it is, the main thread raises it.
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    return target


def _welcome(settings: Settings, stack: Stack, progress: Progress) -> None:
    local = settings.local_stack
    progress.say(f"\nReady after {time.monotonic() - stack.began:.0f} s. Everything local lies in {settings.home}")
    for name, address in addresses(settings, local):
        progress.say(f"  {name:<15}{address}")
    if not any(path.is_dir() for path in settings.projects.iterdir()):
        progress.say(
            f"No labeling project yet: make a folder {settings.projects}/<name> with project.yaml and "
            "label_config.xml, then reload the definitions in Dagster (Deployment). Or try `up --sample`."
        )


def addresses(settings: Settings, local: LocalStack) -> list[tuple[str, str]]:
    """What people and programs need to reach the servers: name and address."""
    login = f"{local.label_studio_username} / {local.label_studio_password}"
    return [
        ("Dagster", local.dagster_url),
        ("Label Studio", settings.label_studio_url or f"{local.label_studio_url}  login {login}"),
        ("Media gateway", settings.gateway_url or local.gateway_url),
        (
            "ApertureDB",
            "as APERTUREDB_KEY says"
            if settings.aperturedb_key
            else f"127.0.0.1:{local.aperturedb_port}  APERTUREDB_KEY={local.aperturedb_key}",
        ),
    ]


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM, and the closing of the terminal, end `up` as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """A second Ctrl-C must not leave half of the servers running; `stop` kills what hangs after some seconds."""
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
