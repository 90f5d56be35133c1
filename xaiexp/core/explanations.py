"""Explanations, scores and their cost in passes. Importing this file imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.vocabulary import Space

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Cost", "Estimate", "Explanation", "Scores", "Spent"]


@dataclass(frozen=True)
class Estimate:
    """What a method that samples may return in place of a tensor.

    Args:
        values: float ``[N, *shape]``, the attributions of the elements.
        standard_error: float ``[N, d]``, the standard error of each feature's attribution (the pooled value) that
            comes from the sampling; 0 where nothing was sampled, NaN where it cannot be told.
    """

    values: Tensor
    standard_error: Tensor


@dataclass(frozen=True)
class Spent:
    """What an explanation of one batch cost, all its examples together.

    Args:
        forward, backward: passes.
        seconds: of the clock.
        memory: bytes, the most that the process (or the device) has held so far.
    """

    forward: int
    backward: int
    seconds: float
    memory: int


@dataclass(frozen=True)
class Explanation:
    """What one method, with one baseline, says about a batch.

    Args:
        method, baseline: labels of the cell; baseline is ``"none"`` where the method reads none.
        elements: float32 ``[N, *shape]``, one number per element of the input (of the layer, in the space
            ``layer``).
        features: the batch's feature map; in the space ``layer``, every unit of the layer by itself.
        signed, complete, multiplied_by_inputs: the facts of the method.
        reference: ``[N, R, *shape]``, what absence looked like (R references); None where none was read.
        explain_perturbed: explains perturbed versions ``[N, S, *shape]`` of the same examples with the same method,
            targets and random numbers, and gives ``[N, S, *shape]``; None where the method is not at hand.
        explain_network: explains the same batch of another network (a ``torch.nn.Module`` like the study's, on its device)
            with the same method, references and random numbers, and gives ``[N, *shape]``; None as above.
        explain_targets: explains other targets (int64 ``[N]``) of the same batch likewise; None as above.
        space: what the attributions speak about: elements of the input and the explained score (``input``), units
            of a layer (``layer``), or elements of the input and a neuron inside the network (``neuron``).
        standard_error: ``[N, d]``, of each feature's attribution where the method sampled; None elsewhere.
        spent: what it cost; None where nobody counted.
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
        """Attributions pooled to features: ``[N, d]``, 0 in columns that an example does not have."""
        return self.features.pool(self.elements)

    def with_functions(
        self,
        explain_perturbed: Callable[[Tensor], Tensor] | None,
        explain_network: Callable[[Any], Tensor] | None,
        explain_targets: Callable[[Tensor], Tensor] | None,
    ) -> Explanation:
        """The same explanation with other functions that explain again; pooled values are not computed anew."""
        other = replace(
            self,
            explain_perturbed=explain_perturbed,
            explain_network=explain_network,
            explain_targets=explain_targets,
        )
        if "values" in self.__dict__:
            other.__dict__["values"] = self.values
        return other


@dataclass(frozen=True)
class Scores:
    """What a metric may return in place of a tensor: its values, and what it noticed on the way.

    Args:
        values: ``[M, N]``.
        auxiliary: further values ``[M, N]`` by name, exactly those that the metric's fact ``auxiliary`` declares; they
            stand beside the metric in the tables as ``LABEL.NAME``.
    """

    values: Tensor
    auxiliary: Mapping[str, Tensor]


@dataclass(frozen=True)
class Cost:
    """Passes of one example: whole numbers, forward and backward."""

    forward: int
    backward: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.forward + other.forward, self.backward + other.backward)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.forward * times, self.backward * times)

    @property
    def total(self) -> int:
        """Passes in all."""
        return self.forward + self.backward
