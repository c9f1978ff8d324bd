"""The loaders of the official client, unchanged: each class that turns a table into queries."""

import threading

import numpy as np
import pandas as pd
import pytest

from labeling_assets_tests.conformity.film import film


@pytest.fixture
def ingest(client):
    from aperturedb.ParallelLoader import ParallelLoader

    def ingest(generator, batchsize: int = 20, numthreads: int = 1):
        loader = ParallelLoader(client)
        loader.ingest(generator, batchsize=batchsize, numthreads=numthreads)
        assert loader.error_counter == 0

    return ingest


@pytest.fixture
def ask_sets(client):
    from aperturedb.ParallelQuerySet import ParallelQuerySet

    def ask_sets(generator):
        runner = ParallelQuerySet(client)
        runner.query(generator, batchsize=10, numthreads=1)
        assert runner.error_counter == 0

    return ask_sets


def files(folder, contents):
    paths = []
    for number, content in enumerate(contents):
        path = folder / str(number)
        path.write_bytes(content)
        paths.append(str(path))
    return paths


def table(folder, **columns):
    """A file, since some loaders take no frame."""
    path = folder / "table.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


def found(ask, command, **parameters):
    (answer,) = ask({command: parameters})
    return answer[command].get("entities", [])


def test_videos_and_blobs_from_tables(tmp_path, ask, utils, ingest):
    from aperturedb.BlobDataCSV import BlobDataCSV
    from aperturedb.VideoDataCSV import VideoDataCSV

    paths = files(tmp_path, [film(), film(), b"a", b"b"])
    videos = {"filename": paths[:2], "id": [1, 2], "constraint_id": [1, 2]}
    ingest(VideoDataCSV("", df=pd.DataFrame(videos)))
    ingest(BlobDataCSV("", df=pd.DataFrame({"filename": paths[2:], "id": [1, 2]})))
    assert found(ask, "FindVideo", results={"list": ["id", "_frame_count"]}) == [
        {"_frame_count": 30, "id": 1},
        {"_frame_count": 30, "id": 2},
    ]
    assert utils.count_entities("_Blob") == 2


def test_polygons_from_a_table(tmp_path, ask, ingest, picture):
    from aperturedb.PolygonDataCSV import PolygonDataCSV

    for number in range(3):
        ask({"AddImage": {"properties": {"id": number}}}, blobs=[picture()])
    path = table(tmp_path, id=range(3), score=[0.1, 0.2, 0.3], _label="dog", polygons="[[[0,0],[9,0],[0,9]]]")
    ingest(PolygonDataCSV(path))
    assert found(ask, "FindPolygon", labels=True, areas=True, results={"list": ["score"]}) == [
        {"_area": 40, "_label": "dog", "score": score} for score in (0.1, 0.2, 0.3)
    ]


def test_descriptors_from_tables(tmp_path, ask, utils, ingest):
    from aperturedb.DescriptorDataCSV import DescriptorDataCSV
    from aperturedb.DescriptorSetDataCSV import DescriptorSetDataCSV

    sets = table(
        tmp_path, name=["a", "b"], dimensions=[4, 4], engine=["Flat", '["HNSW"]'], metric=["L2", '["CS","IP"]']
    )
    ingest(DescriptorSetDataCSV(sets))
    np.save(tmp_path / "vectors.npy", np.eye(4))
    rows = {"filename": str(tmp_path / "vectors.npy"), "index": range(4), "set": ["a", "a", "b", "b"]}
    for _ in range(2):
        ingest(DescriptorDataCSV(table(tmp_path, **rows, label="x", n=range(4), constraint_n=range(4))))
    assert utils.get_descriptorset_list() == ["a", "b"]
    assert [utils.count_descriptors_in_set(name) for name in ("a", "b")] == [2, 2]
    assert found(ask, "FindDescriptorSet", metrics=True, with_name="b") == [{"_metrics": ["CS", "IP"]}]


def newest(folder, picture, **columns):
    """One image with the id 1, and further columns."""
    (path,) = files(folder, [picture])
    return table(folder, filename=[path], id=[1], **columns, constraint_id=[1])


def test_images_are_added_or_updated(tmp_path, ask, ask_sets, picture):
    from aperturedb.ImageDataCSV import ImageUpdateDataCSV

    for step in (1, 2):
        ask_sets(ImageUpdateDataCSV(newest(tmp_path, picture(), step=[step], **{"updateif_<step": [step]})))
    assert found(ask, "FindImage", results={"list": ["id", "step"]}) == [{"id": 1, "step": 2}]


def test_the_newest_blob_of_an_image_is_kept(tmp_path, client, ask, ask_sets, picture):
    from aperturedb.ImageDataCSV import ImageForceNewestDataCSV

    for step, width in enumerate((8, 16)):
        columns = {"updateif_<step": [step], "updateif_blobsha1_sha": [""], "gen_blobsha1_sha": [""]}
        path = newest(tmp_path, picture(width, 8), step=[step], **columns)
        ask_sets(ImageForceNewestDataCSV(path))
    _, blobs = client.query([{"FindImage": {"blobs": True}}])
    assert blobs == [picture(16, 8)]


def test_images_are_sent_only_if_they_are_not_there(tmp_path, utils, ask_sets, picture):
    from aperturedb.ImageDataCSV import ImageSparseAddDataCSV

    for _ in range(2):
        ask_sets(ImageSparseAddDataCSV(newest(tmp_path, picture())))
    assert utils.count_images() == 1


