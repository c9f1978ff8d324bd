"""Exactly one task for each medium and project, however often and by however many it is made."""

import html
import time
from collections.abc import Callable

import httpx
import pytest

from labeling_assets import names
from labeling_assets.clients.constraints import equal
from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.clients.query import Query
from labeling_assets.errors import ConfigurationError, DataError, TransientError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.media_sources import MediaSources
from labeling_assets.media_urls import guid_in_link
from labeling_assets.sync.labeling_project import ensure_project
from labeling_assets.sync.lease import lease
from labeling_assets_tests.faults.contents import expire_leases
from labeling_assets_tests.sync.recordings import film, pdf
from labeling_assets_tests.sync.served_files import served
from labeling_assets_tests.sync.world import LINKS, World, box, picture, pictures

SHOP = '<View><Text name="t" value="$shop"/><Choices name="c" toName="t"><Choice value="ok"/></Choices></View>'
TABLES = """
<View>
  <TimeSeries name="series" value="$series" valueType="json" timeColumn="Time"><Channel column="Speed"/></TimeSeries>
  <TimeSeries name="address" value="$address" timeColumn="Time"><Channel column="Speed"/></TimeSeries>
  <Table name="table" value="$table"/>
  <Text name="text" value="$text"/>
  <TimeSeriesLabels name="label" toName="series"><Label value="fast"/></TimeSeriesLabels>
</View>
"""


class LosesTheAnswer(httpx.BaseTransport):
    """Gives a request to the server and loses the answer of the first import."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport()
        self.lost = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._real.handle_request(request)
        if request.url.path.endswith("/import") and not self.lost:
            self.lost += 1
            response.read()
            raise httpx.ReadTimeout("timed out", request=request)
        return response


class AnswersLate(httpx.BaseTransport):
    """Loses the answer of the first import at once; the server gets the request when a test says so, or never."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport()
        self._held: list[httpx.Request] = []
        self.imports = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/import"):
            self.imports += 1
            request.read()
            self._held.append(request)
            raise httpx.ReadTimeout("timed out", request=request)
        return self._real.handle_request(request)

    def deliver(self) -> None:
        for request in self._held:
            self._real.handle_request(request).read()
        self._held.clear()


class TwoAtOnce(httpx.BaseTransport):
    """Sends every import twice: the first comes from a process that was killed before it could note anything."""

    def __init__(self, then: Callable[[list[int]], None] = lambda tasks: None) -> None:
        self._real = httpx.HTTPTransport()
        self._then = then
        self.first: list[int] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/import"):
            return self._real.handle_request(request)
        request.read()
        first, second = (self._real.handle_request(request) for _ in range(2))
        first.read(), second.read()
        self.first = first.json()["task_ids"]
        self._then(second.json()["task_ids"])
        return second


# One task a medium


def test_each_medium_is_one_task(world: World):
    guids = world.hand_in(pictures(3)).guids
    report = world.publish()
    assert (report.media, report.created, report.known, report.failed) == (3, 3, 0, [])
    assert sorted(task["data"]["guid"] for task in world.tasks()) == guids == report.task_guids


def test_the_data_names_guid_batch_and_a_link_that_verifies(published: World):
    task = published.tasks()[0]
    guid, link = task["data"]["guid"], httpx.URL(task["data"]["image"])
    assert task["data"]["import_batch"] == "May"
    assert guid_in_link(str(link)) == guid
    assert LINKS.verify(guid, key_id=link.params["k"], signature=link.params["s"])


def test_a_second_run_makes_nothing(published: World):
    report = published.publish()
    assert (report.created, report.adopted, report.known) == (0, 0, 3)
    assert len(published.tasks()) == 3


def test_media_without_a_task_are_found_by_a_positive_search(published: World):
    published.hand_in({"b.png": picture(50)}, batch="June")
    waiting = published.db.find("FindImage", equal("LS_state_cars", "new"), properties=["LS_source_uri"], blobs=False)
    assert [row["LS_source_uri"] for row in waiting] == ["b.png"]


def test_each_task_is_recorded(published: World):
    record = published.stored(names.TASK, equal("LS_task_id", published.task_ids()[0]))[0]
    assert (record["LS_project"], record["LS_batch"], record["LS_state"]) == ("cars", "May", "open")
    assert record["LS_media_guid"] == published.tasks()[0]["data"]["guid"]


def test_a_medium_of_a_second_batch_gets_no_second_task(published: World):
    published.hand_in({"again.png": picture(0), "new.png": picture(50)}, batch="June")
    report = published.publish("June")
    assert (report.media, report.created, report.known) == (2, 1, 1)
    assert len(published.tasks()) == 4


