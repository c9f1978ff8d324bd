"""GetSchema: which classes there are, how many objects, and which properties they have."""

import json
from collections import Counter
from typing import Final

from labeling_assets.local_aperturedb import schema
from labeling_assets.local_aperturedb.arguments import Arguments, boolean, one_of, reference
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


# The same columns for the objects of a reference only, one row per object and property.
_ENTITIES: Final = """
SELECT c.id AS class_id, c.name AS class, NULL AS src, NULL AS dst, o.props
FROM json_each(?) wanted JOIN entity o ON o.id = wanted.value JOIN class c ON c.id = o.class
"""
_CONNECTIONS: Final = """
SELECT c.id AS class_id, c.name AS class, s.name AS src, d.name AS dst, o.props
FROM json_each(?) wanted JOIN connection o ON o.id = wanted.value JOIN class c ON c.id = o.class
JOIN entity se ON se.id = o.src JOIN class s ON s.id = se.class
JOIN entity de ON de.id = o.dst JOIN class d ON d.id = de.class
"""
_PARTS: Final = {"entities": schema.ENTITY, "connections": schema.CONNECTION}


def _get(run: Run, given: Arguments) -> Answer:
    run.transaction.catalog.flush()
    answer: Answer = {"status": OK}
    for part, target in _PARTS.items():
        if given.get("type", "both") in (part, "both"):
            rows = _of_objects(run, target, given["ref"]) if "ref" in given else _of_everything(run, target)
            answer[part] = _entities(rows) if target == schema.ENTITY else _connections(rows)
    return answer


def _of_everything(run: Run, target: str) -> list[Answer]:
    return [dict(row) for row in run.transaction.rows(_TALLIES, (target,))]


def _of_objects(run: Run, target: str, number: int) -> list[Answer]:
    found = run.any_reference(number)
    if found.target != target:
        return []
    counts: Counter[tuple[int, str, str, str, str]] = Counter()
    for row in run.transaction.rows(_ENTITIES if target == schema.ENTITY else _CONNECTIONS, (found.array,)):
        for name in ("", *json.loads(row["props"])):
            counts[(row["class_id"], row["class"], row["src"] or "", row["dst"] or "", name)] += 1
    indexed = {(row["class"], row["property"]) for row in run.transaction.rows("SELECT * FROM property_index")}
    return [
        {
            "class": class_name,
            "src": source,
            "dst": destination,
            "property": name,
            "matched": matched,
            "type": run.transaction.catalog.types(class_id).get(name),
            "indexed": (class_id, name) in indexed,
        }
        for (class_id, class_name, source, destination, name), matched in sorted(counts.items())
    ]


def _entities(rows: list[Answer]) -> Answer | None:
    classes: dict[str, Answer] = {}
    for row in rows:
        _note(classes.setdefault(row["class"], {"matched": 0, "properties": None}), row)
    return {"classes": classes, "returned": len(classes)} if classes else None


def _connections(rows: list[Answer]) -> Answer | None:
    classes: dict[str, list[Answer]] = {}
    for row in rows:
        pairs = classes.setdefault(row["class"], [])
        ends = {"src": row["src"], "dst": row["dst"]}
        if not pairs or not ends.items() <= pairs[-1].items():
            pairs.append({**ends, "matched": 0, "properties": None})
        _note(pairs[-1], row)
    return {"classes": classes, "returned": len(classes)} if classes else None


def _note(described: Answer, row: Answer) -> None:
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
            "ref": reference,
        },
    ),
)
