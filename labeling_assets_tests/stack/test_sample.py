"""The sample: real photographs with labels that Label Studio would have saved."""

import math
from pathlib import Path
from typing import Any

import pytest

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.projects import load_project
from labeling_assets.settings import Settings
from labeling_assets.stack import sample
from labeling_assets.stack.annotator import SECOND_ANNOTATOR, Annotator, moved, second_user, without
from labeling_assets.stack.label_studio import LabelStudioServer
from labeling_assets.stack.sample import Photo, afterwards, install, photo, photos, result_of
from labeling_assets_tests.conftest import MakeProject

DATA = Path(sample.__file__).with_name("sample_data")
CONFIG = (DATA / "project" / "label_config.xml").read_text(encoding="utf-8")
LABELED = ("rectanglelabels", "polygonlabels", "choices")

every_photo = pytest.mark.parametrize("each", photos(), ids=lambda each: each.name)


@every_photo
def test_the_source_of_every_photograph_is_named(each: Photo) -> None:
    [line] = [
        line for line in (DATA / "SOURCES.md").read_text("utf-8").splitlines() if line.startswith(f"| `{each.name}`")
    ]
    assert "public" in line or "CC0" in line


def test_every_photograph_has_labels() -> None:
    assert sorted(path.name for path in sample.MEDIA.iterdir()) == sorted(each.name for each in photos())


def test_the_sample_is_small() -> None:
    assert sum(path.stat().st_size for path in DATA.rglob("*")) < 1_500_000


@every_photo
def test_every_label_is_in_the_label_configuration(each: Photo) -> None:
    config = LabelConfig.parse(CONFIG)
    used = [
        (item["from_name"], label)
        for item in each.result()
        if item["type"] in LABELED
        for label in item["value"][item["type"]]
    ]
    assert used
    assert [(control, label) for control, label in used if label not in (config.labels_of(control) or ())] == []


@every_photo
def test_every_region_lies_in_the_picture(each: Photo) -> None:
    outside = [
        (item["id"], corner)
        for item in each.result()
        for corner in corners(item)
        if not all(-0.01 <= coordinate <= 100.01 for coordinate in corner)
    ]
    assert outside == []


@every_photo
def test_region_ids_are_unique(each: Photo) -> None:
    ids = [item["id"] for item in each.result()]
    assert len(ids) == len(set(ids))


@every_photo
def test_every_photograph_has_scene_quality_and_caption(each: Photo) -> None:
    controls = [item["from_name"] for item in each.result()]
    assert controls[-3:] == ["scene", "quality", "caption"]


def test_there_are_outlines_a_rotated_box_and_one_skip() -> None:
    items = [item for each in photos() for item in each.result()]
    assert any(item["type"] == "polygonlabels" for item in items)
    assert any(item["value"].get("rotation") for item in items)
    assert [each.name for each in photos() if each.is_skipped] == ["galaxies.jpg"]


def test_a_moved_region_keeps_its_label() -> None:
    change = afterwards()["move"]
    before, after = (
        {item["id"]: item["value"] for item in result}
        for result in (photo("coffee.jpg").result(), moved(photo("coffee.jpg").result(), change))
    )
    differing = {key for key in before if before[key] != after[key]}
    assert differing == {"coffee-cup"}
    assert after["coffee-cup"]["rectanglelabels"] == ["Thing"]


def test_a_removed_region_is_the_only_one_that_goes() -> None:
    result = photo("rocket.jpg").result()
    left = without(result, afterwards()["remove"])
    assert {item["id"] for item in result} - {item["id"] for item in left} == {"rocket-lamp"}


def test_the_second_opinion_is_a_full_annotation() -> None:
    opinion = afterwards()["second_opinion"]
    assert [item["type"] for item in result_of(opinion["photo"], opinion)] == [
        "rectanglelabels",
        "choices",
        "rating",
        "textarea",
    ]