def test_only_media_of_the_projects_types_become_tasks(world: World):
    world.hand_in({**pictures(1), "note.txt": "a text"})
    assert (world.publish().media, len(world.tasks())) == (1, 1)


def test_tasks_whose_recording_was_lost_are_adopted(published: World):
    """As if the run was killed between the import into Label Studio and the writing to ApertureDB."""
    query = Query()
    query.add("DeleteEntity", {"with_class": names.TASK, "constraints": equal("LS_project", "cars")})
    query.add("UpdateImage", {"constraints": equal("LS_role", "media"), "properties": {"LS_state_cars": "new"}})
    published.db.run(query)
    report = published.publish()
    assert (report.created, report.adopted) == (0, 3)
    assert (len(published.tasks()), len(published.stored(names.TASK))) == (3, 3)


def test_a_task_whose_guid_was_changed_by_hand_is_not_that_of_another_medium(published: World):
    """Else that medium would have no task when the other one is repaired."""
    task = published.tasks()[0]
    (new,) = set(published.hand_in(pictures(1, first=700), batch="June").guids)
    published.ls.patch_task_data(task["id"], {**task["data"], "guid": new})
    assert published.publish("June").created == 1
    published.ls.patch_task_data(task["id"], task["data"])
    assert sorted(str(found["data"]["guid"]) for found in published.tasks()).count(new) == 1
    assert {row["LS_media_guid"] for row in published.stored(names.TASK)} >= {new, task["data"]["guid"]}


def test_a_copy_that_contradicts_itself_is_not_the_task_of_a_medium(published: World):
    first = published.tasks()[0]
    (new,) = set(published.hand_in(pictures(1, first=700), batch="June").guids)
    published.ls.import_tasks(published.record.project_id, [{"data": {**first["data"], "guid": new}}])
    assert published.publish("June").created == 1
    (made,) = [row for row in published.stored(names.TASK) if row["LS_media_guid"] == new]
    assert made["LS_task_id"] == published.task_ids()[-1]


@pytest.mark.parametrize("next_batch", ["June", "July"], ids=["the same batch", "another batch with the same media"])
def test_tasks_of_a_killed_run_are_found_though_a_person_deleted_as_many(published: World, next_batch: str):
    """Label Studio then has as many tasks as ApertureDB knows, but others."""
    known = published.task_ids()
    guids = published.hand_in(pictures(3, first=10), batch="June").guids
    published.hand_in(pictures(3, first=10), batch="July")
    data = [{"guid": guid, "import_batch": "June", "image": LINKS.link(guid)} for guid in guids]
    published.ls.import_tasks(published.record.project_id, [{"data": values} for values in data])
    published.ls.delete_tasks_bulk(published.record.project_id, known)
    report = published.publish(next_batch)
    assert (report.created, report.adopted) == (0, 3)
    assert sorted(task["data"]["guid"] for task in published.tasks()) == sorted(guids)


def test_two_publishers_at_once_make_one_task_each(world: World):
    world.hand_in(pictures(40))
    world.publish_twice_at_once()
    assert len(world.tasks()) == len(world.stored(names.TASK)) == 40
    assert len(world.ls.find_projects_by_title(world.project.title)) == 1


def test_an_import_whose_answer_is_lost_makes_no_second_task(world: World, label_studio_key: str):
    world.hand_in(pictures(3))
    transport = LosesTheAnswer()
    with LabelStudio(world.ls.url, label_studio_key, transport=transport, sleep=lambda seconds: None) as ls:
        report = world.publish(ls=ls)
    assert (transport.lost, report.created) == (1, 3)
    assert len(world.tasks()) == len(world.stored(names.TASK)) == 3


def test_an_import_that_works_on_after_its_answer_was_lost_is_waited_for(world: World, label_studio_key: str):
    world.hand_in(pictures(3))
    transport, pauses = AnswersLate(), []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:  # until here every look shows the same number of tasks
            transport.deliver()

    with LabelStudio(world.ls.url, label_studio_key, transport=transport) as ls:
        report = world.publish(ls=ls, sleep=sleep)
    assert (transport.imports, report.created, pauses) == (1, 3, [2.0, 4.0, 8.0])
    assert len(world.tasks()) == len(world.stored(names.TASK)) == 3


def test_an_import_that_never_shows_is_not_sent_again_at_once(world: World, label_studio_key: str):
    world.hand_in(pictures(3))
    transport, pauses = AnswersLate(), []
    with LabelStudio(world.ls.url, label_studio_key, transport=transport) as ls:
        with pytest.raises(TransientError, match="gave no answer to an import of 3 tasks, and they are not there"):
            world.publish(ls=ls, sleep=pauses.append)
        assert sum(pauses) >= 600
        busy = pytest.raises(TransientError, match=r"is writing .* \(nobody, until it ends\)")
        with busy, lease(world.db, f"{world.record.key}|/publish"):
            pass
        transport.deliver()
        expire_leases(world.db)
        assert world.publish(ls=ls).adopted == 3
    assert (transport.imports, len(world.tasks())) == (1, 3)


