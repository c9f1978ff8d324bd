"""Videos: their bytes and properties. They are stored and returned as they are."""

from typing import Final

from labeling_assets.local_aperturedb import kinds
from labeling_assets.local_aperturedb.arguments import Arguments
from labeling_assets.local_aperturedb.commands.media import add_media, find_media, media_commands
from labeling_assets.local_aperturedb.commands.registry import Answer
from labeling_assets.local_aperturedb.run import Run


def _add(run: Run, given: Arguments) -> Answer:
    return add_media(run, kinds.VIDEO, given)


def _find(run: Run, given: Arguments) -> Answer:
    return find_media(run, kinds.VIDEO, given)


COMMANDS: Final = media_commands(kinds.VIDEO, add=_add, search=_find)
