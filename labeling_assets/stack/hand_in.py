"""Puts a batch into the inbox: whole or not at all, marked as ready only when it is complete."""

import csv
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling_assets.errors import InputError
from labeling_assets.sync.batch_rows import MANIFEST, READY, Row, batch_source, checked_batch, read_rows


@dataclass(frozen=True, slots=True)
class HandedIn:
    """What `hand_in` did; counts are files, or rows of a manifest."""

    folder: Path
    added: int
    known: int
    is_manifest: bool


def hand_in(inbox: Path, source: Path, *, batch: str, link: bool = False) -> HandedIn:
    """Copy a folder, or a CSV manifest, into the inbox as a batch; or add what is new to a batch that exists.

    Args:
        inbox: The inbox; made if missing.
        source: Folder of media (with or without a manifest), one media file, or a `.csv` file. Media that a
            manifest outside of a folder names are not copied: their paths become absolute.
        batch: Name of the batch.
        link: Hard links instead of copies.

    Raises:
        InputError: the name or the source cannot be used, or contradicts what the batch already holds; nothing
            was changed.
    """
    checked_batch(batch)
    existing = batch_source(inbox, batch)
    if existing is not None and existing.is_file():
        raise InputError(
            f"The batch {batch!r} exists already, as {existing}: choose another name, or add the rows to that file."
        )
    if source.is_file() and source.suffix.lower() == ".csv":
        return _hand_in_manifest(inbox / batch, source)
    return _hand_in_files(inbox / batch, source, link=link)


def _hand_in_files(folder: Path, source: Path, *, link: bool) -> HandedIn:
    root, files = _files(source)
    missing = _missing_files(folder, root, files)
    if not folder.exists():
        with _Staged(folder) as staged:
            for path in missing:
                _place(path, staged / path.relative_to(root), link=link)
    else:
        for path in missing:
            _place(path, folder / path.relative_to(root), link=link)
        _mark_ready(folder)
    return HandedIn(folder, len(missing), len(files) - len(missing), is_manifest=False)


def _files(source: Path) -> tuple[Path, list[Path]]:
    """The folder that names are relative to, and the files of a batch. Hidden ones are left out."""
    if source.is_file():
        return source.parent, [source]
    rows = read_rows(source)
    problems = tuple(row.problem for row in rows if row.problem)
    if problems:
        raise InputError(f"{source / MANIFEST} has rows that cannot be used:", rows=problems)
    listed = [row.path for row in rows if row.path is not None]
    missing = [str(path) for path in listed if not path.is_file()]
    if missing:
        raise InputError(f"{source / MANIFEST} names files that do not exist:", rows=tuple(missing))
    if not (source / MANIFEST).is_file():
        return source, listed
    outside = [str(path) for path in listed if not path.resolve().is_relative_to(source.resolve())]
    if outside:
        raise InputError(
            f"{source / MANIFEST} names files outside of {source}: hand in the CSV file itself, then they stay where "
            "they are.",
            rows=tuple(outside),
        )
    return source, [source / MANIFEST, *dict.fromkeys(listed)]


def _missing_files(folder: Path, root: Path, files: Sequence[Path]) -> list[Path]:
    """Those that the batch does not hold yet."""
    missing, conflicts = [], []
    for path in files:
        target = folder / path.relative_to(root)
        if not target.exists():
            missing.append(path)
        elif not _same_bytes(path, target):
            conflicts.append(str(path.relative_to(root)))
    if conflicts:
        raise InputError(
            f"The batch {folder.name!r} already holds other files of these names: rename them, or choose another "
            "batch. Nothing was added.",
            rows=tuple(conflicts),
        )
    if not missing:
        raise InputError(f"The batch {folder.name!r} exists and already holds all {len(files)} files: nothing to add.")
    return missing


def _hand_in_manifest(folder: Path, source: Path) -> HandedIn:
    header, rows = _absolute_rows(source)
    if folder.exists():
        known = _known_rows(folder, header)
        new = [row for row in rows if row not in known]
        if not new:
            raise InputError(
                f"The batch {folder.name!r} exists and already holds all {len(rows)} rows: nothing to add."
            )
        _write_manifest(folder / MANIFEST, header, [*known, *new])
        _mark_ready(folder)
    else:
        new = rows
        with _Staged(folder) as staged:
            _write_manifest(staged / MANIFEST, header, rows)
    return HandedIn(folder, len(new), len(rows) - len(new), is_manifest=True)


def _absolute_rows(source: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Header and rows of a manifest, as it will be read from elsewhere."""
    _check_paths(source, read_rows(source))
    header, rows = _read(source)
    for row in rows:
        if (row.get("path") or "").strip():
            row["path"] = str((source.parent / row["path"].strip()).resolve())
    return header, rows


def _check_paths(source: Path, rows: Sequence[Row]) -> None:
    problems = tuple(row.problem for row in rows if row.problem)
    if problems:
        raise InputError(f"{source} has rows that cannot be used:", rows=problems)
    missing = [f"row {row.number}: {row.path}" for row in rows if row.path is not None and not row.path.is_file()]
    if missing:
        raise InputError(f"{source} names files that do not exist (paths are relative to it):", rows=tuple(missing))


def _known_rows(folder: Path, header: list[str]) -> list[dict[str, str]]:
    if not (folder / MANIFEST).is_file():
        raise InputError(f"The batch {folder.name!r} is a folder of files: a CSV file cannot be added to it.")
    known_header, known = _read(folder / MANIFEST)
    if set(known_header) != set(header):
        raise InputError(
            f"The batch {folder.name!r} has the columns {', '.join(known_header)}, not {', '.join(header)}: "
            "use the same columns, or choose another batch."
        )
    return known


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames or []), list(reader)


def _write_manifest(path: Path, header: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)


class _Staged:
    """A hidden folder beside the batch, renamed to it when all went well; removed otherwise."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._staged = folder.with_name(f".{folder.name}.{os.getpid()}")

    def __enter__(self) -> Path:
        self._staged.mkdir(parents=True)
        return self._staged

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            shutil.rmtree(self._staged, ignore_errors=True)
            return
        (self._staged / READY).touch()
        self._staged.rename(self._folder)


def _place(source: Path, target: Path, *, link: bool) -> None:
    """Under its name only when all bytes are there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".adding.{os.getpid()}")
    try:
        if link:
            os.link(source, temporary)
        else:
            shutil.copyfile(source, temporary)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        advice = " Hard links need the same disk: leave out --link." if link else ""
        raise InputError(f"{source} cannot be put into {target.parent}: {error.strerror}.{advice}") from error


def _mark_ready(folder: Path) -> None:
    (folder / READY).touch()


def _same_bytes(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while chunk := left.read(1 << 20):
            if chunk != right.read(1 << 20):
                return False
    return True
