"""What the mapping makes of odd annotations is what ApertureDB takes, and gives back, through the official client."""

import json
from pathlib import Path

from labeling_assets.clients.constraints import equal
from labeling_assets.clients.query import Query
from labeling_assets.mapping.documents import contents_of
from labeling_assets.mapping.explain import explain
from labeling_assets.mapping.payload import annotation_of, differences, payload
from labeling_assets_tests.sync.world import WatchedDatabase

FILES = sorted((Path(__file__).parent.parent / "data" / "corpus").glob("*.json"))
ODD = {
    "id": 1,
    "big": 2**80,
    "float": 0.1 + 0.2,
    "one": 1.0,
    "\ud8ff": "half a pair \udc00 and \ud800",
    "control": "\x00\x1f\x7f\u2028",
    "emoji": "👩‍👩‍👧",
    "result": [
        {"id": "\ud800", "type": "choices", "from_name": "c\udc00", "value": {"choices": ["\udfff", "$a", ""]}},
        {"type": "textarea", "value": {"text": ["\ud800", '["a"]']}, "item_index": 1e300, "score": 1e400},
        {"type": "number", "value": {"number": 2**62 + 1}},
        {"type": "number", "value": {"number": 2**80}},
    ],
}


def documents() -> list[object]:
    return [ODD, *(json.loads(path.read_text(encoding="utf-8")) for path in FILES)]


def test_the_json_of_an_annotation_survives_as_a_property_and_as_a_blob(database: WatchedDatabase):
    annotations = [found.annotation for document in documents() for found in contents_of(document).found]
    assert len(annotations) >= 15
    query = Query()
    for number, annotation in enumerate(annotations):
        text, data = payload(annotation, limit=10**6)
        query.add("AddEntity", {"class": "LS_annotation", "properties": {"LS_number": number, "LS_data": text}})
        query.add("AddBlob", {"properties": {"LS_number": number}}, data)
    database.run(query)
    for number, annotation in enumerate(annotations):
        query, condition = Query(), equal("LS_number", number)
        query.add(
            "FindEntity", {"with_class": "LS_annotation", "constraints": condition, "results": {"list": ["LS_data"]}}
        )
        query.add("FindBlob", {"constraints": condition, "blobs": True, "uniqueids": True})
        reply = database.run(query)
        (row,) = reply.objects(0)
        for back in (row["LS_data"], reply.blobs[0]):
            assert list(differences(annotation, annotation_of(back))) == []


def test_every_property_of_a_region_is_taken_and_given_back(database: WatchedDatabase):
    """Whatever the labels, ids and texts are, one odd region cannot make ApertureDB refuse its annotation."""
    found = [explain(one) for document in documents() for one in contents_of(document).found]
    regions = [region for one in found for region in one.mapped.regions]
    given = [region.as_properties() for region in regions]
    given += [{"LS_label": name} for region in regions for name in region.searchable]
    given += [dict(keyframe.properties) for region in regions for keyframe in region.keyframes]
    assert len(given) >= 60
    query = Query()
    for number, properties in enumerate(given):
        query.add("AddEntity", {"class": "LS_region", "properties": {**properties, "LS_row": number}})
    database.run(query)
    names = sorted({name for properties in given for name in properties})
    rows = database.find("FindEntity", None, class_name="LS_region", properties=[*names, "LS_row"])
    back = {row.pop("LS_row"): {name: value for name, value in row.items() if value is not None} for row in rows}
    assert [back[number] for number in range(len(given))] == given
