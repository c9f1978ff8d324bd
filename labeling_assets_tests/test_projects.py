"""A labeling project is a folder; what is wrong in it is named with file and field."""

from pathlib import Path

import pytest

from labeling_assets.clients.constraints import Dialect
from labeling_assets.errors import ConfigurationError
from labeling_assets.projects import BrokenProject, Project, claim_name, load_project, load_projects, readable_projects


def project(tmp_path: Path, yaml: str = "", slug: str = "cars") -> Project:
    folder = tmp_path / slug
    folder.mkdir()
    (folder / "project.yaml").write_text(yaml)
    return load_project(folder)


def test_an_empty_file_is_enough(tmp_path: Path):
    cars = project(tmp_path)
    assert (cars.slug, cars.title, cars.media_types, cars.guid) == ("cars", "cars", ("image",), "content")
    assert (cars.state, cars.condition()) == ("LS_state_cars", None)


def test_a_folder_without_the_file_says_so(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"project\.yaml is missing; an empty file is enough"):
        load_project(tmp_path)


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("title: [", r"project\.yaml is not YAML"),
        ("- a", "must hold names and values, not list"),
        ("titel: x", "titel: Extra inputs are not permitted"),
        ("title: ''", "title: String should have at least 1 character"),
        ("media_types: [image, film]", r"media_types\.1: Input should be 'image', 'video'"),
        ("guid: path", "'path' is none of content, minted, property, column:<name>"),
        ("query: [[shop, like, Bern]]", "unknown operator 'like' for 'shop'; use one of ==, !="),
        ("annotators: 0", "annotators: Input should be greater than or equal to 1"),
        ("columns: {price: money}", r"columns\.price: Input should be 'text', 'number' or 'boolean'"),
        ("label_config_changes: maybe", "label_config_changes: Input should be 'refuse' or 'allow'"),
        ("slug: other", "slug follows from the folder's name; remove it"),
        ("1: x", "1: Keys should be strings"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_field(tmp_path: Path, yaml: str, message: str):
    with pytest.raises(ConfigurationError, match=message) as refused:
        project(tmp_path, yaml)
    assert str(tmp_path / "cars" / "project.yaml") in str(refused.value)


@pytest.mark.parametrize("slug", ["Cars", "1cars", "my-cars", "x" * 41])
def test_a_folder_whose_name_cannot_be_a_project_is_refused(tmp_path: Path, slug: str):
    with pytest.raises(ConfigurationError, match="cannot be a project: use a lower-case letter"):
        project(tmp_path, slug=slug)


def test_a_project_wants_batches_by_patterns(tmp_path: Path):
    cars = project(tmp_path, "batches: ['2026-*', may]")
    wanted = [batch for batch in ("2026-05", "may", "May", "2025-05") if cars.wants(batch)]
    assert wanted == ["2026-05", "may"]


def test_a_project_wants_what_it_claimed_whatever_its_patterns(tmp_path: Path):
    cars = project(tmp_path, "batches: [may]")
    batches = (claim_name("cars", 1), claim_name("dogs", 1), "claim-cars-1", "claim-cars-x")
    assert [batch for batch in batches if cars.wants(batch)] == ["claim-cars-0001"]


def test_a_query_is_a_condition(tmp_path: Path):
    cars = project(tmp_path, 'query: [[shop, "in", [Bern, Basel]], [price, ">=", 3]]')
    condition = cars.condition()
    assert condition is not None
    assert condition.render(Dialect.LEGACY) == {"shop": ["in", ["Bern", "Basel"]], "price": [">=", 3]}


def test_the_label_configuration_is_read_as_it_is_now(tmp_path: Path):
    cars = project(tmp_path)
    (cars.folder / "label_config.xml").write_text("<View>ü</View>", encoding="utf-8")
    assert cars.label_config() == "<View>ü</View>"


def test_a_missing_label_configuration_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"label_config\.xml is missing: put the project's"):
        project(tmp_path).label_config()


def test_projects_are_loaded_by_name_without_hidden_folders(tmp_path: Path):
    for slug in ("dogs", "cars"):
        project(tmp_path, slug=slug)
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.txt").write_text("")
    assert [found.slug for found in load_projects(tmp_path)] == ["cars", "dogs"]


def test_without_a_folder_there_are_no_projects(tmp_path: Path):
    assert load_projects(tmp_path / "none") == []


def broken(tmp_path: Path, yaml: str, slug: str = "dogs") -> BrokenProject:
    (tmp_path / slug).mkdir()
    (tmp_path / slug / "project.yaml").write_text(yaml)
    (found,) = readable_projects(tmp_path)[1]
    return found


def test_a_broken_project_does_not_hide_the_others(tmp_path: Path):
    cars = project(tmp_path)
    dogs = broken(tmp_path, "titel: x")
    assert readable_projects(tmp_path) == ([cars], [dogs])
    assert (dogs.name, "titel: Extra inputs are not permitted" in dogs.error) == ("dogs", True)


def test_loading_all_of_them_names_the_broken_one(tmp_path: Path):
    project(tmp_path)
    broken(tmp_path, "titel: x")
    with pytest.raises(ConfigurationError, match="titel: Extra inputs"):
        load_projects(tmp_path)


def test_a_file_that_is_no_text_is_a_broken_project(tmp_path: Path):
    (tmp_path / "dogs").mkdir()
    (tmp_path / "dogs" / "project.yaml").write_bytes(b"title: \xff")
    assert "cannot be read" in readable_projects(tmp_path)[1][0].error


@pytest.mark.parametrize(
    ("yaml", "batch", "shapes"),
    [
        ("colour: red", "May", False),
        ("title: [", "May", False),
        ("colour: red\nguid: column:id", "May", True),
        ("colour: red\ncolumns: {price: number}", "May", True),
        ("guid: filename", "May", True),
        ("title: [\nguid: column:id", "May", True),
        ("guid: column:id\nbatches: [street-*]\ncolour: red", "May", False),
        ("guid: column:id\nbatches: [street-*]\ncolour: red", "street-1", True),
        ("guid: column:id\nbatches: street-*", "May", True),
        ("guid: column:id\nbatches: [May]\ncolour: red", "claim-dogs-0001", True),
        ("guid: column:id\ncolour: red", "claim-cars-0001", False),
    ],
)
def test_a_broken_project_may_shape_media_only_if_it_says_how(tmp_path: Path, yaml: str, batch: str, shapes: bool):
    assert broken(tmp_path, yaml).may_shape(batch) is shapes
