"""Studies with known ground truth through the public interface; the full size is in ``benchmarks/planted.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import xaiexp
from xaiexp.contract.kinds import Method
from xaiexp.contract.registry import installed
from xaiexp.results import verdict
from xaiexp.statistics.multiple_comparisons.comparison import compare

EXAMPLES, BLOCK = 256, 16
INFORMED, CONTROLS = ("integrated_gradients", "deep_lift", "occlusion"), ("random", "sobel", "input_magnitude")
METRICS = {
    "relevance_mass": True,
    "relevance_rank": True,
    "average_precision": True,
    "aopc": True,
    "infidelity": False,
}  # and whether higher is better
WORDS = [
    "model=shapes_cnn", "dataset=shapes", "features=grid", "tracking.uri=off", "report=false", "baseline=[blur]",
    "target=label", "agreement=[]",
]  # fmt: skip


@dataclass(frozen=True)
class Sampled(Method):
    """Shapley values from few permutations, plus normal noise of ``level`` times their standard deviation."""

    summary, source = "a method with random numbers and noise of known size", "this test"
    needs, reads_baseline, signed, complete, multiplied_by_inputs = frozenset[str](), True, True, False, True

    level: float = 0.0

    def attribute(self, model, batch, reference, rng):
        sampled = installed().build("method", "shapley_sampling", {"n_samples": 2})
        values = batch.features.pool(sampled.attribute(model, batch, reference, rng).values)
        noise = rng.normal("degraded", values.shape[1:])
        return batch.features.spread(values + self.level * values.std(dim=1, keepdim=True) * noise)


def run(*words: str) -> xaiexp.Result:
    return xaiexp.run([*WORDS, *words], quiet=True)


def significantly_better(tests: pd.DataFrame, metric: str, method: str, control: str) -> bool:
    """Whether a method is significantly better than a control."""
    both = [method, control]
    (row,) = tests[(tests.metric == metric) & tests.method_a.isin(both) & tests.method_b.isin(both)].to_dict("records")
    better = (row["difference"] > 0) == ((row["method_a"] == method) == METRICS[metric])
    return bool(row["p_adjusted"] <= 0.05 and better)


def test_informed_methods_are_significantly_better_than_all_controls(workplace: Path) -> None:
    # With two distractors most edges belong to the figure and Sobel filters find it; with five they are uninformative.
    # Networks differ between machines: over four seeds, the largest p value is 3e-8 (d_z of at least 0.65).
    words = [f"method=[{','.join(INFORMED + CONTROLS)}]", f"metric=[{','.join(METRICS)}]", "metric.aopc.steps=8"]
    result = run(*words, "examples=96", "dataset.distractors=5")
    tests = verdict.comparison_table(result.scores, METRICS, 0)
    for metric in METRICS:
        # Infidelity is undefined for maps without signs, which the other controls return.
        for control in ("random",) if metric == "infidelity" else CONTROLS:
            for method in INFORMED:
                assert significantly_better(tests, metric, method, control), (metric, method, control)


def test_copies_tie_and_a_degraded_copy_ranks_behind(workplace: Path, bring: Callable[..., None]) -> None:
    bring(Sampled)
    metrics = ("relevance_mass", "average_precision")
    words = [f"metric=[{','.join(metrics)}]", f"examples={EXAMPLES}", "method=[sampled]"]
    both = run(*words, "+method@method.worse=sampled", "method.worse.level=2.0", "seed=0").scores
    twin = run(*words, "seed=1").scores
    distinct = detected = compared = 0
    for metric in metrics:
        original, worse, other = (
            scores[(scores.metric == metric) & (scores.method == label)].value.to_numpy()
            for scores, label in ((both, "sampled"), (both, "worse"), (twin, "sampled"))
        )
        assert not np.array_equal(original, other)  # the copies have their own random numbers
        for start in range(0, EXAMPLES, BLOCK):
            rows = slice(start, start + BLOCK)
            distinct += compare(np.stack([original[rows], other[rows]]), True, seed=0).separated(0, 1)
            detected += compare(np.stack([original[rows], worse[rows]]), True, seed=0).better[0, 1]
            compared += 1
    assert compared == 32
    # With a probability of 5 % each, nine or more occur once in a thousand times even if both metrics fail jointly.
    assert distinct <= 8
    assert detected >= 28  # the noise changes the mean by more than a standard deviation of the differences
