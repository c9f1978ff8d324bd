"""Tasks whose medium is not clear: nothing of them is written, they are named, and heal when they are repaired."""

import pytest

from labeling_assets import names
from labeling_assets.media_urls import guid_in_link
from labeling_assets.sync.verify import verify_annotations
from labeling_assets_tests.sync.world import LINKS, World, box


def tamper(world: World, task: dict[str, object], **data: object) -> None:
    assert isinstance(task["data"], dict)
    world.ls.patch_task_data(int(str(task["id"])), {**task["data"], **data})


@pytest.fixture
def tampered(published: World) -> World:
    """The first task names the medium of the second, and was labelled; so was the second."""
    first, second, _ = published.tasks()
    tamper(published, first, guid=second["data"]["guid"])
    published.annotate(first["id"], box(label="dog"))
    published.annotate(second["id"], box(label="car"))
    return published


def test_nothing_of_a_tampered_task_is_written(tampered: World):
    report = tampered.collect()
    first, second, _ = tampered.task_ids()
    (note,) = report.quarantined
    assert note.subject == str(first)
    assert "data.guid is" in note.text
    assert "but its media link names" in note.text
    assert [row["LS_task_id"] for row in tampered.annotations()] == [second]
    assert (tampered.boxes("dog"), tampered.boxes("car")) == (0, 1)


def test_a_task_whose_guid_and_link_were_changed_together_is_quarantined(published: World):
    """They agree, but the task was made for another medium."""
    first, second, _ = published.tasks()
    tamper(published, first, guid=second["data"]["guid"], image=second["data"]["image"])
    published.annotate(first["id"], box())
    (note,) = published.collect().quarantined
    assert note.text == (
        f"it was made for the medium {first['data']['guid']!r}, but its data names {second['data']['guid']!r}"
    )


def test_a_task_that_names_no_medium_is_quarantined(published: World):
    tamper(published, published.tasks()[0], guid="nobody", image=LINKS.link("nobody"))
    (note,) = published.collect().quarantined
    assert note.text == "no medium in ApertureDB has the GUID 'nobody'"


def test_a_quarantined_task_is_tried_again_at_every_sync(tampered: World):
    tampered.collect()
    report = tampered.collect()
    assert (report.idle, len(report.quarantined), report.created) == (False, 1, 0)


def test_a_quarantined_task_heals_when_it_is_repaired(tampered: World):
    tampered.collect()
    first = tampered.tasks()[0]
    tamper(tampered, first, guid=guid_in_link(first["data"]["image"]))
    report = tampered.collect()
    assert (report.created, report.quarantined) == (1, [])
    assert tampered.boxes("dog") == 1


def test_what_was_written_before_a_task_was_tampered_stays(published: World):
    first, second, _ = published.tasks()
    made = published.annotate(first["id"], box(label="car"))
    published.collect()
    tamper(published, first, guid=second["data"]["guid"])
    published.ls.update_annotation(made["id"], {"result": [box(label="dog")]})
    published.collect()
    assert (published.boxes("car"), published.boxes("dog")) == (1, 0)
    assert len(published.stored(names.REVISION)) == 0


def test_a_quarantined_task_that_is_deleted_is_forgotten(tampered: World):
    tampered.collect()
    tampered.ls.delete_task(tampered.task_ids()[0])
    report = tampered.collect()
    assert (report.quarantined, report.tasks_withdrawn) == ([], 1)


def test_a_task_that_was_moved_to_another_batch_is_named_and_not_withdrawn(published: World):
    tamper(published, published.tasks()[0], import_batch="June")
    report = published.collect()
    assert [note.text for note in report.quarantined] == ["its data.import_batch was changed from 'May' to 'June'"]
    assert report.tasks_withdrawn == 0


def test_the_checks_name_a_tampered_task(tampered: World):
    tampered.collect()
    outcomes = verify_annotations(tampered.db, tampered.ls, tampered.project, "May")
    first = tampered.task_ids()[0]
    assert [offender["task"] for offender in outcomes.mapping.offenders] == [first]
    assert [offender["task"] for offender in outcomes.links.offenders] == [first]
    assert "but its media link names" in outcomes.links.offenders[0]["problem"]


def test_the_checks_name_a_tampered_task_at_every_later_sync(tampered: World):
    tampered.collect()
    for _ in range(2):
        tampered.annotate(tampered.task_ids()[2], box())
        tampered.collect()
        outcomes = verify_annotations(tampered.db, tampered.ls, tampered.project, "May")
        assert [offender["task"] for offender in outcomes.mapping.offenders] == tampered.task_ids()[:1]


def test_a_quarantined_task_that_aperturedb_never_knew_is_forgotten_when_it_is_deleted(published: World):
    published.collect()
    data = {"guid": "nobody", "import_batch": "May", "image": LINKS.link("nobody")}
    (task,) = published.ls.import_tasks(published.record.project_id, [{"data": data}])
    assert [note.subject for note in published.collect().quarantined] == [str(task)]
    published.ls.delete_task(task)
    assert published.collect().quarantined == []
    assert published.collect().idle
