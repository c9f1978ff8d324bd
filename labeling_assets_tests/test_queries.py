"""Every query of docs/queries.md, as it stands there, on a mixed set of labels."""

import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets_tests.mixed_labels import ANNOTATORS, FILES, Annotation, Item, Mixed, Sync, batch_of, build

PAGE = Path(__file__).parent.parent / "docs" / "queries.md"
BLOCK = re.compile(r"^## (.+?)$(?:(?!^## ).)*?^```json$(.+?)^```$", re.MULTILINE | re.DOTALL)
QUERIES = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
FORMS = {"rectanglelabels": 0, "polygonlabels": 1, "timelinelabels": 2}  # the answer that counts them; others: 3
AS_OF = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixed]:
    """Only read by the tests."""
    folder = tmp_path_factory.mktemp("mixed")
    with LocalServer(folder / "aperturedb") as server, ApertureDB(server.key) as db:
        yield build(db, folder)


def ask(mixed: Mixed, title: str, **names: str) -> tuple[list[Any], list[bytes]]:
    """What each command answers through the official client, and the blobs."""
    text = QUERIES[title]
    for name, value in names.items():
        assert f'"<{name}>"' in text
        text = text.replace(f'"<{name}>"', json.dumps(value))
    query = json.loads(text)
    # The same connector that the client library gives everybody, with the query as it stands.
    answer, blobs = mixed.db._root.query(query, [])
    assert isinstance(answer, list), answer
    assert [next(iter(command)) for command in answer] == [next(iter(command)) for command in query]
    return [next(iter(command.values())) for command in answer], list(blobs)


def listed(answers: list[Any], *places: int) -> list[dict[str, Any]]:
    found = [answers[place].get("entities", answers[place].get("connections")) or [] for place in places]
    return list(itertools.chain(*found))


def files(mixed: Mixed, answers: list[Any], *places: int) -> list[str]:
    """The names of the media listed, sorted."""
    names = {guid: name for name, guid in mixed.guids.items()}
    return sorted(names[row["guid"]] for row in listed(answers, *places))


def labels(item: Item) -> list[str]:
    """All labels or choices of a result item."""
    return item["value"].get(item["type"]) or item["value"]["labels"]


def test_every_query_has_a_test() -> None:
    tested = {title for title in QUERIES if f'"{title}"' in Path(__file__).read_text(encoding="utf-8")}
    assert tested == QUERIES.keys()
    assert len(QUERIES) == 10


def test_media_without_a_task(mixed: Mixed) -> None:
    answers, _ = ask(mixed, "Media of a batch without a task in a project")
    tasks = {file for project, file in mixed.now if project == "street"}
    assert files(mixed, answers, 1, 2, 3) == sorted(FILES["monday"].keys() - tasks) == ["p6.png", "p7.png"]


def test_media_with_a_task_and_no_annotation(mixed: Mixed) -> None:
    answers, _ = ask(mixed, "Media with a task and no annotation")
    empty = sorted(file for (project, file), given in mixed.now.items() if project == "street" and not given)
    assert files(mixed, answers, 1, 2, 3) == empty
    assert empty == ["p10.png", "p4.png", "p5.png"]


def test_images_with_a_human_pedestrian_box(mixed: Mixed) -> None:
    answers, _ = ask(mixed, "All images with a human `pedestrian` box")
    expected = {
        file
        for (_, file), _, (form, *_) in mixed.current()
        if form["type"] == "rectanglelabels" and labels(form)[0] == "pedestrian"
    }
    assert files(mixed, answers, 1) == sorted(expected) == ["p0.png", "p8.png"]


