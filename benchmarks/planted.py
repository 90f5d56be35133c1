"""A study whose truth is known: what the verdicts find, and how often they raise a false alarm.

Pictures of ``dataset=shapes``: which pixels decide is known. Printed as JSON:

- ``ranking``: for each metric the verdict, and which informed methods are not above which controls beyond the noise;
- ``copies``: two copies of one method (Shapley values from few permutations, each with random numbers of its own) are
  compared on 32 examples at a time. ``told apart``: how often their ranks differ, by design of the test in 5 %;
  ``false alarms``: how often the verdict, which also refuses orders that the examples do not share, puts one first;
- ``degraded found worse``: how often a copy with noise as large as its own spread ranks behind it: the power on 32
  examples, beside the effect size (Cohen's d_z).

    uv run python benchmarks/planted.py
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import types
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

import xaiexp
from xaiexp import verdict
from xaiexp.contract import Method
from xaiexp.registry import installed
from xaiexp.statistics import ranks

EXAMPLES, BLOCKS, PAIRS, SAMPLES = 32, 10, 10, 4  # 10 pairs of studies times 10 blocks: 100 comparisons
INFORMED = ["integrated_gradients", "deep_lift", "occlusion", "shapley_sampling"]
CONTROLS = ["random", "sobel", "input_magnitude"]
METRICS = {
    "deletion": False,
    "insertion": True,
    "infidelity": False,
    "relevance_mass": True,
    "relevance_rank": True,
    "pointing_game": True,
    "average_precision": True,
}  # and whether higher is better
PLANTED = {name: METRICS[name] for name in ("deletion", "infidelity", "relevance_mass")}
COMMON = ["model=shapes_cnn", "dataset=shapes", "features=grid", "tracking.uri=off", "report=false", "baseline=[mean]"]


def ranking(examples: int = 64) -> dict[str, object]:
    """The study itself."""
    words = [f"method=[{','.join(INFORMED + CONTROLS)}]", f"metric=[{','.join(METRICS)}]", f"examples={examples}"]
    result = xaiexp.run([*COMMON, *words, "agreement=[]", "target=label"], quiet=True)
    told = result.verdicts.set_index("metric")
    tests = verdict.compared(result.scores, METRICS)
    out: dict[str, object] = {}
    for metric, higher in METRICS.items():
        pairs = tests[tests["metric"] == metric]
        out[metric] = {
            "verdict": told.loc[metric, "verdict"],
            "not above": {
                c: lost for c in CONTROLS if (lost := [m for m in INFORMED if not above(pairs, m, c, higher)])
            },
        }
    return out


def above(pairs: pd.DataFrame, method: str, control: str, higher: bool) -> bool:
    """Whether a method is better than a control beyond the noise; also where the control has no value at all."""
    for one, two, sign in ((method, control, 1), (control, method, -1)):
        row = pairs[(pairs["method_a"] == one) & (pairs["method_b"] == two)]
        if len(row):
            difference, p, n = (row.iloc[0][name] for name in ("difference", "p_holm", "n"))
            return bool(n == 0 or (p <= 0.05 and (difference > 0) == (sign * (1 if higher else -1) > 0)))
    raise KeyError(f"{method} and {control} were not compared")


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


def studies(count: int, examples: int) -> list[pd.DataFrame]:
    """Scores of the method and its degraded copy on the same pictures, with other random numbers in each study."""
    bring(Degraded)
    metrics = ",".join(PLANTED)
    words = [f"method.shapley_sampling.n_samples={SAMPLES}", "method=[shapley_sampling,degraded]", "agreement=[]"]
    words += [
        f"metric=[{metrics}]",
        "metric.infidelity.n_samples=20",
        f"examples={examples}",
        f"dataset.count={examples}",
        "target=label",
    ]
    return [xaiexp.run([*COMMON, *words, f"seed={seed}"], quiet=True).scores for seed in range(count)]


def compared(a: pd.DataFrame, b: pd.DataFrame, directions: Mapping[str, bool]) -> dict[str, tuple[bool, bool, bool]]:
    """By metric: whether the ranks of two cells differ, whether a verdict puts one first, and whether that is a."""
    both = pd.concat([a.assign(method="a"), b.assign(method="b")]).assign(seed=0)
    verdicts = verdict.judged(both, directions, [], {}, 0).set_index("metric")
    out = {}
    for metric, higher in directions.items():
        values = [both[(both["metric"] == metric) & (both["method"] == m)]["value"].to_numpy() for m in "ab"]
        assert len(values[0]) == len(values[1]) == EXAMPLES
        places = ranks(np.stack(values), higher)
        out[metric] = (places != [1, 1], places != [1, 1] and not verdicts.loc[metric, "refused"], places == [1, 2])
    return out


def copies(pairs: int = PAIRS, blocks: int = BLOCKS) -> dict[str, dict[str, object]]:
    """Copies of a sampling method with random numbers of their own, and one degraded by noise, on disjoint examples."""
    found = studies(2 * pairs, EXAMPLES * blocks)
    order = sorted(found[0]["example"].unique())
    chosen = [set(order[EXAMPLES * k : EXAMPLES * (k + 1)]) for k in range(blocks)]
    alike, worse = [], []
    for study, twin in zip(found[::2], found[1::2], strict=True):
        own, other = (each[each["method"] == "shapley_sampling"] for each in (study, twin))
        degraded = study[study["method"] == "degraded"]
        for block in chosen:
            inside = [part[part["example"].isin(block)] for part in (own, other, degraded)]
            alike.append(compared(inside[0], inside[1], PLANTED))
            worse.append(compared(inside[0], inside[2], PLANTED))
    out: dict[str, dict[str, object]] = {}
    for metric, higher in PLANTED.items():
        rows = [
            study[study["metric"] == metric].pivot(index="example", columns="method", values="value") for study in found
        ]
        falls = pd.concat([(r["shapley_sampling"] - r["degraded"]) * (1 if higher else -1) for r in rows])
        out[metric] = {
            "comparisons of copies": len(alike),
            "told apart": sum(told[metric][0] for told in alike),
            "false alarms": sum(told[metric][1] for told in alike),
            "degraded found worse": round(sum(told[metric][2] for told in worse) / len(worse), 3),
            "effect of the noise, d_z": round(float(falls.mean() / falls.std()), 2),
        }
    return out


if __name__ == "__main__":
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        told = {"ranking": ranking(), "copies": copies()}
    print(json.dumps({**told, "seconds": round(time.perf_counter() - started, 1)}, indent=1))
