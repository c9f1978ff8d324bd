"""Links to media: made for tasks, read back from tasks, verified by the gateway.

A link is `<gateway>/media/<guid>?k=<key id>&s=<signature>`, with further parameters if there are any, such as
`width=200`. It is stable: it holds no time, so a task keeps its picture for as long as its key exists. The alphabet
survives being URL-decoded twice, as Label Studio does.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from labeling_assets.errors import ConfigurationError
from labeling_assets.identity import checked_guid

_SIGNATURE_BYTES: Final = 20  # 160 bits, 27 characters
_SECRET_CHARACTERS: Final = 12
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class MediaLinks:
    """Makes and verifies links.

    Args:
        base_url: Where browsers reach the gateway, without a trailing slash.
        keys: Key id -> secret. All of them verify.
        signing_key: The id of the key that signs new links.
    """

    base_url: str
    keys: Mapping[str, str]
    signing_key: str

    def __post_init__(self) -> None:
        for key_id, secret in self.keys.items():
            if not _KEY_ID.match(key_id) or len(secret) < _SECRET_CHARACTERS:
                raise ConfigurationError(
                    f"The link key {key_id!r} cannot be used: its id needs 1 to 40 letters, digits, '-' and '_', "
                    f"its secret at least {_SECRET_CHARACTERS} characters."
                )
        if self.signing_key not in self.keys:
            raise ConfigurationError(
                f"The key {self.signing_key!r} that shall sign media links is not among the link keys "
                f"({', '.join(sorted(self.keys)) or 'there are none'})."
            )

    def link(self, guid: str, **parameters: str) -> str:
        """The signed link of a medium, or of what the parameters make of it (docs/media.md)."""
        signature = sign(checked_guid(guid), self.keys[self.signing_key], parameters)
        further = f"&{_canonical(parameters)}" if parameters else ""
        return f"{self.base_url.rstrip('/')}/media/{guid}?k={self.signing_key}&s={signature}{further}"

    def verify(self, guid: str, *, key_id: str, signature: str, parameters: Mapping[str, str] = _NOTHING) -> bool:
        """True if the signature was made for this GUID and these parameters with a key that still exists.

        Takes constant time.
        """
        secret = self.keys.get(key_id)
        expected = sign(guid, secret if secret is not None else "no such key", parameters)
        # As bytes: for text that is not ASCII, compare_digest raises instead of saying no.
        same = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
        return same and secret is not None


def sign(guid: str, secret: str, parameters: Mapping[str, str] = _NOTHING) -> str:
    """The signature of a GUID and what is asked of it: 160 bits of HMAC-SHA-256, URL-safe base64 without padding."""
    message = f"media:{guid}?{_canonical(parameters)}" if parameters else f"media:{guid}"
    digest = hmac.new(secret.encode(), message.encode("utf-8", "replace"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:_SIGNATURE_BYTES]).rstrip(b"=").decode()


def guid_in_link(link: object) -> str | None:
    """The GUID that a link of this package names, whoever made it; None for anything else."""
    if not isinstance(link, str):
        return None
    try:
        parts = urlsplit(link)
    except ValueError:  # "http://[": any text can stand where a link is expected
        return None
    head, _, guid = parts.path.rpartition("/")
    if not head.endswith("/media") or not guid or not {"k", "s"} <= parse_qs(parts.query).keys():
        return None
    return guid


def _canonical(parameters: Mapping[str, str]) -> str:
    return urlencode(sorted(parameters.items()), errors="replace")
