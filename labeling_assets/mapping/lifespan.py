"""In which frames of a video an object is visible, from its key frames."""

from collections.abc import Iterable

from labeling_assets.mapping.region import FrameRange


def lifespans(keyframes: Iterable[tuple[int, bool]], last_frame: int | None) -> tuple[FrameRange, ...]:
    """Spans in which the object of these key frames (frame from 0, enabled) is visible, as in Label Studio's player.

    A key frame begins a span, and the next one that is not enabled ends it: the object is still seen in that frame,
    also if it is the first one of the span. The last span is open to `last_frame`, the last of the video, or to the
    last key frame if that is later or nobody knows the last of the video. Of several key frames in one frame the last
    counts. Spans are in order and share no frame.
    """
    spans: list[FrameRange] = []
    first: int | None = None
    last = 0
    for frame, enabled in sorted(keyframes, key=lambda it: it[0]):
        first, last = (frame if first is None else first), frame
        if not enabled:
            _add(spans, FrameRange(first, last))
            first = None
    if first is not None:
        _add(spans, FrameRange(first, last if last_frame is None else max(last, last_frame)))
    return tuple(spans)


def _add(spans: list[FrameRange], span: FrameRange) -> None:
    if spans and span.first <= spans[-1].last:
        spans[-1] = FrameRange(spans[-1].first, max(spans[-1].last, span.last))
    else:
        spans.append(span)
