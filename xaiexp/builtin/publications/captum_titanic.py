"""Captum's tutorial on the Titanic data: integrated gradients, layer and neuron conductance, 48 numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from xaiexp.builtin.publications.tables import NETWORKS, read_table, table_study, write_table
from xaiexp.core.publications import Finding, Publication, PublishedFile, PublishedNumbers, Reproduced

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

__all__ = ["CaptumTitanic"]

_COLUMNS = (
    "age", "sibsp", "parch", "fare", "female", "male", "embark_C", "embark_Q", "embark_S", "class_1", "class_2",
    "class_3",
)  # fmt: skip
_UNITS = tuple(f"unit {k}" for k in range(12))
_FINE = 2000  # steps of the converged sums: the trapezoidal rule is then off by less than 1e-5


class CaptumTitanic(Publication):
    """Every number of the tutorial is the mean over the test rows, for the class that survives."""

    name = "captum/titanic"
    title = "Captum, tutorial 'Interpreting a pre-trained model: Titanic survival analysis'"
    source = "meta-pytorch/captum, tutorials/Titanic_Basic_Interpret.ipynb"
    files = (
        PublishedFile(
            "titanic3.csv",
            "db6df9666818c69a753cd85d743e01502c8518b00579b6aada0d4fc5a66ccb9d",
            116752,
            "https://biostat.app.vumc.org/wiki/pub/Main/DataSets/titanic3.csv",
            "passengers",
        ),
        PublishedFile(
            "titanic_model.pt",
            "8fa9c5cd4ed7a8655291836420d5552191593d97aef21e44de743cccd8184562",
            2240,
            "https://raw.githubusercontent.com/meta-pytorch/captum/master/tutorials/models/titanic_model.pt",
            "weights",
        ),
    )
    published = (
        PublishedNumbers("accuracy", ("test rows",), (0.816793893129771,), 1e-12, digits=6),
        PublishedNumbers(
            "integrated gradients",
            _COLUMNS,
            (-0.454, -0.119, -0.056, 0.175, 0.154, -0.359, 0.086, -0.001, -0.082, 0.062, 0.021, -0.159),
            0.0005 + 1e-5,
        ),
        PublishedNumbers(
            "layer conductance",
            _UNITS,
            (-0.123, -0.040, 0.030, 0.012, -0.022, -0.137, 0.009, 0.001, -0.136, -0.000, -0.306, 0.016),
            0.0005 + 1e-5,
        ),
        PublishedNumbers(
            "neuron conductance, unit 0",
            _COLUMNS,
            (-0.128, -0.004, 0.003, 0.003, 0.000, 0.001, 0.006, -0.000, -0.004, 0.002, 0.007, -0.019),
            0.0005 + 1e-5,
        ),
        PublishedNumbers(
            "neuron conductance, unit 10",
            _COLUMNS,
            (-0.012, 0.003, 0.000, -0.015, 0.055, -0.210, 0.016, -0.006, -0.052, 0.022, 0.009, -0.116),
            0.0005 + 1e-5,
        ),
    )
    conventions = (
        "test rows: what numpy.random.seed(131254), choice(1309, 916, replace=False) leaves",
        "missing ages and fares are replaced by the means of all rows, one-hot columns are appended",
        "target 1, reference 0; 50 Gauss-Legendre nodes (theirs of the neuron conductance: trapezoidal rule)",
        "layer conductance: midpoint rule, 300 steps (theirs: 50 steps between Gauss-Legendre nodes)",
        "the explained number is the softmax probability",
    )
    truth_tolerance: ClassVar[Mapping[str, float]] = {
        "integrated gradients": 5e-4,
        "layer conductance": 5e-4,
        "neuron conductance, unit 0": 5e-4,
        "neuron conductance, unit 10": 5e-4,
    }
    trust = (NETWORKS,)

    def overrides(self, files: Mapping[str, Path], folder: Path) -> Sequence[str]:
        """The test rows are written as a table of numbers."""
        import numpy as np

        values, survived = _encoded(read_table(files["titanic3.csv"]))
        draw = np.random.RandomState(131254).choice(len(values), int(0.7 * len(values)), replace=False)
        test = np.setdiff1d(np.arange(len(values)), draw)
        rows = [[row, *map(repr, values[row].tolist()), survived[row]] for row in test.tolist()]
        table = write_table(folder / "titanic_test.csv", ["row", *_COLUMNS, "survived"], rows)
        return [
            *table_study("titanic", files["titanic_model.pt"], table, "survived"),
            "task=probabilities",
            "target=1",
            "method=[integrated_gradients,layer_conductance]",
            "method.integrated_gradients.n_steps=50",
            "method.layer_conductance.layer=sigmoid1",
            "method.layer_conductance.n_steps=300",
            *(
                word
                for unit in (0, 10)
                for word in (
                    f"+method@method.neuron_{unit}=neuron_conductance",
                    f"method.neuron_{unit}.layer=sigmoid1",
                    f"method.neuron_{unit}.neuron=[{unit}]",
                    f"method.neuron_{unit}.n_steps=50",
                )
            ),
        ]

    def ours(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """Means of the maps over the rows."""

        def mean(method: str) -> list[float]:
            values: list[float] = study.maps(method).double().mean(dim=0).tolist()
            return values

        return {
            "accuracy": [math.nan if study.accuracy is None else study.accuracy],
            "integrated gradients": mean("integrated_gradients"),
            "layer conductance": mean("layer_conductance"),
            "neuron conductance, unit 0": mean("neuron_0"),
            "neuron conductance, unit 10": mean("neuron_10"),
        }

    def truth(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """The integrals of the three definitions, in float64 on a fine grid, without this package."""
        line = _Line(study)
        grid = _grid(_FINE)
        return {
            "integrated gradients": line.of_inputs(grid).tolist(),
            "layer conductance": line.of_layer(grid, both_ends=True).tolist(),
            "neuron conductance, unit 0": line.of_inputs(grid, unit=0).tolist(),
            "neuron conductance, unit 10": line.of_inputs(grid, unit=10).tolist(),
        }

    def findings(self, study: Reproduced) -> Mapping[str, Sequence[Finding]]:
        """Layer conductance: gradients at the start of each step. Neuron conductance: weights that add up to 0.98."""
        import numpy as np

        theirs = np.array(next(each.values for each in self.published if each.quantity == "layer conductance"))
        line, nodes = _Line(study), (np.polynomial.legendre.leggauss(51)[0] + 1) / 2
        one_sided, both = line.of_layer(nodes), line.of_layer(nodes, both_ends=True)
        true, change = line.of_layer(_grid(_FINE), both_ends=True), line.change()
        printed = float(np.abs(one_sided - theirs).max())
        near = float(np.abs(both.sum() - change)) < 0.1 * float(np.abs(one_sided.sum() - change))
        rule = Finding(
            "quadrature error of Captum's sum over 51 Gauss-Legendre nodes: each step takes the gradient at its start, "
            "an error of first order in the step",
            printed <= 0.0005 + 1e-5 and near and abs(float(true.sum()) - change) < 1e-4,
            f"that sum in float64 differs from the printed numbers by at most {printed:.1g}, and adds up to "
            f"{one_sided.sum():.3f}; with the mean of the gradients at both ends of each step it adds up to "
            f"{both.sum():.3f}, converged to {true.sum():.3f}; f(x) - f(0) is {change:.3f}",
        )
        short = {
            name: [self._trapezoid(line, name, unit)]
            for unit, name in ((0, "neuron conductance, unit 0"), (10, "neuron conductance, unit 10"))
        }
        return {"layer conductance": [rule], **short}

    def _trapezoid(self, line: _Line, quantity: str, unit: int) -> Finding:
        """The trapezoidal rule of Captum, the default of its neuron conductance."""
        import numpy as np

        theirs = np.array(next(each.values for each in self.published if each.quantity == quantity))
        nodes = np.linspace(0.0, 1.0, 50)
        weights = np.full(50, 1 / 50)
        weights[[0, -1]] /= 2
        found = line.of_inputs(nodes, unit=unit, weights=weights)
        scaled, true = found / weights.sum(), line.of_inputs(_grid(_FINE), unit=unit)
        printed, rest = float(np.abs(found - theirs).max()), float(np.abs(scaled - true).max())
        return Finding(
            "the weights of Captum's trapezoidal rule on 50 nodes are 1/50, at the ends 1/100: they add up to 0.98 "
            "instead of 1, so that every number is 2 % too small",
            printed <= 0.0005 + 1e-5 and rest < 0.0005,
            f"that rule in float64 differs from the printed numbers by at most {printed:.1g}; divided by "
            f"{weights.sum():.2f} it differs from the converged integral by at most {rest:.1g}",
        )


def _encoded(rows: Sequence[Mapping[str, str]]) -> tuple[FloatArray, list[int]]:
    """Columns of numbers ``[1309, 12]``, and who survived."""
    import numpy as np

    numbers = [[float(row[name]) if row[name] else math.nan for name in _COLUMNS[:4]] for row in rows]
    values = np.array(numbers, dtype=np.float64)
    for column in (0, 3):
        missing = np.isnan(values[:, column])
        values[missing, column] = values[~missing, column].mean()
    levels = [("sex", ("female", "male")), ("embarked", ("C", "Q", "S")), ("pclass", ("1", "2", "3"))]
    hot = [[float(row[name] == level) for name, known in levels for level in known] for row in rows]
    return np.column_stack([values, np.array(hot)]), [int(row["survived"]) for row in rows]


def _grid(steps: int) -> FloatArray:
    """Points of 0..1, closer at 0, where the sigmoids of large inputs change."""
    import numpy as np

    return np.asarray(np.linspace(0.0, 1.0, steps + 1) ** 2, dtype=np.float64)


class _Line:
    """The network in float64 along the line from 0 to each row; means over rows."""

    def __init__(self, study: Reproduced) -> None:
        import numpy as np
        import torch

        state = torch.load(study.files["titanic_model.pt"], weights_only=True)
        self._weights = [np.asarray(state[f"linear{k}.weight"].double().numpy()) for k in (1, 2, 3)]
        self._biases = [np.asarray(state[f"linear{k}.bias"].double().numpy()) for k in (1, 2, 3)]
        self._x = np.asarray(study.inputs.double().numpy())

    def change(self) -> float:
        """The mean of f(x) - f(0)."""
        return float((self._scores(1.0) - self._scores(0.0)).mean())

    def of_inputs(self, grid: FloatArray, unit: int | None = None, weights: FloatArray | None = None) -> FloatArray:
        """Integrated gradients, or the conductance of one unit of the first layer, ``[12]``.

        Args:
            grid: points of the line.
            unit: of the first layer.
            weights: of the points; by default those of the trapezoidal rule.
        """

        def slopes(a: float) -> FloatArray:
            hidden, outer = self._layer(a)
            inner = outer * hidden * (1 - hidden)  # gradient at the sums that enter the units
            inner = inner if unit is None else _only(inner, unit)
            slope: FloatArray = inner @ self._weights[0]
            return slope

        weights = _trapezoidal(grid) if weights is None else weights
        total: Any = sum(weight * slopes(a) for a, weight in zip(grid.tolist(), weights.tolist(), strict=True))
        means: FloatArray = (self._x * total).mean(axis=0)
        return means

    def of_layer(self, nodes: FloatArray, both_ends: bool = False) -> FloatArray:
        """The sum over steps of the gradient times the change of the activation.

        Args:
            nodes: ends of the steps.
            both_ends: whether the gradient is the mean of those at both ends of a step, in place of that at its start.
        """
        before, gradient = self._layer(float(nodes[0]))
        total: Any = 0.0
        for a in nodes[1:]:
            now, after = self._layer(float(a))
            total = total + ((gradient + after) / 2 if both_ends else gradient) * (now - before)
            before, gradient = now, after
        means: FloatArray = total.mean(axis=0)
        return means

    def _scores(self, a: float) -> FloatArray:
        return self._forward(a)[2]

    def _forward(self, a: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        import numpy as np

        hidden = _sigmoid(a * self._x @ self._weights[0].T + self._biases[0])
        second = _sigmoid(hidden @ self._weights[1].T + self._biases[1])
        logits = second @ self._weights[2].T + self._biases[2]
        return hidden, second, np.asarray(_sigmoid(logits[:, 1] - logits[:, 0]))  # softmax of two

    def _layer(self, a: float) -> tuple[FloatArray, FloatArray]:
        """Activations of the first layer and gradients of the probability at them, ``[N, 12]`` each."""
        hidden, second, p = self._forward(a)
        slope = (p * (1 - p))[:, None] * (self._weights[2][1] - self._weights[2][0])
        return hidden, (slope * second * (1 - second)) @ self._weights[1]


def _sigmoid(values: FloatArray) -> FloatArray:
    import numpy as np

    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))  # without overflow


def _only(values: FloatArray, unit: int) -> FloatArray:
    import numpy as np

    kept = np.zeros_like(values)
    kept[:, unit] = values[:, unit]
    return kept


def _trapezoidal(grid: FloatArray) -> FloatArray:
    """The weights of the trapezoidal rule; those of 0..1 add up to 1."""
    import numpy as np

    steps = np.diff(grid)
    return np.asarray((np.concatenate([[0.0], steps]) + np.concatenate([steps, [0.0]])) / 2)
