"""Runs probes against a server and compares what it does with what we assume."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import ConfigurationError, LabelingAssetsError
from labeling_assets.probe import dialects, links, media, searches, sessions, values
from labeling_assets.probe.declare import Observed, Probe, Scratch

_FAMILIES: Final = (sessions, dialects, values, searches, links, media)
PROBES: Final[tuple[Probe, ...]] = tuple(probe for family in _FAMILIES for probe in family.PROBES)


@dataclass(frozen=True, slots=True)
class Finding:
    """`error` is why a probe has no result; `left` names what it could not delete."""

    probe: Probe
    observed: Observed = None
    error: str | None = None
    left: tuple[str, ...] = ()

    @property
    def as_assumed(self) -> bool:
        """The server does what this package assumes."""
        return self.error is None and self.observed == self.probe.assumed


def run_probes(db: ApertureDB, probes: Sequence[Probe] = PROBES, *, built_in: bool = False) -> Iterator[Finding]:
    """One finding after the other. `built_in` also runs probes that add objects to built-in classes.

    What a probe adds is deleted before its finding, also when it fails or is interrupted.
    """
    for probe in probes:
        if built_in or not probe.built_in:
            yield _run(db, probe)


def _run(db: ApertureDB, probe: Probe) -> Finding:
    scratch = Scratch(db)
    observed: Observed = None
    error = None
    try:
        with scratch:
            observed = probe.observe(scratch)
    except ConfigurationError:
        raise
    except (LabelingAssetsError, KeyError, ValueError, TypeError, AttributeError) as reason:
        # An answer of a form that the probe did not expect is a finding, too.
        error = f"{type(reason).__name__}: {reason}"
    return Finding(probe, observed, error, tuple(scratch.left))
