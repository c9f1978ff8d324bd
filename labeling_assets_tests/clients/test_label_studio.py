"""The client against a real Label Studio."""

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from labeling_assets.clients.label_studio import SYNC_FIELDS, LabelStudio, MaybeDoneError, Project, Task
from labeling_assets.clients.label_studio_query import (
    Filter,
    data_equals,
    id_between,
    in_batch,
    parse_time,
    updated_since,
)
from labeling_assets.clients.label_studio_records import QUICK_FIELDS
from labeling_assets.errors import ConfigurationError, RefusedError
from labeling_assets.stack.label_studio import LabelStudioServer

MakeProject = Callable[..., Project]

CAR = {
    "id": "r1",
    "type": "rectanglelabels",
    "from_name": "label",
    "to_name": "image",
    "value": {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["car"]},
}


def new_tasks(*guids: str, batch: str = "May") -> list[Task]:
    return [{"data": {"image": f"http://media/{guid}", "guid": guid, "import_batch": batch}} for guid in guids]


def numbered(count: int) -> list[str]:
    return [f"g-{number}" for number in range(count)]


def changed_at(label_studio: LabelStudio, task_id: int) -> datetime:
    return parse_time(label_studio.task(task_id)["updated_at"])


# Server, tokens


def test_version(label_studio: LabelStudio):
    assert label_studio.version() == "1.23.2"


def test_whoami_and_users_agree(label_studio: LabelStudio, label_studio_server: LabelStudioServer):
    me = label_studio.whoami()
    assert label_studio.users()[me.id] == label_studio_server.account.username


def test_a_legacy_token_works_too(label_studio_server: LabelStudioServer):
    with LabelStudio(label_studio_server.url, label_studio_server.account.legacy_token) as client:
        assert client.whoami().email == label_studio_server.account.username
        assert (client.request_count, client.refresh_count) == (1, 0)


def test_a_wrong_legacy_token_is_a_configuration_error(label_studio_server: LabelStudioServer):
    with pytest.raises(ConfigurationError, match="does not know the legacy token") as caught:
        LabelStudio(label_studio_server.url, "ab" * 20).whoami()
    assert "abab" not in str(caught.value)


def test_a_wrong_personal_access_token_is_a_configuration_error(
    label_studio_server: LabelStudioServer, label_studio_key: str
):
    wrong = label_studio_key[:-6] + "AAAAAA"
    with pytest.raises(ConfigurationError, match="does not take the personal access token") as caught:
        LabelStudio(label_studio_server.url, wrong).whoami()
    assert wrong not in str(caught.value)


@pytest.fixture
def legacy_tokens_off(label_studio: LabelStudio) -> Iterator[None]:
    settings = "/api/jwt/settings"
    label_studio._connection.write("POST", settings, body={"legacy_api_tokens_enabled": False})
    yield
    label_studio._connection.write("POST", settings, body={"legacy_api_tokens_enabled": True})


@pytest.mark.usefixtures("legacy_tokens_off")
def test_legacy_tokens_switched_off_are_a_configuration_error(label_studio_server: LabelStudioServer):
    with pytest.raises(ConfigurationError, match="has legacy tokens switched off"):
        LabelStudio(label_studio_server.url, label_studio_server.account.legacy_token).whoami()


