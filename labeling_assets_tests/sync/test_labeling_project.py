"""The labeling project in Label Studio: made once, found again, its configuration changed with care."""

from collections.abc import Callable

import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError, DataError
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.sync.collect_annotations import collect_annotations
from labeling_assets.sync.labeling_project import ensure_project, recorded_project
from labeling_assets_tests.sync.world import BOXES, World, box, picture, pictures

TREES = BOXES.replace('<Label value="dog"/>', '<Label value="dog"/><Label value="tree"/>')
NO_DOGS = BOXES.replace('<Label value="dog"/>', "")
NO_CARS = BOXES.replace('<Label value="car"/>', "")
CHOICES = """
<View><Image name="image" value="$image"/>
  <Choices name="seen" toName="image" choice="multiple"><Choice value="sun"/><Choice value="rain"/></Choices>
</View>
"""


def project_config(world: World) -> str:
    return world.ls.project(world.record.project_id).label_config


def choices(*chosen: str) -> dict[str, object]:
    value = {"choices": list(chosen)}
    return {"id": "c1", "type": "choices", "from_name": "seen", "to_name": "image", "value": value}


def test_a_project_is_made_once(world: World):
    first = ensure_project(world.db, world.ls, world.project)
    assert (
        ensure_project(world.db, world.ls, world.project)
        == first
        == recorded_project(world.db, world.ls, world.project)
    )
    assert len(world.ls.find_projects_by_title(world.project.title)) == 1


def test_a_project_whose_recording_was_lost_is_found_again(world: World):
    first = ensure_project(world.db, world.ls, world.project)
    query = Query()
    query.add("DeleteEntity", {"with_class": names.PROJECT, "constraints": equal(names.SLUG, "cars")})
    world.db.run(query)
    assert ensure_project(world.db, world.ls, world.project).project_id == first.project_id


def test_a_project_of_the_same_title_that_is_not_ours_is_left_alone(world: World):
    foreign = world.ls.create_project(world.project.title, BOXES)
    assert ensure_project(world.db, world.ls, world.project).project_id != foreign.id


def test_the_database_knows_server_project_and_configuration(world: World):
    record = ensure_project(world.db, world.ls, world.project)
    (instance,), (project,), (config,) = (world.stored(name) for name in (names.INSTANCE, names.PROJECT, names.CONFIG))
    assert (instance["LS_url"], instance["LS_guid"]) == (world.ls.url, record.instance)
    assert (project["LS_slug"], project["LS_project_id"]) == ("cars", record.project_id)
    assert config["LS_xml"] == BOXES


# Which server


def at(world: World, url: str) -> None:
    """Note another address for the server of all projects so far."""
    body = {"with_class": names.INSTANCE, "properties": {"LS_url": url}}
    world.db.one("UpdateEntity", body)


def test_a_server_under_another_address_keeps_its_projects(published: World, label_studio_key: str):
    before = published.record
    with LabelStudio(published.ls.url.replace("127.0.0.1", "localhost"), label_studio_key) as ls:
        record = recorded_project(published.db, ls, published.project)
        assert record is not None
        assert (record.key, record.project_id) == (before.key, before.project_id)
        assert record.url.startswith("http://localhost:")
        collect_annotations(published.db, ls, published.project, batch="May")
    assert published.publish().created == 0
    assert [row["LS_state"] for row in published.stored(names.TASK)] == ["open"] * 3
    (instance,) = published.stored(names.INSTANCE)
    assert instance["LS_url"] == published.ls.url
    assert len(published.ls.find_projects_by_title(published.project.title)) == 1


def test_a_new_project_under_a_new_address_joins_the_server(published: World, make_world: Callable[..., World]):
    at(published, "http://former.example.org")
    other = make_world("dogs")
    assert ensure_project(other.db, other.ls, other.project).instance == published.record.instance


def test_a_project_of_another_server_is_not_made_a_second_time(published: World):
    at(published, "http://former.example.org")
    properties = {"LS_project_created_at": "2020-01-01T00:00:00.000000Z"}
    published.db.one("UpdateEntity", {"with_class": names.PROJECT, "properties": properties})
    published.db.writes.clear()
    message = rf"'cars' was made in http://former\.example\.org, and {published.ls.url} is another Label Studio"
    for move in (published.publish, published.collect):
        with pytest.raises(DataError, match=message):
            move()
    assert published.db.writes == []
    assert len(published.ls.find_projects_by_title(published.project.title)) == 1


def test_a_second_server_has_projects_of_its_own(published: World, make_world: Callable[..., World]):
    at(published, "http://former.example.org")
    properties = {"LS_project_created_at": "2020-01-01T00:00:00.000000Z"}
    published.db.one("UpdateEntity", {"with_class": names.PROJECT, "properties": properties})
    other = make_world("dogs")
    record = ensure_project(other.db, other.ls, other.project)
    assert {row["LS_url"]: row["LS_guid"] for row in other.stored(names.INSTANCE)}[other.ls.url] == record.instance
    assert len(other.stored(names.INSTANCE)) == 2


