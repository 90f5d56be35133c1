"""A study with known ground truth: what the verdicts detect, and how often they raise a false alarm.

Images of ``dataset=shapes``, where the decisive pixels are known. Printed as JSON:

- ``ranking``: for two and for five distractors per image and for each metric, the verdict, which informed methods are
  not significantly better than which controls, and for which controls the metric is undefined;
- ``copies``: for each of 100 seeds, 32 new images, explained by two copies of one method (Shapley values from few
  permutations) with different random numbers. ``separated``: how often they share no letter, which the test allows in
  5 % of the cases, and the probability of at least as many;
- ``degraded found worse``: how often the second copy is significantly worse once it has noise as large as its standard
  deviation: the power on 32 examples, with the effect size (Cohen's d_z over all examples).

    uv run python benchmarks/planted.py
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import types
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

import xaiexp
from xaiexp.contract.kinds import Method
from xaiexp.contract.registry import installed
from xaiexp.results import verdict
from xaiexp.statistics.multiple_comparisons.comparison import compare

SEEDS, EXAMPLES, SAMPLES = 100, 32, 4
INFORMED = ["integrated_gradients", "deep_lift", "occlusion", "shapley_sampling"]
CONTROLS = ["random", "sobel", "input_magnitude"]
METRICS = {
    "relevance_mass": True,
    "relevance_rank": True,
    "pointing_game": True,
    "average_precision": True,
    "aopc": True,
    "deletion": False,
    "insertion": True,
    "infidelity": False,
}  # and whether higher is better
PLANTED = {name: METRICS[name] for name in ("relevance_mass", "average_precision", "aopc", "infidelity")}
COMMON = [
    "model=shapes_cnn", "dataset=shapes", "features=grid", "baseline=[blur]", "target=label", "agreement=[]",
    "tracking.uri=off", "report=false",
]  # fmt: skip


def ranking(strokes: int, examples: int = 128) -> dict[str, object]:
    """The study itself, on images with this number of distractors."""
    words = [f"method=[{','.join(INFORMED + CONTROLS)}]", f"metric=[{','.join(METRICS)}]", f"examples={examples}"]
    result = xaiexp.run([*COMMON, *words, f"dataset.distractors={strokes}"], quiet=True)
    verdicts = result.verdicts.set_index("metric")
    tests = verdict.comparison_table(result.scores, METRICS, 0)
    means = result.summary.set_index(["metric", "method"])["mean"]
    out: dict[str, object] = {}
    for metric, higher in METRICS.items():
        pairs = tests[tests["metric"] == metric]
        known = [control for control in CONTROLS if np.isfinite(means[metric, control])]
        out[metric] = {
            "verdict": verdicts.loc[metric, "verdict"],
            "means": {method: round(float(means[metric, method]), 3) for method in INFORMED + known},
            "not above": {
                control: worse
                for control in known
                if (worse := [m for m in INFORMED if not significantly_better(pairs, m, control, higher)])
            },
            "not defined for": [control for control in CONTROLS if control not in known],
        }
    return out


def significantly_better(pairs: pd.DataFrame, method: str, control: str, higher: bool) -> bool:
    """Whether a method is significantly better than a control."""
    both = [method, control]
    (row,) = pairs[pairs["method_a"].isin(both) & pairs["method_b"].isin(both)].to_dict("records")
    better = (row["difference"] > 0) == ((row["method_a"] == method) == higher)
    return bool(row["p_adjusted"] <= 0.05 and better)


@dataclass(frozen=True)
class Degraded(Method):
    """Shapley values plus normal noise of ``level`` times their standard deviation."""

    summary, source = "Shapley values with noise of known size", "this benchmark"
    needs, reads_baseline, signed, complete, multiplied_by_inputs = frozenset[str](), True, True, False, True

    level: float = 1.0

    def attribute(self, model, batch, reference, rng):
        sampled = installed().build("method", "shapley_sampling", {"n_samples": SAMPLES})
        values = batch.features.pool(sampled.attribute(model, batch, reference, rng).values)
        noise = rng.normal("degraded", values.shape[1:])
        return batch.features.spread(values + self.level * values.std(dim=1, keepdim=True) * noise)


def install(component: type[Method]) -> None:
    """Install a component for this process."""
    module = types.ModuleType("planted")
    module.xaiexp_components = xaiexp.hookimpl(lambda: [component])
    installed().add("planted", "planted", "1.0", lambda: module)


def score_methods(methods: str, seed: int, images: int) -> pd.DataFrame:
    """Scores of methods with one seed, on the images of another seed."""
    words = [f"method=[{methods}]", f"metric=[{','.join(PLANTED)}]", f"method.shapley_sampling.n_samples={SAMPLES}"]
    words += [f"examples={EXAMPLES}", f"dataset.count={EXAMPLES}", f"dataset.seed={images}", f"seed={seed}"]
    return xaiexp.run([*COMMON, *words], quiet=True).scores


def compared(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, tuple[bool, bool]]:
    """By metric: whether two cells are separated, and whether a is better."""
    out = {}
    for metric, higher in PLANTED.items():
        values = [part[part["metric"] == metric].sort_values("example")["value"].to_numpy() for part in (a, b)]
        assert len(values[0]) == len(values[1]) == EXAMPLES
        assert not np.array_equal(*values)  # otherwise a tie would be trivial
        tested = compare(np.stack(values), higher, seed=0)
        out[metric] = (tested.separated(0, 1), bool(tested.better[0, 1]))
    return out


def copies(seeds: int = SEEDS) -> dict[str, dict[str, object]]:
    """Copies of a sampling method with different random numbers, and a copy degraded by noise."""
    install(Degraded)
    copied, degraded_copies, drops = [], [], []
    for k in range(seeds):
        images = k + 1  # the network was tested on those of seed 0
        original, both = (
            score_methods("shapley_sampling", 2 * k, images),
            score_methods("shapley_sampling,degraded", 2 * k + 1, images),
        )
        copy, degraded = (both[both["method"] == method] for method in ("shapley_sampling", "degraded"))
        copied.append(compared(original, copy))
        degraded_copies.append(compared(original, degraded))
        values = [part.pivot(index="example", columns="metric", values="value") for part in (original, degraded)]
        drops.append(values[0] - values[1])
    out: dict[str, dict[str, object]] = {}
    for metric, higher in PLANTED.items():
        drop = pd.concat(drops)[metric] * (1 if higher else -1)
        n_different = sum(result[metric][0] for result in copied)
        out[metric] = {
            "comparisons of copies": len(copied),
            "separated": n_different,
            "chance of at least as many": round(float(stats.binom.sf(n_different - 1, len(copied), 0.05)), 3),
            "degraded found worse": sum(result[metric][1] for result in degraded_copies),
            "effect of the noise, d_z": round(float(drop.mean() / drop.std()), 2),
        }
    return out


if __name__ == "__main__":
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        report = {"ranking": {f"{strokes} strokes": ranking(strokes) for strokes in (2, 5)}, "copies": copies()}
    print(json.dumps({**report, "seconds": round(time.perf_counter() - started, 1)}, indent=1))
