"""What several people do in Label Studio beside drawing: label the same task, accept predictions, tidy up."""

import json
from collections.abc import Callable, Iterator

import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.label_studio_query import parse_time
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets_tests.faults.people import Person, people
from labeling_assets_tests.sync.world import World, box, outline, pictures


@pytest.fixture(scope="module")
def three(label_studio_server: LabelStudioServer, label_studio_key: str) -> Iterator[list[Person]]:
    with (
        LabelStudio(label_studio_server.url, label_studio_key) as owner,
        people(owner, "Dora", "Emil", "Fred") as signed_up,
    ):
        yield signed_up


@pytest.fixture
def shared(make_world: Callable[..., World], three: list[Person]) -> tuple[World, list[Person]]:
    """Each task is for three people."""
    world = make_world(yaml="annotators: 3\n")
    world.hand_in(pictures(2))
    world.publish()
    return world, three


def current(world: World) -> dict[str, dict[str, object]]:
    """E-mail address -> the annotation that this person made; each has made one."""
    rows = [row for row in world.annotations() if row.get("LS_deleted_at") is None]
    assert len({row["LS_annotator"] for row in rows}) == len(rows)
    return {str(row["LS_annotator"]): row for row in rows}


# Several annotators


def test_a_task_is_done_in_label_studio_when_as_many_people_as_the_project_wants_have_labelled_it(
    shared: tuple[World, list[Person]],
):
    world, three = shared
    task = world.task_ids()[0]
    assert world.ls.project(world.record.project_id).maximum_annotations == 3
    labelled = []
    for person in three:
        person.ls.create_annotation(task, {"result": [box()]})
        labelled.append(world.ls.task(task)["is_labeled"])
    assert labelled == [False, False, True]


def test_the_work_of_each_is_kept_apart_with_who_when_and_how_long(shared: tuple[World, list[Person]]):
    world, three = shared
    task = world.task_ids()[0]
    made = {
        person.email: person.ls.create_annotation(task, {"result": [box(x=x)], "lead_time": seconds})
        for person, x, seconds in zip(three, (10, 20, 30), (1.5, 20, 300), strict=True)
    }
    assert world.collect().created == 3
    for email, row in current(world).items():
        theirs = made[email]
        assert (row["LS_annotation_id"], row["LS_lead_time_s"]) == (theirs["id"], theirs["lead_time"])
        assert parse_time(str(dict(row["LS_created_at"])["_date"])) == parse_time(theirs["created_at"])
        assert json.loads(str(row["LS_data"]))["result"] == theirs["result"]
        (drawn,) = world.db.find("FindBoundingBox", equal("LS_annotator", email), properties=["LS_x"])
        assert drawn["LS_x"] == theirs["result"][0]["value"]["x"]


def test_an_edit_of_one_is_a_version_of_that_one_only(shared: tuple[World, list[Person]]):
    world, three = shared
    task = world.task_ids()[0]
    made = [person.ls.create_annotation(task, {"result": [box()]}) for person in three]
    world.collect()
    three[1].ls.update_annotation(made[1]["id"], {"result": [box(label="dog")]})
    report = world.collect()
    assert (report.updated, report.unchanged) == (1, 2)
    (revision,) = world.stored(names.REVISION)
    assert (revision["LS_annotator"], revision["LS_annotation_id"]) == (three[1].email, made[1]["id"])
    assert (world.boxes("car"), world.boxes("dog")) == (2, 1)


def test_what_one_corrects_in_the_work_of_another_stays_the_work_of_the_other(shared: tuple[World, list[Person]]):
    world, (first, second, _) = shared
    made = first.ls.create_annotation(world.task_ids()[0], {"result": [box()]})
    world.collect()
    second.ls.update_annotation(made["id"], {"result": [box(label="dog")]})
    world.collect()
    data = json.loads(str(current(world)[first.email]["LS_data"]))
    users = world.ls.users()
    assert (users[data["completed_by"]], users[data["updated_by"]]) == (first.email, second.email)


