"""An iterator that is read ahead: order, depth, errors, patience."""

import threading
from collections.abc import Iterator

import pytest

from labeling_assets.sync.collect.read_ahead import read_ahead


def test_items_come_in_their_order():
    assert list(read_ahead(iter(range(50)))) == list(range(50))


def test_nothing_gives_nothing():
    assert list(read_ahead(iter(()))) == []


def test_two_items_are_fetched_before_the_first_is_dealt_with():
    fetched, third = [], threading.Event()

    def items() -> Iterator[int]:
        for number in range(5):
            fetched.append(number)
            if number == 2:
                third.set()
            yield number

    reading = read_ahead(items(), 2)
    assert next(reading) == 0
    assert third.wait(5)
    assert fetched == [0, 1, 2]
    reading.close()
    assert fetched == [0, 1, 2]


def test_an_error_is_raised_in_its_place():
    def items() -> Iterator[int]:
        yield 1
        raise TimeoutError("the third")

    reading = read_ahead(items())
    assert next(reading) == 1
    with pytest.raises(TimeoutError, match="the third"):
        next(reading)


def test_the_caller_is_told_that_an_item_takes_long():
    told = threading.Event()

    def items() -> Iterator[int]:
        assert told.wait(5)
        yield 1

    assert list(read_ahead(items(), waiting=told.set, patience_s=0.01)) == [1]