def test_what_a_killed_importer_made_meanwhile_is_kept_and_ours_goes(world: World, label_studio_key: str):
    world.hand_in(pictures(3))
    transport = TwoAtOnce()
    with LabelStudio(world.ls.url, label_studio_key, transport=transport) as ls:
        world.publish(ls=ls)
    assert world.task_ids() == sorted(transport.first)
    assert sorted(row["LS_task_id"] for row in world.stored(names.TASK)) == sorted(transport.first)


def test_a_second_task_that_somebody_labelled_is_kept(world: World, label_studio_key: str):
    world.hand_in(pictures(3))
    labelled: list[int] = []

    def label(tasks: list[int]) -> None:
        labelled.append(tasks[0])
        world.annotate(tasks[0], box())

    transport = TwoAtOnce(label)
    with LabelStudio(world.ls.url, label_studio_key, transport=transport) as ls:
        world.publish(ls=ls)
    assert world.task_ids() == sorted([*transport.first, *labelled])


def test_a_batch_may_be_called_publish(world: World):
    world.hand_in(pictures(1), batch="publish")
    with lease(world.db, ensure_project(world.db, world.ls, world.project).sync_key("publish")):
        assert world.publish("publish").created == 1


# What can not become a task


def test_a_medium_without_the_column_fails_and_the_others_go_on(make_world: Callable[..., World]):
    world = make_world(config=SHOP)
    world.hand_in({**pictures(2), "manifest.csv": "path,shop\na00.png,Bern\na01.png,\n"})
    report = world.publish()
    (failed,) = report.failed
    assert (report.created, [task["data"]["shop"] for task in world.tasks()]) == (1, ["Bern"])
    assert "has no 'shop', which the variable $shop" in failed.text
    assert "fill the column in the manifest" in failed.text


def test_media_that_are_only_registered_get_tasks(make_world: Callable[..., World]):
    config = '<View><Video name="v" value="$v"/><Choices name="c" toName="v"><Choice value="ok"/></Choices></View>'
    world = make_world(config=config, yaml="media_types: [video]")
    (guid,) = world.hand_in({"film.mp4": film()}, size_limit_bytes=100, sources=MediaSources.of([world.inbox])).guids
    assert (world.publish().created, guid_in_link(world.tasks()[0]["data"]["v"])) == (1, guid)


def test_a_text_that_is_only_registered_cannot_stand_in_a_task(make_world: Callable[..., World]):
    world = make_world(config=SHOP.replace("$shop", "$text"), yaml="media_types: [text]")
    world.hand_in({"note.txt": "grüße"}, size_limit_bytes=0, sources=MediaSources.of([world.inbox]))
    (failed,) = world.publish().failed
    assert "its bytes are not in ApertureDB, so they cannot stand in a task: show it by its link" in failed.text


def test_a_text_becomes_the_task_itself(make_world: Callable[..., World]):
    world = make_world(config=SHOP.replace("$shop", "$text"), yaml="media_types: [text]")
    world.hand_in({"a.txt": "grüße"})
    world.publish()
    assert world.tasks()[0]["data"]["text"] == "grüße"


def test_label_studio_takes_a_table_in_every_form_that_its_tags_show(make_world: Callable[..., World]):
    world = make_world(config=TABLES, yaml="media_types: [csv]")
    world.hand_in({"a.csv": "Time,Speed\n0,1.5\n1,2\n", "b.csv": "Time,Speed\n0\n1,2,3\n"})
    report = world.publish()
    (data,) = [task["data"] for task in world.tasks()]
    assert data["series"] == {"time": [0, 1], "speed": [1.5, 2]}
    assert data["table"] == [{"Time": "0", "Speed": "1.5"}, {"Time": "1", "Speed": "2"}]
    assert data["text"] == "Time,Speed\n0,1.5\n1,2\n"
    assert data["address"] == LINKS.for_project("cars").link(data["guid"])
    (failed,) = report.failed
    assert failed.text.startswith("line 2 of the CSV has 1 cells, the first has 2")


def test_label_studio_takes_pages_that_embed_a_pdf(make_world: Callable[..., World]):
    shown = '<Pdf name="pdf" value="$pdf"/><HyperText name="page" value="$page"/>'
    choices = '<Choices name="kind" toName="pdf"><Choice value="bill"/></Choices>'
    world = make_world(config=f"<View>{shown}{choices}</View>", yaml="media_types: [pdf]")
    world.hand_in({"a.pdf": pdf(2)})
    world.publish()
    (data,) = [task["data"] for task in world.tasks()]
    assert data["pdf"] == LINKS.for_project("cars").link(data["guid"])
    assert data["page"].startswith(f'<embed src="{html.escape(data["pdf"])}" type="application/pdf"')


