"""Images: a readable picture, whose size the server knows for the regions on it."""

from typing import Final

from labeling_assets.local_aperturedb import images, kinds
from labeling_assets.local_aperturedb.arguments import Arguments, one_of
from labeling_assets.local_aperturedb.commands.media import Columns, add_media, find_media, media_commands
from labeling_assets.local_aperturedb.commands.registry import Answer
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.store import Row


def _add(run: Run, given: Arguments) -> Answer:
    def prepare(content: bytes) -> tuple[bytes, Columns]:
        width, height = images.image_size(content)
        stored = images.encoded(content, given["format"]) if "format" in given else content
        return stored, {"width": width, "height": height}

    return add_media(run, kinds.IMAGE, given, prepare=prepare)


def _find(run: Run, given: Arguments) -> Answer:
    def converted(row: Row) -> bytes:
        return images.encoded(run.transaction.read_blob(row["id"]), given["as_format"])

    return find_media(run, kinds.IMAGE, given, blob=converted if "as_format" in given else None)


COMMANDS: Final = media_commands(
    kinds.IMAGE,
    add=_add,
    search=_find,
    add_parameters={"format": one_of(*images.FORMATS)},
    find_parameters={"as_format": one_of(*images.FORMATS)},
)
