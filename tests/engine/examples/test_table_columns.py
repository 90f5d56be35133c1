"""The columns of a dataset are put into the order that a model expects."""

from __future__ import annotations

import pytest
import torch

from xaiexp.core.samples import Sample, Source
from xaiexp.engine.examples.table_columns import with_columns
from xaiexp.errors import MismatchError

NAMES = ("age", "fare", "sex=f", "sex=m")
ROWS = [
    Sample(str(i), torch.arange(4.0) + 10 * i, i, mask=torch.tensor([i == 0, False, True, False])) for i in range(3)
]
SOURCE = Source(3, lambda start, stop: ROWS[start:stop], (), NAMES, ("age", "fare", "sex", "sex"))


def test_values_masks_and_names_follow_the_model():
    source = with_columns("csv", SOURCE, ("sex=m", "age", "sex=f"))
    assert (source.feature_names, source.columns) == (("sex=m", "age", "sex=f"), ("sex", "age", "sex"))
    samples = source.read(0, 2)
    assert [sample.data.tolist() for sample in samples] == [[3, 0, 2], [13, 10, 12]]
    assert [sample.mask.tolist() for sample in samples] == [[False, True, True], [False, False, True]]
    assert [(sample.id, sample.label) for sample in samples] == [("0", 0), ("1", 1)]


@pytest.mark.parametrize("expected", [(), NAMES])
def test_without_another_order_nothing_changes(expected):
    assert with_columns("csv", SOURCE, expected) is SOURCE
    unnamed = Source(3, SOURCE.read)
    assert with_columns("csv", unnamed, NAMES) is unnamed


def test_a_missing_column_is_named_with_the_nearest():
    with pytest.raises(MismatchError, match=r"dataset.csv: lacks 1 of the 2 columns .*'fares'\)\n  nearest: fare"):
        with_columns("csv", SOURCE, ("age", "fares"))
    with pytest.raises(MismatchError, match=r"repeats 1 of the 1 columns"):
        with_columns("csv", Source(3, SOURCE.read, (), ("a", "a")), ("a",))
