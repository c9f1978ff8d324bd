"""Classes, the types of their properties, and how many objects have them."""

import sqlite3
from collections import Counter
from collections.abc import Mapping

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.properties import Properties, type_of
from labeling_assets.local_aperturedb.schema import next_class_id

Ends = tuple[int, int]
NO_ENDS: Ends = (0, 0)


class Catalog:
    """The catalog as one transaction sees and changes it; `flush` writes the counts."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._classes: dict[tuple[str, str], int] = {}
        self._names: dict[int, str] = {}
        self._types: dict[int, dict[str, str]] = {}
        self._changes: Counter[tuple[int, int, int, str]] = Counter()

    def class_id(self, target: str, name: str) -> int | None:
        """The number of a class, None when nothing of it was ever added."""
        key = (target, name)
        if key not in self._classes:
            row = self._database.execute(
                "SELECT id FROM class WHERE target = ? AND name = ?", (target, name)
            ).fetchone()
            if row is None:
                return None
            self._classes[key] = row["id"]
        return self._classes[key]

    def class_name(self, class_id: int) -> str:
        if class_id not in self._names:
            row = self._database.execute("SELECT name FROM class WHERE id = ?", (class_id,)).fetchone()
            self._names[class_id] = row["name"]
        return self._names[class_id]

    def ensure_class(self, target: str, name: str) -> int:
        """The number of a class, which is created when it is new."""
        known = self.class_id(target, name)
        if known is not None:
            return known
        number = next_class_id(self._database)
        self._database.execute("INSERT INTO class (id, target, name) VALUES (?, ?, ?)", (number, target, name))
        return number

    def types(self, class_id: int) -> Mapping[str, str]:
        """The properties ever seen in a class, with their types."""
        if class_id not in self._types:
            rows = self._database.execute("SELECT name, type FROM property WHERE class = ?", (class_id,))
            self._types[class_id] = {row["name"]: row["type"] for row in rows}
        return self._types[class_id]

    def check_types(self, class_id: int, properties: Properties) -> None:
        """Fix the types of properties seen for the first time; raises QueryError for another type than before."""
        self.types(class_id)
        known = self._types[class_id]
        for name, value in properties.items():
            kind = type_of(value)
            if name not in known:
                self._database.execute("INSERT INTO property VALUES (?, ?, ?)", (class_id, name, kind))
                known[name] = kind
            elif known[name] != kind:
                raise QueryError(
                    messages.PROPERTY_TYPE.format(
                        name=name, class_name=self.class_name(class_id), known=known[name], got=kind
                    )
                )

    def count(self, class_id: int, name: str, change: int, *, ends: Ends = NO_ENDS) -> None:
        """`name` is a property, or empty for the objects themselves."""
        self._changes[(class_id, *ends, name)] += change

    def flush(self) -> None:
        changes = [(*key, change) for key, change in self._changes.items() if change]
        self._database.executemany(
            """INSERT INTO tally VALUES (?, ?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET matched = matched + excluded.matched""",
            changes,
        )
        if any(change[-1] < 0 for change in changes):
            self._database.execute("DELETE FROM tally WHERE matched = 0")
        self._changes.clear()
