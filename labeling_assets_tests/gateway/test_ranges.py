import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.gateway.ranges import NoPart, Part, requested_parts

SIZES = st.integers(0, 30)
POSITIONS = st.integers(0, 40)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        pytest.param("bytes=0-0", Part(0, 0), id="first byte"),
        pytest.param("bytes=0-99", Part(0, 99), id="all of it"),
        pytest.param("bytes=10-19", Part(10, 19), id="middle"),
        pytest.param("bytes=99-99", Part(99, 99), id="last byte"),
        pytest.param("bytes=90-", Part(90, 99), id="open"),
        pytest.param("bytes=90-1000", Part(90, 99), id="beyond the end"),
        pytest.param("bytes=-1", Part(99, 99), id="suffix of one"),
        pytest.param("bytes=-100", Part(0, 99), id="suffix of all"),
        pytest.param("bytes=-1000", Part(0, 99), id="suffix longer than all"),
        pytest.param("bytes=007-0008", Part(7, 8), id="leading zeros"),
        pytest.param("Bytes=1-2", Part(1, 2), id="unit in capitals"),
        pytest.param("bytes= 1-2 ", Part(1, 2), id="blanks around"),
        pytest.param("bytes=1-" + "9" * 60, Part(1, 99), id="very long number"),
    ],
)
def test_part_of_100_bytes(header: str, part: Part) -> None:
    assert requested_parts(header, 100) == (part,)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="no header"),
        pytest.param("", id="empty header"),
        pytest.param("bytes=", id="no range"),
        pytest.param("bytes=-", id="neither end"),
        pytest.param("bytes=5-4", id="last before first"),
        pytest.param("bytes=0-10,10-20", id="ranges that overlap"),
        pytest.param("bytes=-10,0-", id="a suffix inside of an open range"),
        pytest.param("bytes=0-1,5-4", id="one of two that is none"),
        pytest.param("bytes=0-1;5-6", id="another separator"),
        pytest.param("bytes=,,", id="a list without elements"),
        pytest.param("bytes=" + ",".join(f"{n}-{n}" for n in range(17)), id="too many ranges"),
        pytest.param("bytes=a-b", id="letters"),
        pytest.param("bytes=1.0-2", id="fraction"),
        pytest.param("bytes=+1-2", id="sign"),
        pytest.param("bytes=1 -2", id="blank inside"),
        pytest.param("bytes=\u0661-\u0662", id="digits that are not ASCII"),
        pytest.param("items=0-1", id="another unit"),
        pytest.param("0-1", id="no unit"),
        pytest.param("bytes=0-1\n", id="line break"),
        pytest.param("bytes=0-" + "9" * 5000, id="number that Python refuses"),
    ],
)
def test_the_whole_of_100_bytes(header: str | None) -> None:
    assert requested_parts(header, 100) is NoPart.WHOLE


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        pytest.param("bytes=0-1,5-6", [(0, 1), (5, 6)], id="two"),
        pytest.param("bytes=90-,0-9", [(90, 99), (0, 9)], id="in the order of the request"),
        pytest.param("bytes=0-1 ,\t-1", [(0, 1), (99, 99)], id="blanks around the comma"),
        pytest.param("bytes=,0-1,,2-3", [(0, 1), (2, 3)], id="empty elements"),
        pytest.param("bytes=0-1,100-", [(0, 1)], id="one of two lies outside"),
        pytest.param("bytes=0-0,-0", [(0, 0)], id="one of two is empty"),
        pytest.param("bytes=" + ",".join(f"{n}-{n}" for n in range(16)), [(n, n) for n in range(16)], id="sixteen"),
    ],
)
def test_several_parts_of_100_bytes(header: str, parts: list[tuple[int, int]]) -> None:
    assert requested_parts(header, 100) == tuple(Part(*part) for part in parts)


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=100-,-0"])
def test_nothing_of_100_bytes(header: str) -> None:
    assert requested_parts(header, 100) is NoPart.UNSATISFIABLE


@pytest.mark.parametrize(
    ("header", "answer"),
    [("bytes=0-", NoPart.UNSATISFIABLE), ("bytes=0-0", NoPart.UNSATISFIABLE), ("bytes=-5", NoPart.WHOLE)],
)
def test_nothing_has_no_parts(header: str, answer: NoPart) -> None:
    """Section 14.1.2: a suffix of an empty representation is satisfiable; it is the whole."""
    assert requested_parts(header, 0) is answer


@given(SIZES, POSITIONS, POSITIONS)
def test_from_to_is_a_slice(size: int, first: int, length: int) -> None:
    data = bytes(range(size))
    parts = requested_parts(f"bytes={first}-{first + length}", size)
    assert _cut(data, parts) == data[first : first + length + 1]


@given(SIZES, POSITIONS)
def test_open_is_a_slice(size: int, first: int) -> None:
    data = bytes(range(size))
    assert _cut(data, requested_parts(f"bytes={first}-", size)) == data[first:]


@given(SIZES, st.integers(1, 40))
def test_suffix_is_a_slice(size: int, length: int) -> None:
    data = bytes(range(size))
    assert _cut(data, requested_parts(f"bytes=-{length}", size)) == data[-length:]


@given(st.text(alphabet="bytes=0123456789-, ", max_size=30), SIZES)
def test_every_part_lies_inside(header: str, size: int) -> None:
    parts = requested_parts(header, size)
    assert isinstance(parts, NoPart) or all(0 <= part.first <= part.last < size for part in parts)


@given(st.lists(st.tuples(POSITIONS, POSITIONS), min_size=1, max_size=5), SIZES)
def test_no_byte_is_sent_twice(ranges: list[tuple[int, int]], size: int) -> None:
    parts = requested_parts("bytes=" + ",".join(f"{first}-{first + more}" for first, more in ranges), size)
    sent = [place for part in parts for place in range(part.first, part.last + 1)] if isinstance(parts, tuple) else []
    assert len(sent) == len(set(sent))


def _cut(data: bytes, parts: tuple[Part, ...] | NoPart) -> bytes:
    """The bytes that the answer to a request has."""
    if isinstance(parts, tuple):
        return b"".join(data[part.first : part.last + 1] for part in parts)
    return data if parts is NoPart.WHOLE else b""