def test_tasks_of_another_server_are_left_alone(published: World):
    properties = {"LS_guid": "x", "LS_project": "cars", "LS_instance": "another", "LS_batch": "May", "LS_state": "open"}
    properties |= {"LS_task_id": 10**9, "LS_task_created_at": "2020-01-01T00:00:00.000000Z", "LS_media_guid": "g"}
    published.db.one("AddEntity", {"class": names.TASK, "properties": properties})
    assert published.collect(full=True).tasks_withdrawn == 0
    assert published.stored(names.TASK, equal("LS_guid", "x"))[0]["LS_state"] == "open"


def test_a_project_of_another_data_model_is_neither_read_nor_written(published: World):
    published.annotate(published.task_ids()[0], box())
    published.db.one(
        "UpdateEntity",
        {
            "with_class": names.PROJECT,
            "constraints": equal(names.SLUG, "cars"),
            "properties": {names.SCHEMA_VERSION: 1},
        },
    )
    published.db.writes.clear()
    for move in (published.collect, published.publish, lambda: published.hand_in(pictures(1, first=7), batch="June")):
        with pytest.raises(DataError, match=r"project 'cars' in a data model of labeling_assets \(version 1\)"):
            move()
    assert published.db.writes == []


def test_idle_it_costs_one_request(world: World):
    ensure_project(world.db, world.ls, world.project)
    before = world.ls.request_count
    ensure_project(world.db, world.ls, world.project)
    assert world.ls.request_count - before == 1


def test_the_number_of_annotators_is_applied(published: World):
    published.rewrite(yaml="annotators: 3")
    published.publish()
    assert published.ls.project(published.record.project_id).maximum_annotations == 3


def test_added_labels_are_applied(published: World):
    published.rewrite(config=TREES)
    published.publish()
    assert 'value="tree"' in project_config(published)
    assert len(published.stored(names.CONFIG)) == 2


def test_new_tasks_name_the_configuration_that_was_just_applied(published: World):
    published.rewrite(config=TREES)
    record = ensure_project(published.db, published.ls, published.project)
    assert record.config_hash == LabelConfig.parse(TREES).hash


def test_a_label_that_nobody_used_may_go(published: World):
    published.annotate(published.task_ids()[0], box(label="car"))
    published.collect()
    published.rewrite(config=NO_DOGS)
    published.publish()
    assert "dog" not in project_config(published)


def test_a_label_in_use_may_not_go(published: World):
    published.annotate(published.task_ids()[0], box("r1"), box("r2"))
    published.collect()
    published.rewrite(config=NO_CARS)
    with pytest.raises(ConfigurationError, match=r"drops labels in use: car \(2 regions\)"):
        published.publish()
    assert "car" in project_config(published)


def test_a_label_in_use_that_was_not_collected_yet_may_not_go(published: World):
    published.annotate(published.task_ids()[0], box())
    published.rewrite(config=NO_CARS)
    with pytest.raises(ConfigurationError, match=r"drops labels in use: car \(in 1 tasks\)"):
        published.publish()


def test_a_choice_that_was_chosen_beside_another_may_not_go(make_world: Callable[..., World]):
    world = make_world(config=CHOICES)
    world.hand_in({"a.png": picture()})
    world.publish()
    world.annotate(world.task_ids()[0], choices("sun", "rain"))
    world.collect()
    world.rewrite(config=CHOICES.replace('<Choice value="rain"/>', ""))
    with pytest.raises(ConfigurationError, match=r"drops labels in use: rain \(1 regions\)"):
        world.publish()


def test_a_label_in_use_may_go_if_the_project_allows_it(published: World):
    published.annotate(published.task_ids()[0], box())
    published.collect()
    published.rewrite(config=NO_CARS, yaml="label_config_changes: allow")
    published.publish()
    assert "car" not in project_config(published)


def test_a_variable_that_the_tasks_lack_may_not_come(published: World):
    published.rewrite(config=BOXES.replace("</View>", '<Header value="$shop"/></View>'))
    with pytest.raises(ConfigurationError, match=r"needs the variable\(s\) shop, which its 3 tasks do not have"):
        published.publish()


def test_a_project_that_label_studio_refuses_is_named(world: World):
    """A title needs three letters."""
    short = world.project.model_copy(update={"title": "ab"})
    with pytest.raises(ConfigurationError, match=r"Label Studio refuses project 'cars'.*at least 3 characters"):
        ensure_project(world.db, world.ls, short)
    assert world.stored(names.PROJECT) == []
