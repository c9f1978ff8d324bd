"""Texts that an annotator wrote, about a task or about a region."""

from labeling_assets.mapping.kind import Context, Kind, Part, Role
from labeling_assets.mapping.value import Value


def _read(value: Value, context: Context) -> Part:
    """Label Studio writes a list; a single text is what predictions made elsewhere hold, and the editor takes it."""
    single = isinstance(value.fields.get("text"), str)
    texts = (value.text("text"),) if single else value.texts("text")
    return Part("text", texts=texts, attached=list(texts))


KIND = Kind(Role.ATTACHED, _read)
