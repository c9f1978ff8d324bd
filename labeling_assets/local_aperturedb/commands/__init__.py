"""Every command, one file per family. A new family is a file with `COMMANDS` and a line here."""

from typing import Final

from labeling_assets.local_aperturedb.commands import (
    blob,
    bounding_box,
    clip,
    connection,
    descriptor,
    descriptor_set,
    entity,
    frame,
    image,
    index,
    polygon,
    region_iou,
    schema,
    status,
    video,
)
from labeling_assets.local_aperturedb.commands.registry import Command

_FAMILIES: Final = (
    *(status, schema, index, entity, connection, image, video, clip, frame, blob),
    *(bounding_box, polygon, region_iou, descriptor_set, descriptor),
)

COMMANDS: Final[dict[str, Command]] = {command.name: command for family in _FAMILIES for command in family.COMMANDS}

# Commands of the real server that this one does not have; everything else is a misspelling.
UNSUPPORTED: Final = frozenset(
    verb + noun
    for verbs, nouns in (
        (("Create", "Update", "Remove"), ("User", "Role")),
        (("",), ("ClassifyDescriptor", "ExtractFrames", "FindEntityInfo", "GenerateToken", "GetRoleDetails")),
        (("",), ("GetUserDetails", "FindDescriptorBatch", "RunOperation", "AuthorizeUser")),
    )
    for verb in verbs
    for noun in nouns
)
