"""Do attributions find the words that people marked as the reason? ``uv run python benchmarks/rationales.py``.

30 film reviews whose reasons were marked (Zaidan et al. 2007, as in ERASER), and a small classifier of sentences
(MiniLM on SST-2), both of the kit. One study: every method scores the words of each review, for the review's own
label (``--target predicted`` for what the model says), and for every review the measure is compared with its
expectation for the same scores dealt out to the words at random. Printed is the mean difference over the reviews with
its 95 % bootstrap interval: a method is better than chance where the interval lies above 0. Each interval stands for
itself: of twenty of a method that knows nothing, one is expected to miss 0.

``positive`` counts what speaks for the target as evidence, ``magnitudes`` what speaks for or against it (of methods
without signs, both are the magnitudes). Reviews are cut after ``--length`` word pieces; those without a marked word
before the cut have no value. Words are removed by padding tokens. The study leaves its files in ``outputs``, as any.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import xaiexp
from xaiexp.api.functions import components
from xaiexp.results.result import Result
from xaiexp.statistics.intervals import bootstrap_interval

KIT = Path(os.environ.get("XAIEXP_KIT", Path(__file__).parents[2] / "shared" / "kit"))
METHODS = (
    "saliency", "input_x_gradient", "integrated_gradients", "feature_ablation", "permutation_shap",
    "attention_rollout", "chefer", "random",
)  # fmt: skip
MEASURES = ("average_precision", "precision_at_k", "relevance_mass")
EVIDENCE = ("positive", "magnitudes")
ALL = 1_000_000


@dataclass(frozen=True)
class Found:
    """How far a method is above chance by one measure.

    Args:
        method, measure, evidence: which.
        chance: the mean of what chance gives.
        gain: the mean over the reviews of the measure minus chance; ``low`` and ``high`` are its 95 % interval.
        count: reviews that count.
    """

    method: str
    measure: str
    evidence: str
    chance: float
    gain: float
    low: float
    high: float
    count: int


def words(kit: Path, methods: Sequence[str], length: int, target: str, examples: int | None) -> list[str]:
    """The study, in the words of the command line."""
    chosen = [
        "experiment=text_sentiment",
        f"model.path={kit / 'models' / 'minilm_sst2'}",
        f"model.max_length={length}",
        f"dataset.path={kit / 'text' / 'movie_rationales_30.json'}",
        "dataset.tokens_column=tokens",
        "dataset.mask_column=rationale_mask",
        "dataset.id_column=id",
        "features=word",
        f"target={target}",
        "baseline=[pad_token]",
        f"method=[{','.join(methods)}]",
        "metric=[]",
        "agreement=[]",
        "+metric@metric.marked=precision_at_k",
        f"metric.marked.k={ALL}",
    ]
    for measure in MEASURES:
        for evidence in EVIDENCE:
            label = f"{measure}_{evidence}"
            chosen += [f"+metric@metric.{label}={measure}", f"metric.{label}.of={evidence}"]
    if "integrated_gradients" in methods:
        chosen.append("method.integrated_gradients.n_steps=32")
    if "permutation_shap" in methods:
        chosen.append("method.permutation_shap.n_samples=1")
    return [*chosen, *([] if examples is None else [f"examples={examples}"])]


def chance_of_average_precision(count: int, marked: int, scored: int) -> float:
    """The expected average precision of ``count`` words in random order, ``marked`` of them in the truth.

    Only the first ``scored`` have an order; the others tie, behind them. The precision after i words is expected to
    be (1 + (i - 1)(marked - 1) / (count - 1)) / i where the i-th is in the truth, and each word of the truth is as
    likely in any place. Above ``marked / count``, for the first words are few.
    """
    i = np.arange(1, scored + 1)
    ordered = float(((1 + (i - 1) * (marked - 1) / max(1, count - 1)) / i).sum()) / count
    return ordered + (count - scored) / count * marked / count


def found(result: Result, methods: Sequence[str], seed: int = 0) -> list[Found]:
    """Every method and measure against chance, from a study's scores."""
    values = {
        (method, metric): part["value"].to_numpy(dtype=float)  # in the order of the reviews
        for (method, metric), part in result.scores.groupby(["method", "metric"], sort=False)
    }
    signed = {cls.name: cls().signed for cls in components("method") if cls.name in methods}
    out = []
    for measure in MEASURES:
        for evidence in EVIDENCE:
            for method in methods:
                # Of k words in random order, and of mass dealt out at random, as much is expected in the truth as is
                # of all words.
                chance = values[method, "marked"]
                if measure == "average_precision":
                    maps = result.attributions(method).flatten(1).double().numpy()
                    scored = maps > 0 if signed[method] and evidence == "positive" else np.abs(maps) > 0
                    counts = zip(np.isfinite(maps).sum(axis=1), chance, scored.sum(axis=1), strict=True)
                    chance = np.array([_chance(n, share, k) for n, share, k in counts])
                gain = values[method, f"{measure}_{evidence}"] - chance
                fine = np.isfinite(gain)
                interval = bootstrap_interval(gain, seed=seed)
                out.append(Found(method, measure, evidence, float(chance[fine].mean()), *interval, int(fine.sum())))
    return out


def _chance(count: int, share: float, scored: int) -> float:
    return chance_of_average_precision(count, round(share * count), scored) if np.isfinite(share) else float("nan")


def told(rows: Sequence[Found]) -> str:
    """The figures as tables, a measure each."""
    lines = []
    for measure in MEASURES:
        for evidence in EVIDENCE:
            part = [row for row in rows if (row.measure, row.evidence) == (measure, evidence)]
            lines.append(f"{measure}, {evidence}: gain over chance, 95 % interval ({part[0].count} reviews)")
            for row in part:
                verdict = "better" if row.low > 0 else "worse" if row.high < 0 else "not told from chance"
                figures = f"{row.chance + row.gain:.3f}  {row.gain:+.3f}  [{row.low:+.3f}, {row.high:+.3f}]"
                lines.append(f"  {row.method:22s} {figures}  {verdict}")
            lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=256, help="word pieces of a review that the model reads, at most")
    parser.add_argument("--target", default="label", choices=("label", "predicted"))
    parser.add_argument("--examples", type=int, default=None, help="only the first so many reviews")
    parser.add_argument("--methods", default=",".join(METHODS), help="with commas between them")
    chosen = parser.parse_args()
    methods = chosen.methods.split(",")
    overrides = words(KIT.resolve(), methods, chosen.length, chosen.target, chosen.examples)
    print(told(found(xaiexp.run(overrides), methods)))


if __name__ == "__main__":
    main()
