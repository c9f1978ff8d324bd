"""The rows of a batch in the inbox: a folder of files, a folder with a manifest, or a manifest alone."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from labeling_assets.errors import InputError

READY: Final = "_READY"
MANIFEST: Final = "manifest.csv"
_BATCH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_PROPERTY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_USER: Final = re.compile(r"(?<=//)[^/?#]*@")
# Names of parameters that give access, of S3, Google, Azure, CloudFront and those that people invent.
_SECRET: Final = re.compile(
    r"x-amz-.*|x-goog-.*|awsaccesskeyid|googleaccessid|signature|expires|policy|key-pair-id"
    r"|sig|se|st|ske|skt|sks|skv|skoid|sktid"
    r"|.*token|.*key|.*secret|.*password|.*credentials?|auth|authorization|hmac",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One medium that was handed in; `number` counts from 1.

    Exactly one of `path` and `url` is set, or none where `problem` says why the row cannot be used. `source` is the
    path or the URL as it may be shown and kept: without what gives access.
    """

    number: int
    source: str
    path: Path | None = None
    url: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def subject(self) -> str:
        """How reports name the row."""
        return f"row {self.number} ({self.source})"


def shown_url(url: str) -> str:
    """`url` without user, password and signature: for reports, and the same however often it is signed again."""
    address, _, rest = url.partition("?")
    query, mark, fragment = rest.partition("#")
    kept = "&".join(part for part in query.split("&") if not _SECRET.fullmatch(unquote(part.partition("=")[0])))
    return _USER.sub("", address, count=1) + (f"?{kept}" if kept else "") + mark + fragment


def checked_batch(name: str) -> str:
    """`name`, if it can be a batch and so a partition key.

    Raises:
        InputError: it can not. Dagster itself accepts anything and breaks later on `|`, `,` and `...`.
    """
    if not _BATCH.match(name) or ".." in name:
        raise InputError(
            f"{name!r} cannot be the name of a batch: use 1 to 100 letters, digits, '.', '_', '-', "
            "begin with a letter or digit, no '..'. Rename the folder or file in the inbox."
        )
    return name


def batch_source(inbox: Path, batch: str) -> Path | None:
    """The folder or CSV file of a batch, or None if the inbox holds neither.

    Raises:
        InputError: it holds both, so it is not clear which is meant.
    """
    folder, manifest = inbox / batch, inbox / f"{batch}.csv"
    if folder.is_dir() and manifest.is_file():
        raise InputError(f"The inbox holds both {folder}/ and {manifest}: move one of them away or rename it.")
    return folder if folder.is_dir() else manifest if manifest.is_file() else None


def read_rows(source: Path) -> list[Row]:
    """All rows of a folder or a manifest; files in the order of their names.

    Raises:
        InputError: the folder is empty, or the manifest cannot be read; says what is missing.
    """
    if source.is_dir():
        if (source / MANIFEST).is_file():
            return read_manifest(source / MANIFEST)
        files = sorted(path for path in source.rglob("*") if path.is_file() and not _hidden(path, source))
        if not files:
            raise InputError(f"{source} is empty: put media files or a {MANIFEST} into it, or remove it.")
        return [Row(n, str(path.relative_to(source)), path=path) for n, path in enumerate(files, start=1)]
    return read_manifest(source)


def read_manifest(path: Path) -> list[Row]:
    """The rows of a CSV file with a column `path` or `url`; further columns are metadata, as text.

    A row that cannot be used has a `problem`: it must not stop the others.

    Raises:
        InputError: no such column, no rows, a column that cannot be a property, not CSV or not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = list(reader.fieldnames or [])
            records = list(reader)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8.") from error
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV file: {error}.") from error
    _check_header(path, header)
    if not records:
        raise InputError(f"{path} has a header but no rows: add one row a medium, or remove the file.")
    return [_row(path, number, record) for number, record in enumerate(records, start=1)]


def _check_header(path: Path, header: list[str]) -> None:
    named = ", ".join(header) or "none"
    if not {"path", "url"} & set(header):
        raise InputError(f"{path} has no column 'path' or 'url' (its columns: {named}): name the column of the media.")
    if len(set(header)) != len(header):
        raise InputError(f"{path} has two columns of one name (its columns: {named}): rename one.")
    problem = columns_problem(header)
    if problem:
        raise InputError(f"{path}: {problem}")


def columns_problem(columns: Iterable[str]) -> str:
    """Which of the columns cannot be properties of media, and why; empty if all can."""
    wrong = [name for name in columns if not _PROPERTY.match(name or "") or name.upper().startswith("LS_")]
    if not wrong:
        return ""
    return (
        f"the columns {', '.join(map(repr, wrong))} cannot be properties in ApertureDB: a name begins with a letter, "
        "has up to 64 letters, digits, '_' and '-', and does not begin with LS_."
    )


def _row(manifest: Path, number: int, record: Mapping[str | None, str | None]) -> Row:
    cells = {key: value for key, value in record.items() if isinstance(key, str) and isinstance(value, str)}
    local, url = cells.pop("path", "").strip(), cells.pop("url", "").strip()
    source = (shown_url(url) if url else local).replace("\0", "")
    problem = ""
    if None in record or None in record.values():
        problem = "it does not have as many cells as the header has columns. Put quotes around values with commas."
    elif any("\0" in value for value in (local, url, *cells.values())):
        problem = "there is a NUL character in it. Save the file as plain text."
    elif bool(local) == bool(url):
        problem = f"give either a path or a url, not {'both' if local else 'neither'}."
    if problem:
        return Row(number, source, problem=f"{manifest.name}, row {number}: {problem}")
    columns = {key: value for key, value in cells.items() if value != ""}
    if url:
        return Row(number, source, url=url, columns=columns)
    return Row(number, source, path=manifest.parent / local, columns=columns)


def _hidden(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).parts
    return any(part.startswith(".") for part in parts) or parts[-1] == READY
