"""Label Studio in an environment of its own, and an empty database with all migrations, made once per user.

Label Studio pins pyarrow, pytz and the SDK, so it never shares our environment. Both lie in the user's cache
(`LABELING_ASSETS_CACHE` moves it), one per version, Python version and content of the constraints file, and never
hold a secret.
"""

import hashlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import platformdirs
import uv

from labeling_assets.errors import ServiceError
from labeling_assets.stack.cached_directory import build_once
from labeling_assets.stack.processes import ManagedProcess

VERSION: Final = "1.23.2"
CACHE_VARIABLE: Final = "LABELING_ASSETS_CACHE"
DATABASE_NAME: Final = "label_studio.sqlite3"
LOG_NAME: Final = "label_studio.log"

_CONSTRAINTS: Final = Path(__file__).with_name("label_studio_constraints.txt")
_MIGRATION_TIMEOUT_S: Final = 900.0
# Label Studio reads every setting as LABEL_STUDIO_X, HEARTEX_X or plain X (USERNAME, HOST, DEBUG, ...), so it gets
# only what a program needs to run, never the caller's whole environment.
_INHERITED: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
)

_log = logging.getLogger(__name__)


def cache_directory() -> Path:
    """`LABELING_ASSETS_CACHE`, else the user's cache directory of the platform."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("labeling_assets"))


def install(cache: Path | None = None, announce: Callable[[str], None] = _log.info) -> Path:
    """The environment (a virtualenv) with Label Studio, made at the first call: 10 to 100 s, 1.1 GB.

    Several processes may call it at once. Raises ServiceError with the end of uv's output when it cannot be
    installed (no network, no disk).
    """

    def build(environment: Path) -> None:
        announce(f"Installing Label Studio {VERSION} into {environment} (once, a minute or two)")
        began = time.monotonic()
        _make_environment(environment)
        announce(f"Label Studio {VERSION} installed in {time.monotonic() - began:.0f} s")

    # The interpreter is a link, which dangles after the Python it was made with is removed.
    return build_once(
        version_directory(cache) / "venv",
        build,
        announce=announce,
        usable=lambda environment: (environment / "bin" / "python").exists(),
    )


def migrated_database(cache: Path | None = None, announce: Callable[[str], None] = _log.info) -> Path:
    """A SQLite file with all migrations and no user, made at the first call (30 to 60 s): a template for homes.

    Starting on a copy takes 3 to 8 s. Raises ServiceError as `install` does.
    """
    environment = install(cache, announce)

    def build(directory: Path) -> None:
        announce("Preparing an empty Label Studio database (once, about a minute)")
        _migrate(environment, directory)

    return build_once(version_directory(cache) / "database", build, announce=announce) / DATABASE_NAME


def server_environment(data_dir: Path) -> dict[str, str]:
    """Environment variables for any `label-studio` command on this data directory."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir),
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        # Webhooks to 127.0.0.1, that is to our gateway, are refused without this.
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        "DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "PYTHONUNBUFFERED": "1",
    }


def version_directory(cache: Path | None = None) -> Path:
    """Where in the cache everything lies that depends on the versions of Label Studio and Python."""
    constraints = hashlib.sha256(_CONSTRAINTS.read_bytes()).hexdigest()[:12]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (cache or cache_directory()).absolute() / "label_studio" / f"{VERSION}-py{python}-{constraints}"


def _make_environment(environment: Path) -> None:
    directory = environment.parent
    # uv takes settings from the nearest uv.toml or pyproject.toml upwards. An empty one here keeps the constraints
    # of the project that the cache may lie in away from Label Studio's own; the user's and the system's still count.
    (directory / "uv.toml").touch()
    python = environment / "bin" / "python"
    _run_uv(["venv", "--quiet", "--clear", "--python", sys.executable, environment], directory)
    _run_uv(
        [
            *("pip", "install", "--python", python, "--compile-bytecode"),
            *(f"label-studio=={VERSION}", "--constraint", _CONSTRAINTS),
        ],
        directory,
    )


def _run_uv(arguments: Sequence[str | Path], directory: Path) -> None:
    command = [uv.find_uv_bin(), *map(str, arguments)]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        end = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise ServiceError(f"Label Studio {VERSION} cannot be installed into {directory}. uv says:\n{end}")


def _migrate(environment: Path, directory: Path) -> None:
    """`label-studio version` applies all migrations, creates no user and ends."""
    process = ManagedProcess(
        "Label Studio (preparing a database)",
        [environment / "bin" / "label-studio", "version"],
        env=server_environment(directory),
        log_path=directory / LOG_NAME,
        cwd=directory,
    )
    with process:
        code = process.wait(_MIGRATION_TIMEOUT_S)
        if code != 0:
            raise ServiceError(f"Label Studio cannot prepare a database (code {code}):\n{process.log_tail()}")
    # The key that signs tokens: every home makes its own.
    (directory / ".env").unlink(missing_ok=True)
