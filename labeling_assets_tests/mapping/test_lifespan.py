from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.lifespan import lifespans
from labeling_assets.mapping.region import FrameRange

LAST = 60
keyframes = st.lists(st.tuples(st.integers(0, LAST), st.booleans()), max_size=8)


def frames_of(spans: tuple[FrameRange, ...]) -> list[int]:
    return [frame for span in spans for frame in range(span.first, span.last + 1)]


@settings(deadline=None)
@given(keyframes)
def test_the_sdk_interpolates_the_same_frames(given_keyframes: list[tuple[int, bool]]):
    from label_studio_sdk._extensions.label_studio_tools.postprocessing.video import extract_key_frames

    numbers = {"x": 1, "y": 1, "width": 1, "height": 1, "rotation": 0, "time": 0}
    sequence = [{"frame": frame + 1, "enabled": enabled, **numbers} for frame, enabled in given_keyframes]
    value = {"sequence": sequence, "framesCount": LAST + 1, "duration": 2}
    results = extract_key_frames([{"type": "videorectangle", "value": value}])
    shown = {it["frame"] - 1 for result in results for it in result["value"]["sequence"]}
    found = frames_of(lifespans(given_keyframes, LAST))
    assert set(found) == shown
    assert len(found) == len(shown), "spans share no frame"


@settings(deadline=None)
@given(keyframes.map(lambda it: sorted(it, key=lambda pair: pair[0])))
def test_the_player_shows_it_in_the_same_frames(given_keyframes: list[tuple[int, bool]]):
    """As `isInLifespan` and `getShape` of the editor: nothing before the first key frame, then what the last says."""

    def is_shown(frame: int) -> bool:
        before: list[Any] = [it for it in given_keyframes if it[0] <= frame]
        return bool(before) and (before[-1][1] or before[-1][0] == frame)

    shown = [frame for frame in range(LAST + 1) if is_shown(frame)]
    assert frames_of(lifespans(given_keyframes, LAST)) == shown


@pytest.mark.parametrize(
    ("given_keyframes", "spans"),
    [
        ([], []),
        ([(3, True)], [(3, 9)]),
        ([(3, False)], [(3, 3)]),
        ([(3, True), (5, True), (7, False)], [(3, 7)]),
        ([(3, True), (5, False), (6, True), (8, False)], [(3, 5), (6, 8)]),
        ([(8, False), (3, True)], [(3, 8)]),  # in any order
        ([(3, False), (3, True), (5, False)], [(3, 5)]),
        ([(12, True)], [(12, 12)]),  # after the last frame
    ],
)
def test_spans(given_keyframes: list[tuple[int, bool]], spans: list[tuple[int, int]]):
    assert [(it.first, it.last) for it in lifespans(given_keyframes, 9)] == spans


def test_where_nobody_knows_the_last_frame_the_last_key_frame_is_the_end():
    assert lifespans([(3, True), (7, True)], None) == (FrameRange(3, 7),)