def test_a_skip_of_one_leaves_the_work_of_another(shared: tuple[World, list[Person]]):
    world, (first, second, _) = shared
    task = world.tasks()[0]
    first.ls.create_annotation(task["id"], {"result": [box()]})
    second.ls.create_annotation(task["id"], {"result": [], "was_cancelled": True})
    world.collect()
    assert {email: row["LS_was_cancelled"] for email, row in current(world).items()} == {
        first.email: False,
        second.email: True,
    }
    states = {row["guid"]: row["LS_state_cars"] for row in world.media("guid", "LS_state_cars")}
    assert (states[task["data"]["guid"]], world.boxes("car")) == ("done", 1)


def test_ground_truth_goes_from_one_to_another_though_the_time_of_the_first_stays(shared: tuple[World, list[Person]]):
    world, (first, second, _) = shared
    task = world.task_ids()[0]
    old = first.ls.create_annotation(task, {"result": [box()], "ground_truth": True})
    new = second.ls.create_annotation(task, {"result": [box()]})
    world.collect()
    second.ls.update_annotation(new["id"], {"ground_truth": True})
    assert world.ls.annotation(old["id"])["updated_at"] == old["updated_at"]
    assert world.collect().updated == 2
    truth = {email: (row["LS_ground_truth"], row["LS_source"]) for email, row in current(world).items()}
    assert truth == {first.email: (False, "human"), second.email: (True, "ground_truth")}


def test_all_work_of_one_person_is_deleted_in_bulk_and_that_of_the_others_stays(shared: tuple[World, list[Person]]):
    world, three = shared
    for task in world.task_ids():
        for person in three:
            person.ls.create_annotation(task, {"result": [box()]})
    world.collect()
    users = {email: number for number, email in world.ls.users().items()}
    chosen = {"all": False, "included": world.task_ids()}
    body = {"project": str(world.record.project_id), "selectedItems": chosen, "annotator": users[three[0].email]}
    params = {"id": "delete_tasks_annotations", "project": world.record.project_id}
    world.ls._connection.write("POST", "/api/dm/actions", body=body, params=params)
    assert world.collect().deleted == 2
    alive = [row["LS_annotator"] for row in world.annotations() if row.get("LS_deleted_at") is None]
    assert sorted(alive) == sorted([person.email for person in three[1:]] * 2)


# Predictions and drafts


def predicted(world: World, task: int) -> dict[str, object]:
    return world.ls.create_prediction({"task": task, "result": [box(label="dog")], "model_version": "m", "score": 0.5})


def test_an_accepted_prediction_is_work_of_the_one_who_accepted_it(published: World, three: list[Person]):
    task = published.task_ids()[0]
    prediction = predicted(published, task)
    assert published.collect().created == 0
    result = [{**box(label="dog"), "origin": "prediction"}]
    three[0].ls.create_annotation(task, {"result": result, "parent_prediction": prediction["id"]})
    published.collect()
    (row,) = published.annotations()
    assert json.loads(row["LS_data"])["parent_prediction"] == prediction["id"]
    assert (row["LS_annotator"], row["LS_source"], published.boxes("dog")) == (three[0].email, "human", 1)
    (drawn,) = published.db.find("FindBoundingBox", equal("LS_label", "dog"), properties=["LS_origin"])
    assert drawn["LS_origin"] == "prediction"


def test_predictions_that_were_turned_into_annotations_in_bulk_are_all_there(published: World, three: list[Person]):
    tasks = published.task_ids()
    for task in tasks:
        predicted(published, task)
    published.collect()
    three[1].ls.run_action(published.record.project_id, "predictions_to_annotations", tasks)
    assert published.collect().created == 3
    assert {row["LS_annotator"] for row in published.annotations()} == {three[1].email}


