"""Videos: their bytes, their properties, and what a decoder says about them.

Bytes that cannot be decoded are stored too; such a video has none of the system properties.
"""

from typing import Final

from labeling_assets.local_aperturedb import kinds, videos
from labeling_assets.local_aperturedb.arguments import Arguments
from labeling_assets.local_aperturedb.commands.media import Columns, add_media, find_media, media_commands
from labeling_assets.local_aperturedb.commands.registry import Answer
from labeling_assets.local_aperturedb.properties import compact
from labeling_assets.local_aperturedb.run import Run


def _add(run: Run, given: Arguments) -> Answer:
    def prepare(content: bytes) -> tuple[bytes, Columns]:
        facts = videos.read_facts(content)
        return content, {"system": compact(facts.described())} if facts else {}

    return add_media(run, kinds.VIDEO, given, prepare=prepare)


def _find(run: Run, given: Arguments) -> Answer:
    return find_media(run, kinds.VIDEO, given)


COMMANDS: Final = media_commands(kinds.VIDEO, add=_add, search=_find)
