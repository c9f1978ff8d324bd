"""Labeling projects: a folder with `project.yaml` and `label_config.xml` each."""

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from labeling_assets.clients.constraints import Condition, all_of, compare
from labeling_assets.errors import ConfigurationError
from labeling_assets.settings import MediaType

# Texts of a special form: a project that takes texts takes them as well.
_TEXTS: Final = ("html", "csv", "json")
_SLUG: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_CLAIM: Final = re.compile(r"claim-(?P<slug>[a-z][a-z0-9_]*)-\d{4,}\Z")
_SHAPES_MEDIA: Final = re.compile(r"\b(guid|columns)\b")
_OPERATORS: Final = ("==", "!=", "<", "<=", ">", ">=", "in", "not in")


def claimed_by(batch: str) -> str | None:
    """The slug of the project that claims into a batch of this name; None for batches of other origin."""
    match = _CLAIM.match(batch)
    return match["slug"] if match else None


def claim_name(slug: str, number: int) -> str:
    """The name of the batch of a project's claim, counted from 1."""
    return f"claim-{slug}-{number:04}"


class Project(BaseModel):
    """One labeling project, as its folder describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: str = Field(description="The folder's name; prefix of its assets in Dagster.")
    title: str = Field(min_length=1, max_length=50, description="Title of the project in Label Studio.")
    folder: Path = Field(description="The folder.")
    media_types: tuple[MediaType, ...] = Field(
        ("image",),
        description="Media of these types become tasks: image, video, audio, text (every text: also html, csv, json), "
        "html, pdf, csv (tables, time series), json, other.",
    )
    batches: tuple[str, ...] = Field(("*",), description="Shell patterns of the batches that are the project's.")
    query: tuple[tuple[str, str, Any], ...] = Field(
        (),
        description="[property, operator, value] conditions; media that ApertureDB holds and match are claimed.",
    )
    data: dict[str, str] = Field(
        default_factory=dict,
        description="Variable of the label configuration -> link (to the medium), text (its characters), html (a page "
        "that shows it), items (a list in JSON), rows or series (of CSV or JSON), or column:<name> of the manifest. "
        "What is left out follows from the tag.",
    )
    guid: str = Field("content", description="Where GUIDs come from: content, minted, property, column:<name>.")
    columns: dict[str, Literal["text", "number", "boolean"]] = Field(
        default_factory=dict, description="Types of manifest columns that are not text."
    )
    annotators: int = Field(1, ge=1, le=100, description="People who label each task (overlap).")
    label_config_changes: Literal["refuse", "allow"] = Field(
        "refuse", description="Whether a change that drops labels in use may be applied."
    )
    allow_deletions: bool = Field(
        False,
        description="Whether what people delete in Label Studio is deleted in ApertureDB, too, with all its earlier "
        "versions, instead of becoming a tombstone.",
    )
    allow_label_edits: bool = Field(
        True, description="Whether edits in Label Studio of labels that were pushed from ApertureDB are taken over."
    )
    max_deleted_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="A sync that would take away more than this part of a batch's annotations or tasks, and more than "
        "10, stops and says so; 1 is no limit.",
    )
    unexpected: Literal["ignore", "keep", "fail"] = Field(
        "ignore",
        description="What to do about tasks in the Label Studio project that show no medium of ApertureDB: count them, "
        "keep their JSON in ApertureDB, or let the sync fail after it has brought everything else.",
    )
    poll_seconds: int = Field(15, ge=5, description="How often the sensors look.")
    min_interval_seconds: int = Field(
        5,
        ge=0,
        description="Quiet time before changed annotations are fetched; with webhooks the time between two syncs of a "
        "batch. A sync takes Dagster some 4 seconds of a processor.",
    )
    max_lag_seconds: int = Field(15, ge=0, description="Fetch changed annotations after this time in any case.")
    reconcile_cron: str = Field("0 3 * * *", description="When everything is compared in full, in UTC.")

    @field_validator("slug")
    @classmethod
    def _slug(cls, value: str) -> str:
        if not _SLUG.match(value):
            raise ValueError(
                f"the folder name {value!r} cannot be a project: use a lower-case letter, then letters, digits, '_'"
            )
        return value

    @field_validator("query")
    @classmethod
    def _query(cls, value: tuple[tuple[str, str, Any], ...]) -> tuple[tuple[str, str, Any], ...]:
        for key, operator, _ in value:
            if operator not in _OPERATORS:
                raise ValueError(f"unknown operator {operator!r} for {key!r}; use one of {', '.join(_OPERATORS)}")
        return value

    @field_validator("guid")
    @classmethod
    def _guid(cls, value: str) -> str:
        if value not in ("content", "minted", "property") and not value.startswith("column:"):
            raise ValueError(f"{value!r} is none of content, minted, property, column:<name>")
        return value

    @property
    def state(self) -> str:
        """The property of a medium that says how far it is in this project."""
        return f"LS_state_{self.slug}"

    @property
    def taken_types(self) -> tuple[str, ...]:
        """The types of media that become tasks; with text also those of its special forms."""
        return tuple(dict.fromkeys((*self.media_types, *(_TEXTS if "text" in self.media_types else ()))))

    def wants(self, batch: str) -> bool:
        """Whether a batch is this project's; a claimed one is that of the project that claimed it, and of no other."""
        owner = claimed_by(batch)
        if owner is not None:
            return owner == self.slug
        return any(fnmatch.fnmatchcase(batch, pattern) for pattern in self.batches)

    def condition(self) -> Condition | None:
        """The `query` as a condition, or None if the project claims nothing from ApertureDB."""
        if not self.query:
            return None
        return all_of(
            *(compare(k, op, tuple(v) if isinstance(v, list) else v) for k, op, v in self.query)  # type: ignore[arg-type]  # operators were checked
        )

    def label_config(self) -> str:
        """The label configuration as it stands in the folder now.

        Raises:
            ConfigurationError: the file is missing.
        """
        path = self.folder / "label_config.xml"
        if not path.exists():
            raise ConfigurationError(f"{path} is missing: put the project's Label Studio configuration there.")
        return path.read_text(encoding="utf-8")


