"""The home folder of a local stack: who uses it now, and the addresses and secrets that stay from start to start."""

import base64
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import filelock

from labeling_assets.errors import ConfigurationError
from labeling_assets.settings import LocalStack, Settings
from labeling_assets.stack.label_studio import Account
from labeling_assets.stack.processes import free_port

HOST: Final = "127.0.0.1"
PASSWORD_VARIABLE: Final = "LABELING_ASSETS_APERTUREDB_PASSWORD"
# Taken at the first start if they are free; afterwards a home keeps what it has.
_USUAL_PORTS: Final = {"aperturedb": 55555, "label_studio": 8080, "gateway": 8090, "dagster": 3000}


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the home folder for this process.

    Raises:
        ConfigurationError: another `up` has it; the message names the process.
    """
    home.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(home / ".up.lock", blocking=False)
    owner = home / ".up.pid"
    try:
        lock.acquire()
    except filelock.Timeout as error:
        process = owner.read_text() if owner.exists() else "unknown"
        raise ConfigurationError(
            f"`labeling-assets up` already runs on {home} (process {process}): stop it with Ctrl-C there, or choose "
            "another folder with LABELING_ASSETS_HOME."
        ) from error
    try:
        owner.write_text(str(os.getpid()))
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def prepare(settings: Settings) -> tuple[LocalStack, list[str]]:
    """Addresses and secrets for this start, saved in `local_stack.json`, and warnings for the user.

    Raises:
        ConfigurationError: a token without an address, or an address without a token.
    """
    _check_label_studio(settings)
    before = settings.local_stack
    account = _account(before)
    ports, warnings = _ports(before)
    password = before.aperturedb_password or secrets.token_urlsafe(18)
    stack = LocalStack(
        aperturedb_port=ports["aperturedb"],
        aperturedb_username=before.aperturedb_username,
        aperturedb_password=password,
        aperturedb_key=_key(ports["aperturedb"], before.aperturedb_username, password),
        label_studio_url=f"http://{HOST}:{ports['label_studio']}",
        label_studio_username=account.username,
        label_studio_password=account.password,
        label_studio_legacy_token=account.legacy_token,
        label_studio_api_key=before.label_studio_api_key,
        gateway_url=f"http://{HOST}:{ports['gateway']}",
        dagster_url=f"http://{HOST}:{ports['dagster']}",
    )
    settings.save_local_stack(stack)
    return stack, warnings


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment of everything that runs our code: the same settings, the same home, sensors on."""
    home = settings.home.absolute()
    return os.environ | {
        "LABELING_ASSETS_HOME": str(home),
        "LABELING_ASSETS_SENSORS": "on",
        "LABELING_ASSETS_WEBHOOKS": webhooks_of(settings),
        "DAGSTER_HOME": str(home / "dagster"),
        "ADB_LOG_FILE": "",  # else the library of ApertureDB writes a log into the current folder
        "PYTHONUNBUFFERED": "1",
    }


def webhooks_of(settings: Settings) -> Literal["on", "off"]:
    """On, unless somebody said otherwise: the local Label Studio calls this machine, another one may not reach it."""
    asked = "webhooks" in settings.model_fields_set or settings.label_studio_url
    return settings.webhooks if asked else "on"


def port_of(url: str) -> int:
    """The port that a local address names."""
    port = urlsplit(url).port
    assert port is not None, url
    return port


def _check_label_studio(settings: Settings) -> None:
    if settings.label_studio_api_key and not settings.label_studio_url:
        raise ConfigurationError(
            "LABEL_STUDIO_API_KEY is set, LABEL_STUDIO_URL is not: set both to use your own Label Studio, or neither "
            "to start a local one."
        )
    if settings.label_studio_url:
        settings.label_studio()


def _account(before: LocalStack) -> Account:
    if before.label_studio_password:
        return Account(before.label_studio_username, before.label_studio_password, before.label_studio_legacy_token)
    return Account.random()


def _ports(before: LocalStack) -> tuple[dict[str, int], list[str]]:
    """The ports of the last start where they are free, else the usual ones, else any."""
    last = {
        "aperturedb": before.aperturedb_port,
        "label_studio": port_of(before.label_studio_url) if before.label_studio_url else 0,
        "gateway": port_of(before.gateway_url) if before.gateway_url else 0,
        "dagster": port_of(before.dagster_url) if before.dagster_url else 0,
    }
    ports: dict[str, int] = {}
    for name, usual in _USUAL_PORTS.items():
        wanted = last[name] or usual
        ports[name] = wanted if _is_free(wanted) and wanted not in ports.values() else free_port(HOST)
    warnings = []
    if last["gateway"] not in (0, ports["gateway"]):
        warnings.append(
            f"Port {last['gateway']} of the media gateway is taken by another program, and the tasks in Label Studio "
            f"have links to it: their pictures will not load now. Free the port and start again."
        )
    return ports, warnings


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _key(port: int, username: str, password: str) -> str:
    """An ApertureDB key, as `adb config get_key` makes it: version 2; plain TCP (8: host name would be verified)."""
    parts = [2, 8, f"{HOST}:{port}", None, username, password]
    return base64.b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode()
