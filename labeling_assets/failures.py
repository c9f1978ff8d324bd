"""Errors of the pipeline as Dagster understands them: some are worth a retry, the others stop at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from labeling_assets.errors import LabelingAssetsError, TransientError

RETRIES: Final = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def as_failures(batch: str) -> Iterator[None]:
    """Turn an error of ours into a `dg.Failure` that names the batch; only transient ones may be retried."""
    try:
        yield
    except LabelingAssetsError as error:
        raise dg.Failure(
            description=f"Batch {batch!r}: {error}",
            metadata={"batch": batch, "kind": type(error).__name__},
            allow_retries=isinstance(error, TransientError),
        ) from error
