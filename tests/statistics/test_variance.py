from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from xaiexp.statistics.variance import NOISE, shares


def crossed(methods, baselines, n, *, method=0.0, baseline=0.0, both=0.0, seeds=1, draw=0):
    """A block ``[seeds, 1, methods, baselines, N]`` with planted effects, the same for every draw."""
    planted, rng = np.random.default_rng(5), np.random.default_rng([1, draw])
    means = method * planted.normal(size=(methods, 1)) + baseline * planted.normal(size=(1, baselines))
    means = means + both * planted.normal(size=(methods, baselines))
    noise = rng.normal(size=(seeds, 1, methods, baselines, n)) + rng.normal(size=n)
    return means[None, None, :, :, None] + noise


def test_shares_are_those_of_the_analysis_of_variance_with_repeated_measures():
    methods, baselines, n = 4, 3, 9
    values = crossed(methods, baselines, n, method=0.5, baseline=0.5)
    names = pd.MultiIndex.from_product([range(methods), range(baselines), range(n)], names=["m", "b", "e"])
    rows = names.to_frame(index=False).assign(y=values.ravel())
    model = ols("y ~ (C(m, Sum) + C(b, Sum) + C(e, Sum)) ** 2", rows).fit()
    for kind in (2, 3):
        squares = anova_lm(model, typ=kind)["sum_sq"].rename(lambda name: name.replace(", Sum", ""))
        terms = {"method": "C(m)", "baseline": "C(b)", "method x baseline": "C(m):C(b)"}
        errors = {"method": "C(m):C(e)", "baseline": "C(b):C(e)", "method x baseline": "Residual"}
        whole = sum(squares[term] for term in terms.values())
        got = shares([values], ["d"], seed=0)
        assert list(got) == [*terms, NOISE]
        for name, term in terms.items():
            left = squares[term] - squares[errors[name]] / (n - 1)
            assert got[name].share == pytest.approx(max(0.0, left) / whole)
            assert got[name].low <= got[name].share <= got[name].high
        assert sum(part.share for part in got.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("blocks", [1, 2])
def test_pure_noise_explains_nothing(blocks):
    draws = [
        shares([crossed(8, 2, 32, draw=10 * draw + k) for k in range(blocks)], ["a", "b"][:blocks], seed=0)
        for draw in range(40)
    ]
    for name in set(draws[0]) - {NOISE}:
        assert np.mean([draw[name].share for draw in draws]) < 0.12  # negative parts are set to 0
        assert np.median([draw[name].share for draw in draws]) < 0.08
        assert np.mean([draw[name].low > 0 for draw in draws]) <= 0.1
    assert np.mean([draw[NOISE].share for draw in draws]) > 0.7


def test_planted_effects_come_back_within_their_intervals():
    planted = {"method": 0.5, "baseline": 0.5, "both": 0.3}
    n = 40
    wide = crossed(4, 3, 100_000, **planted)[0, 0].mean(axis=-1)
    main = {"method": wide.mean(axis=1, keepdims=True), "baseline": wide.mean(axis=0, keepdims=True)}
    main = {name: effect - wide.mean() for name, effect in main.items()}
    main["method x baseline"] = wide - wide.mean() - main["method"] - main["baseline"]
    squares = {name: (effect**2).sum() * (wide.size // effect.size) for name, effect in main.items()}
    whole = sum(squares.values()) + (wide.size - 1) / n  # the observed means have noise, too
    covered = dict.fromkeys(squares, 0)
    for draw in range(60):
        got = shares([crossed(4, 3, n, **planted, draw=draw)], ["d"], seed=draw, resamples=300)
        for name, value in squares.items():
            covered[name] += got[name].low <= value / whole <= got[name].high
    assert min(covered.values()) >= 50, covered  # measured in 400 draws: 92 to 96 %


def test_a_data_set_with_a_larger_scale_does_not_dominate():
    one, other = crossed(4, 2, 30, method=1.0), crossed(4, 2, 25, method=1.0, draw=1)
    plain = shares([one, other], ["a", "b"], seed=0)
    scaled = shares([one, 1000 * other - 7], ["a", "b"], seed=0)
    for name, part in plain.items():
        assert scaled[name].share == pytest.approx(part.share)
        assert scaled[name].low == pytest.approx(part.low, abs=1e-9)
    # The same order of the methods in both: models and data sets change little.
    assert plain["block"].share < 0.2 < plain["method"].share


def test_what_models_reverse_is_a_difference_between_models_and_no_main_effect():
    values = crossed(4, 2, 60, method=1.0)
    got = shares([values, -crossed(4, 2, 60, method=1.0, draw=1)], ["d", "d"], seed=0)
    assert got["method"].low == 0
    assert got["method"].share < 0.05
    assert got["block"].low > 0.5


def test_seeds_that_add_noise_are_no_factor_and_seeds_that_change_a_cell_are():
    values = crossed(4, 2, 50, method=0.5, seeds=3)
    assert shares([values], ["d"], seed=0)["seed"].low == 0
    values[1, 0, 0] += 2
    assert shares([values], ["d"], seed=0)["seed"].low > 0.1


def test_examples_without_a_score_are_left_out():
    values = crossed(3, 2, 20, method=1.0)
    missing = values.copy()
    missing[0, 0, 1, 1, 4] = np.nan
    want = shares([np.delete(values, 4, axis=-1)], ["d"], seed=0)
    assert shares([missing], ["d"], seed=0) == want


def test_without_two_factors_or_examples_or_differences_there_are_no_shares():
    values = crossed(3, 2, 10)
    assert shares([values[..., :1]], ["d"], seed=0) == {}
    assert shares([values[:, :, :, :1]], ["d"], seed=0) == {}
    assert shares([np.ones((1, 1, 3, 2, 9))], ["d"], seed=0) == {}
    assert shares([1 + 1e-12 * values], ["d"], seed=0) == {}
