import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling_assets.gateway.ranges import NoPart, Part, requested_part

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
    assert requested_part(header, 100) == part


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="no header"),
        pytest.param("", id="empty header"),
        pytest.param("bytes=", id="no range"),
        pytest.param("bytes=-", id="neither end"),
        pytest.param("bytes=5-4", id="last before first"),
        pytest.param("bytes=0-1,5-6", id="two ranges"),
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
    assert requested_part(header, 100) is NoPart.WHOLE


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_nothing_of_100_bytes(header: str) -> None:
    assert requested_part(header, 100) is NoPart.UNSATISFIABLE


@pytest.mark.parametrize(
    ("header", "answer"),
    [("bytes=0-", NoPart.UNSATISFIABLE), ("bytes=0-0", NoPart.UNSATISFIABLE), ("bytes=-5", NoPart.WHOLE)],
)
def test_nothing_has_no_parts(header: str, answer: NoPart) -> None:
    """Section 14.1.2: a suffix of an empty representation is satisfiable; it is the whole."""
    assert requested_part(header, 0) is answer


@given(SIZES, POSITIONS, POSITIONS)
def test_from_to_is_a_slice(size: int, first: int, length: int) -> None:
    data = bytes(range(size))
    part = requested_part(f"bytes={first}-{first + length}", size)
    assert _cut(data, part) == data[first : first + length + 1]


@given(SIZES, POSITIONS)
def test_open_is_a_slice(size: int, first: int) -> None:
    data = bytes(range(size))
    assert _cut(data, requested_part(f"bytes={first}-", size)) == data[first:]


@given(SIZES, st.integers(1, 40))
def test_suffix_is_a_slice(size: int, length: int) -> None:
    data = bytes(range(size))
    assert _cut(data, requested_part(f"bytes=-{length}", size)) == data[-length:]


@given(st.text(alphabet="bytes=0123456789-, ", max_size=30), SIZES)
def test_every_part_lies_inside(header: str, size: int) -> None:
    part = requested_part(header, size)
    assert isinstance(part, NoPart) or 0 <= part.first <= part.last < size


def _cut(data: bytes, part: Part | NoPart) -> bytes:
    """The bytes that the answer to a request has."""
    if isinstance(part, Part):
        return data[part.first : part.last + 1]
    return data if part is NoPart.WHOLE else b""
