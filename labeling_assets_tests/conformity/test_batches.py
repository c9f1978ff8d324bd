"""`batch`: a result in parts, for several workers."""

import pytest


@pytest.fixture
def people(ask):
    ask(*({"AddEntity": {"class": "Person", "properties": {"n": n}}} for n in range(10)))


def part(ask, batch, **parameters):
    answer = ask({"FindEntity": {"with_class": "Person", "results": {"list": ["n"]}, "batch": batch, **parameters}})
    if isinstance(answer, dict):
        return answer
    found = answer[0]["FindEntity"]
    return found["batch"], [item["n"] for item in found.get("entities", [])]


def test_an_empty_batch_asks_for_the_total(ask, people):
    (answer,) = ask({"FindEntity": {"with_class": "Person", "results": {"list": ["n"]}, "batch": {}}})
    assert answer["FindEntity"] == {"batch": {"total_elements": 10}, "returned": 0, "status": 0}


@pytest.mark.parametrize(
    ("batch", "start", "end"),
    [
        ({"batch_size": 4, "batch_id": 0}, 0, 4),
        ({"batch_size": 4, "batch_id": 2}, 8, 10),
        ({"batch_size": 99, "batch_id": 0}, 0, 10),
        # What is left over goes to the last ones.
        ({"batches": 4, "batch_id": 0}, 0, 2),
        ({"batches": 4, "batch_id": 1}, 2, 4),
        ({"batches": 4, "batch_id": 2}, 4, 7),
        ({"batches": 4, "batch_id": 3}, 7, 10),
        ({"batches": 20, "batch_id": 0}, 0, 0),
    ],
)
def test_parts(ask, people, batch, start, end):
    described = {"batch_id": batch["batch_id"], "end": end, "start": start, "total_elements": 10}
    assert part(ask, batch) == (described, list(range(start, end)))


def test_parts_of_a_sorted_and_limited_result(ask, people):
    described, found = part(ask, {"batch_size": 3, "batch_id": 1}, sort={"key": "n", "order": "descending"}, limit=5)
    assert described == {"batch_id": 1, "end": 5, "start": 3, "total_elements": 5}
    assert found == [6, 5]


def test_nothing_has_one_empty_part(ask):
    described = {"batch_id": 0, "end": 0, "start": 0, "total_elements": 0}
    assert part(ask, {"batch_size": 3, "batch_id": 0}) == (described, [])


@pytest.mark.parametrize(
    ("batch", "text"),
    [
        ({"batch_size": 3, "batch_id": 4}, "there is no batch 4, only 4 numbered from 0"),
        ({"batch_size": 3}, 'missing parameter "batch_id"'),
        ({"batch_id": 3}, "expected exactly one of batch_size, batches"),
        ({"batch_size": 0, "batch_id": 3}, "expected an integer from 1"),
        ({"range": [0, 3]}, "not supported"),
    ],
)
def test_parts_that_are_refused(ask, people, batch, text):
    assert text in part(ask, batch)["info"]


def test_a_part_has_no_totals(ask, people):
    answer = ask({"FindEntity": {"with_class": "Person", "batch": {}, "results": {"count": True}}})
    assert answer["info"].endswith("batch and count cannot be used together")


@pytest.mark.parametrize("kind", ["Image", "Video", "Blob", "BoundingBox", "Polygon", "Clip", "Frame", "Descriptor"])
def test_every_kind_takes_batches(ask, kind):
    (answer,) = ask({f"Find{kind}": {"batch": {}}})
    assert answer[f"Find{kind}"] == {"batch": {"total_elements": 0}, "returned": 0, "status": 0}


def test_the_reading_of_pytorch_datasets(client, ask, picture):
    """The queries of `ApertureDBDataset`, which itself needs torch."""
    for n in range(5):
        ask({"AddImage": {"properties": {"n": n}}}, blobs=[picture(8 + n, 8)])
    find = {"results": {"list": ["n"]}, "batch": {}, "blobs": False}
    (answer,) = ask({"FindImage": find})
    assert answer["FindImage"]["batch"]["total_elements"] == 5
    seen = []
    for number in range(3):
        batch = {"batch_size": 2, "batch_id": number}
        answer, blobs = client.query([{"FindImage": {**find, "batch": batch, "blobs": True}}])
        assert len(blobs) == len(answer[0]["FindImage"]["entities"])
        seen += [(item["n"], blobs[item["_blob_index"]]) for item in answer[0]["FindImage"]["entities"]]
    assert seen == [(n, picture(8 + n, 8)) for n in range(5)]
