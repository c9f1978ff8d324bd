"""Images, videos and blobs: bytes and properties."""

import io

import pytest
from PIL import Image

MEDIA = pytest.mark.parametrize("kind", ["Image", "Video", "Blob"])


@MEDIA
def test_bytes_come_back_as_they_were(client, picture, kind):
    client.query([{f"Add{kind}": {"properties": {"guid": "g"}}}], [picture()])
    answer, blobs = client.query([{f"Find{kind}": {"blobs": True}}])
    assert answer == [{f"Find{kind}": {"blobs_start": 0, "returned": 1, "status": 0}}]
    assert blobs == [picture()]


@MEDIA
def test_blobs_are_not_sent_unless_asked_for(client, picture, kind):
    client.query([{f"Add{kind}": {"properties": {"guid": "g"}}}], [picture()])
    answer, blobs = client.query([{f"Find{kind}": {"results": {"list": ["guid"]}}}])
    assert answer == [{f"Find{kind}": {"entities": [{"guid": "g"}], "returned": 1, "status": 0}}]
    assert blobs == []


@MEDIA
def test_update_and_delete(ask, picture, kind):
    ask({f"Add{kind}": {"properties": {"guid": "g"}}}, blobs=[picture()])
    where = {"constraints": {"guid": ["==", "g"]}}
    assert ask({f"Update{kind}": {**where, "properties": {"size": 1}}}) == [
        {f"Update{kind}": {"count": 1, "status": 0}}
    ]
    assert ask({f"Delete{kind}": where}) == [{f"Delete{kind}": {"count": 1, "status": 0}}]
    assert ask({f"Find{kind}": {"results": {"count": True}}})[0][f"Find{kind}"]["count"] == 0


def test_blob_index_counts_over_the_whole_answer(client):
    client.query([{"AddBlob": {"properties": {"n": n}}} for n in range(3)], [b"zero", b"one", b"two"])
    answer, blobs = client.query(
        [
            {"FindBlob": {"constraints": {"n": ["==", 2]}, "blobs": True, "results": {"list": ["n"]}}},
            {"FindBlob": {"constraints": {"n": ["<", 2]}, "blobs": True, "results": {"list": ["n"]}}},
        ]
    )
    assert answer[1]["FindBlob"]["blobs_start"] == 1
    assert answer[1]["FindBlob"]["entities"] == [{"_blob_index": 1, "n": 0}, {"_blob_index": 2, "n": 1}]
    assert blobs == [b"two", b"zero", b"one"]


def test_no_blobs_found_gives_no_start(ask):
    assert ask({"FindBlob": {"blobs": True}}) == [{"FindBlob": {"returned": 0, "status": 0}}]


def test_an_image_says_nothing_of_its_size(ask, picture):
    ask({"AddImage": {"properties": {"guid": "g"}}}, blobs=[picture()])
    (answer,) = ask({"FindImage": {"results": {"all_properties": True}}})
    assert sorted(answer["FindImage"]["entities"][0]) == ["_uniqueid", "guid"]


@pytest.mark.parametrize(("name", "expected"), [("jpg", "JPEG"), ("png", "PNG")])
def test_format_encodes_again(client, picture, name, expected):
    client.query([{"AddImage": {"format": name}}], [picture(form="PNG" if name == "jpg" else "JPEG")])
    _, blobs = client.query([{"FindImage": {"blobs": True}}])
    assert Image.open(io.BytesIO(blobs[0])).format == expected


def test_as_format_leaves_the_stored_image_alone(client, picture):
    client.query([{"AddImage": {}}], [picture()])
    _, blobs = client.query([{"FindImage": {"blobs": True, "as_format": "jpg"}}])
    assert Image.open(io.BytesIO(blobs[0])).format == "JPEG"
    _, blobs = client.query([{"FindImage": {"blobs": True}}])
    assert blobs == [picture()]


def test_a_broken_image_is_refused(ask):
    answer = ask({"AddImage": {}}, blobs=[b"not an image"])
    assert answer["status"] == -1


@pytest.mark.parametrize("blobs", [[], [b"one", b"two"]])
def test_the_number_of_blobs_must_be_right(ask, blobs):
    answer = ask({"AddBlob": {}}, blobs=blobs)
    assert answer == {"info": f"Expected blobs: 1. Received blobs: {len(blobs)}", "status": -1}
