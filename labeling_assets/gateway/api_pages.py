"""What the gateway serves: for programs (/openapi.json), and for people on a page without scripts (/docs)."""

import html
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

_DOCUMENT: Final = Path(__file__).with_name("openapi.yaml")
_METHODS: Final = ("get", "head", "post")
_STYLE: Final = """
body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
h2 { border-bottom: 1px solid #ccc; margin-top: 2em } h3 { font-family: monospace; font-size: 1em; margin-bottom: 0 }
table { border-collapse: collapse; margin: .5em 0 } td { border: 1px solid #ddd; padding: .2em .6em }
"""
# The page has no script and loads nothing.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@cache
def document() -> Mapping[str, Any]:
    """The OpenAPI document, without the address of a server."""
    found: Mapping[str, Any] = yaml.safe_load(_DOCUMENT.read_text(encoding="utf-8"))
    return found


class ApiPages:
    """Both pages, for a gateway that browsers reach at `public_url`."""

    def __init__(self, public_url: str) -> None:
        self._document = {**document(), "servers": [{"url": public_url.rstrip("/")}]}
        self._page = "\n".join(_page(self._document))

    @property
    def routes(self) -> list[Route]:
        return [Route("/openapi.json", self._json, methods=["GET"]), Route("/docs", self._html, methods=["GET"])]

    async def _json(self, request: Request) -> Response:
        return JSONResponse(self._document)

    async def _html(self, request: Request) -> Response:
        return HTMLResponse(self._page, headers={"Content-Security-Policy": _POLICY})


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{_text(info["title"])}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>{_text(info['title'])}</h1><p>{_text(info['description'])}</p>"
    yield f"<p>Address: <code>{_text(document['servers'][0]['url'])}</code></p>"
    for tag in document["tags"]:
        yield f"<h2>{_text(tag['name'])}</h2><p>{_text(tag['description'])}</p>"
        for path, methods in document["paths"].items():
            for method in _METHODS:
                if tag["name"] in methods.get(method, {}).get("tags", ()):
                    yield from _operation(document, method, path, methods[method])
    yield "</body></html>"


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    described = f"{operation['summary']} {operation.get('description', '')}"
    yield f"<h3>{method.upper()} {_text(path)}</h3><p>{_text(described)}"
    schemes = [name for needed in operation.get("security", ()) for name in needed]
    if schemes:
        known = document["components"]["securitySchemes"]
        yield f" Needs: {_text(' or '.join(known[name]['description'] for name in schemes))}"
    yield "</p><table>"
    for given in operation.get("parameters", ()):
        parameter = _resolved(document, given)
        described = _text(parameter.get("description", ""))
        yield f"<tr><td><code>{_text(parameter['name'])}</code></td><td>{parameter['in']}</td><td>{described}</td></tr>"
    for status, given in operation["responses"].items():
        yield f"<tr><td>{status}</td><td>answer</td><td>{_text(_resolved(document, given)['description'])}</td></tr>"
    yield "</table>"


def _resolved(document: Mapping[str, Any], value: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a `$ref` names."""
    if "$ref" not in value:
        return value
    found: Any = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _text(value: str) -> str:
    return html.escape(value)
