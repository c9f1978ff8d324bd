"""The nearest of many vectors."""

import numpy as np
import pytest

from labeling_assets.local_aperturedb import vectors


def chunks(found, size):
    numbered = [(number, row.tobytes()) for number, row in enumerate(found, start=1)]
    return (numbered[start : start + size] for start in range(0, len(numbered), size))


@pytest.mark.parametrize("size", [1, 7, 100])
def test_chunks_change_nothing(size):
    found = np.random.default_rng(1).normal(size=(50, 8)).astype("float32")
    query = found[10] + np.float32(0.1)
    exact = ((found.astype(float) - query.astype(float)) ** 2).sum(axis=1)
    nearest = vectors.nearest(query.tobytes(), chunks(found, size), metric="L2", count=5)
    assert list(nearest) == (np.argsort(exact)[:5] + 1).tolist()
    assert list(nearest.values()) == pytest.approx(sorted(exact)[:5])


def test_equals_keep_their_order():
    found = np.ones((4, 2), "float32")
    assert list(vectors.nearest(found[0].tobytes(), chunks(found, 3), metric="IP", count=3)) == [1, 2, 3]


def test_a_vector_without_a_direction_is_similar_to_none():
    found = np.array([[0, 0], [1, 0]], "float32")
    nearest = vectors.nearest(found[1].tobytes(), chunks(found, 2), metric="CS", count=2)
    assert nearest == {2: 1.0, 1: 0.0}


def test_no_vectors_have_no_nearest():
    assert vectors.nearest(bytes(8), iter(()), metric="L2", count=3) == {}
