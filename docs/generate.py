"""Writes the pages of this folder that follow from the code: `uv run python docs/generate.py`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from labeling_assets.local_aperturedb.arguments import ObjectOf, Required, unsupported
from labeling_assets.local_aperturedb.commands import COMMANDS, UNSUPPORTED
from labeling_assets.local_aperturedb.session import SESSION_COMMANDS
from labeling_assets.projects import Project
from labeling_assets.settings import SETTINGS_FILE, Settings

HERE = Path(__file__).parent


def settings_page() -> str:
    """docs/settings.md"""
    rows = [
        f"| `{_variable(name, field)}` | `{name}` | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return _page(
        "# Settings",
        f"From the environment, or from a file `{SETTINGS_FILE}` in the working directory; the environment wins.",
        "| variable | in the file | default | meaning |",
        rows,
    )


def projects_page() -> str:
    """docs/projects.md"""
    fields: Mapping[str, FieldInfo] = Project.model_fields
    rows = [
        f"| `{name}` | {_default(field)} | {field.description} |"
        for name, field in fields.items()
        if name not in ("slug", "folder")
    ]
    return _page(
        "# project.yaml",
        "Every key may be left out. The folder's name is the project's name in Dagster: a lower-case letter, then\n"
        "letters, digits and `_`.",
        "| key | default | meaning |",
        rows,
    )


_LOCAL_SERVER = """\
The server of `labeling-assets up` and `labeling-assets aperturedb serve`: for trying out, development and tests, no
replacement for ApertureDB. It answers the official client over TCP and TLS on one port (`--tls-cert`, `--tls-key`) and
over REST on another (`--rest-port`, http and https), in both query dialects. Its data are an SQLite database and a
folder of blobs.

Every command, parameter, operator and type that it does not have is refused by name, and nothing of that query is kept.
A message may have 256 MB (`--max-message-mb`). A connection without a query is closed after an hour
(`--idle-seconds`), and one that stops in the middle of a message after a minute. When 2,000 are open
(`--max-connections`), a new one takes the place of the one that has waited longest. On SIGTERM, queries that run are
finished and answered.

`labeling-assets aperturedb probe` shows what the server of `APERTUREDB_KEY` does differently."""


def local_server_page() -> str:
    """docs/local_aperturedb.md"""
    supported = SESSION_COMMANDS | {name: command.parameters for name, command in COMMANDS.items()}
    rows = [f"| `{name}` | {_parameters(parameters)} |" for name, parameters in supported.items()]
    rows += [f"| `{name}` | refused |" for name in sorted(UNSUPPORTED)]
    return _page(
        "# The local ApertureDB server",
        _LOCAL_SERVER,
        "| command | parameters (bold: required; crossed out: refused by name) |",
        rows,
    )


def _parameters(parameters: Mapping[str, Any]) -> str:
    return ", ".join(_parameter(name, declared) for name, declared in parameters.items()) or "none"


def _parameter(name: str, declared: Any) -> str:
    check = declared.check if isinstance(declared, Required) else declared
    if check is unsupported:
        return f"~~`{name}`~~"
    shown = f"**`{name}`**" if isinstance(declared, Required) else f"`{name}`"
    return f"{shown} ({_parameters(check.parameters)})" if isinstance(check, ObjectOf) else shown


def _page(title: str, text: str, header: str, rows: list[str]) -> str:
    line = "|" + "---|" * (header.count("|") - 1)
    return "\n".join([title, "", text, "", header, line, *rows, ""])


def _variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"LABELING_ASSETS_{name.upper()}"


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}, ""):
        return "none"
    if value is ... or "Undefined" in repr(value):
        return "the folder's name"
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"`{shown}`"


PAGES = {"settings.md": settings_page, "projects.md": projects_page, "local_aperturedb.md": local_server_page}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (HERE / page).write_text(make(), encoding="utf-8")
