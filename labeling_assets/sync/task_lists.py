"""Task lists: the tasks that publishing would make, as a file that a person imports into Label Studio.

The next publishing of the batch finds what was imported, by GUID or by link, and makes nothing of it again. A list is
a list of capabilities: whoever has it can open its media.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Final, Literal, get_args

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import Condition, all_of, any_of, equal, missing, one_of
from labeling_assets.errors import InputError
from labeling_assets.mapping.label_config import LabelConfig
from labeling_assets.media_urls import MediaLinks
from labeling_assets.projects import Project
from labeling_assets.sync.media_store import Medium, media_of_batch
from labeling_assets.sync.publish_tasks import read_bytes
from labeling_assets.sync.report import Note
from labeling_assets.sync.task_data import RESERVED, TaskData, data_sources, needed_properties

Format = Literal["json", "csv", "txt"]
_InBatch = tuple[str, Medium]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
MEDIA_TYPES: Final[dict[Format, str]] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
# Names of batches and GUIDs that pandas, with which Label Studio reads CSV, takes for a number, a truth value, nothing.
_NO_TEXT: Final = re.compile(
    r"-?(\d+\.?\d*|\.\d+)(e-?\d+)?|-?inf(inity)?|-?nan|true|false|na|null|none", re.IGNORECASE | re.ASCII
)


@dataclass(slots=True)
class ListReport:
    """What a list holds; `left_out` are media that cannot become tasks, and why."""

    tasks: int = 0
    left_out: list[Note] = field(default_factory=list)


class TaskList:
    """The tasks of one labeling project as files. The same state of ApertureDB gives the same bytes.

    Raises:
        ConfigurationError: its label configuration or `data` mapping is wrong.
    """

    def __init__(self, db: ApertureDB, project: Project, links: MediaLinks) -> None:
        self._db, self._project = db, project
        self._sources = data_sources(project, LabelConfig.parse(project.label_config()))
        own = links.for_project(project.slug)
        self._data = TaskData(self._sources, own, lambda medium: read_bytes(db, medium))

    def write(self, file: IO[bytes], form: Format, *, batch: str | None = None, everything: bool = False) -> ListReport:
        """Write the tasks of a batch, or of all batches of the project.

        Args:
            file: Gets the list.
            form: json, csv or txt.
            batch: Only this one.
            everything: Also media that have their task already, or had one.

        Raises:
            InputError: there is no such batch, the project does not take it, or the form cannot hold such tasks.
        """
        report = ListReport()
        batches = self._batches(batch)
        condition = self._condition(everything=everything)
        if form == "txt":
            self._refuse_txt()
            _write_txt(file, self._tasks(batches, condition, report), *self._sources)
        elif form == "csv":
            columns = self._columns(batches, condition)
            _write_csv(file, self._tasks(batches, condition, report), columns)
        else:
            _write_json(file, self._tasks(batches, condition, report))
        return report

    def _batches(self, batch: str | None) -> list[str]:
        known = None if batch is None else equal(names.KEY, batch)
        rows = self._db.find("FindEntity", known, class_name=names.BATCH, properties=[names.KEY])
        found = sorted(str(row[names.KEY]) for row in rows)
        if batch is not None and not found:
            raise InputError(f"There is no batch {batch!r} in ApertureDB.")
        wanted = [name for name in found if self._project.wants(name)]
        if batch is not None and not wanted:
            raise InputError(
                f"Batch {batch!r} is none of {self._project.slug!r}: its project.yaml takes "
                f"{', '.join(self._project.batches)}."
            )
        return wanted

    def _condition(self, *, everything: bool) -> Condition:
        parts = [one_of("LS_media_type", self._project.taken_types), missing("LS_duplicate_of")]
        if not everything:
            # As publishing takes them: media that came before the project have no mark of it.
            state = self._project.state
            return all_of(*parts, any_of(equal(state, "new"), missing(state)))
        return all_of(*parts)

    def _media(self, batches: Sequence[str], condition: Condition, properties: Sequence[str]) -> Iterator[_InBatch]:
        """Each medium once, with the first batch that it is in; within a batch in the order of its rows."""
        seen: set[str] = set()
        for batch in batches:
            media = list(media_of_batch(self._db, batch, condition=condition, properties=properties))
            rows = _rows(self._db, batch) if media else {}
            for medium in sorted(media, key=lambda medium: (rows.get(medium.guid, 0), medium.guid)):
                if medium.guid not in seen:
                    seen.add(medium.guid)
                    yield batch, medium

    def _tasks(self, batches: Sequence[str], condition: Condition, report: ListReport) -> Iterator[dict[str, Any]]:
        properties = needed_properties(self._data, self._project.state)
        for batch, medium in self._media(batches, condition, properties):
            try:
                data = self._data.build(medium, batch)
            except InputError as error:
                report.left_out.append(Note(medium.guid, str(error)))
                continue
            report.tasks += 1
            yield data

    def _refuse_txt(self) -> None:
        if [*self._sources.values()] != ["link"]:
            named = ", ".join(f"${variable} ({source})" for variable, source in self._sources.items())
            raise InputError(
                f"A list of links holds one link a task, and the label configuration of {self._project.slug!r} needs "
                f"{named}: use json or csv."
            )

    def _columns(self, batches: Sequence[str], condition: Condition) -> list[str]:
        """Columns of the CSV. Without those of ours where Label Studio would read a number: the link is enough then."""
        nested = [v for v, source in self._sources.items() if source in ("items", "rows", "series")]
        if nested:
            raise InputError(f"A CSV cannot hold the lists that ${', $'.join(nested)} needs: use json.")
        media = self._media(batches, condition, (names.GUID,))
        if not any(_NO_TEXT.fullmatch(text) for batch, medium in media for text in (batch, medium.guid)):
            return [*RESERVED, *self._sources]
        if "link" not in self._sources.values():
            raise InputError(
                "Label Studio would read the GUIDs or the name of the batch in a CSV as numbers, and the tasks have no "
                "link that tells which medium they show: use json."
            )
        return [*self._sources]


def _rows(db: ApertureDB, batch: str) -> dict[str, int]:
    """GUID -> the first row of the batch that brought the medium."""
    found = db.find(
        "FindConnection", equal("LS_batch", batch), class_name=names.BATCH_MEDIA, properties=[names.KEY, "LS_row"]
    )
    rows: dict[str, int] = {}
    for edge in found:
        guid, number = str(edge[names.KEY]).split("|", 2)[1], int(edge["LS_row"] or 0)
        rows[guid] = min(number, rows.get(guid, number))
    return rows


def _write_json(file: IO[bytes], tasks: Iterator[Mapping[str, Any]]) -> None:
    file.write(b"[")
    for number, data in enumerate(tasks):
        file.write(b",\n" if number else b"\n")
        file.write(json.dumps({"data": data}, ensure_ascii=False, allow_nan=False).encode())
    file.write(b"\n]\n")


def _write_csv(file: IO[bytes], tasks: Iterator[Mapping[str, Any]], columns: Sequence[str]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for data in tasks:
        writer.writerow([data[column] for column in columns])
    text.flush()
    text.detach()  # or the file would be closed with it


def _write_txt(file: IO[bytes], tasks: Iterator[Mapping[str, Any]], variable: str) -> None:
    for data in tasks:
        file.write(f"{data[variable]}\n".encode())
