"""`labeling-assets tasks`: a list as a file, on standard output, and by an address that a gateway opens."""

import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from labeling_assets.cli import main
from labeling_assets.gateway.api_token import ApiToken
from labeling_assets.gateway.task_lists import TaskLists
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.projects import readable_projects
from labeling_assets.settings import load_settings
from labeling_assets_tests.gateway.running import gateway_client
from labeling_assets_tests.sync.world import Stock, WatchedDatabase, pictures, write_project

TEXT = '<View><Image name="i" value="$image"/><Choices name="c" toName="i"><Choice value="x"/></Choices>{}</View>'


@pytest.fixture
def stock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stock]:
    """Three pictures of the batch `May`, and a project `cars`."""
    home = tmp_path / "home"
    project = write_project(home / "projects" / "cars")
    monkeypatch.setenv("LABELING_ASSETS_HOME", str(home))
    monkeypatch.setenv("LABELING_ASSETS_GATEWAY_URL", "http://gateway.example.org/here")
    with LocalServer(tmp_path / "aperturedb") as server, WatchedDatabase(server.key) as db:
        monkeypatch.setenv("APERTUREDB_KEY", server.key)
        stock = Stock(db, project, tmp_path / "inbox")
        stock.hand_in(pictures(3))
        yield stock


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["tasks", *arguments])


def test_a_list_goes_to_standard_output(stock: Stock) -> None:
    result = run("cars", "--format", "txt")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 3)
    assert result.stdout.startswith("http://gateway.example.org/here/media/")


def test_a_list_goes_to_a_file_for_its_owner_only(stock: Stock, tmp_path: Path) -> None:
    path = tmp_path / "tasks.csv"
    result = run("cars", "--format", "csv", "--batch", "May", "--output", str(path))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{path}: 3 tasks\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("guid,import_batch,image\n")


def test_a_list_that_cannot_be_made_leaves_the_file_that_was_there(stock: Stock, tmp_path: Path) -> None:
    path = tmp_path / "tasks.txt"
    path.write_text("before")
    result = run("cars", "--format", "txt", "--batch", "June", "--output", str(path))
    assert (result.exit_code, path.read_text(), list(tmp_path.glob(".tasks*"))) == (1, "before", [])
    assert "There is no batch 'June'" in result.stderr


def test_what_cannot_become_a_task_is_named(stock: Stock) -> None:
    write_project(stock.project.folder, config=TEXT.format('<Header value="$shop"/>'))
    result = run("cars")
    assert (result.exit_code, result.stdout) == (0, "[\n]\n")
    assert result.stderr.count("left out: medium ") == 3


def test_the_gateway_opens_the_address(stock: Stock) -> None:
    address = run("cars", "--batch", "May", "--url").stdout.strip()
    assert address.startswith("http://gateway.example.org/here/projects/cars/tasks.json?batch=May&state=new&expires=")
    settings = load_settings()
    known = lambda: readable_projects(settings.projects)  # noqa: E731
    lists = TaskLists(lambda: stock.db, known, settings.links(), ApiToken(settings.api_token()))
    with gateway_client(stock.db, parts=[lists]) as client:
        answer = client.get(httpx.URL(address).raw_path.decode().removeprefix("/here"))
    assert (answer.status_code, len(answer.json())) == (200, 3)


@pytest.mark.parametrize(
    ("arguments", "message"), [(["dogs"], "dogs"), (["cars", "--url", "--batch", "../x"], "'../x'")]
)
def test_what_is_not_there_is_named(stock: Stock, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, message in result.stderr) == (1, True)
