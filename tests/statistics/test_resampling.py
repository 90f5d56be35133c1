from __future__ import annotations

import numpy as np

from xaiexp.statistics.resampling import bootstrap_chunk, off_mode, resample_counts, sign_chunk, steps


def test_counts_are_those_of_draws_with_replacement():
    counts = resample_counts(np.random.default_rng(3), 50, 7)
    draws = np.random.default_rng(3).integers(7, size=(50, 7))
    np.testing.assert_array_equal(counts, [np.bincount(row, minlength=7) for row in draws])
    assert (counts.sum(axis=1) == 7).all()


def test_the_number_off_the_most_frequent_value_is_that_of_counting():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.integers(4, size=(20, 15)), rng.normal(size=(3, 15)), np.zeros((2, 15))])
    expected = [15 - max(list(row).count(v) for v in row) for row in values]
    np.testing.assert_array_equal(off_mode(values), expected)


def test_chunks_hold_all_draws_and_bound_the_memory():
    assert steps(1999, 16) == [1999]
    assert sum(steps(1999, 4096)) == 1999
    assert max(steps(1999, 4096)) * 4096 <= 1 << 20
    assert steps(3, 1 << 21) == [1, 1, 1]


def test_signs_and_counts_of_a_chunk_are_drawn_once_and_differ_between_chunks_and_seeds():
    for draw in (sign_chunk, bootstrap_chunk):
        first = draw(0, 0, 30, 40)
        assert draw(0, 0, 30, 40) is first
        for other in (draw(1, 0, 30, 40), draw(0, 1, 30, 40)):
            assert (other != first).any()
        assert not first.flags.writeable
    assert set(np.unique(sign_chunk(0, 0, 30, 40))) == {-1.0, 1.0}
    assert (bootstrap_chunk(0, 0, 30, 40).sum(axis=1) == 40).all()


def test_all_signs_are_made_where_they_are_few():
    signs = sign_chunk(0, 0, 1999, 4)
    assert len({tuple(row) for row in signs}) == len(signs) == 16
