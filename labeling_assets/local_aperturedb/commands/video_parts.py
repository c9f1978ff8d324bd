"""What clips and frames share: a position in one video, and they go with it."""

import json
from collections.abc import Callable
from typing import Any, Final

from labeling_assets.local_aperturedb import messages, positions, schema
from labeling_assets.local_aperturedb.arguments import Arguments, Parameters, Required, reference, text
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.registry import Answer
from labeling_assets.local_aperturedb.errors import OK, QueryError
from labeling_assets.local_aperturedb.kinds import Kind
from labeling_assets.local_aperturedb.positions import Span
from labeling_assets.local_aperturedb.properties import compact
from labeling_assets.local_aperturedb.results import FIND_PARAMETERS
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row
from labeling_assets.local_aperturedb.videos import Facts
from labeling_assets.local_aperturedb.writes import (
    insert_connection,
    referenced_entities,
    set_columns,
    update_object,
)

# What the server keeps of a position in a video.
System = Callable[[Span, Facts | None], dict[str, Any]]

ADD_PART: Final[Parameters] = {**objects.ADD_PARAMETERS, "video_ref": Required(reference), "label": text}
FIND_PART: Final[Parameters] = {
    **FIND_PARAMETERS,
    "video_ref": reference,
    "with_label": text,
    "in_frame_number_range": positions.open_range(positions.frame_number),
    "in_time_offset_range": positions.open_range(positions.time_offset),
    "in_time_fraction_range": positions.open_range(positions.time_fraction),
}
UPDATE_PART: Final[Parameters] = {**objects.UPDATE_PARAMETERS, "label": text}


def add_part(run: Run, kind: Kind, given: Arguments, *, span: Span, system: System, label: str | None) -> Answer:
    video = _video(run, given["video_ref"])

    def columns() -> dict[str, Any]:
        return {"label": given.get("label", label), "system": compact(system(span, _facts(video)))}

    answer, number = objects.add_or_find(run, kind, given, columns=columns)
    if number is not None:
        (added,) = run.transaction.rows("SELECT id, class FROM entity WHERE id = ?", (number,))
        insert_connection(run, str(kind.owner_class), (added, video), {})
    return answer


def update_part(run: Run, kind: Kind, given: Arguments, *, span: Span | None, system: System) -> Answer:
    """`span` is None when the position stays."""
    rows = objects.chosen(run, kind, given)
    label = {"label": given["label"]} if "label" in given else {}
    for row in rows:
        update_object(run, kind.target, row, set_=given.get("properties", {}), remove=given.get("remove_props", ()))
        moved = {"system": compact(system(span, _facts(video_of(run, kind, row))))} if span else {}
        set_columns(run, row["id"], label | moved)
    return {"count": len(rows), "status": OK}


def position(given: Arguments, names: tuple[str, ...]) -> Span:
    """The one position that was given. Raises QueryError."""
    found = [given[name] for name in names if name in given]
    if len(found) != 1:
        raise QueryError(messages.ONE_OF.format(names=", ".join(names)))
    span: Span = found[0]
    return span


def new_position(given: Arguments, names: tuple[str, ...]) -> Span | None:
    return position(given, names) if given.keys() & set(names) else None


def check_one_range(given: Arguments) -> None:
    names = [name for name in given if name.startswith("in_")]
    if len(names) > 1:
        raise QueryError(messages.NOT_TOGETHER.format(names=" and ".join(names)))


def video_of(run: Run, kind: Kind, part: Row) -> Row:
    class_id = run.transaction.catalog.class_id(schema.CONNECTION, str(kind.owner_class))
    rows = run.transaction.rows(
        """SELECT v.id, v.class, v.system FROM connection c JOIN entity v ON v.id = c.dst
           WHERE c.src = ? AND c.class = ? ORDER BY c.id""",
        (part["id"], class_id),
    )
    if not rows:
        raise QueryError(messages.NO_VIDEO)
    return rows[0]


def _video(run: Run, number: int) -> Row:
    rows = referenced_entities(run, number)
    video_class = run.transaction.catalog.class_id(schema.ENTITY, schema.VIDEO)
    if any(row["class"] != video_class for row in rows):
        raise QueryError(messages.REFERENCE_KIND.format(number=number, wanted="a video"))
    if len(rows) != 1:
        raise QueryError(messages.NOT_UNIQUE.format(got=len(rows)))
    return rows[0]


def _facts(video: Row) -> Facts | None:
    if video["system"] is None:
        return None
    known = json.loads(video["system"])
    return Facts(
        fps=float(known["_fps"]),
        frames=known["_frame_count"],
        width=known["_frame_width"],
        height=known["_frame_height"],
    )
