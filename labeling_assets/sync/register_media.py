"""Media whose bytes stay where they are: digest and facts of them, read piece by piece.

ApertureDB takes a medium in one message, so what is larger than a limit is registered: a small blob stands for it, with
all properties of a medium and the address of its bytes. The media gateway streams them from there.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

import httpx

from labeling_assets.clients.s3 import request_url
from labeling_assets.errors import InputError
from labeling_assets.media_sources import MediaSources
from labeling_assets.sync.batch_rows import shown_url
from labeling_assets.sync.facts.document_facts import text_type
from labeling_assets.sync.facts.media_facts import facts_of_file
from labeling_assets.sync.facts.record import MediaFacts

_PIECE_BYTES: Final = 2**20
_IN_MEMORY_BYTES: Final = 8 * 2**20  # of a download; the rest is in a temporary file
_NO_RANGES: Final = "its server gives no ranges, so every jump in it reads it from the beginning: use another server"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bytes of a registered medium are: `version` changes when they do, as far as the place tells."""

    uri: str
    version: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Registered:
    """A medium that was read to its end and is not kept."""

    origin: Origin
    sha256: str
    facts: MediaFacts

    @property
    def marker(self) -> bytes:
        """The bytes that stand for it in ApertureDB."""
        said = {
            "note": "The bytes of this medium are not in ApertureDB. They are at `stored_at`.",
            "stored_at": self.origin.uri,
            "sha256": self.sha256,
            "size_bytes": self.origin.size_bytes,
        }
        return json.dumps(said, indent=2).encode()


def register_file(path: Path, name: str) -> Registered:
    """A file of any size, with links followed.

    Raises:
        InputError: it is no medium, or changed while it was read.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        digest = hashlib.sha256()
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
        facts = _facts(file, name)
        if file_version(os.fstat(file.fileno())) != file_version(before):
            raise InputError(f"{name} changed while it was read: hand it in when it is complete.")
    return Registered(Origin(path.as_uri(), file_version(before), before.st_size), digest.hexdigest(), facts)


def file_version(status: os.stat_result) -> str:
    """What tells that a file was written again."""
    return f"{status.st_size}-{status.st_mtime_ns}"


def check_address(answer: httpx.Response, url: str, sources: MediaSources) -> None:
    """Do nothing if what `url` answers may stay there and can be streamed from there.

    Raises:
        InputError: it may not, or cannot.
    """
    if url != shown_url(url):
        raise InputError(
            "its address holds what gives access (a signature, a user or a password), which is not kept: give an "
            "address that works without"
        )
    for step in (*answer.history, answer):
        sources.check_url(str(step.url))
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise InputError("its server sends it compressed only, so no part of it can be asked for: switch that off")


def register_download(http: httpx.Client, answer: httpx.Response, url: str, *, parts: Iterable[bytes]) -> Registered:
    """What `url` answers, of any size; `parts` are all bytes of the answer.

    Raises:
        InputError: it is no medium.
        httpx.TransportError: the connection broke.
    """
    has_ranges = _gives_ranges(http, url)
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as spooled:
        for part in parts:
            digest.update(part)
            spooled.write(part)
        size_bytes = spooled.tell()
        facts = _facts(spooled, url)  # type: ignore[arg-type]  # a BinaryIO in all but name
    if not has_ranges:
        facts = replace(facts, warning="; ".join(filter(None, (facts.warning, _NO_RANGES))))
    return Registered(Origin(url, answer_version(answer.headers), size_bytes), digest.hexdigest(), facts)


def only_registered(limit_bytes: int, error: InputError) -> InputError:
    """`error` with the reason why the medium is not simply stored."""
    if not limit_bytes:
        return InputError(f"it is only to be registered, and {error}")
    return InputError(
        f"it is larger than {limit_bytes / 1e6:g} MB, so it would only be registered, and {error}; or raise "
        "LABELING_ASSETS_MEDIA_SIZE_LIMIT_MB and ApertureDB's message limit"
    )


def answer_version(headers: httpx.Headers) -> str:
    """What tells that other bytes are behind an address: a strong tag, or when they were changed; else nothing."""
    tag = str(headers.get("etag", ""))
    return tag if tag.startswith('"') and tag != '""' else str(headers.get("last-modified", ""))


def _gives_ranges(http: httpx.Client, url: str) -> bool:
    headers = {"Range": "bytes=0-0", "Accept-Encoding": "identity"}
    with http.stream("GET", request_url(url), headers=headers) as answer:
        return answer.status_code == httpx.codes.PARTIAL_CONTENT


def _facts(file: BinaryIO, name: str) -> MediaFacts:
    """The gateway cannot look into all of a text for its encoding, so it stands here."""
    facts = facts_of_file(file, name)
    is_text = facts.media_type != "other" and text_type(facts.mime_type) is not None
    return replace(facts, mime_type=f"{facts.mime_type}; charset=utf-8") if is_text else facts
