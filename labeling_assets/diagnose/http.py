"""Requests as a browser, or Label Studio, would make them."""

import re
from typing import Any, Final

import httpx

_TIMEOUT_S: Final = 10.0


def ask(method: str, url: str, **options: Any) -> httpx.Response:
    """One request that follows no redirect. Raises httpx.HTTPError."""
    # A proxy of the environment is not for a server on this machine.
    local = re.match(r"https?://(127\.|localhost\b|\[::1\])", url) is not None
    try:
        return httpx.request(method, url, timeout=_TIMEOUT_S, trust_env=not local, **options)
    except httpx.InvalidURL as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
