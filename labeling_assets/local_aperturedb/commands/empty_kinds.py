"""Clips, frames and descriptors: they cannot be added yet, so finding and deleting them truthfully finds none.

Clients clean up and count with these commands (`Utils.remove_all_objects`), whether there are such objects or not.
"""

from typing import Final

from labeling_assets.local_aperturedb import kinds
from labeling_assets.local_aperturedb.arguments import Arguments, text
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.kinds import Kind
from labeling_assets.local_aperturedb.results import FIND_PARAMETERS
from labeling_assets.local_aperturedb.run import Run
from labeling_assets.local_aperturedb.search import find

_NAMED: Final = {"with_name": text}


def _commands(kind: Kind) -> tuple[Command, ...]:
    def search(run: Run, given: Arguments) -> Answer:
        return find(run, kind, given)

    def delete(run: Run, given: Arguments) -> Answer:
        return objects.delete(run, kind, given)

    named = _NAMED if kind is kinds.DESCRIPTOR_SET else {}
    return (
        Command(f"Find{kind.name}", search, {**FIND_PARAMETERS, **named}),
        Command(f"Delete{kind.name}", delete, {**objects.DELETE_PARAMETERS, **named}, writes=True),
    )


COMMANDS: Final = tuple(
    command for kind in (kinds.CLIP, kinds.FRAME, kinds.DESCRIPTOR, kinds.DESCRIPTOR_SET) for command in _commands(kind)
)
