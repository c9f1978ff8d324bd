import pytest

from labeling_assets.mapping.range_ends import exact_number, whole_number


@pytest.mark.parametrize(
    ("given", "number"),
    [(3, 3), (3.0, 3), ("3", 3), ("007", 7), (-2, -2), (0, 0), (2**53, 2**53)]
    + [(it, None) for it in (3.5, "-3", "", "3.0", "٣", "²", "9" * 16, 2**53 + 2, 10**400, True, None, [3])],
)
def test_whole_numbers(given: object, number: int | None):
    assert whole_number(given) == number


@pytest.mark.parametrize(("given", "number"), [(2**62 + 1, 2**62 + 1), (1.5, 1.5), (2**70, float(2**70)), (True, None)])
def test_numbers_keep_their_digits(given: object, number: float | None):
    assert exact_number(given) == number
