"""A study whose truth is known: what the verdicts find, and how often they raise a false alarm.

Pictures of ``dataset=shapes``: which pixels decide is known. Printed as JSON:

- whether localisation and faithfulness put every informed method above the controls;
- ``false alarms``: how often two copies of one method (Shapley values from few permutations, each with random numbers
  of its own) come out otherwise than a tie, on disjoint sets of examples;
- ``degraded found worse``: how often a copy with noise as large as its own spread is found worse: the power.

    uv run python benchmarks/planted.py
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import time
import types
from dataclasses import dataclass

import numpy as np

import xaiexp
from xaiexp.contract import Method
from xaiexp.registry import installed
from xaiexp.statistics import ranks

EXAMPLES, BLOCKS, STUDIES, SAMPLES = 32, 10, 5, 4  # 10 pairs of studies times 10 blocks: 100 comparisons
METHODS = ["integrated_gradients", "deep_lift", "occlusion", "shapley_sampling", "random", "sobel", "input_magnitude"]
METRICS = [
    "deletion",
    "insertion",
    "infidelity",
    "relevance_mass",
    "relevance_rank",
    "pointing_game",
    "average_precision",
]
COMMON = ["model=shapes_cnn", "dataset=shapes", "features=grid", "tracking.uri=off", "report=false", "baseline=[mean]"]


def ranking() -> dict[str, object]:
    """The study itself."""
    words = [f"method=[{','.join(METHODS)}]", f"metric=[{','.join(METRICS)}]", "agreement=[]", "examples=64"]
    result = xaiexp.run([*COMMON, *words, "target=label"], quiet=True)
    table = result.summary.pivot_table(index="method", columns="metric", values="rank", aggfunc="first", sort=False)
    told = result.verdicts.set_index("metric")["verdict"]
    return {metric: {"ranks": table[metric].to_dict(), "verdict": told[metric]} for metric in METRICS}


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


def copies() -> dict[str, object]:
    """Copies of a sampling method with random numbers of their own, and one degraded by noise, on disjoint examples."""
    bring(Degraded)
    found = []
    for seed in range(STUDIES):
        words = [f"seed={seed}", f"examples={EXAMPLES * BLOCKS}", f"method.shapley_sampling.n_samples={SAMPLES}"]
        words += ["method=[shapley_sampling,degraded]", "metric=[deletion,relevance_mass]", "agreement=[]"]
        scores = xaiexp.run([*COMMON, *words, "target=label"], quiet=True).scores
        found.append({key: part["value"].to_numpy() for key, part in scores.groupby(["method", "metric"])})
    out: dict[str, object] = {}
    for metric, higher in (("deletion", False), ("relevance_mass", True)):
        alarms, worse, tried = 0, 0, 0
        for one, two in itertools.combinations(found, 2):
            for block in range(BLOCKS):
                rows = slice(EXAMPLES * block, EXAMPLES * (block + 1))
                a, b = (study["shapley_sampling", metric][rows] for study in (one, two))
                alarms += ranks(np.stack([a, b]), higher) != [1, 1]
                tried += 1
        for study in found:
            for block in range(BLOCKS):
                rows = slice(EXAMPLES * block, EXAMPLES * (block + 1))
                pair = [study[method, metric][rows] for method in ("shapley_sampling", "degraded")]
                worse += ranks(np.stack(pair), higher) == [1, 2]
        out[metric] = {"false alarms": alarms, "of": tried, "degraded found worse": worse, "of those": STUDIES * BLOCKS}
    return out


if __name__ == "__main__":
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        told = {"ranking": ranking(), "copies": copies()}
    print(json.dumps({**told, "seconds": round(time.perf_counter() - started, 1)}, indent=1))
