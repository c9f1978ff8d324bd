"""Label Studio's run-length code of painted masks, in both directions.

The code is that of the library `rle-pack` as the editor uses it: the four channels of each pixel in turn, of which
only the last, alpha, says what is painted. A header of 53 bits holds the number of values (32), the bits of a value
less one (5) and four sizes less one (4 each). After it come blocks: one bit, 1 for a run and 0 for values one by one;
two bits that choose one of the four sizes; the length less one in as many bits; then the value or values.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_HEADER_BITS: Final = 53
_CHANNELS: Final = 4
_VALUE_BITS: Final = 8
_SIZES: Final = (3, 4, 8, 16)  # what the editor writes
_LONGEST_RUN: Final = 1 << _SIZES[-1]


def value_count(rle: bytes) -> int | None:
    """The number of values, four for each pixel, that the code says it holds; None if it is too short to say."""
    return int.from_bytes(rle[:4]) if len(rle) * 8 >= _HEADER_BITS else None


def decode_alpha(rle: bytes, pixels: int) -> NDArray[np.uint8] | str:
    """The alpha of each pixel, row by row, or what is wrong with the code.

    Takes one byte of memory for each pixel, whatever the code says about its own length.
    """
    count = value_count(rle)
    if count != pixels * _CHANNELS:
        return f"the mask has {count or 0} values, {pixels} pixels have {pixels * _CHANNELS}"
    header = int.from_bytes(rle[:7]) >> 3
    value_bits = (header >> 16 & 31) + 1
    if value_bits != _VALUE_BITS:
        return f"the mask has values of {value_bits} bits, expected {_VALUE_BITS}"
    alpha = bytearray(pixels)
    done = _fill(alpha, rle, [(header >> shift & 15) + 1 for shift in (12, 8, 4, 0)])
    if done < count:
        return f"the mask ends after {done} of {count} values"
    return np.frombuffer(alpha, np.uint8)


def _fill(alpha: bytearray, rle: bytes, sizes: list[int]) -> int:
    """The number of values found. Every fourth is an alpha: `start // 4` of them come before value `start`."""
    count, last = len(alpha) * _CHANNELS, len(rle) * 8
    rle += bytes(8)  # so that five bytes can be read at any place
    start, place = 0, _HEADER_BITS
    while start < count:
        # Five bytes hold the up to 7 bits before the block, its 3 bits, a size of up to 16 and a value of 8.
        block = int.from_bytes(rle[place >> 3 : (place >> 3) + 5]) << (place & 7) & 0xFF_FFFF_FFFF
        size = sizes[block >> 37 & 3]
        length = (block >> 37 - size & (1 << size) - 1) + 1
        place += 3 + size
        end = min(start + length, count)
        if block >> 39:
            place += _VALUE_BITS
            value = block >> 29 - size & 255
            if value and place <= last:
                alpha[start >> 2 : end >> 2] = bytes((value,)) * ((end >> 2) - (start >> 2))
        else:
            values = _values(rle, place, length)[: end - start]
            place += _VALUE_BITS * length
            alpha[start >> 2 : end >> 2] = values[3 - start % 4 :: 4]
        if place > last:
            break
        start = end
    return start


def _values(rle: bytes, place: int, length: int) -> bytes:
    """`length` bytes from the bit at `place`; what is behind the end is 0."""
    first, shift = divmod(place, 8)
    found = int.from_bytes(rle[first : first + length + 1].ljust(length + 1, b"\0"))
    return (found >> 8 - shift & (1 << 8 * length) - 1).to_bytes(length)


def encode_alpha(alpha: NDArray[np.uint8]) -> list[int]:
    """The code of a mask, its four channels equal to `alpha` (of any shape, row by row), as the editor writes it."""
    flat = alpha.reshape(-1)
    starts = np.flatnonzero(np.diff(flat, prepend=flat[:1] + 1)) if flat.size else np.zeros(0, np.int64)
    lengths = np.diff(np.append(starts, flat.size)) * _CHANNELS
    # As many of the longest runs as are needed, and what remains as the last.
    repeats = np.maximum((lengths - 1) // _LONGEST_RUN + 1, 1)
    ends = np.cumsum(repeats) - 1
    runs = np.full(int(repeats.sum()), _LONGEST_RUN, np.int64)
    runs[ends] = lengths - (repeats - 1) * _LONGEST_RUN
    values = np.repeat(flat[starts], repeats).astype(np.int64)
    choice = np.searchsorted(np.left_shift(1, _SIZES), runs)
    sizes = np.array(_SIZES)[choice]
    blocks = ((4 | choice) << sizes | runs - 1) << _VALUE_BITS | values
    header = flat.size * _CHANNELS << 21 | (_VALUE_BITS - 1) << 16
    for size, shift in zip(_SIZES, (12, 8, 4, 0), strict=True):
        header |= size - 1 << shift
    return _packed(header, blocks, sizes + 3 + _VALUE_BITS)


def _packed(header: int, blocks: NDArray[np.int64], bits: NDArray[np.int64]) -> list[int]:
    """The header and blocks of so many bits each, one after the other, as bytes."""
    places = np.cumsum(np.append(_HEADER_BITS, bits))
    out = np.zeros(int(places[-1] + 7) // 8 + 5, np.int64)
    out[:7] = list((header << 3).to_bytes(7))
    first, shift = np.divmod(places[:-1], 8)
    shifted = blocks << 40 - bits - shift
    for byte in range(5):  # blocks share a byte, but never a bit: adding is the same as or
        np.add.at(out, first + byte, shifted >> 8 * (4 - byte) & 255)
    taken: list[int] = out[: int(places[-1] + 7) // 8].tolist()
    return taken
