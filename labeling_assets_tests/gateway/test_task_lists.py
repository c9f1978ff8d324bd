"""Task lists over HTTP, and Label Studio reading them by their address."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.gateway.api_token import ApiToken, ListQuery
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.sync.task_lists import FORMATS, Format
from labeling_assets_tests.gateway.api import TOKEN, Api, running_api
from labeling_assets_tests.gateway.running import LINKS
from labeling_assets_tests.sync.list_imports import import_from, listed
from labeling_assets_tests.sync.world import Stock, World, picture, pictures, write_project

TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "txt": "text/plain; charset=utf-8"}
ONE_TEXT = '<View><Text name="t" value="$shop"/><Choices name="c" toName="t"><Choice value="ok"/></Choices></View>'


def signed(api: Api, query: ListQuery, valid_s: float = 600) -> str:
    return ApiToken(TOKEN).list_address(api.url, query, valid_s=valid_s)


@pytest.mark.parametrize("form", FORMATS)
def test_a_list_is_that_of_the_pipeline(api: Api, form: Format) -> None:
    api.pushed(pictures(3))
    answer = api.client.get(f"/projects/cars/tasks.{form}?batch=May")
    stock = Stock(api.db, write_project(api.projects / "cars"), api.projects)
    assert (answer.status_code, answer.headers["content-type"]) == (200, TYPES[form])
    assert answer.content == listed(stock, form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_second_list_is_the_same_to_the_byte(api: Api, form: Format) -> None:
    api.pushed(pictures(5))
    first, second = (api.client.get(f"/projects/cars/tasks.{form}").content for _ in range(2))
    assert first == second != b""


def test_a_list_says_how_long_it_is_and_what_it_lacks(api: Api) -> None:
    api.add_project(config=ONE_TEXT)
    api.pushed({"a.png": picture(1)}, shop="Ann")
    api.pushed({"b.png": picture(2)})
    headers = api.client.get("/projects/cars/tasks.json").headers
    assert (headers["x-tasks"], headers["x-left-out"], headers["cache-control"]) == ("1", "1", "no-store")


def test_the_log_names_what_a_list_lacks(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.add_project(config=ONE_TEXT)
    (row,) = api.pushed({"b.png": picture(2)})
    api.client.get("/projects/cars/tasks.json")
    assert f"medium {row['guid']}: the medium has no 'shop'" in caplog.text


def test_a_list_has_a_name_for_saving(api: Api) -> None:
    api.pushed(pictures(1))
    answer = api.client.get("/projects/cars/tasks.csv?batch=May")
    assert answer.headers["content-disposition"] == 'attachment; filename="cars-May.csv"'


def test_its_links_open(api: Api) -> None:
    api.pushed({"a.png": picture()})
    link = api.client.get("/projects/cars/tasks.txt").text.strip()
    with httpx.Client() as browser:
        answer = browser.get(link.replace(LINKS.base_url, api.url))
    assert answer.content == picture()


def test_a_list_of_everything(api: Api) -> None:
    api.pushed(pictures(2))
    api.db.one("UpdateImage", {"constraints": {"LS_role": ["==", "media"]}, "properties": {"LS_state_cars": "done"}})
    lengths = [len(api.client.get(f"/projects/cars/tasks.json?state={state}").json()) for state in ("new", "all")]
    assert lengths == [0, 2]


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        ("/projects/dogs/tasks.json", 404, "There is no labeling project 'dogs'."),
        ("/projects/cars/tasks.xml", 404, "Not Found"),
        ("/projects/cars/tasks.json?batch=Mai", 422, "There is no batch 'Mai' in ApertureDB."),
        ("/projects/cars/tasks.json?batch=../x", 422, "'../x' cannot be the name of a batch"),
        ("/projects/cars/tasks.json?state=open", 400, "state is 'open'; use new or all."),
    ],
)
def test_what_is_not_there_is_named(api: Api, path: str, status: int, problem: str) -> None:
    answer = api.client.get(path)
    assert (answer.status_code, problem in answer.json()["error"]) == (status, True)


def test_a_broken_project_says_what_is_wrong(api: Api) -> None:
    (api.projects / "cars" / "project.yaml").write_text("colour: red")
    answer = api.client.get("/projects/cars/tasks.json")
    assert (answer.status_code, "project.yaml is wrong: colour" in answer.json()["error"]) == (422, True)


def test_a_label_configuration_that_a_form_cannot_hold(api: Api) -> None:
    api.add_project(config=ONE_TEXT)
    answer = api.client.get("/projects/cars/tasks.txt")
    assert (answer.status_code, "use json or csv" in answer.json()["error"]) == (422, True)


@pytest.mark.parametrize("path", ["/projects/cars/tasks.json", "/projects/dogs/tasks.json"])
def test_without_the_token_nothing_is_told(api: Api, path: str) -> None:
    assert httpx.get(f"{api.url}{path}").status_code == 401


def test_an_address_with_a_signature_needs_no_token(api: Api) -> None:
    api.pushed(pictures(1))
    assert len(httpx.get(signed(api, ListQuery("cars", "json", "May"))).json()) == 1


def test_a_signature_is_for_its_batch_alone(api: Api) -> None:
    api.pushed(pictures(1), batch="June")
    address = signed(api, ListQuery("cars", "json", "May"))
    assert httpx.get(address.replace("batch=May", "batch=June")).status_code == 401


def test_an_expired_address_is_refused(api: Api) -> None:
    assert httpx.get(signed(api, ListQuery("cars", "json"), valid_s=-1)).status_code == 401


def test_a_database_that_fails_half_way_gives_no_shorter_list(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "aperturedb") as server, running_api(server.key, tmp_path / "projects") as api:
        api.add_project()
        server.stop()
        answer = api.client.get("/projects/cars/tasks.txt")
    assert (answer.status_code, "error" in answer.json()) == (503, True)


# Label Studio


@pytest.fixture
def served_world(tmp_path: Path, label_studio: LabelStudio) -> Iterator[tuple[World, Api]]:
    """A project in Label Studio, and the gateway with its task lists."""
    with LocalServer(tmp_path / "aperturedb") as server, running_api(server.key, tmp_path / "projects") as api:
        project = write_project(api.projects / "cars", yaml=f"title: lists of {tmp_path.name[-30:]}\n")
        yield World(api.db, project, tmp_path / "inbox", label_studio), api


@pytest.mark.parametrize("form", FORMATS)
def test_label_studio_reads_a_list_by_its_address(served_world: tuple[World, Api], form: Format) -> None:
    """And publishing makes nothing of it again."""
    world, api = served_world
    api.pushed(pictures(3))
    answer = import_from(world, signed(api, ListQuery("cars", form, "May")))
    assert (answer.status_code, answer.json()["task_count"]) == (201, 3)
    report = world.publish()
    assert (report.created, report.adopted) == (0, 3)


def test_label_studio_tells_that_an_address_has_expired(served_world: tuple[World, Api]) -> None:
    world, api = served_world
    answer = import_from(world, signed(api, ListQuery("cars", "json"), valid_s=-1))
    assert answer.status_code == 400


def test_the_signature_of_a_list_is_in_no_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    address = signed(api, ListQuery("cars", "json"))
    with caplog.at_level("DEBUG"):
        httpx.get(address)
    signature = httpx.URL(address).params["s"]
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert [line for line in ours if signature in line] == []
