"""OpenXAI's row on COMPAS with logistic regression: agreement of gradient x input with the true coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from xaiexp.builtin.publications.tables import NETWORKS, read_table, table_study, write_table
from xaiexp.core.publications import Finding, Publication, PublishedFile, PublishedNumbers, Reproduced

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    FloatArray = NDArray[np.float64]

__all__ = ["OpenxaiCompas"]

_MEASURES = ("feature_agreement", "rank_agreement", "sign_agreement", "signed_rank_agreement")
_AREA, _CORRELATION, _PAIRS = "area over k of the top-k measures", "rank correlation", "pairwise rank agreement"
_D = 7


class OpenxaiCompas(Publication):
    """Means over the 1,235 rows of the test file."""

    name = "openxai/compas_lr"
    title = "OpenXAI, leaderboard: COMPAS, logistic regression, gradient x input"
    source = (
        "AI4LIFE-GROUP/OpenXAI; Agarwal et al. 2022, OpenXAI: Towards a Transparent Evaluation of Model Explanations"
    )
    files = (
        PublishedFile(
            "compas-test.csv",
            "cf60ba6c12694d42a6950ae56306235cbeb525150a12cb015a28c8a31c268cb5",
            21559,
            "https://raw.githubusercontent.com/AI4LIFE-GROUP/OpenXAI/0afe4af97fcc52edc636655df5832db1f0d709f8/"
            "data/COMPAS/compas-test.csv",
            "test rows",
        ),
        PublishedFile(
            "compas_lr.pt",
            "aa2faa75bffaa0c3ccdfcbf3ae2d3243839e40b4d16954b35a65a0a9ff23ae54",
            1151,
            "https://raw.githubusercontent.com/AI4LIFE-GROUP/OpenXAI/0afe4af97fcc52edc636655df5832db1f0d709f8/"
            "openxai/ML_Models/Saved_Models/LR/compas_lr_0.002_acc_0.85.pt",
            "weights",
        ),
    )
    published = (
        PublishedNumbers(_AREA, _MEASURES, (0.639, 0.286, 0.507, 0.264), 0.0005 + 1e-5),
        PublishedNumbers(_CORRELATION, ("Spearman, magnitudes",), (0.535,), 0.0005 + 1e-5),
        PublishedNumbers(_PAIRS, ("magnitudes",), (0.690,), 0.0005 + 1e-5),
    )
    conventions = (
        "inputs scaled to 0..1 by the range of the test file",
        "target: the predicted class; the explained number is the softmax probability",
        "the true coefficients are those of the logit of class 1 minus those of class 0, for both classes",
        "ours is the mean over k = 1..7 of the top-k measures, where an attribution of 0 is in no top k",
    )
    truth_tolerance: ClassVar[Mapping[str, float]] = {_AREA: 1e-4, _CORRELATION: 1e-4, _PAIRS: 1e-4}
    trust = (NETWORKS,)

    def overrides(self, files: Mapping[str, Path], folder: Path) -> Sequence[str]:
        """The scaled rows as a table."""
        rows = read_table(files["compas-test.csv"])
        names = [name for name in rows[0] if name != "risk"]
        columns = {name: [float(row[name]) for row in rows] for name in names}
        scaled = {n: [(v - min(c)) / (max(c) - min(c)) for v in c] for n, c in columns.items()}
        content = [[i, *(repr(scaled[name][i]) for name in names), row["risk"]] for i, row in enumerate(rows)]
        table = write_table(folder / "compas_test.csv", ["row", *names, "risk"], content)
        return [
            *table_study("compas_regression", files["compas_lr.pt"], table, "risk"),
            "task=probabilities",
            "target=predicted",
            "method=[input_x_gradient]",
        ]

    def ours(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """Our measures, which share a place equally among features that tie."""
        maps, true = study.maps("input_x_gradient"), _coefficients(study)

        def mean(measure: str, **parameters: int) -> float:
            return float(study.agree(maps, true, measure, **parameters).double().mean())

        areas = [sum(mean(measure, k=k) for k in range(1, _D + 1)) / _D for measure in _MEASURES]
        return {
            _AREA: areas,
            _CORRELATION: [mean("rank_correlation")],
            _PAIRS: [mean("pairwise_rank_agreement")],
        }

    def truth(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """Our definitions in float64, from the closed form of the maps, without this package."""
        import numpy as np
        import scipy

        maps, true = np.abs(_exact_maps(study)), np.abs(_coefficients(study).double().numpy())
        correlations = [scipy.stats.spearmanr(a, b).statistic for a, b in zip(maps, true, strict=True)]
        first, second = np.triu_indices(_D, 1)
        order = np.sign(maps[:, first] - maps[:, second]) * np.sign(true[:, first] - true[:, second])
        return {
            _AREA: _without_zeros(_exact_maps(study), _coefficients(study).double().numpy()),
            _CORRELATION: [float(np.mean(correlations))],
            _PAIRS: [float(((order + 1) / 2).mean())],  # one half for a pair that ties
        }

    def findings(self, study: Reproduced) -> Mapping[str, Sequence[Finding]]:
        """Their formulas in float64, and what each convention contributes."""
        import numpy as np

        maps = _exact_maps(study)
        true = _coefficients(study).double().numpy()
        theirs = {each.quantity: np.array(each.values) for each in self.published}
        zeros = float((maps == 0).any(axis=1).mean())
        by_k = np.array([_top_k(maps, true, k) for k in range(1, _D + 1)])  # [k, measures]
        area = np.trapezoid(by_k, dx=1 / _D, axis=0)
        printed = float(np.abs(area - theirs[_AREA]).max())
        whole = area * _D / (_D - 1)
        areas = [
            Finding(
                "the area over k/7 runs from 1/7 to 1 and is not divided by this width of 6/7, so that a perfect "
                "explanation gets 0.857; ours is a mean over k, of which the largest value is 1",
                printed <= 0.0005 + 1e-5 and abs(float(np.trapezoid(np.ones(_D), dx=1 / _D)) - 6 / 7) < 1e-12,
                f"their formulas in float64 differ from the printed numbers by at most {printed:.1g}; divided by the "
                f"width they are {', '.join(f'{value:.3f}' for value in whole)}",
            ),
            Finding(
                "ties by position: inputs that are 0 have attributions of 0, whose places follow from the order of the "
                "columns and whose dense rank is one; ours counts none of them among the top k",
                zeros > 0 and printed <= 0.0005 + 1e-5 and _depends_on_order(maps, true),
                f"{zeros:.0%} of the rows have attributions of 0; with the columns in reverse order their formulas "
                f"give {', '.join(f'{value:.3f}' for value in _reversed_area(maps, true))}",
            ),
        ]
        ranks, other = _dense(maps), _dense(true)
        correlations = [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(ranks, other, strict=True)]
        pairs = np.triu_indices(_D, 1)
        same = (ranks[:, pairs[0]] < ranks[:, pairs[1]]) == (other[:, pairs[0]] < other[:, pairs[1]])
        dense = Finding(
            "dense ranks: features that tie share one rank and the next one follows without a gap; Spearman's "
            "correlation gives them the mean of their places",
            abs(float(np.mean(correlations)) - theirs[_CORRELATION][0]) <= 0.0005 + 1e-5,
            f"Pearson's correlation of dense ranks is {np.mean(correlations):.3f}",
        )
        half = Finding(
            "a pair that ties counts as ordered like a pair in which the second feature is not smaller",
            abs(float(same.mean()) - theirs[_PAIRS][0]) <= 0.0005 + 1e-5,
            f"that rule gives {same.mean():.3f}",
        )
        return {_AREA: areas, _CORRELATION: [dense], _PAIRS: [half]}


def _coefficients(study: Reproduced) -> Tensor:
    """The coefficients of the logit of class 1 minus those of class 0, one row an example, ``[N, 7]``."""
    import torch

    weight = torch.load(study.files["compas_lr.pt"], weights_only=True)["linear.weight"]
    difference: Tensor = weight[1] - weight[0]
    return difference.expand(len(study.inputs), -1)


def _exact_maps(study: Reproduced) -> FloatArray:
    """Gradient x input of the softmax probability of the predicted class in closed form, float64 ``[N, 7]``."""
    import numpy as np
    import torch

    state = torch.load(study.files["compas_lr.pt"], weights_only=True)
    weight, bias = state["linear.weight"].double().numpy(), state["linear.bias"].double().numpy()
    x = study.inputs.double().numpy()
    margin = x @ (weight[1] - weight[0]) + (bias[1] - bias[0])
    p = 0.5 * (1 + np.tanh(0.5 * margin))
    sign = np.where(margin > 0, 1.0, -1.0)  # the gradient of the probability of class 0 is that of class 1, negated
    return np.asarray(x * (sign * p * (1 - p))[:, None] * (weight[1] - weight[0]))


def _dense(values: FloatArray) -> FloatArray:
    """Ranks of the magnitudes, 1 for the largest; equal ones share a rank, and the next follows without a gap."""
    import numpy as np
    import scipy

    return np.asarray(scipy.stats.rankdata(-np.abs(values), method="dense", axis=1))


def _top_k(maps: FloatArray, true: FloatArray, k: int) -> list[float]:
    """Their feature, rank, sign and signed rank agreement of the top k, means over rows."""
    import numpy as np

    tops = [np.argsort(-np.abs(values), axis=1)[:, :k] for values in (maps, true)]
    ranks = [np.take_along_axis(_dense(v), top, axis=1) for v, top in zip((maps, true), tops, strict=True)]
    signs = [np.take_along_axis(np.sign(v), top, axis=1) for v, top in zip((maps, true), tops, strict=True)]
    same_place = (tops[0] == tops[1]) & (ranks[0] == ranks[1])
    in_both = tops[0][:, :, None] == tops[1][:, None, :]
    same_sign = signs[0][:, :, None] == signs[1][:, None, :]
    return [
        float(in_both.any(axis=2).mean()),
        float(same_place.mean()),
        float((in_both & same_sign).any(axis=2).mean()),
        float((same_place & (signs[0] == signs[1])).mean()),
    ]


def _reversed_area(maps: FloatArray, true: FloatArray) -> FloatArray:
    """Their areas with the columns in reverse order."""
    import numpy as np

    by_k = np.array([_top_k(maps[:, ::-1], true[:, ::-1], k) for k in range(1, _D + 1)])
    return np.asarray(np.trapezoid(by_k, dx=1 / _D, axis=0))


def _depends_on_order(maps: FloatArray, true: FloatArray) -> bool:
    """Whether the order of the columns changes their areas."""
    import numpy as np

    by_k = np.array([_top_k(maps, true, k) for k in range(1, _D + 1)])
    return bool(np.abs(np.trapezoid(by_k, dx=1 / _D, axis=0) - _reversed_area(maps, true)).max() > 1e-3)


def _without_zeros(maps: FloatArray, true: FloatArray) -> list[float]:
    """The four measures with the zeros in no top k, means over k and rows, one row after the other."""
    import numpy as np

    totals = np.zeros(4)
    for values, reference in zip(maps, true, strict=True):
        ranked = [i for i in np.argsort(-np.abs(values), kind="stable") if values[i] != 0]
        expected = list(np.argsort(-np.abs(reference), kind="stable"))
        same = {i: np.sign(values[i]) == np.sign(reference[i]) for i in ranked}
        for k in range(1, _D + 1):
            common = set(ranked[:k]) & set(expected[:k])
            places = [i for i, j in zip(ranked[:k], expected[:k], strict=False) if i == j]
            counts = (len(common), len(places), sum(same[i] for i in common), sum(same[i] for i in places))
            totals += np.array(counts) / k
    return [float(total) for total in totals / (_D * len(maps))]
