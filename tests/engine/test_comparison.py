from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from xaiexp.builtin.agreements.whole_map_measures import RankCorrelation
from xaiexp.contract.kinds import Agreement
from xaiexp.core.explanations import Explanation
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.ids import CellId
from xaiexp.engine.comparison import agree_all, agree_jointly, group_maps
from xaiexp.engine.evaluator import Evaluator
from xaiexp.errors import CellError
from xaiexp.store.objects import Store


@dataclass(frozen=True)
class Careless(Agreement):
    """Puts the maps in order where they lie."""

    summary, source = "a measure that writes into what it was given", "this test"
    bounds, needs_sign, symmetric = (0.0, 1.0), False, True

    def compare(self, a, b):
        a.copy_(a.sort(dim=1).values)
        return torch.ones(len(a))


def features(counts, d):
    """A map of texts of so many tokens each."""
    index = torch.arange(d).repeat(len(counts), 1)
    for i, count in enumerate(counts):
        index[i, count:] = -1
    return FeatureMap.from_index(index, (d,))


def test_texts_of_unlike_length_are_compared_over_their_own_tokens():
    maps = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
    counts = [7, 4, 7, 2, 4]
    got = agree_all(RankCorrelation(), group_maps(maps, features(counts, 7)), [True] * 3)
    for (i, j), values in got.items():
        for n, count in enumerate(counts):
            want = RankCorrelation().compare(maps[i, n : n + 1, :count], maps[j, n : n + 1, :count])
            torch.testing.assert_close(values[n : n + 1], want.double())


def test_a_measure_that_writes_into_the_maps_is_told_and_costs_its_own_numbers_alone(tmp_path):
    maps = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))
    for compare in (agree_all, agree_jointly):
        with pytest.raises(CellError, match="changed the maps"):
            compare(Careless(), group_maps(maps.clone(), features([6, 6, 6], 6)), [True, True])

    def explanation(values):
        return Explanation("some", "none", values, features([6, 6, 6], 6), True, False, True)

    cells = {CellId(name): explanation(values) for name, values in zip("ab", maps, strict=True)}
    measures = {"careless": Careless(), "rank_correlation": RankCorrelation()}
    evaluator = Evaluator({}, measures, Store(tmp_path), None)
    (values,) = evaluator.agreement(cells)[0].values()
    torch.testing.assert_close(values, RankCorrelation().compare(*maps).double())
    assert list(evaluator.failures) == ["careless"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_map_that_is_not_finite_agrees_with_none_and_leaves_the_others(bad):
    maps = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(1))
    want = agree_all(RankCorrelation(), group_maps(maps, features([6] * 4, 6)), [True] * 3)
    maps[1, 2, 3] = bad
    got = agree_all(RankCorrelation(), group_maps(maps, features([6] * 4, 6)), [True] * 3)
    for pair, values in got.items():
        assert values.isnan().tolist() == [False, False, 1 in pair, False]
        assert torch.equal(values[~values.isnan()], want[pair][~values.isnan()])