def test_threads_share_one_access_token(label_studio: LabelStudio):
    threads = [threading.Thread(target=label_studio.whoami) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (label_studio.request_count, label_studio.refresh_count) == (4, 1)


# Projects


def test_a_project_comes_back_as_it_was_made(label_studio: LabelStudio, ls_project: MakeProject):
    made = ls_project(maximum_annotations=2)
    found = label_studio.project(made.id)
    assert (found.title, found.maximum_annotations, found.task_number) == (made.title, 2, 0)
    assert found.created_at == made.created_at


def test_projects_are_found_by_exactly_their_title(label_studio: LabelStudio, ls_project: MakeProject):
    wanted = ls_project(title="Street scenes 100%")
    ls_project(title="street scenes 100% more")
    assert [project.id for project in label_studio.find_projects_by_title("Street scenes 100%")] == [wanted.id]


def test_settings_of_a_project_are_changed(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    label_studio.update_project(project.id, title="Renamed")
    assert label_studio.project(project.id).title == "Renamed"


def test_a_project_counts_its_tasks_and_annotations(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    first, _ = label_studio.import_tasks(project.id, new_tasks("a", "b"))
    label_studio.create_annotation(first, {"result": [CAR]})
    found = label_studio.project(project.id)
    assert (found.task_number, found.total_annotations_number) == (2, 1)


def test_a_project_is_read_without_the_counters_that_take_time(label_studio: LabelStudio, ls_project: MakeProject):
    made = ls_project(maximum_annotations=3, description="Cars")
    label_studio.import_tasks(made.id, new_tasks("a", "b"))
    found, all_of_it = label_studio.project(made.id, counted=False), label_studio.project(made.id)
    assert (found.task_number, found.total_annotations_number) == (2, None)
    assert found.raw == {name: all_of_it.raw[name] for name in QUICK_FIELDS}


def test_a_project_that_does_not_exist_is_refused(label_studio: LabelStudio):
    with pytest.raises(RefusedError) as caught:
        label_studio.project(999_999)
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("<View>", "no element found"),
        (
            '<View><Image name="i" value="$i"/><Choices name="c" toName="zz"><Choice value="1"/></Choices></View>',
            "not found in names",
        ),
    ],
    ids=["not XML", "wrong toName"],
)
def test_a_wrong_label_configuration_is_refused_with_the_reason(label_studio: LabelStudio, xml: str, text: str):
    with pytest.raises(RefusedError, match=text):
        label_studio.validate_label_config(xml)


def test_a_right_label_configuration_is_valid(label_studio: LabelStudio):
    label_studio.validate_label_config('<View><Image name="image" value="$image"/></View>')


# Import


def test_an_import_returns_the_task_ids_in_the_order_sent(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks("c", "a", "b"))
    assert [label_studio.task(task_id)["data"]["guid"] for task_id in ids] == ["c", "a", "b"]


def test_one_wrong_task_stops_the_whole_import(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    with pytest.raises(RefusedError, match="key is expected in task data"):
        label_studio.import_tasks(project.id, [*new_tasks("a"), {"data": {"guid": "b"}}])
    assert label_studio.count_tasks(project.id) == 0


def test_importing_nothing_sends_nothing(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    before = label_studio.request_count
    assert label_studio.import_tasks(project.id, []) == []
    assert label_studio.request_count == before


def test_an_import_that_timed_out_was_done_all_the_same(label_studio: LabelStudio, ls_project: MakeProject):
    """Why an import is never repeated without looking."""
    project = ls_project()
    with pytest.raises(MaybeDoneError):
        label_studio.import_tasks(project.id, new_tasks(*numbered(500)), timeout_s=0.02)
    while label_studio.count_tasks(project.id) < 500:
        pass
    assert len(label_studio.tasks_by_guid(project.id, ["g-0", "g-499"])) == 2


# Tasks by GUID, counts


def test_tasks_are_found_by_guid(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks("a", "b", "c"))
    rows = label_studio.tasks_by_guid(project.id, ["c", "a", "unknown"])
    assert [(row.id, row.guid, row.import_batch) for row in rows] == [(ids[0], "a", "May"), (ids[2], "c", "May")]


def test_every_task_of_a_guid_is_found(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks("a", "a"))
    assert [row.id for row in label_studio.tasks_by_guid(project.id, ["a"])] == ids


def test_many_guids_are_asked_for_in_hundreds(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks(*numbered(250)))
    before = label_studio.request_count
    assert len(label_studio.tasks_by_guid(project.id, numbered(250))) == 250
    assert label_studio.request_count - before == 3


def test_long_guids_are_asked_for_in_addresses_that_fit(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    guids = [f"{number:0>200}" for number in range(60)]
    label_studio.import_tasks(project.id, new_tasks(*guids))
    assert [row.guid for row in label_studio.tasks_by_guid(project.id, guids)] == guids


def test_a_guid_is_taken_literally(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks("a%20b+c", "a b+c", "A%20B+C"))
    assert [row.guid for row in label_studio.tasks_by_guid(project.id, ["a%20b+c"])] == ["a%20b+c"]


def test_a_number_is_another_guid_than_its_digits(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    label_studio.import_tasks(project.id, [{"data": {"image": "x", "guid": 12345}}])
    assert label_studio.tasks_by_guid(project.id, ["12345"]) == []


def test_tasks_are_counted_by_batch_with_case(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks("a", "b") + new_tasks("c", batch="may"))
    assert label_studio.count_tasks(project.id, [in_batch("May")]) == 2
    assert label_studio.count_tasks(project.id, [in_batch("may")]) == 1


def test_batch_and_time_are_filtered_together(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks("a", "b") + new_tasks("c", batch="June"))
    since = changed_at(label_studio, ids[2])
    for task_id in ids[1:]:
        label_studio.create_annotation(task_id, {"result": []})
    page = label_studio.list_tasks(project.id, filters=[updated_since(since), in_batch("May")])
    assert [task["id"] for task in page.tasks] == [ids[1]]


def test_the_order_of_the_filters_does_not_matter(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    first, second = label_studio.import_tasks(project.id, new_tasks("a") + new_tasks("b", batch="June"))
    since = min(changed_at(label_studio, first), changed_at(label_studio, second))
    filters = [in_batch("June"), id_between(first, second), updated_since(since)]
    assert label_studio.count_tasks(project.id, filters) == label_studio.count_tasks(project.id, filters[::-1]) == 1


def test_ids_between_two_bounds_include_both(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks("a", "b", "c", "d"))
    assert label_studio.count_tasks(project.id, [id_between(ids[1], ids[3])]) == 3


def test_a_filter_with_a_time_that_the_server_cannot_parse_is_refused_at_once(
    label_studio: LabelStudio, ls_project: MakeProject
):
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks("a"))
    before = label_studio.request_count
    with pytest.raises(RefusedError, match="does not match format"):
        label_studio.count_tasks(project.id, [Filter("updated_at", "greater", "Datetime", "2026-01-01T00:00:00Z")])
    assert label_studio.request_count == before + 1


def test_the_newest_change_is_one_request(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks("a", "b", "c") + new_tasks("d", batch="June"))
    label_studio.create_annotation(ids[1], {"result": []})
    probe = label_studio.newest_change(project.id, [in_batch("May")])
    assert (probe.total, probe.newest_id) == (3, ids[1])
    assert probe.newest_updated_at == changed_at(label_studio, ids[1])


def test_the_newest_change_of_nothing(label_studio: LabelStudio, ls_project: MakeProject):
    probe = label_studio.newest_change(ls_project().id)
    assert (probe.total, probe.newest_updated_at, probe.newest_id) == (0, None, None)


# Reading what changed


def test_annotations_come_whole(label_studio: LabelStudio, ls_project: MakeProject):
    """`include=annotations` alone would give their ids and times only."""
    project = ls_project()
    (task_id,) = label_studio.import_tasks(project.id, new_tasks("a"))
    made = label_studio.create_annotation(task_id, {"result": [CAR], "lead_time": 2.5, "ground_truth": True})
    ((annotation,),) = [task["annotations"] for task in label_studio.iterate_changed(project.id, None)]
    assert annotation["result"] == [CAR]
    assert {key: made[key] for key in annotation} == annotation
    assert set(made) - set(annotation) == {"created_ago", "created_username", "project"}


def test_a_task_comes_with_what_a_sync_needs(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks("a"))
    (task,) = label_studio.iterate_changed(project.id, None)
    assert task["data"] == new_tasks("a")[0]["data"]
    assert {"id", "created_at", "updated_at", "is_labeled", "annotations"} <= task.keys() <= set(SYNC_FIELDS)


@pytest.mark.parametrize("page_size", [1, 3, 4, 100])
def test_changed_tasks_come_in_the_order_of_their_changes(
    label_studio: LabelStudio, ls_project: MakeProject, page_size: int
):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks(*numbered(8)))
    order = [ids[i] for i in (5, 1, 7, 2)]
    for task_id in order:
        label_studio.create_annotation(task_id, {"result": []})
    since = changed_at(label_studio, order[0])
    found = label_studio.iterate_changed(project.id, since, page_size=page_size)
    assert [task["id"] for task in found] == order


def test_a_bulk_action_gives_all_its_tasks_one_time_and_all_are_read(
    label_studio: LabelStudio, ls_project: MakeProject
):
    project = ls_project()
    tasks = [task | {"annotations": [{"result": [CAR]}]} for task in new_tasks(*numbered(23))]
    ids = label_studio.import_tasks(project.id, tasks)
    since = label_studio.newest_change(project.id).newest_updated_at
    label_studio.run_action(project.id, "delete_tasks_annotations", ids[1:])
    assert since is not None
    found = list(label_studio.iterate_changed(project.id, since + timedelta(microseconds=1), page_size=5))
    assert len({task["updated_at"] for task in found}) == 1
    assert sorted(task["id"] for task in found) == ids[1:]


def test_nothing_changed_costs_one_request(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks("a"))
    newest = label_studio.newest_change(project.id).newest_updated_at
    assert newest is not None
    before = label_studio.request_count
    assert list(label_studio.iterate_changed(project.id, newest + timedelta(microseconds=1))) == []
    assert label_studio.request_count == before + 1


def test_only_the_batch_is_read(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks("a", "b", "c") + new_tasks("d", "e", batch="June"))
    found = label_studio.iterate_changed(project.id, None, [in_batch("May")], page_size=2)
    assert sorted(task["data"]["guid"] for task in found) == ["a", "b", "c"]


@pytest.mark.parametrize("change", ["update", "delete", "cancel"])
def test_whatever_happens_to_an_annotation_makes_its_task_changed(
    label_studio: LabelStudio, ls_project: MakeProject, change: str
):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks("a", "b"))
    annotation = label_studio.create_annotation(ids[0], {"result": [CAR]})["id"]
    since = changed_at(label_studio, ids[0]) + timedelta(microseconds=1)
    {
        "update": lambda: label_studio.update_annotation(annotation, {"result": []}),
        "delete": lambda: label_studio.delete_annotation(annotation),
        "cancel": lambda: label_studio.update_annotation(annotation, {"was_cancelled": True}),
    }[change]()
    (task,) = label_studio.iterate_changed(project.id, since)
    assert [(found["result"], found["was_cancelled"]) for found in task["annotations"]] == {
        "update": [([], False)],
        "delete": [],
        "cancel": [([CAR], True)],
    }[change]


def test_tasks_deleted_and_changed_while_reading_hide_no_other(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks(*numbered(12)))
    reader = label_studio.iterate_changed(project.id, None, page_size=4)
    found = [next(reader)["id"]]
    label_studio.delete_tasks_bulk(project.id, ids[:3])
    label_studio.create_annotation(ids[5], {"result": []})
    found += [task["id"] for task in reader]
    assert set(ids[3:]) <= set(found)


def test_tasks_by_id_leave_out_those_that_are_gone(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks("a", "b", "c"))
    label_studio.delete_task(ids[1])
    assert [task["id"] for task in label_studio.tasks_by_id(project.id, ids)] == [ids[0], ids[2]]


def test_one_task_has_the_person_where_a_list_has_the_number(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    (task_id,) = label_studio.import_tasks(project.id, new_tasks("a"))
    label_studio.create_annotation(task_id, {"result": []})
    assert label_studio.task(task_id)["annotations"][0]["completed_by"]["id"] == 1
    assert label_studio.tasks_by_id(project.id, [task_id])[0]["annotations"][0]["completed_by"] == 1


# Changing tasks and annotations


def test_new_data_replaces_all_of_the_old(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    (task_id,) = label_studio.import_tasks(project.id, new_tasks("a"))
    label_studio.patch_task_data(task_id, {"image": "y", "guid": "a"})
    assert label_studio.task(task_id)["data"] == {"image": "y", "guid": "a"}


def test_tasks_are_deleted_in_bulk(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    ids = label_studio.import_tasks(project.id, new_tasks("a", "b", "c"))
    assert label_studio.delete_tasks_bulk(project.id, ids[:2]) == 2
    assert label_studio.count_tasks(project.id, [data_equals("guid", "c")]) == label_studio.count_tasks(project.id) == 1


def test_deleting_no_tasks_deletes_none(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    label_studio.import_tasks(project.id, new_tasks("a"))
    assert label_studio.delete_tasks_bulk(project.id, []) == 0
    assert label_studio.count_tasks(project.id) == 1


def test_a_skip_is_an_annotation_that_was_cancelled(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    (task_id,) = label_studio.import_tasks(project.id, new_tasks("a"))
    made = label_studio.create_annotation(task_id, {"result": [], "was_cancelled": True})
    assert label_studio.annotation(made["id"])["was_cancelled"] is True
    assert label_studio.project(project.id).total_annotations_number == 0


# Predictions


def test_predictions_in_bulk_alone_changed_and_deleted(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    first, second = label_studio.import_tasks(project.id, new_tasks("g-1", "g-2"))
    said = {"task": first, "result": [CAR], "model_version": "m1", "score": 0.5}
    assert label_studio.import_predictions(project.id, []) == 0
    assert label_studio.import_predictions(project.id, [said, {**said, "task": second}]) == 2
    alone = label_studio.create_prediction({**said, "model_version": "m2"})
    label_studio.update_prediction(alone["id"], {"result": [], "score": 0.25})
    one, two = label_studio.tasks_to_push_to(project.id, ["g-1", "g-2", "g-3"])
    assert [
        (it["model_version"], it["score"], it["result"]) for it in sorted(one["predictions"], key=lambda it: it["id"])
    ] == [
        ("m1", 0.5, [CAR]),
        ("m2", 0.25, []),
    ]
    label_studio.delete_prediction(two["predictions"][0]["id"])
    (two,) = label_studio.tasks_to_push_to(project.id, ["g-2"], [in_batch("May")])
    assert (two["id"], two["predictions"], two["draft_exists"]) == (second, [], False)


def test_what_the_server_does_not_like_in_bulk_is_left_out_without_a_word(
    label_studio: LabelStudio, ls_project: MakeProject
):
    project = ls_project()
    (task,) = label_studio.import_tasks(project.id, new_tasks("g-1"))
    said = {"task": task, "result": [CAR], "model_version": "m1", "score": 1.5}
    assert label_studio.import_predictions(project.id, [said]) == 0
    assert label_studio.create_prediction(said)["score"] == 1.5


def test_an_unknown_task_refuses_all_predictions(label_studio: LabelStudio, ls_project: MakeProject):
    project = ls_project()
    (task,) = label_studio.import_tasks(project.id, new_tasks("g-1"))
    said = {"task": task, "result": [CAR], "model_version": "m1", "score": 0.5}
    with pytest.raises(RefusedError):
        label_studio.import_predictions(project.id, [said, {**said, "task": task + 10_000}])
    assert label_studio.tasks_to_push_to(project.id, ["g-1"])[0]["predictions"] == []


def test_a_second_annotation_with_the_same_unique_id_is_refused(label_studio: LabelStudio, ls_project: MakeProject):
    (task,) = label_studio.import_tasks(ls_project().id, new_tasks("g-1"))
    body = {"result": [CAR], "unique_id": str(uuid.uuid4()), "import_id": 2**52 - 1, "lead_time": 2.5}
    made = label_studio.create_annotation(task, body)
    assert (made["import_id"], made["lead_time"], made["ground_truth"]) == (2**52 - 1, 2.5, False)
    with pytest.raises(RefusedError) as refused:
        label_studio.create_annotation(task, body)
    assert refused.value.status == 409
