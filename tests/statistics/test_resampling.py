from __future__ import annotations

import numpy as np

from xaiexp.statistics.resampling import resample_counts


def test_counts_are_those_of_draws_with_replacement():
    counts = resample_counts(np.random.default_rng(3), 50, 7)
    draws = np.random.default_rng(3).integers(7, size=(50, 7))
    np.testing.assert_array_equal(counts, [np.bincount(row, minlength=7) for row in draws])
    assert (counts.sum(axis=1) == 7).all()
