"""kill -9 or a cut connection at every boundary of every step: both databases become those of a run in peace.

To the servers, a process that died with the answer to a read is one that died before it sent the next thing, so that
reads are killed before they are sent; everything else, and every cut, is at all three moments.
"""

from collections.abc import Callable

import pytest

from labeling_assets_tests.faults.contents import expire_leases
from labeling_assets_tests.faults.referee import Boundary, Referee
from labeling_assets_tests.faults.stages import NAMES, Stages, Stand, cut, killed

_RUNS = 300
Chooses = Callable[[Boundary], bool]


def counted(stages: Stages, name: str) -> list[Boundary]:
    """Every boundary of a run that nobody disturbs."""
    with stages.open(name) as stand:
        boundaries = cut(stand, lambda _: False).passed
        stages.assert_as_expected(stand)
    assert {boundary.moment for boundary in boundaries} == {"before", "done", "answered"}
    return boundaries


def only(boundary: Boundary) -> Chooses:
    """The first time; what is sent again after a cut gets through."""
    left = {boundary}
    return lambda met: met in left and not left.discard(met)


def again_and_again(stand: Stand, disturbed: Callable[[Stand, set[Boundary]], Referee]) -> set[Boundary]:
    """Disturb a run at the first boundary where none was disturbed before, then the next, until one gets through."""
    hit: set[Boundary] = set()
    for _ in range(_RUNS):
        expire_leases(stand.db)
        referee = disturbed(stand, hit)
        hit.update(referee.hit)
        if not referee.hit:
            return hit
    raise AssertionError(f"no run got through in {_RUNS}")


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_every_boundary(stages: Stages, name: str):
    def chooses(boundary: Boundary) -> bool:
        return boundary.moment == "before" or (boundary.moment == "answered" and boundary.writes)

    wanted = {boundary for boundary in counted(stages, name) if chooses(boundary)}
    with stages.open(name) as stand:
        hit = again_and_again(stand, lambda stand, hit: killed(stages, stand, lambda b: chooses(b) and b not in hit))
        stages.assert_as_expected(stand)
    for boundary in wanted - hit:  # a run that goes on from what others left takes a shorter way
        with stages.open(name) as stand:
            assert killed(stages, stand, only(boundary)).hit == [boundary]
            stages.finish(stand)
            stages.assert_as_expected(stand)


@pytest.mark.parametrize("name", NAMES)
def test_killed_when_a_write_was_done_and_nobody_knew(stages: Stages, name: str):
    """Each in a state of its own, with one run after it; of writes that repeat themselves the first and the last."""
    done = [boundary for boundary in counted(stages, name) if boundary.writes and boundary.moment == "done"]
    last = {boundary.what: boundary for boundary in done}
    for boundary in done:
        if boundary.number == 0 or boundary == last[boundary.what]:
            with stages.open(name) as stand:
                assert killed(stages, stand, only(boundary)).hit == [boundary]
                stages.finish(stand)
                stages.assert_as_expected(stand)


@pytest.mark.parametrize("name", NAMES)
def test_cut_at_every_boundary(stages: Stages, name: str):
    """A step may go on by itself, which it mostly does, or give up and be run again."""
    wanted = set(counted(stages, name))

    def disturbed(stand: Stand, before: set[Boundary]) -> Referee:
        hit = set(before)

        def chooses(boundary: Boundary) -> bool:
            fresh = boundary not in hit
            hit.add(boundary)
            return fresh

        return cut(stand, chooses)

    with stages.open(name) as stand:
        hit = again_and_again(stand, disturbed)
        stages.assert_as_expected(stand)
    for boundary in wanted - hit:
        with stages.open(name) as stand:
            assert cut(stand, only(boundary)).hit == [boundary]
            stages.finish(stand)
            stages.assert_as_expected(stand)