def test_crops_of_everything_labelled_scratch(mixed: Mixed) -> None:
    """Each region once, whether it is its first label, its second, or a choice; the whole picture is no region."""
    answers, blobs = ask(mixed, "Crops of everything labelled `scratch`, whatever its kind")
    found = listed(answers, 1)
    expected = Counter(
        (mixed.guids[file], ANNOTATORS[given["completed_by"]], form["id"])
        for (_, file), given, (form, *more) in mixed.current()
        if any("scratch" in labels(item) for item in (form, *more)) and form["type"] != "choices"
    )
    assert Counter((row["LS_media_guid"], row["LS_annotator"], row["LS_id"]) for row in found) == expected
    sizes = {}
    for row in found:
        with Image.open(io.BytesIO(blobs[row["_blob_index"] - answers[1]["blobs_start"]])) as crop:
            sizes[row["LS_kind"]] = crop.size
            assert crop.size == (row["_coordinates"]["width"], row["_coordinates"]["height"])
    forms = {"box": (12, 12), "rotated_box": (12, 12), "polygon": (20, 15), "ellipse": (8, 6), "mask": (20, 10)}
    assert sizes == forms


def test_long_clips(mixed: Mixed) -> None:
    answers, _ = ask(mixed, "Clips labelled `goal` longer than two seconds")
    ((clip,),) = [listed(answers, 0)]
    assert clip["LS_media_guid"] == mixed.guids["v0.mp4"]
    assert clip["LS_end_s"] - clip["LS_start_s"] == pytest.approx(clip["LS_length_s"])
    assert clip["LS_length_s"] == pytest.approx(4.0)  # frames 11 to 50, ten a second


def test_images_of_two_annotators(mixed: Mixed) -> None:
    answers, _ = ask(mixed, "Images labelled by two given annotators")
    both = [
        file
        for (project, file), given in mixed.now.items()
        if project == "street"
        and file.endswith(".png")
        and {one["completed_by"] for one in given if not one["was_cancelled"]} == {*ANNOTATORS}
    ]
    assert files(mixed, answers, 2) == sorted(both) == ["p0.png", "p2.png", "p8.png"]


def test_class_counts(mixed: Mixed) -> None:
    answers, _ = ask(mixed, "Class counts per batch and annotator")
    expected: list[Counter[tuple[str, str, str]]] = [Counter() for _ in answers]
    for (project, file), given, (form, *_) in mixed.current():
        if project == "street":
            place = 1 if form["value"].get("rotation") == 90 else FORMS.get(form["type"], 3)
            expected[place][batch_of(file), ANNOTATORS[given["completed_by"]], labels(form)[0]] += 1
    for answer, counts in zip(answers, expected, strict=True):
        groups = answer["groups"]
        found = {(row["LS_batch"], row["LS_annotator"], row["LS_label"]): row["_group_count"] for row in groups}
        assert found == counts
    assert sum(map(Counter.total, expected)) == sum(task[0] == "street" for task, _, _ in mixed.current())


