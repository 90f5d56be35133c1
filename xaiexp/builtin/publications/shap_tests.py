"""Expected values of shap's own tests, which its source distribution carries: closed forms of Shapley values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from xaiexp.builtin.publications.tables import NETWORKS, table_study, write_table
from xaiexp.core.publications import Publication, PublishedNumbers, Reproduced

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

__all__ = ["ShapLinear", "ShapSecondOrder"]

_METHODS = ("exact_shapley", "permutation_shap", "kernel_shap")


class _ClosedForm(Publication):
    """Base: the mean of the magnitudes of each column, and the largest difference of a single value, by method."""

    files = ()
    trust = (NETWORKS,)
    network: ClassVar[str]
    columns: ClassVar[int]

    @abstractmethod
    def rows(self) -> FloatArray:
        """The explained rows."""

    @abstractmethod
    def right_answer(self) -> FloatArray:
        """The Shapley values of the rows, as the test states them."""

    def overrides(self, files: Mapping[str, Path], folder: Path) -> Sequence[str]:
        """The rows as a table, and three methods that are exact here."""
        names = [f"x{j}" for j in range(self.columns)]
        content = [[i, *map(repr, row)] for i, row in enumerate(self.rows().tolist())]
        table = write_table(folder / "rows.csv", ["row", *names], content)
        return [
            *table_study(self.network, None, table, None),
            "task=regression",
            "target=0",
            "example_order=first",
            f"method=[{','.join(_METHODS)}]",
        ]

    def ours(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """Mean magnitudes, and the largest difference from the closed form."""
        import numpy as np

        found = {}
        for method in _METHODS:
            values = study.maps(method).double().numpy()
            largest = float(np.abs(values - self.right_answer()).max())
            found[method] = [*np.abs(values).mean(axis=0).tolist(), largest]
        return found


def _expected(columns: Sequence[float], tolerance: float) -> tuple[PublishedNumbers, ...]:
    names = (*(f"x{j}, mean magnitude" for j in range(len(columns))), "largest difference of a value")
    return tuple(PublishedNumbers(method, names, (*columns, 0.0), tolerance, digits=4) for method in _METHODS)


def _drawn(draw: Callable[[np.random.RandomState], FloatArray]) -> FloatArray:
    """What a test draws with the seed 0."""
    import numpy as np

    return draw(np.random.RandomState(0))


class ShapSecondOrder(_ClosedForm):
    """A function of second order, whose Shapley values share each product equally."""

    name = "shap/second_order"
    title = "shap 0.51.0, tests: exact answers for functions of second order"
    source = "shap 0.51.0 (source distribution), tests/explainers/test_permutation.py: test_exact_second_order"
    published = _expected((0.14, 0.59, 0.73, 0.11, 0.0), 1e-5)
    conventions = (
        "100 rows of five zeros and ones, numpy.random.RandomState(0).randint(0, 2, size=(100, 5))",
        "f = x0 x2 + x1 + x2 + x2 x3, reference 0",
        "theirs: the closed form of the test, summed up as the mean magnitude of each column",
    )
    network, columns = "second_order", 5

    def rows(self) -> FloatArray:
        """Zeros and ones ``[100, 5]``."""
        return _drawn(lambda state: state.randint(0, 2, size=(100, 5)).astype(float))

    def right_answer(self) -> FloatArray:
        """Half of each product for each of its factors."""
        import numpy as np

        x = self.rows()
        out = np.zeros_like(x)
        out[:, 0] = x[:, 0] * x[:, 2] / 2
        out[:, 1] = x[:, 1]
        out[:, 2] = x[:, 0] * x[:, 2] / 2 + x[:, 2] + x[:, 2] * x[:, 3] / 2
        out[:, 3] = x[:, 2] * x[:, 3] / 2
        return out


class ShapLinear(_ClosedForm):
    """A linear function: (x - E[x]) times the coefficients (Lundberg and Lee 2017, corollary 1)."""

    name = "shap/linear"
    title = "shap 0.51.0, tests: Shapley values of a linear function"
    source = "shap 0.51.0 (source distribution), tests/explainers/test_kernel.py: test_linear"
    published = _expected((0.8220317887, 1.608501901, 0.0), 1e-5)
    conventions = (
        "200 rows of three normal columns, numpy.random.RandomState(0).normal(size=(200, 3))",
        "f = x0 + 2 x1, rows minus their mean, reference 0 (theirs: all rows as references, which is the same here)",
        "theirs: the closed form of the test, summed up as the mean magnitude of each column",
    )
    network, columns = "linear", 3

    def rows(self) -> FloatArray:
        """Centred normal values ``[200, 3]``."""
        values = _drawn(lambda state: state.normal(size=(200, 3), scale=1))
        centred: FloatArray = values - values.mean(axis=0)
        return centred

    def right_answer(self) -> FloatArray:
        """Centred values times the coefficients."""
        import numpy as np

        return np.asarray(self.rows() * np.array([1.0, 2.0, 0.0]))
