"""Messages of a chat that an annotator wrote."""

from collections.abc import Mapping

from labeling_assets.mapping.json_text import storable
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.value import Value


def _read(value: Value, context: Context) -> Part:
    """`{role, content, createdAt}`, createdAt in ms; the content can be searched, the rest is in the JSON only."""
    given = value.fields.get("chatmessage")
    fields = given if isinstance(given, Mapping) else value.fields
    content = fields.get("content")
    if not isinstance(content, str):
        value.expected("a text", "chatmessage.content")
        return Part("raw")
    text = storable(content)
    return Part(
        "raw",
        texts=(text,),
        attached=text,
        reason="a message of a chat: its text can be searched",
    )


KIND = Kind(
    Role.ATTACHED,
    _read,
    tags=("Chat",),
    becomes="LS_region with the message as LS_text; role and time are in the annotation's JSON only",
)
