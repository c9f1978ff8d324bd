"""The guard against mass deletion: a slip in Label Studio must not empty a batch in ApertureDB."""

from collections.abc import Callable
from typing import Final

from labeling_assets.errors import DataError

# In a small batch a tenth is less than what people delete on purpose.
FEW: Final = 10


class DeletionGuard:
    """Counts what a sync takes away from one batch and stops it before it is too much.

    Args:
        project: Slug, for the message.
        batch: The batch, for the message.
        share: The largest part of the batch that may go in one sync, 0 to 1; `FEW` may always.
        allowed: A person has said that this is meant.
        removed: Annotations that went since the last complete sync: a sync that was stopped begins no new count.
        annotations: Counts the current annotations of the batch; called at the first removal only.
    """

    def __init__(
        self,
        project: str,
        batch: str,
        *,
        share: float,
        allowed: bool,
        removed: int,
        annotations: Callable[[], int],
    ) -> None:
        self.removed = removed
        self._project, self._batch, self._share, self._allowed = project, batch, share, allowed
        self._count = annotations
        self._base: int | None = None

    def annotations(self, more: int) -> None:
        """About to bury `more` annotations.

        Raises:
            DataError: that is too much; nothing of them may be written.
        """
        if not more:
            return
        if self._base is None:
            self._base = self._count() + self.removed
        self._check("annotations", self.removed + more, self._base)
        self.removed += more

    def tasks(self, gone: int, of: int) -> None:
        """About to withdraw `gone` of the `of` tasks that ApertureDB knows.

        Raises:
            DataError: that is too much; nothing of them may be written.
        """
        self._check("tasks", gone, of)

    def _check(self, what: str, gone: int, of: int) -> None:
        if self._allowed or gone <= max(FEW, self._share * of):
            return
        raise DataError(
            f"At least {gone} of {of} {what} of batch {self._batch!r} are gone from Label Studio, more than the "
            f"{self._share:.0%} that may go at once (max_deleted_share), so the sync was stopped and they are kept. "
            f"If this was a mistake, restore them in Label Studio. If it is meant, run "
            f"labeling-assets sync --project {self._project} --batch {self._batch} --allow-mass-deletion, or start "
            "the sync job in Dagster with allow_mass_deletion: true."
        )
