"""Every example is a labeling project that works as it stands."""

from pathlib import Path

import pytest

from labeling_assets.clients.label_studio import LabelStudio
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.projects import load_project, load_projects
from labeling_assets.sync.task_data import data_sources

PROJECTS = Path(__file__).parent.parent / "examples" / "projects"
SOURCES = {
    "street_scenes": {"camera": "column:camera", "image": "link"},
    "calls": {"audio": "link"},
    "reviews": {"text": "text"},
    "clips": {"video": "link"},
}


def test_every_example_is_tested() -> None:
    assert [project.slug for project in load_projects(PROJECTS)] == sorted(SOURCES)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_variables_get_their_values(name: str) -> None:
    project = load_project(PROJECTS / name)
    assert data_sources(project, LabelConfig.parse(project.label_config())) == SOURCES[name]


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_label_studio_takes_the_configuration(label_studio: LabelStudio, name: str) -> None:
    label_studio.validate_label_config(load_project(PROJECTS / name).label_config())


def test_every_example_is_in_the_list() -> None:
    page = (PROJECTS.parent / "README.md").read_text(encoding="utf-8")
    assert [name for name in SOURCES if f"(projects/{name})" not in page] == []
