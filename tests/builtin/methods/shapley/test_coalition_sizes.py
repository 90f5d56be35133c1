"""The sizes of KernelSHAP's coalitions: which are whole, how the others are drawn, and what they weigh."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from builders import bind, draws, make_batch, normal

from xaiexp.builtin.methods.shapley.coalition_sizes import coalition_sizes
from xaiexp.builtin.methods.shapley.linear_surrogates import KernelShap
from xaiexp.core.draws import Draws

CASES = [(3, 3), (6, 14), (9, 40), (12, 32), (12, 512), (12, 1036), (13, 900), (49, 64), (49, 512), (196, 1220)]


def several(count):
    return Draws(0, tuple(f"example {i}" for i in range(count)))


@pytest.mark.parametrize(("d", "pairs"), CASES)
def test_sizes_whose_share_of_the_budget_suffices_are_whole_and_the_rest_is_divided_by_the_square_root(d, pairs):
    sizes = coalition_sizes(d, pairs)
    there = [math.comb(d, k) / (2 if 2 * k == d else 1) for k in range(1, d // 2 + 1)]
    assert float(sizes.expected.sum()) == pytest.approx(pairs)
    assert sizes.expected[: sizes.whole].tolist() == there[: sizes.whole]
    rest = range(sizes.whole + 1, d // 2 + 1)
    # By the number of coalitions of a size k and of its complement, relative to the root of its part of the kernel.
    each = [float(sizes.expected[k - 1]) * math.sqrt(k * (d - k)) * (2 if 2 * k == d else 1) for k in rest]
    assert each == pytest.approx([each[0]] * len(each) if each else [])
    assert all(float(sizes.expected[k - 1]) < there[k - 1] for k in rest)


@pytest.mark.parametrize(("d", "pairs"), CASES)
def test_every_example_gets_its_pairs_and_each_size_its_expected_number(d, pairs):
    sizes = coalition_sizes(d, pairs)
    z = sizes.sample(several(20))
    assert z.shape == (20, pairs, d)
    taken = torch.stack([row.sum(1).bincount(minlength=d + 1) for row in z])
    assert bool((taken[:, 1 : d // 2 + 1] - sizes.expected).abs().max() < 1)
    assert not taken[:, d // 2 + 1 :].any()
    assert not taken[:, 0].any()


@pytest.mark.parametrize(("d", "pairs"), [(9, 40), (12, 512), (12, 1036), (13, 900)])
def test_listed_sizes_are_drawn_without_replacement_and_uniformly(d, pairs):
    sizes = coalition_sizes(d, pairs)
    z = sizes.sample(several(200))
    assert sizes.whole + sizes._tabled == d // 2  # all strata are small here
    powers = 2 ** torch.arange(d)
    for row in z:
        codes = (row.long() * powers).sum(1)
        assert len(codes.unique()) == pairs
        assert len(torch.cat([codes, 2**d - 1 - codes]).unique()) == 2 * pairs
    k = d // 2
    part = z[z.sum(2) == k].double()
    among = part.mean(0)
    # Where 2 k = d, the coalition of a pair is that with the first feature.
    want = torch.full_like(among, k / d)
    if 2 * k == d:
        want[0], want[1:] = 1.0, (k - 1) / (d - 1)
    assert float((among - want).abs().max()) < 5 * math.sqrt(0.25 / len(part))


@pytest.mark.parametrize(("d", "pairs"), CASES)
def test_weights_are_the_shapley_kernel_over_the_share_of_a_size_that_is_taken(d, pairs):
    sizes = coalition_sizes(d, pairs)
    for k in range(1, d):
        kernel = (d - 1) / (math.comb(d, k) * k * (d - k))
        share = float(sizes.expected[min(k, d - k) - 1]) / (math.comb(d, k) / (2 if 2 * k == d else 1))
        assert float(sizes.weights[k]) == pytest.approx(kernel / share)
        assert float(sizes.unseen[k]) == pytest.approx(max(0.0, 1 - share), abs=1e-12)


@pytest.mark.parametrize(("d", "pairs"), [(2, 1), (5, 15), (8, 127)])
def test_as_many_pairs_as_there_are_are_all_coalitions_once(d, pairs):
    sizes = coalition_sizes(d, pairs)
    codes = (sizes.sample(several(1))[0].long() * 2 ** torch.arange(d)).sum(1)
    both = torch.cat([codes, 2**d - 1 - codes]).sort().values
    assert both.tolist() == list(range(1, 2**d - 1))
    assert not sizes.unseen.any()


def test_an_additive_game_has_no_sampling_error():
    x = normal(3, 20)
    weight = normal(20, seed=2)
    batch = make_batch(x, 0)
    for n_samples in (48, 100, 500):
        network = lambda v: (v @ weight).unsqueeze(1)  # noqa: E731 -- a one-line function
        method = KernelShap(n_samples=n_samples)
        got = method.attribute(bind(network, batch), batch, torch.zeros_like(x), draws(batch))
        torch.testing.assert_close(got.values, x * weight, rtol=0.0, atol=1e-9)
        assert float(got.standard_error.max()) < 1e-6


def test_errors_fall_with_the_passes_and_are_those_of_exact_values_in_the_end():
    """Games with interactions up to the fourth order, whose Shapley values are known: a product is shared equally."""
    torch.manual_seed(0)
    d = 12
    sets = [torch.randperm(d)[: 1 + i % 4] for i in range(40)]
    factors = torch.randn(40, dtype=torch.float64)
    exact = torch.zeros(d, dtype=torch.float64)
    for members, factor in zip(sets, factors, strict=True):
        exact[members] += factor / len(members)

    def game(v):
        return sum(f * v[:, m].prod(1) for m, f in zip(sets, factors, strict=True)).unsqueeze(1)

    x = torch.ones(60, d, dtype=torch.float64)
    batch = make_batch(x, 0)
    errors = []
    for n_samples in (64, 256, 1024, 4094):
        method = KernelShap(n_samples=n_samples)
        got = method.attribute(bind(game, batch), batch, torch.zeros_like(x), draws(batch))
        errors.append(float((got.values - exact).square().sum(1).mean() / exact.square().sum()))
    assert all(later < earlier / 3 for earlier, later in pairwise(errors))
    assert errors[-1] < 1e-20
