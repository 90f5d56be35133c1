"""The error of KernelSHAP and of its peers at equal passes, against exact values.

Games of two kinds have known Shapley values. *Products*: sums of random products of up to three, or up to six,
features; a product is shared equally by its members, so that the values are exact for any number of features.
*Networks*: random networks with tanh or ReLU, whose values are enumerated over all coalitions of 12 features. The error
is the squared distance from the exact values relative to their squared length, averaged over games and seeds; ``ratio``
is ours over that of shap's ``KernelExplainer`` without feature selection (``l1_reg=0``; its default, which keeps ten
features, is the column ``shap_default``). Ours, shap and the permutation methods alternate on the same games in one
process. All have as many coalitions, beyond f(x) and f(x0), which all need.

``refused`` says where ours raises because the coalitions do not determine the values; shap solves a singular system.
``interval`` is the 95 % bootstrap interval of the ratio over pairs of game and seed.

    uv run --group bench python benchmarks/shapley_error.py [--quick]
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import xaiexp
from xaiexp.errors import Unsupported

PASSES = (64, 128, 256, 512, 1024)
KINDS = {12: ("products of 3", "products of 6", "tanh", "relu"), 49: ("products of 3", "products of 6")}


@dataclass(frozen=True)
class Game:
    """A game over d features: scores of coalitions ``[M, d]`` of 0 and 1, and its Shapley values."""

    scores: Callable[[Tensor], Tensor]
    exact: Tensor


def products(d: int, order: int, seed: int) -> Game:
    """A sum of products of up to ``order`` features."""
    rng = np.random.default_rng(seed)
    sets = [rng.choice(d, size=rng.integers(1, order + 1), replace=False) for _ in range((3 if order < 4 else 8) * d)]
    factors = torch.from_numpy(rng.normal(size=len(sets)))
    exact = torch.zeros(d, dtype=torch.float64)
    for members, factor in zip(sets, factors, strict=True):
        exact[members] += factor / len(members)
    widest = max(map(len, sets))
    index = torch.tensor([[*s, *[d] * (widest - len(s))] for s in sets])  # feature d is always there

    def scores(z: Tensor) -> Tensor:
        padded = torch.cat([z.double(), torch.ones(len(z), 1, dtype=torch.float64)], dim=1)
        return padded[:, index].prod(dim=2) @ factors

    return Game(scores, exact)


def network(d: int, kind: str, seed: int) -> Game:
    """A random network, its values from the scores of all coalitions."""
    rng = np.random.default_rng(seed)
    start, end = rng.normal(size=d) * 0.3, rng.normal(size=d)
    w, b, v = (
        rng.normal(size=(d, 32)) * 2 / math.sqrt(d),
        rng.normal(size=32) * 0.3,
        rng.normal(size=32) / math.sqrt(32),
    )
    x0, step, w, b, v = (torch.from_numpy(t) for t in (start, end - start, w, b, v))

    def scores(z: Tensor) -> Tensor:
        hidden = (x0 + z.double() * step) @ w + b
        return (hidden.tanh() if kind == "tanh" else hidden.relu()) @ v

    everything = (torch.arange(2**d).unsqueeze(1) >> torch.arange(d) & 1).double()
    all_scores, sizes = scores(everything), everything.sum(1).long()
    weight = torch.tensor([math.factorial(k) * math.factorial(d - k - 1) / math.factorial(d) for k in range(d)])
    exact = []
    for j in range(d):
        without = (everything[:, j] == 0).nonzero().squeeze(1)
        gain = all_scores[without + (1 << j)] - all_scores[without]
        exact.append(float((weight[sizes[without]].double() * gain).sum()))
    return Game(scores, torch.tensor(exact, dtype=torch.float64))


def game(d: int, kind: str, seed: int) -> Game:
    """A game by name."""
    return products(d, int(kind[-1]), seed) if kind.startswith("products") else network(d, kind, seed)


def ours(method: str, one: Game, d: int, passes: int, seed: int) -> Tensor:
    """Values of one of our methods with this many coalitions, or fewer where orders need a multiple."""
    each = {"kernel_shap": 1, "permutation_shap": 2 * (d - 1), "shapley_sampling": d - 1}[method]
    x = torch.ones(1, d, dtype=torch.float64)
    scores = lambda z: one.scores(z).unsqueeze(1)  # noqa: E731 -- a one-line function
    return xaiexp.attribute(scores, x, method, target=0, seed=seed, n_samples=max(1, passes // each))[0]


def theirs(one: Game, d: int, passes: int, seed: int, selection: str | bool = False) -> Tensor:
    """Values of shap's KernelExplainer."""
    import shap

    np.random.seed(seed)  # noqa: NPY002 -- the generator that shap draws from
    explainer = shap.KernelExplainer(lambda z: one.scores(torch.from_numpy(z)).numpy(), np.zeros((1, d)))
    return torch.from_numpy(explainer.shap_values(np.ones((1, d)), nsamples=passes, l1_reg=selection, silent=True)[0])


def relative_error(values: Tensor, one: Game) -> float:
    """The squared distance from the exact values, relative to their squared length."""
    return float((values - one.exact).square().sum() / one.exact.square().sum())


def measure(d: int, kind: str, passes: int, games: int, seeds: int) -> dict[str, object]:
    """The errors of all on the same games and seeds."""
    errors: dict[str, list[float]] = {}
    refused = ""
    for number in range(games):
        one = game(d, kind, number)
        for seed in range(seeds):
            try:
                mine = ours("kernel_shap", one, d, passes, seed)
                errors.setdefault("kernel_shap", []).append(relative_error(mine, one))
            except Unsupported as reason:
                refused = str(reason)
            errors.setdefault("shap", []).append(relative_error(theirs(one, d, passes, 1000 * number + seed), one))
            if passes >= 2 * (d - 1):
                for method in ("permutation_shap", "shapley_sampling"):
                    errors.setdefault(method, []).append(relative_error(ours(method, one, d, passes, seed), one))
            if not seed:
                default = theirs(one, d, passes, number, "num_features(10)")
                errors.setdefault("shap_default", []).append(relative_error(default, one))
    row: dict[str, object] = {"features": d, "game": kind, "passes": passes, "runs": games * seeds}
    row |= {name: float(f"{np.mean(each):.3g}") for name, each in errors.items()}
    if refused:
        return row | {"refused": refused}
    a, b = np.array(errors["kernel_shap"]), np.array(errors["shap"])
    chosen = np.random.default_rng(0).integers(0, len(a), (2000, len(a)))
    drawn = a[chosen].mean(axis=1) / b[chosen].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return row | {
        "ratio": round(float(a.mean() / b.mean()), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
        "ratio of absolute errors": round(float(np.sqrt(a).mean() / np.sqrt(b).mean()), 3),
    }


def rows(quick: bool) -> list[dict[str, object]]:
    """A row for each number of features, kind of game and number of passes."""
    games, seeds = (2, 4) if quick else (6, 12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap warns of the singular systems that it solves
        return [
            measure(d, kind, passes, games, seeds)
            for d, kinds in KINDS.items()
            for kind in kinds
            for passes in (PASSES[1::2] if quick else PASSES)
        ]


if __name__ == "__main__":
    print(json.dumps(rows("--quick" in sys.argv), indent=1))
