"""Writes the pages of this folder that follow from the code: `uv run python docs/generate.py`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

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


PAGES = {"settings.md": settings_page, "projects.md": projects_page}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (HERE / page).write_text(make(), encoding="utf-8")
