import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling_assets.mapping.rle import decode_alpha, encode_alpha, value_count

# Painted in Chromium and encoded by the editor's own encoder.
BRUSH = Path(__file__).parent.parent / "data" / "mapping" / "mask" / "brush.label_studio.json"
# Runs of one value, some longer than the longest that the code has (65536 values, 16384 pixels).
runs = st.lists(st.tuples(st.integers(0, 255), st.integers(1, 40) | st.sampled_from([16384, 16385, 40000])), min_size=1)


def alpha_of(given_runs: list[tuple[int, int]]) -> np.ndarray:
    return np.concatenate([np.full(length, value, np.uint8) for value, length in given_runs])


def channels(alpha: np.ndarray) -> np.ndarray:
    return np.repeat(alpha, 4)


@settings(deadline=None)
@given(runs)
def test_there_and_back(given_runs: list[tuple[int, int]]):
    alpha = alpha_of(given_runs)
    decoded = decode_alpha(bytes(encode_alpha(alpha)), alpha.size)
    assert np.array_equal(decoded, alpha)


@settings(deadline=None)
@given(st.lists(st.integers(0, 255) | st.just(0), min_size=1, max_size=60), st.integers(1, 9))
def test_reads_what_the_sdk_writes(values: list[int], times: int):
    """The four channels need not be equal: the SDK writes single values too."""
    from label_studio_sdk.converter.brush import decode_rle, encode_rle

    rgba = np.repeat(np.array(values, np.uint8), times)
    rgba = np.resize(rgba, (rgba.size + 3) // 4 * 4)
    code = encode_rle(rgba)
    assert np.array_equal(decode_alpha(bytes(code), rgba.size // 4), decode_rle(code)[3::4])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), st.integers(1, 40)), min_size=1, max_size=20))
def test_the_sdk_reads_what_we_write(given_runs: list[tuple[int, int]]):
    from label_studio_sdk.converter.brush import decode_rle

    alpha = alpha_of(given_runs)
    assert np.array_equal(decode_rle(encode_alpha(alpha)), channels(alpha))


def test_the_sdk_reads_runs_that_are_too_long_for_one_block():
    from label_studio_sdk.converter.brush import decode_rle, encode_rle

    alpha = alpha_of([(0, 16384), (255, 16385), (7, 50_000)])
    assert np.array_equal(decode_rle(encode_alpha(alpha)), channels(alpha))
    assert np.array_equal(decode_alpha(bytes(encode_rle(channels(alpha))), alpha.size), alpha)


def test_writes_the_bytes_that_the_editor_writes():
    code = json.loads(BRUSH.read_text())["result"][0]["value"]["rle"]
    alpha = decode_alpha(bytes(code), 32 * 20)
    assert not isinstance(alpha, str)
    assert np.count_nonzero(alpha) == 168
    assert encode_alpha(alpha) == code


def test_values_one_by_one_across_blocks():
    """A block of 3 values and one of 5: the alphas are the values 3 and 7."""
    header = f"{8:032b}" + f"{7:05b}" + "0010" * 4
    bits = header + "000" + "010" + "".join(f"{it:08b}" for it in (1, 2, 3))
    bits += "000" + "100" + "".join(f"{it:08b}" for it in (4, 5, 6, 7, 8))
    bits += "0" * (-len(bits) % 8)
    code = int(bits, 2).to_bytes(len(bits) // 8)
    assert list(decode_alpha(code, 2)) == [4, 8]


@pytest.mark.parametrize("length", [0, 1, 6])
def test_without_a_whole_header(length: int):
    assert value_count(bytes(length)) is None
    assert decode_alpha(bytes(length), 1) == "the mask has 0 values, 1 pixels have 4"


def test_a_length_of_four_gigabytes_is_refused_before_any_memory_is_taken():
    code = b"\xff\xff\xff\xff" + bytes(encode_alpha(np.zeros(10, np.uint8)))[4:]
    assert decode_alpha(code, 10) == "the mask has 4294967295 values, 10 pixels have 40"


def test_other_sizes_of_values_are_refused():
    code = bytearray(encode_alpha(np.zeros(10, np.uint8)))
    code[4] = 0b01111 << 3 | code[4] & 7
    assert decode_alpha(bytes(code), 10) == "the mask has values of 16 bits, expected 8"


@settings(deadline=None)
@given(st.data())
def test_what_is_cut_off_is_refused(data: st.DataObject):
    alpha = alpha_of([(0, 3), (9, 5), (255, 700), (0, 1), (4, 2)])
    code = bytes(encode_alpha(alpha))
    cut = data.draw(st.integers(7, len(code) - 1))
    assert str(decode_alpha(code[:cut], alpha.size)).startswith("the mask ends after ")


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 500))
def test_garbage_gives_a_mask_or_a_reason(garbage: bytes, pixels: int):
    code = (pixels * 4).to_bytes(4) + b"\x39\x1b" + garbage
    decoded = decode_alpha(code, pixels)
    assert isinstance(decoded, str) or decoded.size == pixels
