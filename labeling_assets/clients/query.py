"""A query of several commands: numbered references, blobs in order, rendered at the last moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from labeling_assets.clients.constraints import Condition, Dialect, Group, Predicate

Body = dict[str, Any]


@dataclass(slots=True)
class Query:
    """Commands that ApertureDB runs in one transaction, all or nothing.

    A body may hold conditions (`labeling_assets.clients.constraints`) wherever the language takes constraints.
    """

    commands: list[tuple[str, Body]] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    _references: int = 0

    def add(self, command: str, body: Body, blob: bytes | None = None) -> int:
        """Append a command and return its place, counted from 0."""
        self.commands.append((command, body))
        if blob is not None:
            self.blobs.append(blob)
        return len(self.commands) - 1

    def reference(self) -> int:
        """A new number for `_ref`, from 1."""
        self._references += 1
        return self._references

    def create_index(self, target: str, class_name: str, prop: str) -> int:
        """Ask for an ordered index on a property; `target` is "entity" or "connection"."""
        return self.add("CreateIndex", {"target": target, "class": class_name, "property": prop})

    def connect(self, class_name: str, key: str, *, source: int, destination: int, **properties: object) -> int:
        """Connect two references once: `key` names the connection for ever."""
        return self.add(
            "AddConnection",
            {
                "class": class_name,
                "src": source,
                "dst": destination,
                "properties": {"LS_key": key, **properties},
                "if_not_found": Predicate("LS_key", "==", key),
            },
        )

    def render(self, dialect: Dialect) -> list[dict[str, Body]]:
        """The JSON of the query in one dialect."""
        return [{name: _render_command(name, body, dialect)} for name, body in self.commands]


_PLAIN: Final = frozenset({str, int, float, bool, type(None), bytes})


def _render_command(name: str, body: Body, dialect: Dialect) -> Body:
    rendered: Body = _render(body, dialect)
    if name in ("CreateIndex", "RemoveIndex") and dialect is Dialect.LEGACY:
        return {
            "index_type": rendered["target"],
            "class": rendered["class"],
            "property_key": rendered["property"],
        }
    return rendered


def _render(value: Any, dialect: Dialect) -> Any:
    # Most values are plain, and asking for a Mapping takes ten times as long as comparing types.
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {key: _render(item, dialect) for key, item in value.items()}
    if isinstance(value, Predicate | Group):
        condition: Condition = value
        return condition.render(dialect)
    if isinstance(value, Mapping):
        return {key: _render(item, dialect) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_render(item, dialect) for item in value]
    return value
