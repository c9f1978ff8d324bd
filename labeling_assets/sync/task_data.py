"""What stands in a task's `data`: the GUID, the batch, and a value for each variable of the label configuration."""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets import names
from labeling_assets.errors import ConfigurationError, InputError
from labeling_assets.mapping.label_config import LabelConfig, ObjectTag
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import Project
from labeling_assets.sync.media_store import Medium
from labeling_assets.sync.task_tables import json_items, series_columns, table_rows

RESERVED: Final = ("guid", "import_batch")
# How much text may stand in a task; longer texts belong behind a link (valueType="url").
_TEXT_LIMIT: Final = 1_000_000
_ADDRESS: Final = "url"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SOURCES: Final = ("link", "text", "html", "items", "rows", "series")
# Tag, lower case, and what its valueType begins with -> what it takes, and from media of which types that is made.
_CONTENTS: Final[dict[tuple[str, str], tuple[str, frozenset[str]]]] = {
    ("text", "text"): ("text", frozenset({"text", "html", "csv", "json"})),
    ("hypertext", "text"): ("html", frozenset({"text", "html", "pdf"})),
    ("paragraphs", "json"): ("items", frozenset({"json"})),
    ("list", "json"): ("items", frozenset({"json"})),
    ("chat", "json"): ("items", frozenset({"json"})),
    ("table", "json"): ("rows", frozenset({"csv", "json"})),
    ("table", "csv"): ("text", frozenset({"csv", "text"})),
    ("timeseries", "json"): ("series", frozenset({"csv", "json"})),
}
# How HTML shows media that are no HTML. Label Studio takes scripts and frames out of it, but leaves these.
_ELEMENTS: Final = {
    "image": '<img src="{}" style="max-width: 100%">',
    "video": '<video src="{}" controls style="max-width: 100%"></video>',
    "audio": '<audio src="{}" controls></audio>',
    "pdf": '<embed src="{}" type="application/pdf" width="100%" height="600px">',
}


@dataclass(frozen=True, slots=True)
class TaskData:
    """Builds the data of tasks.

    Args:
        sources: Variable -> link, text, html, items, rows, series, or column:<name>.
        links: Makes the media links.
        read_text: Medium -> its bytes.
    """

    sources: Mapping[str, str]
    links: MediaLinks
    read_text: Callable[[Medium], bytes]

    @property
    def columns(self) -> tuple[str, ...]:
        """Properties of the medium that the data needs."""
        columns = tuple(s.removeprefix("column:") for s in self.sources.values() if s.startswith("column:"))
        return (*columns, "LS_source_uri") if _ADDRESS in columns else columns

    def build(self, medium: Medium, batch: str) -> dict[str, Any]:
        """The data of the task of a medium.

        Raises:
            InputError: the medium lacks a column that a variable needs, or is not of the form that its tag takes.
        """
        data: dict[str, Any] = {"guid": medium.guid, "import_batch": batch}
        for variable, source in self.sources.items():
            data[variable] = self._value(medium, variable, source)
        return data

    def _value(self, medium: Medium, variable: str, source: str) -> Any:
        if source == "link":
            return self.links.link(medium.guid)
        if source in _SOURCES:
            return self._content(medium, source)
        column = source.removeprefix("column:")
        value = medium.properties.get(column)
        if value is None and column == _ADDRESS:
            value = _address(medium)
        if value is None:
            raise InputError(
                f"the medium has no {column!r}, which the variable ${variable} of the label configuration needs: "
                "fill the column in the manifest and hand the batch in again."
            )
        return value

    def _content(self, medium: Medium, source: str) -> Any:
        media_type = str(medium.properties.get("LS_media_type"))
        if source == "html" and media_type in _ELEMENTS:
            return _ELEMENTS[media_type].format(html.escape(self.links.link(medium.guid)))
        data = self.read_text(medium)
        if len(data) > _TEXT_LIMIT:
            raise InputError(f'the text has {len(data):,} bytes; use valueType="url" for more than {_TEXT_LIMIT:,}.')
        if source == "items":
            return json_items(data)
        if source == "rows":
            return table_rows(data, media_type)
        return series_columns(data, media_type) if source == "series" else _text(data)


def _address(medium: Medium) -> str | None:
    """Where the medium was fetched from: the manifest's column `url` is kept as this, without what gives access."""
    source = str(medium.properties.get("LS_source_uri") or "")
    return source if _SCHEME.match(source) else None


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"the text is not UTF-8 (byte {error.start}): save it as UTF-8.") from error


def data_sources(project: Project, config: LabelConfig) -> dict[str, str]:
    """Variable of the label configuration -> where its value comes from.

    What `data` in project.yaml does not say follows from the tag: one that takes an address gets the link, one that
    takes text, rows or a time series gets those if such media are the project's, and every other variable gets the
    manifest column of its name.

    Raises:
        ConfigurationError: a source that does not exist, or a variable named like our own keys.
    """
    clash = [variable for variable in config.variables if variable in RESERVED]
    if clash:
        raise ConfigurationError(
            f"The label configuration of {project.slug!r} uses ${clash[0]}, which is filled for every task: rename it."
        )
    unknown = sorted(set(project.data) - set(config.variables))
    if unknown:
        raise ConfigurationError(
            f"project.yaml of {project.slug!r} gives data for {', '.join(unknown)}, but the label configuration has "
            f"only {', '.join(config.variables)}."
        )
    sources = {
        variable: project.data.get(variable) or _default(project, config, variable) for variable in config.variables
    }
    for variable, source in sources.items():
        if source not in _SOURCES and not source.startswith("column:"):
            raise ConfigurationError(
                f"project.yaml of {project.slug!r}: data of {variable!r} is {source!r}; "
                f"use {', '.join(_SOURCES)}, column:<name>."
            )
    return sources


def _default(project: Project, config: LabelConfig, variable: str) -> str:
    shown = [_taken(tag, project) for tag in config.objects if tag.variables[:1] == (variable,)]
    if "link" in shown:
        return "link"
    return next((source for source in shown if source), f"column:{variable}")


def _taken(tag: ObjectTag, project: Project) -> str | None:
    """What a tag takes of the project's media; None if they are not what it shows."""
    name, (kind, *options) = tag.tag.lower(), re.split(r"\W", tag.value_type)
    # Only a Table has options, and `url` is one of them: valueType="csv|url|separator=;".
    if "url" in options or (kind == "url" and name != "table"):
        return "link"
    source, media_types = _CONTENTS.get((name, kind), (None, frozenset()))
    return source if media_types.intersection(project.media_types) else None


def needed_properties(data: TaskData, state: str) -> tuple[str, ...]:
    """What has to be read of each medium to build its task."""
    return (names.GUID, "LS_media_type", "LS_duplicate_of", "LS_fps", state, *data.columns)
