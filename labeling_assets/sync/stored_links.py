"""Media links where they are stored: anywhere in the data of a task, also inside HTML."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from labeling_assets.media_urls import EXPIRY, KEY, SIGNATURE

# What a link is made of; HTML writes its `&` as `&amp;`. A comma or full stop at its end is that of a sentence.
_LINK: Final = re.compile(
    r"(?P<base>https?://[^\s\"'<>?#]+?)/media/(?P<guid>[A-Za-z0-9._-]{1,200})\?"
    r"(?P<query>[A-Za-z0-9._~%=&;,:+/-]*[A-Za-z0-9_~%=/-])"
)


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link as it stands in a text; `text` is all of it, `query` its parameters, key and signature included."""

    text: str
    base_url: str
    guid: str
    query: dict[str, str]

    @property
    def key_id(self) -> str:
        """The id of the key that signed it."""
        return self.query[KEY]

    @property
    def parameters(self) -> dict[str, str]:
        """What is asked of the medium: everything but key, signature and expiry."""
        return {name: value for name, value in self.query.items() if name not in (KEY, SIGNATURE, EXPIRY)}


def stored_links(value: Any) -> Iterator[StoredLink]:
    """Every link of the form of this package in a value of JSON, whoever made it."""
    if isinstance(value, str):
        for match in _matches(value):
            if (link := _read(match)) is not None:
                yield link
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from stored_links(item)


def with_links_replaced(value: Any, new: Callable[[StoredLink], str]) -> Any:
    """The value with other links in the places of these; everything else of it is the same."""
    if isinstance(value, str):
        return _with_links_replaced(value, new)
    if isinstance(value, list):
        return [with_links_replaced(item, new) for item in value]
    if isinstance(value, dict):
        return {name: with_links_replaced(item, new) for name, item in value.items()}
    return value


def _with_links_replaced(text: str, new: Callable[[StoredLink], str]) -> str:
    parts, end = [], 0
    for match in _matches(text):
        link = _read(match)
        if link is not None:
            escaped = "&amp;" in match["query"]
            parts += [text[end : match.start()], html.escape(new(link)) if escaped else new(link)]
            end = match.end()
    return "".join([*parts, text[end:]])


def _matches(text: str) -> Iterator[re.Match[str]]:
    # Texts may have a megabyte, and few hold links.
    return _LINK.finditer(text) if "/media/" in text else iter(())


def _read(match: re.Match[str]) -> StoredLink | None:
    query = dict(parse_qsl(match["query"].replace("&amp;", "&"), keep_blank_values=True))
    if not query.get(KEY) or not query.get(SIGNATURE):
        return None
    return StoredLink(match[0], match["base"], match["guid"], query)
