"""Links to media: made for tasks, read back from tasks, verified by the gateway.

A link is `<gateway>/media/<guid>?k=<key id>&s=<signature>`, with further parameters if there are any, such as
`width=200`. It is stable, so a task keeps its picture for as long as its key exists, unless links have a lifetime:
then `e` says when it ends, in seconds since 1970. The alphabet survives being URL-decoded twice, as Label Studio does.

The id of a labeling project's own key is `<key id>.<project>`. Its secret follows from that of the key and from the
id, so whoever changes the id changes what verifies.
"""

import base64
import hashlib
import hmac
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from labeling_assets.errors import ConfigurationError, InputError
from labeling_assets.identity import checked_guid

KEY: Final = "k"
SIGNATURE: Final = "s"
EXPIRY: Final = "e"
# What Label Studio's audio player adds to every link without a signature of Amazon, Google or Azure (1.23.2).
PLAYER: Final = "lsref"
_UNSIGNED: Final = frozenset((KEY, SIGNATURE, PLAYER))
_SIGNATURE_BYTES: Final = 20  # 160 bits, 27 characters
_SECRET_CHARACTERS: Final = 12
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_SECONDS: Final = re.compile(r"[0-9]{1,11}\Z")
_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class MediaLinks:
    """Makes and verifies links.

    Args:
        base_url: Where browsers reach the gateway, without a trailing slash.
        keys: Key id -> secret. All of them verify, and so do the keys of projects that follow from them.
        signing_key: The id of the key that signs new links.
        project: The labeling project whose own key signs; empty: the key itself.
        lifetime_s: How long a new link opens at least, in seconds; None: for as long as its key exists.
        clock: Seconds since 1970.
    """

    base_url: str
    keys: Mapping[str, str] = field(repr=False)
    signing_key: str
    project: str = ""
    lifetime_s: float | None = None
    clock: Callable[[], float] = field(default=time.time, repr=False, compare=False)

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

    def for_project(self, slug: str) -> Self:
        """The same, signing with the labeling project's own key."""
        return replace(self, project=slug)

    @property
    def key_id(self) -> str:
        """The id of the key that signs new links."""
        return f"{self.signing_key}.{self.project}" if self.project else self.signing_key

    def link(self, guid: str, **parameters: str) -> str:
        """The signed link of a medium, or of what the parameters make of it (docs/media.md).

        With a lifetime it is the same for half of it, so that it can be cached.
        """
        signed = {**parameters, **self._expiry()}
        signature = sign(checked_guid(guid), self._secret(self.key_id) or "", signed)
        further = f"&{_canonical(signed)}" if signed else ""
        return f"{self.base_url.rstrip('/')}/media/{guid}?{KEY}={self.key_id}&{SIGNATURE}={signature}{further}"

    def verify(self, guid: str, *, key_id: str, signature: str, parameters: Mapping[str, str] = _NOTHING) -> bool:
        """True if the signature was made for this GUID and these parameters with a key that still exists.

        Takes constant time. Says nothing about expiry; see `refusal`.
        """
        secret = self._secret(key_id)
        expected = sign(guid, secret if secret is not None else "no such key", parameters)
        # As bytes: for text that is not ASCII, compare_digest raises instead of saying no.
        same = hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
        return same and secret is not None and _is_guid(guid)

    def refusal(self, guid: str, query: Mapping[str, str]) -> str | None:
        """Why a link with this query does not open, for the log and never for who asks; None if it opens."""
        key_id, signature = query.get(KEY), query.get(SIGNATURE)
        if not key_id or not signature:
            return "no signature"
        if self._secret(key_id) is None:
            return f"unknown key id {key_id[:80]!r}"
        parameters = {name: value for name, value in query.items() if name not in _UNSIGNED}
        if not self.verify(guid, key_id=key_id, signature=signature, parameters=parameters):
            return f"bad signature, key {key_id[:80]!r}"
        return self._expired(parameters.get(EXPIRY), key_id)

    def is_current(self, query: Mapping[str, str]) -> bool:
        """Whether a link that opens is signed as a new one would be, and has half of its lifetime left."""
        if query.get(KEY) != self.key_id or (EXPIRY in query) != (self.lifetime_s is not None):
            return False
        return self.lifetime_s is None or int(query[EXPIRY]) - self.clock() >= self.lifetime_s / 2

    def _secret(self, key_id: str) -> str | None:
        name, dot, project = key_id.partition(".")
        secret = self.keys.get(name)
        if secret is None or not dot:
            return secret
        return hmac.new(secret.encode(), f"link key:{name}.{project}".encode("utf-8", "replace"), "sha256").hexdigest()

    def _expiry(self) -> dict[str, str]:
        if self.lifetime_s is None:
            return {}
        step = max(1, math.floor(self.lifetime_s / 2))
        return {EXPIRY: str((math.floor((self.clock() + self.lifetime_s) / step) + 1) * step)}

    def _expired(self, ends: str | None, key_id: str) -> str | None:
        if ends is None:
            return None
        # What is signed was made here, or by somebody who has a key: a time, or nothing that may open.
        if not _SECONDS.match(ends) or int(ends) <= self.clock():
            when = datetime.fromtimestamp(int(ends), UTC).isoformat() if _SECONDS.match(ends) else repr(ends[:20])
            return f"expired at {when}, key {key_id!r}; `labeling-assets links refresh` signs links of tasks anew"
        return None


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
    if not head.endswith("/media") or not guid or not {KEY, SIGNATURE} <= parse_qs(parts.query).keys():
        return None
    return guid


def _canonical(parameters: Mapping[str, str]) -> str:
    return urlencode(sorted(parameters.items()), errors="replace")


def _is_guid(text: str) -> bool:
    """Nothing else can be signed, and a `?` in what stands for a GUID would be read as parameters."""
    try:
        checked_guid(text)
    except InputError:
        return False
    return True
