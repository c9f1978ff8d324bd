"""What users read is true: every command, asset, setting and column is documented."""

import importlib.util
import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from labeling_assets.cli import main
from labeling_assets.mapping.kinds import KINDS
from labeling_assets.sync.build_dataset import columns

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["settings.md", "projects.md", "kinds.md", "local_aperturedb.md"])
def test_generated_pages_are_up_to_date(page: str) -> None:
    """`uv run python docs/generate.py` writes them."""
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == _generator().PAGES[page]()


def test_every_kind_says_what_it_becomes() -> None:
    page = (ROOT / "docs" / "kinds.md").read_text(encoding="utf-8")
    assert [name for name in KINDS if f"`{name}`" not in page] == []
    assert [name for name, kind in KINDS.items() if not kind.tags or not kind.becomes] == []


def test_every_kind_of_region_is_named() -> None:
    page = (ROOT / "docs" / "kinds.md").read_text(encoding="utf-8")
    pairs = (ROOT / "labeling_assets_tests" / "data" / "mapping").glob("*/*.aperturedb.json")
    regions = [region for pair in pairs for region in json.loads(pair.read_text(encoding="utf-8"))["regions"]]
    kinds = {region["properties"]["LS_kind"] for region in regions}
    assert len(kinds) >= 20
    assert [kind for kind in kinds if not re.search(rf"\b{kind}\b", page)] == []


def _commands() -> list[str]:
    found = []
    for name, command in main.commands.items():
        below = getattr(command, "commands", {})
        found += [f"{name} {sub}" for sub in below] or [name]
    return found


@pytest.mark.parametrize("command", _commands())
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"`labeling-assets {command}" in README


def _typed() -> list[str]:
    """Every command in docs/links.md, in its blocks or in a sentence."""
    page = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"(?:^|`)(labeling-assets [^\n`]+)", page, re.MULTILINE)))


@pytest.mark.parametrize("line", _typed())
def test_what_people_are_told_to_type_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    assert command.make_context("labeling-assets", words).command is command


@pytest.mark.parametrize("asset", ["media", "tasks", "annotations", "dataset"])
def test_every_asset_is_in_the_readme(asset: str) -> None:
    assert f"{asset}[batch]" in README


def test_every_dataset_column_is_documented() -> None:
    page = (ROOT / "docs" / "dataset.md").read_text(encoding="utf-8")
    assert [name for name in columns() if f"`{name}`" not in page] == []


def test_links_between_pages_exist() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8"))]
    assert [str(link) for page, link in links if not (page.parent / link).exists()] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "\nuv run pytest -n auto\n" in README
    assert "\nuv run pytest -n auto\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_version_is_pinned() -> None:
    """Each direct dependency has an exact version among the constraints."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pinned = {re.split(r"[=\[;]", line)[0].lower() for line in config["tool"]["uv"]["constraint-dependencies"]}
    wanted = config["project"]["dependencies"] + config["dependency-groups"]["dev"]
    assert [name for name in (re.split(r"[><=\[;]", line)[0].lower() for line in wanted) if name not in pinned] == []
