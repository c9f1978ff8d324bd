"""Writes the pages of this folder that follow from the code: `uv run python docs/generate.py`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from labeling_assets.local_aperturedb.arguments import ObjectOf, Required, unsupported
from labeling_assets.local_aperturedb.commands import COMMANDS, UNSUPPORTED
from labeling_assets.local_aperturedb.session import SESSION_COMMANDS
from labeling_assets.mapping.kind import Kind, no_way_back
from labeling_assets.mapping.kinds import KINDS
from labeling_assets.projects import Project
from labeling_assets.settings import SETTINGS_FILE, Settings

HERE = Path(__file__).parent


def settings_page() -> str:
    """docs/settings.md"""
    rows = [
        f"| `{_variable(name, field)}` | `{name}` | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return _page(
        "# Settings",
        f"From the environment, or from a file `{SETTINGS_FILE}` in the working directory; the environment wins.",
        "| variable | in the file | default | meaning |",
        rows,
    )


def projects_page() -> str:
    """docs/projects.md"""
    fields: Mapping[str, FieldInfo] = Project.model_fields
    rows = [
        f"| `{name}` | {_default(field)} | {field.description} |"
        for name, field in fields.items()
        if name not in ("slug", "folder")
    ]
    return _page(
        "# project.yaml",
        "Every key may be left out. The folder's name is the project's name in Dagster: a lower-case letter, then\n"
        "letters, digits and `_`.\n\n"
        "A project that cannot be read does not stop the others: in Dagster it has one asset, `<folder>/tasks`, whose\n"
        "description says what is wrong. It says so again when it is materialized, as the sensor `new_batches` does.\n"
        "If its file names `guid` or `columns`, new media of the batches it may want are not imported until it is\n"
        "corrected: GUIDs and types of properties are for life. Reload the code location afterwards.",
        "| key | default | meaning |",
        rows,
    )


_LOCAL_SERVER = """\
The server of `labeling-assets up` and `labeling-assets aperturedb serve`: for trying out, development and tests, no
replacement for ApertureDB. It answers the official client over TCP and TLS on one port (`--tls-cert`, `--tls-key`) and
over REST on another (`--rest-port`, http and https), in both query dialects. Its data are an SQLite database and a
folder of blobs.

Every command, parameter, operator and type that it does not have is refused by name, and nothing of that query is kept.
A message may have 256 MB (`--max-message-mb`). A connection without a query is closed after an hour
(`--idle-seconds`), and one that stops in the middle of a message after a minute. When 2,000 are open
(`--max-connections`), a new one takes the place of the one that has waited longest. On SIGTERM, queries that run are
finished and answered.

`labeling-assets aperturedb probe` shows what the server of `APERTUREDB_KEY` does differently."""


def local_server_page() -> str:
    """docs/local_aperturedb.md"""
    supported = SESSION_COMMANDS | {name: command.parameters for name, command in COMMANDS.items()}
    rows = [f"| `{name}` | {_parameters(parameters)} |" for name, parameters in supported.items()]
    rows += [f"| `{name}` | refused |" for name in sorted(UNSUPPORTED)]
    return _page(
        "# The local ApertureDB server",
        _LOCAL_SERVER,
        "| command | parameters (bold: required; crossed out: refused by name) |",
        rows,
    )


_KINDS = """\
A Label Studio annotation is a list of results. Results with the same region id become one region: the one with a form
decides what the region becomes, the others add labels, choices, texts and values to it. What was said about a region
with a form is in its properties `LS_choice`, `LS_text`, `LS_rating`, ... (the first of each) and, by control, in
`LS_attributes` (JSON). Every label, choice and node of a taxonomy, and every node above it, is an edge
`LS_region_label`. Relations between regions become connections `LS_relation`.

Where ApertureDB has a native form (BoundingBox, Polygon, Clip) and the label has a valid one, the region is that
object. Else it is an entity `LS_region` with the same properties, and `LS_reason` says why: a self-crossing polygon, a
box outside the picture, a picture whose size is not known. Coordinates in properties are exact: percent of the picture
as shown, seconds, frames from 0. `LS_type` is the type of the result, `LS_kind` what it turned out to be: box,
rotated_box, polygon, ellipse, keypoint, vector, mask, text_span, html_span, paragraph_span, audio_range,
time_series_range, video_track, timeline_range, video_range, choices, taxonomy, text, rating, number, datetime,
pairwise, ranker, or raw.

**Kinds that are not in the table**, also tomorrow's, are kept: the region is an `LS_region` with `LS_kind` = raw, its
labels (if they stand where Label Studio puts them) and `LS_reason` = "unknown kind"; its exact JSON is in the
annotation's `LS_data`, as that of all others. The same holds for a result of a known kind whose value is malformed;
`LS_reason` then names the place. `labeling-assets explain FILE.json` counts both by name, without any server.

The last column says whether what a result says about its place is in the object too, and not in the JSON alone:
`labeling-assets explain FILE.json --round-trip` makes the result again from it, compares the two, and says of how many
regions that is all they say. What goes back to Label Studio as an annotation is always made from its exact JSON."""


def kinds_page() -> str:
    """docs/kinds.md"""
    types: dict[int, list[str]] = {}
    for result_type, kind in KINDS.items():
        types.setdefault(id(kind), []).append(result_type)
    by_id = {id(kind): kind for kind in KINDS.values()}
    rows = [_kind_row(names, by_id[key]) for key, names in types.items()]
    becomes = "connection LS_relation between the two regions"
    rows.append(f"| `Relations` | `relation` | {becomes} | `LS_direction`, `LS_labels` | from the object |")
    rows.append("| any other | any other | LS_region with `LS_kind` = raw | none | from the JSON |")
    return _page(
        "# Kinds of labels",
        _KINDS,
        "| control tags | `type` of the result | becomes | properties | way back |",
        rows,
    )


def _kind_row(types: list[str], kind: Kind) -> str:
    tags = ", ".join(f"`{tag}`" for tag in kind.tags)
    properties = ", ".join(f"`{name}`" for name in kind.properties) or "none"
    back = "from the JSON" if kind.write is no_way_back else "from the object"
    return f"| {tags} | {', '.join(f'`{name}`' for name in types)} | {kind.becomes} | {properties} | {back} |"


def _parameters(parameters: Mapping[str, Any]) -> str:
    return ", ".join(_parameter(name, declared) for name, declared in parameters.items()) or "none"


def _parameter(name: str, declared: Any) -> str:
    check = declared.check if isinstance(declared, Required) else declared
    if check is unsupported:
        return f"~~`{name}`~~"
    shown = f"**`{name}`**" if isinstance(declared, Required) else f"`{name}`"
    return f"{shown} ({_parameters(check.parameters)})" if isinstance(check, ObjectOf) else shown


def _page(title: str, text: str, header: str, rows: list[str]) -> str:
    line = "|" + "---|" * (header.count("|") - 1)
    return "\n".join([title, "", text, "", header, line, *rows, ""])


def _variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"LABELING_ASSETS_{name.upper()}"


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}, ""):
        return "none"
    if value is ... or "Undefined" in repr(value):
        return "the folder's name"
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"`{shown}`"


PAGES = {
    "settings.md": settings_page,
    "projects.md": projects_page,
    "kinds.md": kinds_page,
    "local_aperturedb.md": local_server_page,
}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (HERE / page).write_text(make(), encoding="utf-8")
