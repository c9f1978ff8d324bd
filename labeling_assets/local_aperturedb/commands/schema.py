"""GetSchema: which classes there are, how many objects, and which properties they have."""

from typing import Any, Final

from labeling_assets.local_aperturedb import schema
from labeling_assets.local_aperturedb.arguments import Arguments, boolean, one_of, unsupported
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.errors import OK
from labeling_assets.local_aperturedb.run import Run

# Each property is [how many objects have it, whether it is indexed, its type].
_TALLIES: Final = """
SELECT c.name AS class, s.name AS src, d.name AS dst, t.property, t.matched, p.type, i.property IS NOT NULL AS indexed
FROM tally t JOIN class c ON c.id = t.class
LEFT JOIN class s ON s.id = t.src LEFT JOIN class d ON d.id = t.dst
LEFT JOIN property p ON p.class = t.class AND p.name = t.property
LEFT JOIN property_index i ON i.class = t.class AND i.property = t.property
WHERE c.target = ? AND t.matched > 0 ORDER BY c.name, s.name, d.name, t.property
"""


def _get(run: Run, given: Arguments) -> Answer:
    run.transaction.catalog.flush()
    wanted = given.get("type", "both")
    answer: Answer = {"status": OK}
    if wanted in ("entities", "both"):
        answer["entities"] = _entities(run)
    if wanted in ("connections", "both"):
        answer["connections"] = _connections(run)
    return answer


def _entities(run: Run) -> Answer | None:
    classes: dict[str, Answer] = {}
    for row in run.transaction.rows(_TALLIES, (schema.ENTITY,)):
        _note(classes.setdefault(row["class"], {"matched": 0, "properties": None}), row)
    return {"classes": classes, "returned": len(classes)} if classes else None


def _connections(run: Run) -> Answer | None:
    classes: dict[str, list[Answer]] = {}
    for row in run.transaction.rows(_TALLIES, (schema.CONNECTION,)):
        pairs = classes.setdefault(row["class"], [])
        ends = {"src": row["src"], "dst": row["dst"]}
        if not pairs or not ends.items() <= pairs[-1].items():
            pairs.append({**ends, "matched": 0, "properties": None})
        _note(pairs[-1], row)
    return {"classes": classes, "returned": len(classes)} if classes else None


def _note(described: Answer, row: Any) -> None:
    if not row["property"]:
        described["matched"] = row["matched"]
        return
    described["properties"] = described["properties"] or {}
    described["properties"][row["property"]] = [row["matched"], bool(row["indexed"]), row["type"]]


COMMANDS: Final = (
    Command(
        "GetSchema",
        _get,
        {
            "type": one_of("entities", "connections", "both"),
            # The counts are always up to date, so there is nothing to refresh.
            "refresh": boolean,
            "ref": unsupported,
        },
    ),
)
