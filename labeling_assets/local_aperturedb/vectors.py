"""Vectors of 32-bit floats, and which are nearest to one. Exact: every vector is compared. Uses NumPy."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.errors import QueryError

L2: Final = "L2"  # the square of the Euclidean distance; small is near
INNER_PRODUCT: Final = "IP"  # large is near, and so it is with the cosine
COSINE: Final = "CS"
METRICS: Final = (L2, INNER_PRODUCT, COSINE)

_FLOAT: Final = np.dtype("<f4")
Numbered = tuple[int, bytes]


def check_vector(content: bytes, dimensions: int) -> None:
    """Raises QueryError unless the bytes are that many finite numbers."""
    if len(content) != dimensions * _FLOAT.itemsize:
        raise QueryError(messages.VECTOR_SIZE.format(got=len(content), dimensions=dimensions))
    if not np.isfinite(np.frombuffer(content, _FLOAT)).all():
        raise QueryError(messages.VECTOR_VALUE)


def nearest(wanted: bytes, chunks: Iterable[Sequence[Numbered]], *, metric: str, count: int) -> dict[int, float]:
    """The metric of the `count` nearest vectors, by their numbers, the nearest first; equals in the order given."""
    query = np.frombuffer(wanted, _FLOAT).astype(np.float64)
    numbers: Any = np.empty(0, np.int64)
    values: Any = np.empty(0)
    for chunk in chunks:
        found = np.frombuffer(b"".join(content for _, content in chunk), _FLOAT).reshape(len(chunk), -1)
        numbers = np.concatenate([numbers, np.array([number for number, _ in chunk], np.int64)])
        values = np.concatenate([values, _compared(query, found.astype(np.float64), metric)])
        best = np.argsort(values if metric == L2 else -values, kind="stable")[:count]
        numbers, values = numbers[best], values[best]
    return dict(zip(numbers.tolist(), values.tolist(), strict=True))


def _compared(query: Any, found: Any, metric: str) -> Any:
    if metric == L2:
        difference = found - query
        return np.einsum("ij,ij->i", difference, difference)
    product = found @ query
    if metric == INNER_PRODUCT:
        return product
    length = np.linalg.norm(found, axis=1) * np.linalg.norm(query)
    # A vector without a direction is similar to none.
    return np.divide(product, length, out=np.zeros_like(product), where=length > 0)
