"""Every command, one file per family. A new family is a file with `COMMANDS` and a line here."""

from typing import Final

from labeling_assets.local_aperturedb.commands import (
    blob,
    bounding_box,
    connection,
    empty_kinds,
    entity,
    image,
    index,
    polygon,
    schema,
    status,
    video,
)
from labeling_assets.local_aperturedb.commands.registry import Command

_FAMILIES: Final = (status, schema, index, entity, connection, image, video, blob, bounding_box, polygon, empty_kinds)

COMMANDS: Final[dict[str, Command]] = {command.name: command for family in _FAMILIES for command in family.COMMANDS}

# Commands of the real server that this one does not have; everything else is a misspelling.
UNSUPPORTED: Final = frozenset(
    verb + noun
    for verbs, nouns in (
        (("Add", "Update"), ("Clip", "Frame", "Descriptor", "DescriptorSet")),
        (("Create", "Update", "Remove"), ("User", "Role")),
        (("",), ("ClassifyDescriptor", "ExtractFrames", "FindEntityInfo", "GenerateToken", "GetRoleDetails")),
        (("",), ("GetUserDetails", "RegionIoU", "RunOperation", "AuthorizeUser")),
    )
    for verb in verbs
    for noun in nouns
)
