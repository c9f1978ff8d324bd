"""What stays of an earlier version of an annotation, and what does not."""

from typing import Any

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.mapping.annotation import MappedAnnotation, map_annotation
from labeling_assets.mapping.medium import Medium
from labeling_assets.stack.tally import count_aperturedb
from labeling_assets.sync.stored_annotations import annotation_guid, annotations_by_guid, doubtful_hash, old_versions
from labeling_assets_tests.sync.desk import ON_PICTURE, RECORD, Desk, annotation
from labeling_assets_tests.sync.world import note

GUID = annotation_guid(RECORD, annotation())


def large(letter: str, hour: int = 12) -> dict[str, Any]:
    return annotation(result=[note(letter * 40_000)], updated_at=f"2026-05-01T{hour}:00:00.000000Z")


def write(here: Desk, given: dict[str, Any]) -> None:
    """Create the annotation, or replace it."""
    mapped = map_annotation(given["result"], Medium("image", 40, 30))
    stored, old = annotations_by_guid(here.stock.db, [GUID]), old_versions(here.stock.db, [GUID])
    writer, context = here.writer()
    if stored:
        writer.update(context, given, mapped, stored=stored[GUID], old=old[GUID])
    else:
        writer.create(context, given, mapped)
    here.send()


def payloads(here: Desk, class_name: str) -> list[str]:
    """The first letter of the text in each payload that objects of a class lead to."""
    query = Query()
    reference = query.reference()
    query.add("FindEntity", {"_ref": reference, "with_class": class_name})
    edge = {"ref": reference, "connection_class": names.ANNOTATION_PAYLOAD, "direction": "out"}
    query.add("FindBlob", {"is_connected_to": edge, "blobs": True, "uniqueids": True})
    return sorted(blob.decode().partition('"text":["')[2][0] for blob in here.stock.db.run(query).blobs)


def test_what_the_new_version_does_not_have_goes(on_picture: Desk):
    """An annotation without an author, saved by a sync without a run, after one with both."""
    on_picture.create(ON_PICTURE)
    writer, _ = on_picture.writer()
    stored, old = (
        annotations_by_guid(on_picture.stock.db, [GUID])[GUID],
        old_versions(on_picture.stock.db, [GUID])[GUID],
    )
    writer, context = on_picture.writer()
    context = type(context)(**{**{name: getattr(context, name) for name in context.__slots__}, "run_id": ""})
    writer.update(context, annotation(completed_by=None), MappedAnnotation(), stored=stored, old=old)
    on_picture.send()
    (row,) = on_picture.stock.stored(names.ANNOTATION)
    (revision,) = on_picture.stock.stored(names.REVISION)
    gone = ("LS_completed_by", "LS_run_id")
    assert [row.get(name) for name in gone] == [None, None]
    assert (row["LS_annotator"], revision["LS_annotator"], revision["LS_run_id"]) == (
        "unknown",
        "ada@example.org",
        "run-1",
    )


def test_each_version_leads_to_its_own_json_only(on_picture: Desk):
    """Equal versions share a blob."""
    for hour, letter in enumerate("abab", start=12):
        write(on_picture, large(letter, hour))
    assert (payloads(on_picture, names.ANNOTATION), payloads(on_picture, names.REVISION)) == (["b"], ["a", "b"])


def test_so_it_does_after_two_writers_at_once(on_picture: Desk):
    """The one that lost marks the hash: the JSON of the other one becomes a revision like any other."""
    write(on_picture, large("a"))
    (row,) = on_picture.stock.stored(names.ANNOTATION)
    marked = {"LS_content_hash": doubtful_hash(row["LS_content_hash"])}
    body = {"with_class": names.ANNOTATION, "constraints": equal(names.LS_GUID, GUID), "properties": marked}
    on_picture.stock.db.one("UpdateEntity", body)
    write(on_picture, large("b", 13))
    assert (payloads(on_picture, names.ANNOTATION), payloads(on_picture, names.REVISION)) == (["b"], ["a"])
    assert on_picture.stock.stored(names.REVISION)[0]["LS_content_hash"] == row["LS_content_hash"]
    write(on_picture, annotation(updated_at="2026-05-01T14:00:00.000000Z"))
    assert (payloads(on_picture, names.ANNOTATION), payloads(on_picture, names.REVISION)) == ([], ["a", "b"])


def test_a_large_annotation_is_counted_like_any_other(on_picture: Desk):
    write(on_picture, large("a"))
    found = count_aperturedb(on_picture.stock.db, "cars", "May")
    assert (found.annotations, found.regions) == (1, 1)
    assert "a" * 40_000 in found.contents[1]


def test_an_erased_annotation_leaves_nothing(on_picture: Desk):
    before = on_picture.counts()
    for letter, hour in (("a", 12), ("b", 13), ("c", 14)):
        write(on_picture, large(letter, hour))
    assert payloads(on_picture, names.REVISION) == ["a", "b"]
    stored = annotations_by_guid(on_picture.stock.db, [GUID])[GUID]
    for _ in range(2):  # any write may be sent twice
        writer, _ = on_picture.writer()
        writer.remove(stored, "run-2", erase=True)
        on_picture.send()
    assert on_picture.counts() == before
    assert on_picture.stock.db.count("FindBlob", equal("LS_role", "payload")) == 0


def test_erasing_one_annotation_leaves_the_others(on_picture: Desk):
    on_picture.create(ON_PICTURE)
    before = on_picture.of_regions()
    other = annotation(id=2, result=[note("x")])
    writer, context = on_picture.writer()
    writer.create(context, other, map_annotation(other["result"], Medium("image", 40, 30)))
    on_picture.send()
    guid = annotation_guid(RECORD, other)
    writer, _ = on_picture.writer()
    writer.erase(annotations_by_guid(on_picture.stock.db, [guid])[guid])
    on_picture.send()
    assert on_picture.of_regions() == before
    assert [row["LS_annotation_id"] for row in on_picture.stock.stored(names.ANNOTATION)] == [1]
