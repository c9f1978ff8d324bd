"""Every exception that `labeling_assets` raises on purpose.

    LabelingAssetsError
      x ConfigurationError      a setting, a credential, a project folder: nothing was tried
      x InputError              a file, a row, a batch name that was handed in
      x DataError               what a system holds contradicts itself (GUIDs, rebuilt servers)
        - ProjectGoneError      Label Studio no longer has a project
      + ServiceError            ApertureDB or Label Studio did not do what was asked
        - TransientError        connection, 408, 429, 5xx: the same call may work later
        - RefusedError          the service said no; the same call will be refused again

A message says what was tried, with which value, and what to do.
"""


class LabelingAssetsError(Exception):
    """Base class."""


class ConfigurationError(LabelingAssetsError):
    """A setting is missing or wrong; nothing was attempted with it."""


class InputError(LabelingAssetsError):
    """Something that was handed in cannot be used. `rows` names the rows, one text each."""

    def __init__(self, message: str, rows: tuple[str, ...] = ()) -> None:
        super().__init__(message if not rows else message + "\n" + "\n".join(f"  - {row}" for row in rows))
        self.rows = rows


class DataError(LabelingAssetsError):
    """Two systems contradict each other and a person has to decide."""


class ProjectGoneError(DataError):
    """Label Studio no longer has a project whose labels ApertureDB holds."""


class ServiceError(LabelingAssetsError):
    """ApertureDB or Label Studio failed."""


class TransientError(ServiceError):
    """Worth trying again: connection lost, time-out, 408, 429, 5xx."""


class RefusedError(ServiceError):
    """Not worth trying again: the service understood and refused. `status` is its code, if it has one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