# What is refused before anything is sent


@pytest.mark.parametrize(
    ("config", "yaml", "message"),
    [
        ("<View><Image", "", "label configuration"),
        ('<View><Image name="i" value="$image"/></View>', "", "nothing to label with"),
        (SHOP.replace("$shop", "$guid"), "", r"uses \$guid, which is filled for every task"),
        (SHOP, "data: {shop: elsewhere}", "'elsewhere'; use link, text, html, items, rows, series, column:<name>"),
        (SHOP, "data: {price: link}", "gives data for price, but the label configuration has only shop"),
    ],
    ids=["not XML", "no control", "reserved variable", "unknown source", "unknown variable"],
)
def test_a_project_that_cannot_work_is_refused_before_anything_is_sent(
    make_world: Callable[..., World], config: str, yaml: str, message: str
):
    world = make_world(config=config, yaml=yaml)
    world.hand_in(pictures(1))
    with pytest.raises(ConfigurationError, match=message):
        world.publish()
    assert world.ls.find_projects_by_title(world.project.title) == []


def test_a_wrong_token_is_named(world: World):
    world.hand_in(pictures(1))
    with LabelStudio(world.ls.url, "0" * 40) as ls, pytest.raises(ConfigurationError, match="LABEL_STUDIO_API_KEY"):
        world.publish(ls=ls)


def test_label_studio_that_is_down_is_worth_another_try(world: World):
    world.hand_in(pictures(1))
    began = time.monotonic()
    refused = pytest.raises(TransientError, match=r"Label Studio at http://127\.0\.0\.1:9 cannot be reached")
    with LabelStudio("http://127.0.0.1:9", "0" * 40, sleep=lambda seconds: None) as ls, refused:
        world.publish(ls=ls)
    assert time.monotonic() - began < 10
    assert world.stored(names.PROJECT) == []


def test_aperturedb_that_is_down_is_worth_another_try(world: World, aperturedb: LocalServer):
    world.hand_in(pictures(1))
    aperturedb.stop()
    began = time.monotonic()
    with pytest.raises(TransientError, match=r"ApertureDB at 127\.0\.0\.1:.* cannot be reached"):
        world.publish()
    assert time.monotonic() - began < 20


# Label Studio is not what it was


def test_a_deleted_project_stops_everything(published: World):
    published.ls.delete_project(published.record.project_id)
    with pytest.raises(DataError, match=r"Project \d+ \(cars\) is gone"):
        published.publish()
    with pytest.raises(DataError, match="is gone"):
        published.collect()


def test_another_project_under_the_same_id_stops_everything(published: World):
    query = Query()
    properties = {"LS_project_created_at": "2020-01-01T00:00:00.000000Z"}
    condition = equal(names.SLUG, "cars")
    query.add("UpdateEntity", {"with_class": names.PROJECT, "constraints": condition, "properties": properties})
    published.db.run(query)
    published.db.writes.clear()
    with pytest.raises(DataError, match="Label Studio was rebuilt or restored"):
        published.collect()
    assert published.db.writes == []
    with pytest.raises(DataError, match="2020-01-01"):
        published.publish()


def test_a_sync_before_the_first_task_says_what_to_do(world: World):
    with pytest.raises(DataError, match=r"has no tasks in .* yet: materialize its tasks first"):
        world.collect()


def test_tasks_may_have_the_owners_own_links(make_world: Callable[..., World]):
    """Label Studio shows what the manifest says; the medium is known by its GUID."""
    world = make_world(yaml="data: {image: column:link}")
    manifest = "path,link\na.png,https://cdn.example.org/a.png?token=1\n"
    world.hand_in({"a.png": picture(), "manifest.csv": manifest})
    world.publish()
    (task,) = world.tasks()
    assert task["data"]["image"] == "https://cdn.example.org/a.png?token=1"
    world.annotate(task["id"], box())
    assert (world.collect().created, world.boxes("car")) == (1, 1)


def test_tasks_may_have_the_address_that_a_medium_came_from(make_world: Callable[..., World]):
    world = make_world(yaml="data: {image: column:url}")
    with served({"a.png": picture()}) as address:
        world.hand_in({"manifest.csv": f"url\n{address}/a.png\n"})
    world.publish()
    (task,) = world.tasks()
    assert task["data"]["image"] == f"{address}/a.png"
    world.annotate(task["id"], box())
    assert (world.collect().created, world.boxes("car")) == (1, 1)
