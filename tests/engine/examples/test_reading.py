"""Samples are read by row: consecutive rows at once, in the order that was asked for, without those that fail."""

from __future__ import annotations

import pytest

from xaiexp.core.samples import Sample, Source
from xaiexp.engine.examples.reading import read_samples
from xaiexp.errors import MismatchError


def source(asked, bad=()):
    def read(start, stop):
        asked.append((start, stop))
        if set(range(start, stop)) & set(bad):
            raise ValueError("damaged")
        return [Sample(f"row {i}", i) for i in range(start, stop)]

    return Source(100, read)


def test_rows_come_in_the_order_asked_for_and_runs_are_read_at_once():
    asked = []
    found = read_samples("d", source(asked), [9, 3, 50, 4, 5], [])
    assert [(row, sample.id) for row, sample in found.items()] == [(r, f"row {r}") for r in (9, 3, 50, 4, 5)]
    assert asked == [(3, 6), (9, 10), (50, 51)]


def test_a_row_that_cannot_be_read_is_named_by_its_number_in_the_dataset():
    errors = []
    found = read_samples("d", source([], bad=(4, 50)), [50, 3, 4, 5], errors)
    assert list(found) == [3, 5]
    assert [(name, str(error)) for name, error in errors] == [("row 4", "damaged"), ("row 50", "damaged")]


def test_another_number_of_samples_than_asked_for_is_refused():
    with pytest.raises(MismatchError, match=r"was asked for 2 samples from row 3 \(got 1\)"):
        read_samples("d", Source(9, lambda start, stop: [Sample("a", 0)]), [4, 3], [])
