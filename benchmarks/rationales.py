"""Agreement of attributions with human rationales in film reviews. ``uv run python benchmarks/rationales.py``.

Uses 30 film reviews with annotated rationales (Zaidan et al. 2007, as in ERASER) and a small sentence classifier
(MiniLM on SST-2), both from the test kit. In one study, every method attributes the score of each review's label (or of
the predicted class with ``--target predicted``) to its words. For every review the measure is compared with its
expectation under random permutation of the attributions. The output is the mean difference over the reviews with its
95 % bootstrap interval; a method is better than chance if the interval is above 0. The intervals are not corrected for
multiple comparisons: about one in twenty intervals of a random method is expected to exclude 0.

The evidence ``positive`` is the positive part of attributions, ``magnitudes`` their absolute value; they are equal for
unsigned methods. Reviews are truncated after ``--length`` word pieces; those without an annotated word in that part
have no value. Words are removed by padding tokens. The files of the study are written to ``outputs``.
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
from xaiexp.api.result import Result
from xaiexp.statistics.intervals import bootstrap_interval

KIT = Path(os.environ.get("XAIEXP_KIT", Path(__file__).parents[2] / "shared" / "kit"))
METHODS = (
    "saliency", "input_x_gradient", "integrated_gradients", "feature_ablation", "permutation_shap",
    "attention_rollout", "chefer", "random",
)  # fmt: skip
MEASURES = ("average_precision", "precision_at_k", "relevance_mass")
EVIDENCE = ("positive", "magnitudes")
ALL_FEATURES = 1_000_000


@dataclass(frozen=True)
class Gain:
    """The gain of a method over chance for one measure.

    Args:
        method, measure, evidence: the combination.
        chance: the mean expectation under random permutation.
        gain: the mean over the reviews of the measure minus chance; ``low`` and ``high`` are its 95 % interval.
        count: number of reviews with a value.
    """

    method: str
    measure: str
    evidence: str
    chance: float
    gain: float
    low: float
    high: float
    count: int


def overrides(kit: Path, methods: Sequence[str], length: int, target: str, examples: int | None) -> list[str]:
    """The study as overrides of the command line."""
    result = [
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
        f"metric.marked.k={ALL_FEATURES}",
    ]
    for measure in MEASURES:
        for evidence in EVIDENCE:
            label = f"{measure}_{evidence}"
            result += [f"+metric@metric.{label}={measure}", f"metric.{label}.of={evidence}"]
    if "integrated_gradients" in methods:
        result.append("method.integrated_gradients.n_steps=32")
    if "permutation_shap" in methods:
        result.append("method.permutation_shap.n_samples=1")
    return [*result, *([] if examples is None else [f"examples={examples}"])]


def chance_of_average_precision(count: int, marked: int, scored: int) -> float:
    """The expected average precision of ``count`` words in random order, ``marked`` of them annotated.

    Only the first ``scored`` words are ordered; the others are tied after them. The expected precision after i words is
    (1 + (i - 1)(marked - 1) / (count - 1)) / i if the i-th word is annotated, and annotated words are equally likely in
    all positions. The result is larger than ``marked / count``, because the first words are few.
    """
    i = np.arange(1, scored + 1)
    ordered = float(((1 + (i - 1) * (marked - 1) / max(1, count - 1)) / i).sum()) / count
    return ordered + (count - scored) / count * marked / count


def gains(result: Result, methods: Sequence[str], seed: int = 0) -> list[Gain]:
    """The gains of every method and measure, from the scores of a study."""
    values = {
        (method, metric): part["value"].to_numpy(dtype=float)  # in the order of the reviews
        for (method, metric), part in result.scores.groupby(["method", "metric"], sort=False)
    }
    signed = {cls.name: cls().signed for cls in components("method") if cls.name in methods}
    out = []
    for measure in MEASURES:
        for evidence in EVIDENCE:
            for method in methods:
                # The expected precision at k and relevance mass under permutation is the fraction of annotated words.
                chance = values[method, "marked"]
                if measure == "average_precision":
                    maps = result.attributions(method).flatten(1).double().numpy()
                    scored = maps > 0 if signed[method] and evidence == "positive" else np.abs(maps) > 0
                    counts = zip(np.isfinite(maps).sum(axis=1), chance, scored.sum(axis=1), strict=True)
                    chance = np.array([_chance(n, share, k) for n, share, k in counts])
                gain = values[method, f"{measure}_{evidence}"] - chance
                valid = np.isfinite(gain)
                interval = bootstrap_interval(gain, seed=seed)
                out.append(Gain(method, measure, evidence, float(chance[valid].mean()), *interval, int(valid.sum())))
    return out


def _chance(count: int, share: float, scored: int) -> float:
    return chance_of_average_precision(count, round(share * count), scored) if np.isfinite(share) else float("nan")


def report(rows: Sequence[Gain]) -> str:
    """The gains as text tables, one for each measure."""
    lines = []
    for measure in MEASURES:
        for evidence in EVIDENCE:
            part = [row for row in rows if (row.measure, row.evidence) == (measure, evidence)]
            lines.append(f"{measure}, {evidence}: gain over chance, 95 % interval ({part[0].count} reviews)")
            for row in part:
                comparison = "better" if row.low > 0 else "worse" if row.high < 0 else "not different from chance"
                figures = f"{row.chance + row.gain:.3f}  {row.gain:+.3f}  [{row.low:+.3f}, {row.high:+.3f}]"
                lines.append(f"  {row.method:22s} {figures}  {comparison}")
            lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=256, help="the largest number of word pieces of a review")
    parser.add_argument("--target", default="label", choices=("label", "predicted"))
    parser.add_argument("--examples", type=int, default=None, help="number of reviews")
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated names")
    args = parser.parse_args()
    methods = args.methods.split(",")
    study = overrides(KIT.resolve(), methods, args.length, args.target, args.examples)
    print(report(gains(xaiexp.run(study), methods)))


if __name__ == "__main__":
    main()
