"""What images, videos and blobs share: an object with bytes."""

from collections.abc import Callable
from typing import Any, Final

from labeling_assets.local_aperturedb.arguments import Arguments, Parameters, boolean, unsupported
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.find import BlobReader, find
from labeling_assets.local_aperturedb.kinds import Kind
from labeling_assets.local_aperturedb.results import FIND_PARAMETERS
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row

Columns = dict[str, Any]
_NOT_HERE: Final = ("url", "urls", "with_url", "operations")


def add_media(
    run: Run,
    kind: Kind,
    given: Arguments,
    *,
    prepare: Callable[[bytes], tuple[bytes, Columns]] = lambda content: (content, {}),
) -> Answer:
    """The blob of the query is taken in any case; `prepare` makes of it what is stored and its columns."""
    content = next(run.blobs_in)
    stored: list[bytes] = []

    def columns() -> Columns:
        made, extra = prepare(content)
        stored.append(made)
        return {"size": len(made), **extra}

    answer, number = objects.add_or_find(run, kind, given, columns=columns)
    if number is not None:
        run.transaction.write_blob(number, stored[0])
    return answer


def find_media(run: Run, kind: Kind, given: Arguments, *, blob: BlobReader | None = None) -> Answer:
    def stored(row: Row) -> bytes:
        return run.transaction.read_blob(row["id"])

    return find(run, kind, given, blob=(blob or stored) if given.get("blobs") else None)


def media_commands(
    kind: Kind,
    *,
    add: Callable[[Run, Arguments], Answer],
    search: Callable[[Run, Arguments], Answer],
    add_parameters: Parameters | None = None,
    find_parameters: Parameters | None = None,
) -> tuple[Command, ...]:
    """The four commands of a kind with bytes."""

    def change(run: Run, given: Arguments) -> Answer:
        return objects.update(run, kind, given)

    def remove(run: Run, given: Arguments) -> Answer:
        return objects.delete(run, kind, given)

    refused = dict.fromkeys(_NOT_HERE, unsupported)
    adding = {**objects.ADD_PARAMETERS, **refused, **(add_parameters or {})}
    finding = {**FIND_PARAMETERS, **refused, "blobs": boolean, **(find_parameters or {})}
    return (
        Command(f"Add{kind.name}", add, adding, writes=True, blobs=1),
        Command(f"Find{kind.name}", search, finding),
        Command(f"Update{kind.name}", change, objects.UPDATE_PARAMETERS, writes=True),
        Command(f"Delete{kind.name}", remove, objects.DELETE_PARAMETERS, writes=True),
    )
