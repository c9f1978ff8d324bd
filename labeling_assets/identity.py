"""GUIDs: how they are made, and which strings can be one."""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from labeling_assets.errors import InputError

# Fixed for ever: a rebuilt database must give the same media the same GUIDs.
_MEDIA_NAMESPACE: Final = uuid.UUID("3c3b8a52-9d0a-5f0e-8a44-7b1f6d2c9e10")
_LABELS_NAMESPACE: Final = uuid.UUID("b6f2d9c1-4e57-5b8e-9b0d-2f8f4f0a7c33")
# A `%` would be decoded twice by Label Studio's filters; the rest keeps GUIDs safe in URLs and file names.
_GUID: Final = re.compile(r"[A-Za-z0-9._-]{1,200}\Z")
# An `import_id` is two numbers of this many bits; together they stay below 2^53, so that a browser can read them.
_BITS: Final = 26


def sha256_of(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256 of `data`, 64 characters."""
    return hashlib.sha256(data).hexdigest()


def content_guid(sha256: str) -> str:
    """The GUID of a medium with these bytes: the same bytes are the same medium, whatever the file is called."""
    return str(uuid.uuid5(_MEDIA_NAMESPACE, sha256.lower()))


def labels_guid(*key: str | int) -> str:
    """The GUID of an annotation, region, task: made from all parts of its key, in order."""
    return str(uuid.uuid5(_LABELS_NAMESPACE, "\x1f".join(str(part) for part in key)))


def checked_guid(value: str) -> str:
    """`value`, if it can be a GUID.

    Raises:
        InputError: it is empty, longer than 200, or has other characters than letters, digits, `.`, `_`, `-`.
    """
    if not _GUID.match(value) or value in (".", ".."):
        raise InputError(
            f"{value!r} cannot be a GUID: use 1 to 200 letters, digits, '.', '_' and '-'. "
            "Rename it in the source, or let the GUID be made from the content (guid: content)."
        )
    return value


def plain_content(value: Any) -> str:
    """JSON that is equal for equal values: 10 and 10.0 are one number, the order of keys says nothing."""
    return json.dumps(_plain(value), sort_keys=True)


def sent_import_id(key: str, annotation: Mapping[str, Any]) -> int:
    """The `import_id` of an annotation that a push makes: a whole number below 2^52.

    The upper half comes from `key` (the GUID of what it was made from), the lower half from what the annotation says:
    `result`, `was_cancelled` and `ground_truth`. Label Studio keeps it when a person edits the annotation, so an
    annotation as it was sent can be told from one that was edited, from itself alone.
    """
    return _number("push", key) << _BITS | _digest(annotation)


def is_sent_for(import_id: Any, key: str) -> bool:
    """Whether an annotation with this `import_id` was sent for `key`, whatever it says by now."""
    return isinstance(import_id, int) and import_id >> _BITS == _number("push", key)


def is_as_sent(annotation: Mapping[str, Any]) -> bool:
    """Whether a push made this annotation of Label Studio and nobody has edited it since: it is nobody's new work.

    Other programs' `import_id` passes once in 70 million; an annotation without one never does.
    """
    import_id = annotation.get("import_id")
    if not isinstance(import_id, int) or not 0 < import_id >> _BITS < 1 << _BITS:
        return False
    return import_id % (1 << _BITS) == _digest(annotation)


def _digest(annotation: Mapping[str, Any]) -> int:
    said = [
        annotation.get("result") or [],
        bool(annotation.get("was_cancelled")),
        bool(annotation.get("ground_truth")),
    ]
    return _number("sent", plain_content(said))


def _number(*key: str) -> int:
    return uuid.UUID(labels_guid(*key)).int >> (128 - _BITS)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
