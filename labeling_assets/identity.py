"""GUIDs: how they are made, and which strings can be one."""

import hashlib
import re
import uuid
from typing import Final

from labeling_assets.errors import InputError

# Fixed for ever: a rebuilt database must give the same media the same GUIDs.
_MEDIA_NAMESPACE: Final = uuid.UUID("3c3b8a52-9d0a-5f0e-8a44-7b1f6d2c9e10")
_LABELS_NAMESPACE: Final = uuid.UUID("b6f2d9c1-4e57-5b8e-9b0d-2f8f4f0a7c33")
# A `%` would be decoded twice by Label Studio's filters; the rest keeps GUIDs safe in URLs and file names.
_GUID: Final = re.compile(r"[A-Za-z0-9._-]{1,200}\Z")


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
