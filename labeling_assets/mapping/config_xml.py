"""The XML of a labeling configuration as nodes that know their line."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

from defusedxml import DefusedXmlException
from defusedxml.sax import parseString

from labeling_assets.errors import ConfigurationError


@dataclass(slots=True)
class Node:
    """An element; `line` counts from 1, `column` from 0, both as the parser gives them for its start tag."""

    tag: str
    attributes: dict[str, str]
    line: int
    column: int
    children: list["Node"] = field(default_factory=list)
    text: str = ""

    def walk(self) -> Iterator["Node"]:
        """This node and all below it, in document order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def __str__(self) -> str:
        name = self.attributes.get("name")
        return f"<{self.tag}{f' name={name!r}' if name else ''}> in line {self.line}, column {self.column}"


def parse_xml(xml: str) -> Node:
    """The root element.

    Raises:
        ConfigurationError: this is not XML, or it has a document type or entities; says where.
    """
    builder = _Builder()
    try:
        parseString(xml.encode("utf-8", "surrogatepass"), builder, forbid_dtd=True)
    except SAXParseException as exc:
        place = f"line {exc.getLineNumber()}, column {exc.getColumnNumber()}"
        raise ConfigurationError(
            f"The label configuration is not well-formed XML: {exc.getMessage()} in {place}. Correct it there."
        ) from exc
    except DefusedXmlException as exc:
        raise ConfigurationError(
            f"The label configuration declares a document type or entities ({exc}). Remove the <!DOCTYPE ...>."
        ) from exc
    return builder.root


def fingerprint(root: Node) -> str:
    """SHA-256 (hexadecimal) that is the same whatever the comments, the order of attributes, the indentation."""
    # Deepest first, so that long chains of nested tags need no recursion.
    hashes: dict[int, str] = {}
    for node in reversed(list(root.walk())):
        children = [hashes[id(child)] for child in node.children]
        content = [node.tag, sorted(node.attributes.items()), " ".join(node.text.split()), children]
        hashes[id(node)] = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return hashes[id(root)]


class _Builder(ContentHandler):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[Node] = []
        self.root = Node("", {}, 0, 0)

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802 - the name that the parser calls
        locator: Any = self._locator  # type: ignore[attr-defined]  # set by setDocumentLocator
        node = Node(name, dict(attrs.items()), locator.getLineNumber(), locator.getColumnNumber())
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def endElement(self, name: str) -> None:  # noqa: N802
        self.open.pop()

    def characters(self, content: str) -> None:
        if self.open:
            self.open[-1].text += content


_VARIABLE = re.compile(r"\$([A-Za-z_][\w-]*)(?:[.\[].*)?")


def variable(value: str) -> str | None:
    """The key of a task's data that `value` refers to: "image" for "$image", "pages" for "$pages[0].url"."""
    match = _VARIABLE.fullmatch(value.strip())
    return match.group(1) if match else None
