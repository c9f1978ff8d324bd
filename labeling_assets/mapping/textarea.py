"""Texts that an annotator wrote, about a task or about a region."""

from labeling_assets.mapping.json_text import separated
from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.region import Region
from labeling_assets.mapping.value import Value


def _read(value: Value, context: Context) -> Part:
    """Label Studio writes a list; a single text is what predictions made elsewhere hold, and the editor takes it."""
    single = isinstance(value.fields.get("text"), str)
    texts = (value.text("text"),) if single else value.texts("text")
    return Part("text", texts=texts, attached=list(texts))


def _write(region: Region) -> dict[str, object]:
    return {"text": separated(region.text)}


KIND = Kind(
    Role.ATTACHED,
    _read,
    write=_write,
    tags=("TextArea",),
    becomes="LS_region about the whole medium; about a part of it, the LS_text of that part",
    properties=("LS_text",),
)
