from __future__ import annotations

import math
from dataclasses import replace

import pytest
from builders import explain
from metric_batches import images, normal, score_all

from xaiexp.builtin.metrics.cost import Memory, Passes, Seconds
from xaiexp.core.explanations import Spent


@pytest.mark.parametrize(("metric", "want"), [(Passes(), 4.0), (Seconds(), 0.5), (Memory(), 1000.0)])
def test_costs_are_divided_among_the_examples_except_memory(metric, want):
    batch = images(5)
    counted = explain(batch, batch.inputs, spent=Spent(forward=15, backward=5, seconds=2.5, memory=1000))
    values, made = score_all(metric, lambda x: x.flatten(1), batch, [counted, replace(counted, spent=None)])
    assert values[0].tolist() == [want] * 5
    assert values[1].isnan().all()
    assert not made


@pytest.mark.parametrize("metric", [Passes(), Seconds(), Memory()])
def test_costs_do_not_depend_on_the_map(metric):
    batch = images()
    spent = Spent(3, 0, 1.0, 7)
    given = [explain(batch, phi, spent=spent) for phi in (batch.inputs, normal(3, 2, 3, 4), batch.inputs * math.nan)]
    values, _ = score_all(metric, lambda x: x.flatten(1), batch, given)
    assert values.unique().numel() == 1
