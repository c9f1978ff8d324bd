"""Searches by a key that come again and again with other keys: parsed and checked once.

Of such a query only the text of the key changes, or that of a list of keys. Everything around it leads to arguments
that were checked before, and the new key takes the place of the old one.
"""

import re
from dataclasses import replace
from typing import Final, NamedTuple

from labeling_assets.local_aperturedb.commands.registry import Step
from labeling_assets.local_aperturedb.constraints import Comparison, Keys

_BEGIN: Final = '[{"Find'
_LONGEST_FRAME: Final = 4096  # in characters, without the key
_MOST_FRAMES: Final = 1024

# A search with nothing but these, which lists properties at most, is one SELECT.
_READ_ONCE: Final = frozenset(("with_class", "constraints", "results"))

# A text that means itself: no escapes, nothing but ASCII, and no $, which begins the name of a property.
_TEXT: Final = r'"(?:[ !#%-\[\]-~][ !#-\[\]-~]*)?"'
_SPACE: Final = r"[ ]?"
# The constraint begins as in either dialect; a quote that is not escaped cannot be inside a text.
_KEYED: Final = re.compile(
    rf'"constraints":{_SPACE}(?:\["\$[A-Za-z][\w-]*",{_SPACE}|\{{"[A-Za-z][\w-]*":{_SPACE}\[)'
    rf'(?:"==",{_SPACE}(?P<key>{_TEXT})'
    rf'|"in",{_SPACE}(?:\{{"array":{_SPACE})?(?P<keys>\[{_TEXT}(?:,{_SPACE}{_TEXT})*\]))',
    re.ASCII,
)


class Asked(NamedTuple):
    """A query taken apart: `frame` is what stays the same."""

    frame: str
    value: str | Keys


class Repeated:
    """The frames seen lately, and what they led to. For all threads."""

    def __init__(self) -> None:
        self._steps: dict[str, tuple[Step, Comparison]] = {}

    def read(self, text: str) -> Asked | None:
        """None for a query that is no search by a key."""
        if not text.startswith(_BEGIN):
            return None
        match = _KEYED.search(text)
        if match is None:
            return None
        kind = "key" if match["key"] is not None else "keys"
        start, end = match.span(kind)
        if len(text) - (end - start) > _LONGEST_FRAME:
            return None
        frame = f"{text[:start]}\0{text[end:]}"
        return Asked(frame, match[kind][1:-1] if kind == "key" else Keys(match[kind]))

    def step(self, asked: Asked) -> Step | None:
        """The checked command of a query, when one with the same frame was learned."""
        learned = self._steps.get(asked.frame)
        if learned is None:
            return None
        step, comparison = learned
        constraint = Comparison(comparison.property, comparison.operator, asked.value)
        return Step(step.place, step.command, {**step.arguments, "constraints": constraint}, step.one_read)

    def learn(self, asked: Asked, step: Step) -> None:
        """Remember the only command of a query, if its constraints are nothing but the key."""
        comparison = step.arguments.get("constraints")
        # Else the key could belong to something else than these constraints.
        alone = asked.frame.count('"constraints"') == 1 and "\\" not in asked.frame
        if step.command.writes or not alone or not isinstance(comparison, Comparison):
            return
        if len(self._steps) >= _MOST_FRAMES:
            self._steps.clear()
        plain = step.arguments.keys() <= _READ_ONCE and step.arguments.get("results", {}).keys() <= {"list"}
        self._steps[asked.frame] = (replace(step, one_read=plain), comparison)
