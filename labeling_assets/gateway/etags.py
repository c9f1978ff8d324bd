"""Entity tags: made from the SHA-256 of the bytes, compared as RFC 9110 (sections 8.8.3 and 13.1) wants. No I/O."""

import re
from typing import Final

_WEAK_OR_NOT: Final = re.compile(r'(W/)?("[^"]*")')
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def etag(sha256: str) -> str:
    """The strong tag of these bytes."""
    return f'"{sha256}"'


def none_match_names(header: str | None, tag: str) -> bool:
    """True if `If-None-Match` names the tag, so the client has these bytes already."""
    if header is None:
        return False
    return header.strip() == "*" or tag in _TAG.findall(header)


def match_names(header: str, tag: str) -> bool:
    """True if `If-Match` names the tag, compared as strong tags; `*` is any."""
    return header.strip() == "*" or any(not weak and found == tag for weak, found in _WEAK_OR_NOT.findall(header))


def if_range_holds(header: str | None, tag: str) -> bool:
    """True if a range may be sent: no `If-Range`, or the same strong tag. A date never holds, as none is sent."""
    return header is None or header.strip() == tag
