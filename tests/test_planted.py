"""Studies whose truth is known, through the front door; the full size is in ``benchmarks/planted.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import xaiexp
from xaiexp import verdict
from xaiexp.contract import Method
from xaiexp.registry import installed
from xaiexp.statistics import ranks

EXAMPLES, BLOCK = 96, 16
INFORMED, CONTROLS = ("integrated_gradients", "deep_lift", "occlusion"), ("random", "sobel")
LOCALISATION = {"relevance_mass": True, "relevance_rank": True, "average_precision": True}
METRICS = {**LOCALISATION, "insertion": True, "infidelity": False}
WORDS = [
    "model=shapes_cnn", "dataset=shapes", "features=grid", "tracking.uri=off", "report=false", "baseline=[mean]",
    "target=label", "agreement=[]",
]  # fmt: skip


@dataclass(frozen=True)
class Sampled(Method):
    """Shapley values of few permutations, with normal noise of ``level`` times their own spread."""

    summary, source = "a method with random numbers, under noise of known size", "this test"
    needs, reads_baseline, signed, complete, multiplied_by_inputs = frozenset[str](), True, True, False, True

    level: float = 0.0

    def attribute(self, model, batch, reference, rng):
        sampled = installed().build("method", "shapley_sampling", {"n_samples": 2})
        values = batch.features.pool(sampled.attribute(model, batch, reference, rng).values)
        noise = rng.normal("degraded", values.shape[1:])
        return batch.features.spread(values + self.level * values.std(dim=1, keepdim=True) * noise)


def run(*words: str) -> xaiexp.Result:
    return xaiexp.run([*WORDS, *words], quiet=True)


def above(tests: pd.DataFrame, metric: str, method: str, control: str) -> bool:
    """Whether a method is better than a control beyond the noise."""
    both = [method, control]
    (row,) = tests[(tests.metric == metric) & tests.method_a.isin(both) & tests.method_b.isin(both)].to_dict("records")
    better = (row["difference"] > 0) == ((row["method_a"] == method) == METRICS[metric])
    return bool(row["p_holm"] <= 0.05 and better)


def test_informed_methods_rank_above_controls_that_see_no_figure(workplace: Path) -> None:
    methods = [*INFORMED, *CONTROLS, "input_magnitude"]
    result = run(f"method=[{','.join(methods)}]", f"metric=[{','.join(METRICS)}]", "examples=48")
    tests = verdict.compared(result.scores, METRICS)
    for metric in METRICS:
        for method in INFORMED:
            assert above(tests, metric, method, "random"), (metric, method)
    for metric in LOCALISATION:
        for method in INFORMED:
            assert above(tests, metric, method, "sobel"), (metric, method)
    # The figures are lighter than the ground, so that the brightest pixels find them as well as any method: what is
    # known to be so is not hidden.
    assert not all(above(tests, "average_precision", method, "input_magnitude") for method in INFORMED)


def test_copies_tie_and_a_degraded_copy_is_found_worse(workplace: Path, bring: Callable[..., None]) -> None:
    bring(Sampled)
    metrics = {"relevance_mass": True, "average_precision": True}
    words = ["+method@method.worse=sampled", "method.worse.level=1.0"]
    scores = []
    for seed in range(2):
        result = run(
            "method=[sampled]", *words, f"metric=[{','.join(metrics)}]", f"examples={EXAMPLES}", f"seed={seed}"
        )
        scores.append(result.scores)
    apart = found = tied = tried = 0
    for metric, higher in metrics.items():
        columns = [
            [part[(part.metric == metric) & (part.method == label)].value.to_numpy() for label in ("sampled", "worse")]
            for part in scores
        ]
        assert not np.array_equal(columns[0][0], columns[1][0])  # the copies have random numbers of their own
        for start in range(0, EXAMPLES, BLOCK):
            rows = slice(start, start + BLOCK)
            apart += ranks(np.stack([columns[0][0][rows], columns[1][0][rows]]), higher) != [1, 1]
            found += ranks(np.stack([columns[0][0][rows], columns[0][1][rows]]), higher) == [1, 2]
            tried += 1
        whole = ranks(np.stack([columns[0][0], columns[1][0]]), higher)
        tied += whole == [1, 1]
    assert tried == 12
    assert apart <= 3  # each with a chance of 5 %: four or more happen once in 400 times
    assert found >= 10  # the noise moves the mean by about two standard deviations of the differences
    assert tied == 2
