"""JSON as text that every database takes, and the texts of a region as one text."""

import json
import re
from collections.abc import Sequence
from typing import Final

# Half of a surrogate pair: JSON can spell it, UTF-8 cannot, and databases refuse it.
_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


def json_text(value: object, *, compact: bool = False) -> str:
    """`value` as JSON, readable in any language; half a surrogate pair is written as its escape, so nothing is lost.

    `compact` is canonical as well: keys sorted, no spaces. NaN and infinity, which are no JSON, are written as Python
    reads them.
    """
    separators = (",", ":") if compact else None
    text = json.dumps(value, ensure_ascii=False, sort_keys=compact, separators=separators)
    return text if text.isascii() else _HALF_PAIR.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def storable(text: str) -> str:
    """`text` with U+FFFD for each half of a surrogate pair: a property of ApertureDB is Unicode."""
    return text if text.isascii() else _HALF_PAIR.sub("\ufffd", text)


def joined(texts: Sequence[str]) -> str | None:
    """Texts as one: the text itself, or a JSON list if there are several or the only one looks like such a list."""
    if not texts:
        return None
    if len(texts) == 1 and _listed(texts[0]) is None:
        return texts[0]
    return json_text(list(texts))


def separated(text: str | None) -> list[str]:
    """The texts of which `joined` made `text`."""
    if text is None:
        return []
    return _listed(text) or [text]


def _listed(text: str) -> list[str] | None:
    """What a JSON list of texts holds; None for every other text, and for an empty list."""
    if not text.startswith("["):
        return None
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return given if given and all(isinstance(item, str) for item in given) else None