NUMBERS = {1: "p0.png", 5: "p2.png", 7: "p3.png", 9: "p7.png", 11: "p8.png"}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("hour", [7, 11, 12, 15, 17])
def test_an_annotation_as_of_a_time(mixed: Mixed, number: int, hour: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unchanged, edited twice, deleted and restored, deleted with its task, and with JSON of more than 32 kB."""
    title = "An annotation as of a time"
    time = AS_OF.replace(hour=hour)
    monkeypatch.setitem(QUERIES, title, QUERIES[title].replace("2026-03-02T12", f"2026-03-02T{hour:02}"))
    versions = mixed.versions("street", NUMBERS[number], number)
    shown = [one for sync, one in versions if sync.at <= time][-1:]
    if number == 9 and hour >= 15:  # a task that was deleted is noticed by a sync, whose clock the test does not set
        shown = [versions[0][1]]
    answers, blobs = ask(mixed, title, annotation=_key(mixed, number))
    found = [row["LS_data"] for row in listed(answers, 0, 1)]
    assert len(found) <= 1
    data = [text if text is not None else blobs[0] for text in found]
    assert [json.loads(text) for text in data] == [one for one in shown if one is not None]
    assert len(blobs) == found.count(None) == (number == 11 and bool(found))


def _key(mixed: Mixed, number: int) -> str:
    (_, first), *_ = mixed.versions("street", NUMBERS[number], number)
    assert first is not None
    return mixed.key("street", first)


def _canonical(annotation: Annotation) -> str:
    return json.dumps(annotation, sort_keys=True)


@pytest.mark.parametrize("file", ["p2.png", "p3.png", "p7.png"])
def test_the_history_of_a_medium(mixed: Mixed, file: str) -> None:
    answers, _ = ask(mixed, "The whole history of one medium", medium=mixed.guids[file])
    ((medium,),) = [listed(answers, 0)]
    assert medium["LS_state_street"] == {"p2.png": "done", "p3.png": "done", "p7.png": "withdrawn"}[file]
    assert [row["LS_batch"] for row in listed(answers, 1)] == ["monday"]
    assert [(row["LS_project"], row["LS_batch"]) for row in listed(answers, 2)] == [("street", "monday")]
    numbers = [5, 6] if file == "p2.png" else [7] if file == "p3.png" else [9]
    expected = []
    for number in numbers:
        expected += [one for _, one in mixed.versions("street", file, number) if one is not None]
    told = [json.loads(row["LS_data"]) for row in listed(answers, 4, 3)]
    assert sorted(map(_canonical, told)) == sorted(map(_canonical, expected))
    assert [row["LS_deleted_at"] is not None for row in listed(answers, 3)] == [file == "p7.png"] * len(numbers)


def test_a_medium_of_two_batches_has_both_in_its_history(mixed: Mixed) -> None:
    answers, _ = ask(mixed, "The whole history of one medium", medium=mixed.guids["p0.png"])
    assert sorted(row["LS_batch"] for row in listed(answers, 1)) == ["monday", "tuesday"]
    assert sorted(row["LS_project"] for row in listed(answers, 2)) == ["parking", "street"]


def _written(mixed: Mixed, sync: Sync) -> Iterator[tuple[str, Annotation]]:
    """Annotations that a sync wrote or found deleted, as they were afterwards, or before they were deleted."""
    before = mixed.syncs[mixed.syncs.index(sync) - 1].shown if mixed.syncs.index(sync) else {}
    for task in {**before, **sync.shown}:
        old = {one["id"]: one for one in before.get(task, ())}
        new = {one["id"]: one for one in sync.shown.get(task, ())}
        for number in old.keys() | new.keys():
            if old.get(number) != new.get(number):
                yield task[0], new.get(number) or old[number]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_everything_one_sync_wrote(mixed: Mixed, number: int) -> None:
    """Versions that a later sync replaced are revisions; regions are those that still stand."""
    sync = mixed.syncs[number]
    answers, _ = ask(mixed, "Everything one run wrote", run=sync.run)
    expected = sorted(mixed.key(project, one) for project, one in _written(mixed, sync))
    current = [row["LS_guid"] for row in listed(answers, 5)]
    earlier = [row["LS_annotation_guid"] for row in listed(answers, 6)]
    assert sorted(current + earlier) == expected
    assert listed(answers, 0, 1, 2, 4) == []
    written = {(project, one["id"]): one for project, one in _written(mixed, sync)}
    stands = [(task[1], form) for task, one, (form, *_) in mixed.current() if written.get((task[0], one["id"])) == one]
    found = Counter((row["LS_media_guid"], row["LS_id"], row["LS_label"]) for row in listed(answers, 7, 8, 9, 10))
    assert found == Counter((mixed.guids[file], form["id"], labels(form)[0]) for file, form in stands)
    masks = [form["id"] for _, form in stands if form["type"] == "brushlabels"]
    assert sorted((row["LS_role"], row["LS_id"]) for row in listed(answers, 3)) == [("mask", name) for name in masks]
    frames = [form["value"]["sequence"] for _, form in stands if form["type"] == "videorectangle"]
    assert len(listed(answers, 11)) == sum(map(len, frames))


def test_everything_an_import_wrote(mixed: Mixed) -> None:
    """A medium that is there already is only connected."""
    answers, _ = ask(mixed, "Everything one run wrote", run="media-tuesday")
    assert len(listed(answers, 0)) == 5
    assert files(mixed, answers, 1) == ["p10.png", "p11.png", "p8.png", "p9.png"]
    assert listed(answers, *range(2, 12)) == []


def test_everything_that_making_tasks_wrote(mixed: Mixed) -> None:
    answers, _ = ask(mixed, "Everything one run wrote", run="tasks-1")
    assert len(listed(answers, 4)) == len(mixed.syncs[0].shown)
    assert listed(answers, 0, 1, 2, 3, *range(5, 12)) == []
