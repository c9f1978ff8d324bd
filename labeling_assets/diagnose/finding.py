"""One thing that was looked at: whether it is right, and what to do if it is not."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`name` says what was looked at, for programs; `fix` is one line, empty where all is well."""

    name: str
    level: Level
    text: str
    fix: str = ""


def ok(name: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(name, "ok", text)


def warning(name: str, text: str, fix: str) -> Finding:
    """It works, but not for everybody, or not for long."""
    return Finding(name, "warning", text, fix)


def error(name: str, text: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(name, "error", text, fix)