def load_project(folder: Path) -> Project:
    """Read one folder.

    Raises:
        ConfigurationError: `project.yaml` is missing, not YAML, or holds something it may not; names file and field.
    """
    path = folder / "project.yaml"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(values, dict):
            raise ConfigurationError(f"{path} must hold names and values, not {type(values).__name__}.")
        own = {"slug", "folder"} & values.keys()
        if own:
            raise ConfigurationError(f"{path} is wrong: {own.pop()} follows from the folder's name; remove it.")
        return Project.model_validate({"title": folder.name, **values, "slug": folder.name, "folder": folder})
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing; an empty file is enough.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from error
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise ConfigurationError(f"{path} is wrong: {problems}.") from error


def load_projects(folder: Path) -> list[Project]:
    """Every labeling project below `folder`, by name; hidden folders are left out.

    Raises:
        ConfigurationError: one of them is broken; see `load_project`.
    """
    return [load_project(path) for path in _folders(folder)]


@dataclass(frozen=True, slots=True)
class BrokenProject:
    """A folder that cannot be read as a labeling project, and why. It must not hold up the others."""

    folder: Path
    error: str

    @property
    def name(self) -> str:
        """The folder's name as printable text; it may be no slug."""
        return self.folder.name.encode("utf-8", "backslashreplace").decode()

    def may_shape(self, batch: str) -> bool:
        """Whether media of this batch might be given other GUIDs or properties if the project were not broken.

        Both are for life, so such media have to wait. A file that names neither `guid` nor `columns` changes nothing.
        """
        owner = claimed_by(batch)
        text = self._text()
        if (owner is not None and owner != self.folder.name) or not _SHAPES_MEDIA.search(text):
            return False
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError:
            return True
        patterns = values.get("batches", ["*"]) if isinstance(values, dict) else ["*"]
        if owner is not None or not isinstance(patterns, list):
            return True
        return any(fnmatch.fnmatchcase(batch, str(pattern)) for pattern in patterns)

    def _text(self) -> str:
        try:
            return (self.folder / "project.yaml").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""


def readable_projects(folder: Path) -> tuple[list[Project], list[BrokenProject]]:
    """Every labeling project below `folder` that can be read, by name, and those that cannot."""
    projects: list[Project] = []
    broken: list[BrokenProject] = []
    for path in _folders(folder):
        try:
            projects.append(load_project(path))
        except ConfigurationError as error:
            broken.append(BrokenProject(path, str(error)))
    return projects, broken


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