def test_entities_are_updated(tmp_path, ask, ask_sets):
    from aperturedb.EntityUpdateDataCSV import SingleEntityUpdateDataCSV

    for step in (1, 2):
        path = table(tmp_path, ignored=[0], id=[7], step=[step], constraint_id=[7], **{"updateif_<step": [step]})
        ask_sets(SingleEntityUpdateDataCSV("Person", path))
    people = {"with_class": "Person", "results": {"list": ["id", "step"]}}
    assert found(ask, "FindEntity", **people) == [{"id": 7, "step": 2}]


def test_large_batches_on_four_threads(ingest, utils):
    from aperturedb.EntityDataCSV import EntityDataCSV

    frame = pd.DataFrame({"EntityClass": "Person", "id": range(2500), "constraint_id": range(2500)})
    ingest(EntityDataCSV("", df=frame), batchsize=503, numthreads=4)
    assert utils.count_entities("Person") == 2500


def test_queries_in_parallel_with_their_answers(client, ask):
    from aperturedb.ParallelQuery import ParallelQuery
    from aperturedb.QueryGenerator import QueryGenerator

    ask(*({"AddBlob": {"properties": {"n": n}}} for n in range(6)), blobs=[bytes([n]) for n in range(6)])
    seen = []

    class Finding(QueryGenerator):
        def __len__(self):
            return 6

        def getitem(self, number):
            find = {"constraints": ["$n", "==", number], "blobs": True, "results": {"list": ["n"]}}
            return [{"FindBlob": find}], []

        def response_handler(self, query, blobs, answer, sent):
            seen.append((answer[0]["FindBlob"]["entities"][0]["n"], sent[0]))

    runner = ParallelQuery(client)
    runner.query(Finding(), batchsize=2, numthreads=3)
    assert runner.error_counter == 0
    assert sorted(seen) == [(n, bytes([n])) for n in range(6)]


def test_thirty_one_threads(ingest, utils):
    from aperturedb.EntityDataCSV import EntityDataCSV

    frame = pd.DataFrame({"EntityClass": "Person", "id": range(310)})
    ingest(EntityDataCSV("", df=frame), batchsize=10, numthreads=31)
    assert utils.count_entities("Person") == 310


def test_a_pool_of_connections(server_key, ask):
    from aperturedb.CommonLibrary import create_connector
    from aperturedb.ConnectionPool import ConnectionPool

    pool = ConnectionPool(4, lambda: create_connector(key=server_key))

    def add(number):
        pool.query([{"AddEntity": {"class": "Person", "properties": {"n": number}}}])

    threads = [threading.Thread(target=add, args=(number,)) for number in range(31)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.available() == 4
    pool.close()
    assert ask({"FindEntity": {"results": {"count": True}}})[0]["FindEntity"]["count"] == 31


def test_wrappers_of_regions(client, ask, picture):
    from aperturedb.BoundingBoxes import BoundingBoxes
    from aperturedb.Polygons import Polygons
    from aperturedb.Query import Query

    square = [[0, 0], [10, 0], [10, 10], [0, 10]]
    ask(
        {"AddImage": {"_ref": 1}},
        {"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": 1, "y": 2, "width": 3, "height": 4}}},
        *(
            {
                "AddPolygon": {
                    "image_ref": 1,
                    "polygons": [[[x + left, y] for x, y in square]],
                    "properties": {"ann_id": left},
                }
            }
            for left in (0, 2, 30)
        ),
        blobs=[picture()],
    )
    (box,) = BoundingBoxes.retrieve(client, Query.spec())
    assert box["_area"] == 12
    first, polygons = Polygons.retrieve(client, Query.spec(limit=1)), Polygons.retrieve(client, Query.spec())
    assert sorted(first.intersection(polygons, 0.6)) == [0, 2]


def test_everything_goes(ask, utils, picture):
    """One object of each kind, and the schema is empty afterwards."""
    ask({"AddDescriptorSet": {"name": "s", "dimensions": 2}})
    ask(
        {"AddImage": {"_ref": 1}},
        {"AddVideo": {"_ref": 2}},
        {"AddBlob": {}},
        {"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": 1, "y": 2, "width": 3, "height": 4}}},
        {"AddPolygon": {"image_ref": 1, "polygons": [[[0, 0], [9, 0], [0, 9]]]}},
        {"AddClip": {"video_ref": 2, "frame_number_range": {"start": 0, "stop": 1}}},
        {"AddFrame": {"video_ref": 2, "frame_number": 0}},
        {"AddDescriptor": {"set": "s", "connect": {"ref": 1}}},
        {"AddEntity": {"class": "Person", "connect": {"ref": 1, "class": "seen"}}},
        blobs=[picture(), film(), b"blob", bytes(8)],
    )
    assert utils.count_entities("_Descriptor") == 1
    assert set(utils.get_schema()["entities"]["classes"]) == {
        *("Person", "_Blob", "_BoundingBox", "_Clip", "_Descriptor", "_DescriptorSet"),
        *("_Frame", "_Image", "_Polygon", "_Video"),
    }
    assert utils.remove_all_objects()
    assert utils.get_schema() == {"connections": None, "entities": None, "status": 0}


def test_the_schema_of_what_was_found(ask):
    ask(
        {"AddEntity": {"class": "Person", "properties": {"name": "Ann"}}},
        {"AddEntity": {"class": "Person", "properties": {"name": "Bob", "age": 3}}},
    )
    find = {"FindEntity": {"_ref": 1, "with_class": "Person", "constraints": {"name": ["==", "Ann"]}}}
    answer = ask(find, {"GetSchema": {"ref": 1}})
    described = {"matched": 1, "properties": {"name": [1, False, "String"]}}
    assert answer[1]["GetSchema"] == {
        "connections": None,
        "entities": {"classes": {"Person": described}, "returned": 1},
        "status": 0,
    }
