"""The state of one running query: its transaction, references and blobs."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from labeling_assets.local_aperturedb import messages, schema
from labeling_assets.local_aperturedb.errors import TOO_LARGE, QueryError
from labeling_assets.local_aperturedb.properties import compact
from labeling_assets.local_aperturedb.store import Transaction


@dataclass(frozen=True, slots=True)
class Reference:
    """What a `_ref` number stands for: objects of one target, in the order they were found."""

    target: str
    ids: tuple[int, ...]

    @property
    def array(self) -> str:
        """For `json_each` in SQL, so that any number of objects is one bound value."""
        return compact(self.ids)


@dataclass(slots=True)
class Run:
    """`answer_limit` is in bytes."""

    transaction: Transaction
    blobs_in: Iterator[bytes]
    answer_limit: int
    blobs_out: list[bytes] = field(default_factory=list)
    blob_bytes: int = 0
    _references: dict[int, Reference] = field(default_factory=dict)

    def define(self, number: int | None, target: str, ids: tuple[int, ...]) -> None:
        if number is None:
            return
        if number in self._references:
            raise QueryError(messages.REFERENCE_USED.format(number=number))
        self._references[number] = Reference(target, ids)

    def forget(self, number: int) -> None:
        del self._references[number]

    def any_reference(self, number: int) -> Reference:
        found = self._references.get(number)
        if found is None:
            raise QueryError(messages.REFERENCE_UNDEFINED.format(number=number))
        return found

    def reference(self, number: int, *, target: str = schema.ENTITY) -> Reference:
        found = self.any_reference(number)
        if found.target != target:
            wanted = "entities" if target == schema.ENTITY else "connections"
            raise QueryError(messages.REFERENCE_KIND.format(number=number, wanted=wanted))
        return found

    def send(self, blob: bytes) -> int:
        """Add a blob to the answer; its position among the blobs."""
        self.blob_bytes += len(blob)
        if self.blob_bytes > self.answer_limit:
            raise answer_too_large(self.answer_limit)
        self.blobs_out.append(blob)
        return len(self.blobs_out) - 1


def answer_too_large(limit: int) -> QueryError:
    return QueryError(messages.ANSWER_TOO_LARGE.format(limit=limit), TOO_LARGE)
