"""Captum's DeepLIFT of a max-pool that follows a ReLU, beside a derivation by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from xaiexp.builtin.publications.tables import NETWORKS, table_study, write_table
from xaiexp.core.publications import Finding, Publication, PublishedNumbers, Reproduced

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

__all__ = ["CaptumMaxPool", "inputs", "parameters"]

_QUANTITY = "DeepLIFT of a max-pool after a ReLU"
_ROWS, _COLUMNS = 6, 6
_CAPTUM = (
    (1.278, 0.28, -0.55, -0.012, -0.098, 0.069),
    (0.115, 0.636, -0.51, 0.177, 0.497, -0.04),
    (-0.02, 0.276, -0.024, -0.44, 0.42, -0.441),
    (-0.046, 0.954, -0.765, -0.295, 0.071, -0.06),
    (-0.3, -0.141, 0.248, 0.0, -0.08, -0.042),
    (0.3801, 0.2452, -0.0141, -0.2252, -0.5582, 0.5412),
)


def parameters() -> tuple[list[list[float]], list[float], list[float]]:
    """Weights ``[8, 6]`` and biases ``[8]`` of the first layer, weights ``[4]`` of the last: tenths, by a formula."""
    weights = [[((7 * i * i + 3 * j * j + 5 * i * j + i) % 19 - 9) / 10 for j in range(_COLUMNS)] for i in range(8)]
    biases = [abs((5 * i * i + 2 * i) % 19 - 9) / 10 for i in range(8)]
    return weights, biases, [0.7, -0.5, 0.9, -0.3]


def inputs() -> list[list[float]]:
    """The explained rows ``[6, 6]``: tenths, by a formula."""
    return [[((3 * r * r + 7 * j * r + 2 * j + r) % 19 - 9) / 10 for j in range(_COLUMNS)] for r in range(_ROWS)]


class CaptumMaxPool(Publication):
    """Six rows, explained against the reference 0."""

    name = "captum/deep_lift_max_pool"
    title = "Captum 0.9.0, DeepLift on a network with a ReLU followed by a max-pool"
    source = "meta-pytorch/captum 0.9.0, captum/attr/_core/deep_lift.py"
    files = ()
    published = (
        PublishedNumbers(
            _QUANTITY,
            tuple(f"row {r}, input {j}" for r in range(_ROWS) for j in range(_COLUMNS)),
            tuple(value for row in _CAPTUM for value in row),
            5e-5 + 1e-6,
            digits=4,
        ),
    )
    conventions = (
        "network: Linear 6-8, ReLU, max-pool over pairs, Linear 4-1; weights and inputs are tenths by a formula",
        "theirs: what Captum 0.9.0 returns in float64; a test compares it with the installed version",
        "DeepLIFT's rule of a maximum: an increase of the output belongs to the maximum at the input, a decrease to "
        "that at the reference",
    )
    truth_tolerance: ClassVar[Mapping[str, float]] = {_QUANTITY: 1e-5}
    trust = (NETWORKS,)

    def overrides(self, files: Mapping[str, Path], folder: Path) -> Sequence[str]:
        """The rows as a table."""
        names = [f"x{j}" for j in range(_COLUMNS)]
        table = write_table(folder / "rows.csv", ["row", *names], [[r, *x] for r, x in enumerate(inputs())])
        return [
            *table_study("max_pool", None, table, None),
            "task=regression",
            "target=0",
            "example_order=first",
            "method=[deep_lift]",
        ]

    def ours(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """All maps, row by row."""
        values: list[float] = study.maps("deep_lift").double().flatten().tolist()
        return {_QUANTITY: values}

    def truth(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """By hand: contributions from the output down to the input, in float64."""
        return {_QUANTITY: _by_hand().flatten().tolist()}

    def findings(self, study: Reproduced) -> Mapping[str, Sequence[Finding]]:
        """The same derivation without the rule of the maximum."""
        import numpy as np

        theirs = np.array(_CAPTUM)
        without, right = _by_hand(rule=False), _by_hand()
        change = _scores(np.array(inputs())) - _scores(np.zeros((1, _COLUMNS)))
        printed = float(np.abs(without - theirs).max())
        off = np.abs(theirs - right).sum(axis=1) / np.abs(right).sum(axis=1)
        missed = np.abs(theirs.sum(axis=1) - change)
        return {
            _QUANTITY: [
                Finding(
                    "the hooks of the ReLU's output and of the max-pool's input are on one tensor, and one is lost: "
                    "the max-pool passes its gradient in place of DeepLIFT's multipliers",
                    printed <= 5e-5 + 1e-9 and bool(np.abs(right.sum(axis=1) - change).max() < 1e-12),
                    f"the derivation by hand with the gradient of the max-pool differs from theirs by at most "
                    f"{printed:.1g}; theirs are {off.min():.0%} to {off.max():.0%} off, and miss f(x) - f(0) by up to "
                    f"{missed.max():.2f}, the derivation with the rule by 0",
                )
            ]
        }


def _layers(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sums that enter the units ``[N, 8]``, activations ``[N, 8]``, pooled ``[N, 4]``."""
    import numpy as np

    weights, biases, _ = (np.array(each) for each in parameters())
    sums = x @ weights.T + biases
    active = np.maximum(sums, 0)
    return sums, active, active.reshape(-1, 4, 2).max(axis=2)


def _scores(x: FloatArray) -> FloatArray:
    import numpy as np

    return np.asarray(_layers(x)[2] @ np.array(parameters()[2]))


def _by_hand(rule: bool = True) -> FloatArray:
    """The maps ``[6, 6]`` against 0, one row after the other.

    Args:
        rule: whether the max-pool has DeepLIFT's rule; otherwise its gradient.
    """
    import numpy as np

    x = np.array(inputs())
    weights, _, last = (np.array(each) for each in parameters())
    (sums, active, pooled), (sums0, active0, pooled0) = _layers(x), _layers(np.zeros_like(x))
    multipliers = np.zeros_like(active)
    for n in range(_ROWS):
        for k in range(4):
            pair, pair0 = active[n, 2 * k : 2 * k + 2], active0[n, 2 * k : 2 * k + 2]
            at, at0 = int(pair.argmax()), int(pair0.argmax())
            if not rule:
                multipliers[n, 2 * k + at] += last[k]
                continue
            highest = max(pooled[n, k], pooled0[n, k])
            shares = [0.0, 0.0]
            shares[at] += highest - pooled0[n, k]
            shares[at0] += pooled[n, k] - highest
            for unit in range(2):
                if pair[unit] != pair0[unit]:
                    multipliers[n, 2 * k + unit] = last[k] * shares[unit] / (pair[unit] - pair0[unit])
    rescaled = multipliers * (active - active0) / np.where(sums == sums0, 1.0, sums - sums0)
    return np.asarray(x * (rescaled @ weights))