def test_install_gives_a_project_that_loads_and_a_ready_batch(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    install(settings, lambda line: None)
    project = load_project(settings.projects / sample.PROJECT)
    assert project.wants(sample.BATCH)
    assert len(list((settings.inbox / sample.BATCH).glob("*.jpg"))) == len(photos())
    assert (settings.inbox / sample.BATCH / "_READY").exists()


def test_install_changes_nothing_that_is_there(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    install(settings, lambda line: None)
    mine = settings.projects / sample.PROJECT / "project.yaml"
    mine.write_text("title: Mine\n")
    install(settings, lambda line: None)
    assert mine.read_text() == "title: Mine\n"


@pytest.fixture
def project_id(ls_project: MakeProject, label_studio: LabelStudio) -> int:
    """A Label Studio project with a task for each photograph."""
    project = ls_project(label_config=CONFIG, title="sample")
    tasks = [{"data": {"image": f"http://127.0.0.1:1/{each.guid}", "guid": each.guid}} for each in photos()]
    label_studio.import_tasks(project.id, tasks)
    return project.id


def annotations(label_studio: LabelStudio, project_id: int) -> dict[str, list[dict[str, Any]]]:
    """Name of the photograph -> its annotations."""
    names = {each.guid: each.name for each in photos()}
    tasks = label_studio.iterate_by_id(project_id)
    return {names[task["data"]["guid"]]: task["annotations"] for task in tasks}


def test_the_first_round_labels_everything_once(label_studio: LabelStudio, project_id: int) -> None:
    annotator = Annotator(label_studio, project_id, None)
    assert annotator.first_round() == len(photos())
    assert annotator.first_round() == 0
    made = annotations(label_studio, project_id)
    assert [name for name, found in made.items() if [a["was_cancelled"] for a in found] == [True]] == ["galaxies.jpg"]
    assert made["moose.jpg"][0]["result"] == photo("moose.jpg").result()


@pytest.fixture
def another_user(label_studio_server: LabelStudioServer) -> int:
    user = second_user(label_studio_server.url, label_studio_server.account.legacy_token)
    assert user is not None
    return user


def test_the_second_round_moves_removes_deletes_and_adds(
    label_studio: LabelStudio, project_id: int, another_user: int
) -> None:
    annotator = Annotator(label_studio, project_id, another_user)
    annotator.first_round()
    assert len(annotator.second_round()) == 4
    made = annotations(label_studio, project_id)
    assert made["stairs.jpg"] == []
    assert "rocket-lamp" not in {item["id"] for item in made["rocket.jpg"][0]["result"]}
    assert sorted(len(found) for found in made.values()) == [0, *[1] * 10, 2]
    assert another_user in {annotation["completed_by"] for annotation in made["cat.jpg"]}


def test_the_second_annotator_is_made_once(label_studio_server: LabelStudioServer, another_user: int) -> None:
    again = second_user(label_studio_server.url, label_studio_server.account.legacy_token)
    assert again == another_user
    assert SECOND_ANNOTATOR == "second.opinion@example.org"


def corners(item: dict[str, Any]) -> list[tuple[float, float]]:
    """In percent. A box turns about its top left corner, by degrees clockwise, in pixels."""
    value = item["value"]
    if "points" in value:
        return [tuple(point) for point in value["points"]]
    if "rotation" not in value:
        return []
    width, height = item["original_width"] / 100, item["original_height"] / 100
    x, y = value["x"] * width, value["y"] * height
    across, down = value["width"] * width, value["height"] * height
    cos, sin = math.cos(math.radians(value["rotation"])), math.sin(math.radians(value["rotation"]))
    pixels = [
        (x, y),
        (x + across * cos, y + across * sin),
        (x + across * cos - down * sin, y + across * sin + down * cos),
        (x - down * sin, y + down * cos),
    ]
    return [(px / width, py / height) for px, py in pixels]
