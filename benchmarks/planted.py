"""A study whose truth is known: what the verdicts find, and how often they raise a false alarm.

Pictures of ``dataset=shapes``: which pixels decide is known. Printed as JSON:

- ``ranking``: with two strokes a picture and with five, for each metric the verdict, which informed methods are not
  above which controls beyond the noise, and for which controls the metric is not defined;
- ``copies``: for each of 100 seeds 32 pictures of their own, explained by two copies of one method (Shapley values
  from few permutations) with random numbers of their own. ``told apart``: how often their ranks differ, by design of
  the test in 5 %, and the chance of at least as many; ``false alarms``: how often the verdict, which also refuses
  orders that the examples do not share, puts one first;
- ``degraded found worse``: how often the second copy ranks behind the first once it has noise as large as its own
  spread: the power on 32 examples, beside the effect size (Cohen's d_z over all examples).

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
from xaiexp.statistics.summary import ranks

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
    """The study itself, of pictures with so many strokes beside the figure."""
    words = [f"method=[{','.join(INFORMED + CONTROLS)}]", f"metric=[{','.join(METRICS)}]", f"examples={examples}"]
    result = xaiexp.run([*COMMON, *words, f"dataset.distractors={strokes}"], quiet=True)
    told = result.verdicts.set_index("metric")
    tests = verdict.comparison_table(result.scores, METRICS)
    means = result.summary.set_index(["metric", "method"])["mean"]
    out: dict[str, object] = {}
    for metric, higher in METRICS.items():
        pairs = tests[tests["metric"] == metric]
        known = [control for control in CONTROLS if np.isfinite(means[metric, control])]
        out[metric] = {
            "verdict": told.loc[metric, "verdict"],
            "means": {method: round(float(means[metric, method]), 3) for method in INFORMED + known},
            "not above": {c: lost for c in known if (lost := [m for m in INFORMED if not above(pairs, m, c, higher)])},
            "not defined for": [control for control in CONTROLS if control not in known],
        }
    return out


def above(pairs: pd.DataFrame, method: str, control: str, higher: bool) -> bool:
    """Whether a method is better than a control beyond the noise."""
    both = [method, control]
    (row,) = pairs[pairs["method_a"].isin(both) & pairs["method_b"].isin(both)].to_dict("records")
    better = (row["difference"] > 0) == ((row["method_a"] == method) == higher)
    return bool(row["p_holm"] <= 0.05 and better)


@dataclass(frozen=True)
class Degraded(Method):
    """Shapley values with normal noise of ``level`` times their own spread."""

    summary, source = "Shapley values under noise of known size", "this benchmark"
    needs, reads_baseline, signed, complete, multiplied_by_inputs = frozenset[str](), True, True, False, True

    level: float = 1.0

    def attribute(self, model, batch, reference, rng):
        sampled = installed().build("method", "shapley_sampling", {"n_samples": SAMPLES})
        values = batch.features.pool(sampled.attribute(model, batch, reference, rng).values)
        noise = rng.normal("degraded", values.shape[1:])
        return batch.features.spread(values + self.level * values.std(dim=1, keepdim=True) * noise)


def bring(component: type[Method]) -> None:
    """Install a component for this process."""
    module = types.ModuleType("planted")
    module.xaiexp_components = xaiexp.hookimpl(lambda: [component])
    installed().add("planted", "planted", "1.0", lambda: module)


def scored(methods: str, seed: int, pictures: int) -> pd.DataFrame:
    """Scores of methods with one seed, on the pictures of another."""
    words = [f"method=[{methods}]", f"metric=[{','.join(PLANTED)}]", f"method.shapley_sampling.n_samples={SAMPLES}"]
    words += [f"examples={EXAMPLES}", f"dataset.count={EXAMPLES}", f"dataset.seed={pictures}", f"seed={seed}"]
    return xaiexp.run([*COMMON, *words], quiet=True).scores


def compared(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, tuple[bool, bool, bool]]:
    """By metric: whether the ranks of two cells differ, whether a verdict puts one first, and whether a is ahead."""
    both = pd.concat([a.assign(method="a"), b.assign(method="b")]).assign(seed=0)
    verdicts = verdict.verdict_table(both, PLANTED, [], {}, 0).set_index("metric")
    out = {}
    for metric, higher in PLANTED.items():
        values = [part[part["metric"] == metric].sort_values("example")["value"].to_numpy() for part in (a, b)]
        assert len(values[0]) == len(values[1]) == EXAMPLES
        assert not np.array_equal(*values)  # else a tie would say nothing
        places = ranks(np.stack(values), higher)
        out[metric] = (places != [1, 1], places != [1, 1] and not verdicts.loc[metric, "refused"], places == [1, 2])
    return out


def copies(seeds: int = SEEDS) -> dict[str, dict[str, object]]:
    """Copies of a sampling method with random numbers of their own, and a copy degraded by noise."""
    bring(Degraded)
    alike, worse, falls = [], [], []
    for k in range(seeds):
        pictures = k + 1  # those of seed 0 are what the network was tested on
        own, both = (
            scored("shapley_sampling", 2 * k, pictures),
            scored("shapley_sampling,degraded", 2 * k + 1, pictures),
        )
        twin, degraded = (both[both["method"] == method] for method in ("shapley_sampling", "degraded"))
        alike.append(compared(own, twin))
        worse.append(compared(own, degraded))
        values = [part.pivot(index="example", columns="metric", values="value") for part in (own, degraded)]
        falls.append(values[0] - values[1])
    out: dict[str, dict[str, object]] = {}
    for metric, higher in PLANTED.items():
        fall = pd.concat(falls)[metric] * (1 if higher else -1)
        apart = sum(told[metric][0] for told in alike)
        out[metric] = {
            "comparisons of copies": len(alike),
            "told apart": apart,
            "chance of at least as many": round(float(stats.binom.sf(apart - 1, len(alike), 0.05)), 3),
            "false alarms": sum(told[metric][1] for told in alike),
            "degraded found worse": sum(told[metric][2] for told in worse),
            "effect of the noise, d_z": round(float(fall.mean() / fall.std()), 2),
        }
    return out


if __name__ == "__main__":
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        told = {"ranking": {f"{strokes} strokes": ranking(strokes) for strokes in (2, 5)}, "copies": copies()}
    print(json.dumps({**told, "seconds": round(time.perf_counter() - started, 1)}, indent=1))
