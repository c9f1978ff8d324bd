"""Annotations that ApertureDB holds against those that Label Studio shows."""

from dataclasses import replace
from typing import Any

from labeling_assets.mapping.annotation import content_hash
from labeling_assets.mapping.payload import payload
from labeling_assets.sync.labeling_project import ProjectRecord
from labeling_assets.sync.stored_annotations import (
    StoredAnnotation,
    TaskChange,
    annotation_guid,
    doubtful_hash,
    known_hash,
    task_change,
)
from labeling_assets_tests.sync.world import box

RECORD = ProjectRecord("i|cars", "cars", "i", 1, "2026-05-01T12:00:00.000000Z", "h", "http://ls/projects/1")
NOON = "2026-05-01T12:00:00.000000Z"


def annotation(number: int = 1, *, created_at: str = NOON, label: str = "car") -> dict[str, Any]:
    return {"id": number, "created_at": created_at, "updated_at": created_at, "result": [box(label=label)]}


def stored(given: dict[str, Any], *, deleted: bool = False, task_id: int = 7) -> dict[str, StoredAnnotation]:
    guid = annotation_guid(RECORD, given)
    return {guid: StoredAnnotation(guid, given["id"], task_id, "g-1", content_hash(given), 1, deleted)}


def change(now: list[dict[str, Any]], before: dict[str, StoredAnnotation]) -> TaskChange:
    return task_change(RECORD, now, before, task_id=7)


def test_what_is_not_known_is_created():
    assert change([annotation()], {}).created == (annotation(),)


def test_what_is_the_same_is_unchanged():
    assert change([annotation()], stored(annotation())) == TaskChange((), (), (), 1)


def test_other_content_is_an_update():
    (before,) = stored(annotation()).values()
    now = annotation(label="dog")
    assert change([now], stored(annotation())).updated == ((now, before),)


def test_only_a_full_comparison_finds_what_is_stale():
    (before,) = stored(annotation()).values()
    stale = {before.guid: replace(before, stale=True)}
    assert change([annotation()], stale) == TaskChange((), (), (), 1)
    found = task_change(RECORD, [annotation()], stale, task_id=7, full=True)
    assert found == TaskChange((), (), (), 0, ((annotation(), stale[before.guid]),))
    assert found.current == (annotation(),)


def test_a_doubtful_hash_is_no_hash_and_still_known():
    (before,) = stored(annotation()).values()
    doubtful = doubtful_hash(doubtful_hash(before.content_hash))
    assert (len(doubtful), known_hash(doubtful)) == (65, before.content_hash)
    there = {before.guid: replace(before, content_hash=doubtful)}
    assert len(change([annotation()], there).updated) == 1


def test_what_is_no_longer_there_is_removed():
    (before,) = stored(annotation()).values()
    assert change([], stored(annotation())).removed == (before,)


def test_a_tombstone_is_removed_only_once():
    assert change([], stored(annotation(), deleted=True)) == TaskChange((), (), (), 0)


def test_what_is_there_again_is_an_update():
    assert len(change([annotation()], stored(annotation(), deleted=True)).updated) == 1


def test_what_moved_to_another_task_is_an_update():
    assert len(change([annotation()], stored(annotation(), task_id=8)).updated) == 1


def test_an_id_that_was_given_again_is_another_annotation():
    """SQLite does that; the time of creation tells them apart."""
    now = annotation(created_at="2026-05-01T12:00:00.000001Z")
    found = change([now], stored(annotation()))
    assert (len(found.created), len(found.updated), len(found.removed)) == (1, 0, 1)


def test_the_guid_is_the_same_however_the_time_is_spelled():
    spelled = annotation(created_at="2026-05-01T12:00:00Z")
    assert annotation_guid(RECORD, annotation()) == annotation_guid(RECORD, spelled)
    assert annotation_guid(RECORD, annotation()) == "96a96cfe-2869-5983-bf9a-a52bf564cbaf"


def test_a_payload_is_text_up_to_its_limit():
    text, data = payload({"b": "ü", "a": 1}, limit=16)
    assert (text, data) == ('{"a":1,"b":"ü"}', '{"a":1,"b":"ü"}'.encode())
    assert payload({"b": "ü", "a": 1}, limit=15) == (None, data)
