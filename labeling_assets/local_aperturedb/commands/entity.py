"""Entities: nodes of the graph, of classes that users name."""

from typing import Final

from labeling_assets.local_aperturedb import kinds
from labeling_assets.local_aperturedb.arguments import Arguments, Required, user_name
from labeling_assets.local_aperturedb.commands import objects
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.find import find
from labeling_assets.local_aperturedb.results import FIND_PARAMETERS
from labeling_assets.local_aperturedb.run import Run


def _add(run: Run, given: Arguments) -> Answer:
    return objects.add(run, kinds.ENTITY, given)


def _find(run: Run, given: Arguments) -> Answer:
    return find(run, kinds.ENTITY, given)


def _update(run: Run, given: Arguments) -> Answer:
    return objects.update(run, kinds.ENTITY, given)


def _delete(run: Run, given: Arguments) -> Answer:
    return objects.delete(run, kinds.ENTITY, given)


COMMANDS: Final = (
    Command("AddEntity", _add, {**objects.ADD_PARAMETERS, "class": Required(user_name)}, writes=True),
    Command("FindEntity", _find, {**FIND_PARAMETERS, **objects.WITH_CLASS}),
    Command("UpdateEntity", _update, {**objects.UPDATE_PARAMETERS, **objects.WITH_CLASS}, writes=True),
    Command("DeleteEntity", _delete, {**objects.DELETE_PARAMETERS, **objects.WITH_CLASS}, writes=True),
)
