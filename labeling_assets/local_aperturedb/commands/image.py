"""Images: a readable picture, whose size the server knows for the regions on it."""

from typing import Final

from labeling_assets.local_aperturedb import images, kinds
from labeling_assets.local_aperturedb.arguments import Arguments, one_of
from labeling_assets.local_aperturedb.commands.media import Columns, add_media, find_media, media_commands
from labeling_assets.local_aperturedb.commands.registry import Answer
from labeling_assets.local_aperturedb.operations import operations
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row


def _add(run: Run, given: Arguments) -> Answer:
    def prepare(content: bytes) -> tuple[bytes, Columns]:
        size = images.image_size(content)
        if given.keys() & _CHANGES:
            content = images.changed(content, operations=given.get("operations", ()), form=given.get("format"))
            size = images.image_size(content)
        return content, {"width": size[0], "height": size[1]}

    return add_media(run, kinds.IMAGE, given, prepare=prepare)


def _find(run: Run, given: Arguments) -> Answer:
    def changed(row: Row) -> bytes:
        content = run.transaction.read_blob(row["id"])
        return images.changed(content, operations=given.get("operations", ()), form=given.get("as_format"))

    return find_media(run, kinds.IMAGE, given, blob=changed if given.keys() & _CHANGES else None)


_CHANGES: Final = {"operations", "format", "as_format"}

COMMANDS: Final = media_commands(
    kinds.IMAGE,
    add=_add,
    search=_find,
    add_parameters={"format": one_of(*images.FORMATS), "operations": operations},
    find_parameters={"as_format": one_of(*images.FORMATS), "operations": operations},
)
