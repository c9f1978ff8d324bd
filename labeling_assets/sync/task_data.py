"""What stands in a task's `data`: the GUID, the batch, and a value for each variable of the label configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from labeling_assets import names
from labeling_assets.errors import ConfigurationError, InputError
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import Project
from labeling_assets.sync.media_store import Medium

RESERVED: Final = ("guid", "import_batch")
# How much text may stand in a task; longer texts belong behind a link (valueType="url").
_TEXT_LIMIT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class TaskData:
    """Builds the data of tasks.

    Args:
        sources: Variable -> link, text, or column:<name>.
        links: Makes the media links.
        read_text: GUID -> bytes of a text medium.
    """

    sources: Mapping[str, str]
    links: MediaLinks
    read_text: Callable[[Medium], bytes]

    @property
    def columns(self) -> tuple[str, ...]:
        """Properties of the medium that the data needs."""
        return tuple(s.removeprefix("column:") for s in self.sources.values() if s.startswith("column:"))

    def build(self, medium: Medium, batch: str) -> dict[str, Any]:
        """The data of the task of a medium.

        Raises:
            InputError: the medium lacks a column that a variable needs, or is no text.
        """
        data: dict[str, Any] = {"guid": medium.guid, "import_batch": batch}
        for variable, source in self.sources.items():
            data[variable] = self._value(medium, variable, source)
        return data

    def _value(self, medium: Medium, variable: str, source: str) -> Any:
        if source == "link":
            return self.links.link(medium.guid)
        if source == "text":
            return self._text(medium)
        column = source.removeprefix("column:")
        value = medium.properties.get(column)
        if value is None:
            raise InputError(
                f"the medium has no {column!r}, which the variable ${variable} of the label configuration needs: "
                "fill the column in the manifest and hand the batch in again."
            )
        return value

    def _text(self, medium: Medium) -> str:
        data = self.read_text(medium)
        if len(data) > _TEXT_LIMIT:
            raise InputError(f'the text has {len(data):,} bytes; use valueType="url" for more than {_TEXT_LIMIT:,}.')
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"the text is not UTF-8 (byte {error.start}): save it as UTF-8.") from error


def data_sources(project: Project, config: LabelConfig) -> dict[str, str]:
    """Variable of the label configuration -> where its value comes from.

    What `data` in project.yaml does not say follows from the tag: one that takes an address gets the link, one that
    takes text gets the text if texts are media of the project, and every other variable gets the manifest column of
    its name.

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
        if source not in ("link", "text") and not source.startswith("column:"):
            raise ConfigurationError(
                f"project.yaml of {project.slug!r}: data of {variable!r} is {source!r}; use link, text, column:<name>."
            )
    return sources


def _default(project: Project, config: LabelConfig, variable: str) -> str:
    values = {shown.value_type for shown in config.objects if shown.variables[:1] == (variable,)}
    if "url" in values:
        return "link"
    if "text" in values and "text" in project.media_types:
        return "text"
    return f"column:{variable}"


def needed_properties(data: TaskData, state: str) -> tuple[str, ...]:
    """What has to be read of each medium to build its task."""
    return (names.GUID, "LS_media_type", "LS_duplicate_of", state, *data.columns)
