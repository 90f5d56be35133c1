"""Explanations, scores of metrics, and costs in passes. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.vocabulary import Space

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Cost", "Estimate", "Explanation", "Scores", "Spent"]


@dataclass(frozen=True)
class Estimate:
    """Attributions with the standard error of their Monte Carlo sampling.

    A method that samples may return this in place of a tensor.

    Args:
        values: float ``[N, *shape]``, the attributions of the elements.
        standard_error: float ``[N, d]``, the Monte Carlo standard error of each feature's attribution (of the pooled
            value); 0 where nothing was sampled, NaN where it is unknown.
    """

    values: Tensor
    standard_error: Tensor


@dataclass(frozen=True)
class Spent:
    """The measured cost of explaining one batch: passes and seconds of all its examples, and the peak of memory.

    Args:
        forward, backward: number of forward and backward passes; a pass is one example through the network once.
        seconds: wall-clock time.
        memory: peak memory in bytes, since the start of the process: of the device, or of the process on a CPU.
    """

    forward: int
    backward: int
    seconds: float
    memory: int


@dataclass(frozen=True)
class Explanation:
    """The attributions of one method with one baseline for a batch.

    Args:
        method, baseline: labels of the cell; ``baseline`` is ``"none"`` where the method reads no baseline.
        elements: float32 ``[N, *shape]``, the attribution of each element of the input (in the space ``layer``, of
            each unit of the layer).
        features: the feature map of the batch; in the space ``layer``, a map in which every unit is one feature.
        signed, complete, multiplied_by_inputs: the facts that the method declares.
        reference: float ``[N, R, *shape]``, the R references of the baseline; None where the method reads none.
        explain_perturbed: explains perturbed versions ``[N, S, *shape]`` of the same examples with the same method,
            targets and random numbers, and returns attributions ``[N, S, *shape]``. None where the explanation was
            given as a tensor and cannot be repeated.
        explain_network: explains the same batch for another network (a ``torch.nn.Module`` with the same interface, on
            the same device) with the same references and random numbers, and returns ``[N, *shape]``. None as above.
        explain_targets: explains other targets (int64 ``[N]``) of the same batch, and returns ``[N, *shape]``. None as
            above.
        space: what the attributions refer to; see :data:`xaiexp.core.vocabulary.Space`.
        standard_error: float ``[N, d]``, the Monte Carlo standard error of each feature's attribution; None where the
            method does not return one.
        spent: the measured cost; None where it was not measured.
    """

    method: str
    baseline: str
    elements: Tensor
    features: FeatureMap
    signed: bool
    complete: bool
    multiplied_by_inputs: bool
    reference: Tensor | None = None
    explain_perturbed: Callable[[Tensor], Tensor] | None = None
    explain_network: Callable[[Any], Tensor] | None = None
    explain_targets: Callable[[Tensor], Tensor] | None = None
    space: Space = "input"
    standard_error: Tensor | None = None
    spent: Spent | None = None

    @cached_property
    def values(self) -> Tensor:
        """Attributions pooled to features, float ``[N, d]``; 0 in columns beyond an example's number of features."""
        return self.features.pool(self.elements)

    def rows(self, rows: Tensor) -> Explanation:
        """The explanation of the examples ``rows`` (int64 ``[M]``), without functions for repeating it."""

        def selected(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[rows]

        return replace(
            self,
            elements=self.elements[rows],
            features=self.features.rows(rows),
            reference=selected(self.reference),
            standard_error=selected(self.standard_error),
            explain_perturbed=None,
            explain_network=None,
            explain_targets=None,
        )

    def with_functions(
        self,
        explain_perturbed: Callable[[Tensor], Tensor] | None,
        explain_network: Callable[[Any], Tensor] | None,
        explain_targets: Callable[[Tensor], Tensor] | None,
    ) -> Explanation:
        """A copy with other functions for repeating the explanation; cached pooled values are kept."""
        other = replace(
            self,
            explain_perturbed=explain_perturbed,
            explain_network=explain_network,
            explain_targets=explain_targets,
        )
        if "values" in self.__dict__:
            other.__dict__["values"] = self.values
        return other


CURVE_POINTS = 21
"""At how many shares of the features, evenly spaced from 0 to 1, the curve of a metric is given."""


@dataclass(frozen=True)
class Scores:
    """The scores of a metric together with auxiliary values.

    A metric may return this in place of a tensor.

    Args:
        values: float ``[M, N]``, the scores of M explanations for N examples.
        auxiliary: further values ``[M, N]`` by name. The names must be those of the metric's fact ``auxiliary``; the
            tables list them as ``LABEL.NAME``.
        curves: float ``[M, N, P]``, for a metric with a fact ``curve``: what the value summarises, at the P =
            :data:`CURVE_POINTS` evenly spaced shares of the features from 0 to 1.
    """

    values: Tensor
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)
    curves: Tensor | None = None


@dataclass(frozen=True)
class Cost:
    """The expected number of forward and backward passes for one example."""

    forward: int
    backward: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.forward + other.forward, self.backward + other.backward)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.forward * times, self.backward * times)

    @property
    def total(self) -> int:
        """Forward and backward passes together."""
        return self.forward + self.backward
