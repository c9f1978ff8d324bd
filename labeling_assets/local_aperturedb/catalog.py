"""Classes, the types of their properties, and how many objects have them."""

import sqlite3
from collections.abc import Iterable, Mapping

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.properties import Properties, type_of
from labeling_assets.local_aperturedb.schema import next_class_id

Ends = tuple[int, int]
NO_ENDS: Ends = (0, 0)


class Known:
    """Classes and types as committed, for all transactions: both only ever grow, so nothing here becomes wrong.

    A transaction that looks at an older snapshot may meet a class that has no objects in it yet.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self.ids: dict[tuple[str, str], int] = {}
        self.names: dict[int, str] = {}
        self.types: dict[int, dict[str, str]] = {}
        for row in database.execute("SELECT id, target, name FROM class"):
            self.ids[(row["target"], row["name"])] = row["id"]
            self.names[row["id"]] = row["name"]
        for row in database.execute("SELECT class, name, type FROM property"):
            self.types.setdefault(row["class"], {})[row["name"]] = row["type"]


class Catalog:
    """The catalog as one transaction sees and changes it; `flush` writes the counts, `commit` tells the others."""

    def __init__(self, database: sqlite3.Connection, known: Known) -> None:
        self._database = database
        self._known = known
        self._new_ids: dict[tuple[str, str], int] = {}
        self._new_names: dict[int, str] = {}
        self._new_types: dict[int, dict[str, str]] = {}
        self._changes: dict[tuple[int, int, int, str], int] = {}
        self._added: dict[tuple[int, int, int, tuple[str, ...]], int] = {}

    def class_id(self, target: str, name: str) -> int | None:
        """The number of a class, None when nothing of it was ever added."""
        key = (target, name)
        known = self._known.ids.get(key) or self._new_ids.get(key)
        if known is not None:
            return known
        row = self._database.execute("SELECT id FROM class WHERE target = ? AND name = ?", key).fetchone()
        return None if row is None else int(row["id"])

    def class_name(self, class_id: int) -> str:
        known = self._known.names.get(class_id) or self._new_names.get(class_id)
        if known is not None:
            return known
        row = self._database.execute("SELECT name FROM class WHERE id = ?", (class_id,)).fetchone()
        return str(row["name"])

    def ensure_class(self, target: str, name: str) -> int:
        """The number of a class, which is created when it is new."""
        known = self.class_id(target, name)
        if known is not None:
            return known
        number = next_class_id(self._database)
        self._database.execute("INSERT INTO class (id, target, name) VALUES (?, ?, ?)", (number, target, name))
        self._new_ids[(target, name)] = number
        self._new_names[number] = name
        return number

    def types(self, class_id: int) -> Mapping[str, str]:
        """The properties ever seen in a class, with their types."""
        return self._new_types.get(class_id) or self._known.types.get(class_id, {})

    def check_types(self, class_id: int, properties: Properties) -> None:
        """Fix the types of properties seen for the first time; raises QueryError for another type than before."""
        known = self.types(class_id)
        for name, value in properties.items():
            kind = type_of(value)
            fixed = known.get(name)
            if fixed is None:
                known = self._fix(class_id, name, kind)
            elif fixed != kind:
                text = messages.PROPERTY_TYPE.format(
                    name=name, class_name=self.class_name(class_id), known=fixed, got=kind
                )
                raise QueryError(text)

    def _fix(self, class_id: int, name: str, kind: str) -> Mapping[str, str]:
        self._database.execute("INSERT INTO property VALUES (?, ?, ?)", (class_id, name, kind))
        self._new_types[class_id] = {**self.types(class_id), name: kind}
        return self._new_types[class_id]

    def count(self, class_id: int, name: str, change: int, *, ends: Ends = NO_ENDS) -> None:
        """`name` is a property, or empty for the objects themselves."""
        key = (class_id, *ends, name)
        self._changes[key] = self._changes.get(key, 0) + change

    def count_added(self, class_id: int, properties: Iterable[str], *, ends: Ends = NO_ENDS) -> None:
        """One more object with these properties; most of a query have the same ones."""
        key = (class_id, *ends, tuple(properties))
        self._added[key] = self._added.get(key, 0) + 1

    def flush(self) -> None:
        for (class_id, source, destination, properties), added in self._added.items():
            for name in ("", *properties):
                self.count(class_id, name, added, ends=(source, destination))
        self._added.clear()
        changes = [(*key, change) for key, change in self._changes.items() if change]
        self._database.executemany(
            """INSERT INTO tally VALUES (?, ?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET matched = matched + excluded.matched""",
            changes,
        )
        if any(change[-1] < 0 for change in changes):
            self._database.execute("DELETE FROM tally WHERE matched = 0")
        self._changes.clear()

    def commit(self) -> None:
        self._known.ids.update(self._new_ids)
        self._known.names.update(self._new_names)
        self._known.types.update(self._new_types)