def test_a_draft_of_an_annotation_changes_nothing_of_it(published: World):
    task = published.task_ids()[0]
    made = published.annotate(task, box(label="car"))
    published.collect()
    body = {"result": [box(label="dog")], "lead_time": 1}
    published.ls._connection.write("POST", f"/api/tasks/{task}/annotations/{made['id']}/drafts", body=body)
    published.collect(full=True)
    assert (published.boxes("car"), published.boxes("dog"), published.stored(names.REVISION)) == (1, 0, [])


# Edits


def test_a_region_that_was_drawn_again_is_where_it_is_now(published: World):
    made = published.annotate(published.task_ids()[0], box(x=10))
    published.collect()
    published.ls.update_annotation(made["id"], {"result": [box(x=50)]})
    published.collect()
    (found,) = published.db.find("FindBoundingBox", None, properties=["LS_id"], coordinates=True)
    assert (found["LS_id"], found["_coordinates"]["x"]) == ("r1", 20)


def test_an_annotation_that_got_the_id_of_a_deleted_one_is_another_one(published: World):
    """On SQLite an import begins after the highest id that there is."""
    task = published.tasks()[0]
    old = published.annotate(task["id"], box())
    published.collect()
    published.ls.delete_annotation(old["id"])
    copy = {"data": task["data"], "annotations": [{"result": [outline()]}]}
    published.ls.import_tasks(published.record.project_id, [copy])
    report = published.collect()
    assert (report.created, report.updated, report.deleted) == (1, 0, 1)
    buried, new = published.annotations()
    assert buried["LS_annotation_id"] == new["LS_annotation_id"] == old["id"]
    assert [row.get("LS_deleted_at") is None for row in (buried, new)] == [False, True]
    assert published.boxes("car") == 0


def test_a_key_that_somebody_adds_to_the_data_of_a_task_changes_nothing(published: World):
    task = published.tasks()[0]
    published.annotate(task["id"], box())
    published.collect()
    before = published.annotations()
    published.ls.patch_task_data(task["id"], {**task["data"], "priority": 1, "remark": {"by": "Dora"}})
    report = published.collect()
    assert (report.idle, report.updated, report.quarantined) == (False, 0, [])
    assert published.annotations() == before


# Copies of a task


def copies(world: World, *labelled: bool) -> list[int]:
    """So many copies of the first task, which is one of them; those labelled have an annotation."""
    first = world.tasks()[0]
    more = [{"data": first["data"]} for _ in labelled[1:]]
    tasks = [first["id"], *world.ls.import_tasks(world.record.project_id, more)]
    for task, is_labelled in zip(tasks, labelled, strict=True):
        if is_labelled:
            world.annotate(task, box())
    world.collect()
    return tasks


def test_annotations_of_all_copies_move_to_the_first_that_has_one(published: World):
    _, second, third, fourth = copies(published, False, True, True, True)
    published.ls.run_action(published.record.project_id, "remove_duplicates", published.task_ids())
    assert not {third, fourth}.intersection(published.task_ids())
    report = published.collect()
    assert (report.tasks_withdrawn, report.deleted) == (3, 0)
    assert {row["LS_task_id"] for row in published.annotations()} == {second}
    assert published.boxes("car") == 3


def test_a_move_that_no_number_shows_comes_with_the_next_full_comparison(published: World):
    """One copy went, a task of somebody else came into the same batch: as many as before."""
    first, second = copies(published, True, True)
    published.ls.run_action(published.record.project_id, "remove_duplicates", [first, second])
    stranger = {"guid": "nobody", "import_batch": "May", "image": "http://elsewhere.example.org/x.png"}
    published.ls.import_tasks(published.record.project_id, [{"data": stranger}])
    assert published.collect().tasks_withdrawn == 0
    report = published.collect(full=True)
    assert (report.tasks_withdrawn, report.deleted, published.boxes("car")) == (1, 0, 2)
    assert {row["LS_task_id"] for row in published.annotations()} == {first}
