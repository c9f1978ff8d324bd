"""The servers of the local stack: each can be started, watched and stopped."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from labeling_assets.settings import LocalStack, Settings
from labeling_assets.stack.home import HOST, PASSWORD_VARIABLE, port_of
from labeling_assets.stack.label_studio import Account, LabelStudioServer
from labeling_assets.stack.processes import ManagedProcess

_START_TIMEOUT_S: Final = 60.0
_SHOWN_LINES: Final = 15


class Service(Protocol):
    """What the stack needs to know of a server."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def address(self) -> str:
        """Where people or programs reach it."""

    @property
    def alive(self) -> bool:
        """False once it has ended."""

    @property
    def log_path(self) -> Path:
        """Where its output goes."""

    def start(self, note: Callable[[str], None]) -> None:
        """Start, and return when it is ready; says on the way what takes long."""

    def stop(self) -> None:
        """Stop it and all that it started."""


@dataclass(frozen=True, slots=True)
class ChildService:
    """A server of ours or of Dagster, as a child process; `ready` looks at its log or its port."""

    process: ManagedProcess
    address: str
    ready: Callable[[ManagedProcess], bool]
    timeout_s: float = _START_TIMEOUT_S

    @property
    def name(self) -> str:
        """For messages."""
        return self.process.name

    @property
    def alive(self) -> bool:
        """False once it has ended."""
        return self.process.alive

    @property
    def log_path(self) -> Path:
        """Where its output goes."""
        return self.process.log_path

    def start(self, note: Callable[[str], None]) -> None:
        """Start, and return when it is ready."""
        self.process.start()
        self.process.wait_ready(lambda: self.ready(self.process), self.timeout_s)

    def stop(self) -> None:
        """Stop it and all that it started."""
        self.process.stop()


class LabelStudioService:
    """The local Label Studio; its first start installs it."""

    name = "Label Studio"

    def __init__(self, settings: Settings, stack: LocalStack) -> None:
        self._settings = settings
        self._account = Account(
            stack.label_studio_username, stack.label_studio_password, stack.label_studio_legacy_token
        )
        self._port = port_of(stack.label_studio_url)
        self._data = settings.home.absolute() / "label_studio"
        self._server: LabelStudioServer | None = None
        self.address = stack.label_studio_url
        self.log_path = self._data / "label_studio.log"

    @property
    def alive(self) -> bool:
        """False once it has ended."""
        return self._server is not None and self._server.alive

    def start(self, note: Callable[[str], None]) -> None:
        """Start, and see to a token that works."""
        self._server = LabelStudioServer(self._data, self._account, host=HOST, port=self._port, announce=note)
        self._server.start()
        stack = self._settings.local_stack
        token = self._server.personal_access_token(stack.label_studio_api_key or None)
        if token != stack.label_studio_api_key:
            self._settings.save_local_stack(stack.model_copy(update={"label_studio_api_key": token}))

    def stop(self) -> None:
        """Stop it and all that it started."""
        if self._server is not None:
            self._server.stop()


def local_aperturedb(settings: Settings, stack: LocalStack, environment: Mapping[str, str]) -> ChildService:
    """The local ApertureDB server on `home/aperturedb`."""
    home = settings.home.absolute()
    port = str(stack.aperturedb_port)
    arguments = ["--data", str(home / "aperturedb"), "--host", HOST, "--port", port]
    # The password is not an argument: those are visible to every user of the machine.
    secret = {PASSWORD_VARIABLE: stack.aperturedb_password}
    process = ManagedProcess(
        "ApertureDB (local server)",
        _ours("aperturedb", "serve", *arguments, "--username", stack.aperturedb_username),
        env={**environment, **secret},
        log_path=log_path(settings, "aperturedb"),
    )
    return ChildService(process, f"{HOST}:{port}", _says_ready)


def media_gateway(settings: Settings, stack: LocalStack, environment: Mapping[str, str]) -> ChildService:
    """The media gateway."""
    process = ManagedProcess(
        "Media gateway",
        _ours("gateway", "serve", "--host", HOST, "--port", str(port_of(stack.gateway_url))),
        # `up` kills what does not stop within ten seconds.
        env={**environment, "LABELING_ASSETS_GATEWAY_STOP_SECONDS": "5"},
        log_path=log_path(settings, "gateway"),
    )
    return ChildService(process, stack.gateway_url, _says_ready)


def log_path(settings: Settings, name: str) -> Path:
    """The log of a child of `up`."""
    return settings.home.absolute() / "logs" / f"{name}.log"


def last_words(service: Service) -> str:
    """The end of a server's log."""
    text = service.log_path.read_text(encoding="utf-8", errors="replace") if service.log_path.exists() else ""
    return "\n".join(text.splitlines()[-_SHOWN_LINES:]) or "(it printed nothing)"


def _ours(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "labeling_assets.cli", *arguments]


def _says_ready(process: ManagedProcess) -> bool:
    return "ready" in process.log_text()
