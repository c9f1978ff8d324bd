"""What a probe declares, and the corner of the database that it works in."""

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import Condition, Dialect, Predicate
from labeling_assets.errors import LabelingAssetsError, RefusedError

PREFIX: Final = "LSprobe_"
MARK: Final = "LSprobe_run"  # property of objects in built-in classes

Answer = Any  # a list of one answer per command, or one object for a refused query
Observed = Any  # JSON
Command = dict[str, dict[str, Any]]
# "?" is our guess, "C" is implied by code of the vendor, "D" stands in documents that may be older than the server.
Source = Literal["?", "C", "D"]

_DONE: Final = (0, 1)
_EVERYTHING: Final[tuple[object, ...]] = (["$_uniqueid", "!=", "0.0.0"], {"_uniqueid": ["!=", "0.0.0"]})


@dataclass(slots=True)
class Scratch:
    """Classes that nobody else has, deleted at the end of the `with`. `left` names what could not be deleted."""

    db: ApertureDB
    run: str = field(default_factory=lambda: secrets.token_hex(5))
    left: list[str] = field(default_factory=list)
    _classes: list[str] = field(default_factory=list)
    _indexes: list[tuple[str, str]] = field(default_factory=list)
    _built_in: list[str] = field(default_factory=list)

    def name(self, name: str) -> str:
        """A class of this probe's own, of entities or connections."""
        own = f"{PREFIX}{self.run}_{name}"
        if own not in self._classes:
            self._classes.append(own)
        return own

    def index(self, class_name: str, prop: str) -> Command:
        """The command that makes an index, in the spelling of the server."""
        self.note_index(class_name, prop)
        return {"CreateIndex": _index_body(self.db.dialect, class_name, prop)}

    def note_index(self, class_name: str, prop: str) -> None:
        """An index that the probe makes itself."""
        if (class_name, prop) not in self._indexes:
            self._indexes.append((class_name, prop))

    def mark(self, kind: str, **properties: object) -> dict[str, object]:
        """Properties for an object of a built-in class, by which it is found again and deleted."""
        if kind not in self._built_in:
            self._built_in.append(kind)
        return {MARK: self.run, **properties}

    def marked(self) -> object:
        """The constraint for those objects."""
        return self.where(Predicate(MARK, "==", self.run))

    def where(self, condition: Condition) -> object:
        """A constraint in the dialect of the server."""
        return condition.render(self.db.dialect)

    def ask(self, *commands: Command, blobs: Sequence[bytes] = ()) -> Answer:
        """The answer as it came."""
        return self.db.ask(list(commands), blobs)

    def add(self, class_name: str, *several: Mapping[str, object]) -> None:
        """Entities of a class of this probe's own. Raises RefusedError."""
        answer = self.ask(
            *({"AddEntity": {"class": class_name, "properties": dict(properties)}} for properties in several)
        )
        if not isinstance(answer, list):
            raise RefusedError(f"the preparation of the probe was refused: {answer}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for class_name, prop in self._indexes:
            removals: list[Command] = [{"RemoveIndex": _index_body(known, class_name, prop)} for known in Dialect]
            if not self._any_works(removals):
                self.left.append(f"index {class_name}.{prop}, if it was made")
        for kind in self._built_in:
            self._delete(kind, "", [{"constraints": self.marked()}])
        for name in self._classes:
            everything = [{"with_class": name, "constraints": constraints} for constraints in _EVERYTHING]
            for kind in ("Connection", "Entity"):
                self._delete(kind, name, [{"with_class": name}, *everything])

    def _delete(self, kind: str, name: str, ways: list[dict[str, Any]]) -> None:
        if self._any_works([{f"Delete{kind}": body} for body in ways]):
            return
        # A class of which there is nothing may be refused, too; then nothing is left.
        try:
            found = self.ask({f"Find{kind}": {**ways[0], "results": {"count": True}}})
            gone = not isinstance(found, list) or not last(found).get("count")
        except LabelingAssetsError:
            gone = False
        if not gone:
            self.left.append(f"{kind} {name or f'{MARK} = {self.run}'}")

    def _any_works(self, ways: list[Command]) -> bool:
        """Until one does."""
        for command in ways:
            with contextlib.suppress(LabelingAssetsError):
                answer = self.ask(command)
                if isinstance(answer, list) and last(answer).get("status") in _DONE:
                    return True
        return False


@dataclass(frozen=True, slots=True)
class Probe:
    """`observe` asks the server and gives what it did in the form of `assumed`.

    `built_in` probes add objects to built-in classes such as `_Image`, marked by a property.
    """

    name: str
    source: Source
    says: str
    assumed: Observed
    observe: Callable[[Scratch], Observed]
    built_in: bool = False


def probe(
    source: Source, says: str, *, assumed: Observed, built_in: bool = False
) -> Callable[[Callable[[Scratch], Observed]], Probe]:
    """Makes a probe of a function; its name is the name of the probe."""

    def declare(observe: Callable[[Scratch], Observed]) -> Probe:
        return Probe(observe.__name__, source, says, assumed, observe, built_in)

    return declare


def outcome(answer: Answer) -> Observed:
    """The statuses of all commands, or how the query was refused as a whole."""
    if isinstance(answer, list):
        return [next(iter(command.values())).get("status") for command in answer]
    return {"refused": answer.get("status") if isinstance(answer, dict) else answer}


def last(answer: Answer) -> dict[str, Any]:
    """What the last command answered; of a refused query the refusal."""
    if isinstance(answer, list):
        return dict(next(iter(answer[-1].values())))
    return dict(answer)


def listed(answer: Answer, prop: str) -> Observed:
    """One property of all objects that the last command listed, or how the query was refused."""
    if not isinstance(answer, list):
        return outcome(answer)
    found = last(answer)
    return [item.get(prop) for item in found.get("entities", found.get("connections")) or []]


def _index_body(dialect: Dialect, class_name: str, prop: str) -> dict[str, Any]:
    if dialect is Dialect.LEGACY:
        return {"index_type": "entity", "class": class_name, "property_key": prop}
    return {"target": "entity", "class": class_name, "property": prop}
