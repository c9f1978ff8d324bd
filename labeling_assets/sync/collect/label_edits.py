"""The policy `allow_label_edits: false`: Label Studio may not change labels that came from ApertureDB."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import one_of
from labeling_assets.identity import is_as_sent, is_sent_for
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.media_store import chunks
from labeling_assets.sync.report import Note
from labeling_assets.sync.stored_annotations import StoredAnnotation, TaskChange


def refuse_label_edits(
    db: ApertureDB, record: ProjectRecord, changes: Mapping[int, TaskChange]
) -> tuple[dict[int, TaskChange], list[Note]]:
    """The changes without edits of annotations that a push brought to Label Studio, and a note on each of these.

    An annotation that a push sent keeps the version that was sent. One that was edited before any sync saw it is not
    written at all: what it was made from is in ApertureDB. Deletions are no edits.
    """
    suspects = [task for task, change in changes.items() if any(map(_was_edited, change.created))]
    sent = _sent_for(db, record, suspects)
    kept: dict[int, TaskChange] = {}
    refused: list[Note] = []
    for task, change in changes.items():
        created = [one for one in change.created if not (_was_edited(one) and _comes_from(one, sent.get(task, ())))]
        updated = [(one, known) for one, known in change.updated if not _is_edit(one, known)]
        kept_ids = {int(one["id"]) for one in (*created, *(one for one, _ in updated))}
        given = [*change.created, *(one for one, _ in change.updated)]
        refused += [_note(record, task, one) for one in given if int(one["id"]) not in kept_ids]
        unchanged = change.unchanged + len(given) - len(kept_ids)
        kept[task] = replace(change, created=tuple(created), updated=tuple(updated), unchanged=unchanged)
    return kept, refused


def _was_edited(annotation: Mapping[str, Any]) -> bool:
    return annotation.get("import_id") is not None and not is_as_sent(annotation)


def _comes_from(annotation: Mapping[str, Any], sources: Iterable[str]) -> bool:
    return any(is_sent_for(annotation["import_id"], source) for source in sources)


def _is_edit(annotation: Mapping[str, Any], known: StoredAnnotation) -> bool:
    return known.imported and _was_edited(annotation)


def _note(record: ProjectRecord, task: int, annotation: Mapping[str, Any]) -> Note:
    text = (
        f"it came from ApertureDB and was edited in Label Studio ({record.task_url(task)}); the edit is not taken "
        "over, as allow_label_edits is false in project.yaml"
    )
    return Note(f"annotation {annotation['id']}", text)


def _sent_for(db: ApertureDB, record: ProjectRecord, task_ids: Iterable[int]) -> dict[int, list[str]]:
    """Task id -> GUIDs of what pushes sent to it."""
    found: dict[int, list[str]] = {}
    for chunk in chunks(map(str, task_ids), 500):
        condition = record.condition(one_of("LS_task_id", [int(task) for task in chunk]))
        wanted = ["LS_task_id", "LS_source_guid"]
        for row in db.find("FindEntity", condition, class_name=names.SENT, properties=wanted):
            found.setdefault(int(row["LS_task_id"]), []).append(str(row["LS_source_guid"]))
    return found
