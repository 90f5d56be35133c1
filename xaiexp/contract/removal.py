"""The kind of component that takes features away: what stands in an input where features are absent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xaiexp.contract.component import Component
from xaiexp.core.batches import Batch
from xaiexp.core.vocabulary import BackgroundPart

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.contract.facts import RemovalFacts
    from xaiexp.core.draws import Draws
else:  # facts are declared for type checkers only, see xaiexp.contract.facts
    RemovalFacts = object

__all__ = ["Fill", "ReferenceFill", "Removal"]


class Fill(ABC):
    """Replaces absent features of the examples of one batch; everything random in it has been drawn.

    Attributes:
        reference: ``[N, *shape]``, the values of absent features where they are the same for every mask, else None.
            Metrics then know the step ``x - reference`` of a feature without making perturbed inputs.
    """

    reference: Tensor | None = None

    @abstractmethod
    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        """Inputs ``[B, *shape]`` in which all but the features ``present`` (bool ``[B, d]``) are replaced.

        Row b is a version of the example ``owners[b]`` (int64 ``[B]``) and depends on that example and its own mask
        alone. Elements of present features and of no feature keep their values.
        """

    def block_size(self, budget: int) -> int:
        """How many rows to ask for in one call, where ``budget`` rows go through the model in one pass."""
        return budget


class ReferenceFill(Fill):
    """Replaces absent features with the values of one reference.

    Args:
        batch: the examples.
        reference: ``[N, *shape]``; elements of no feature are reset to the values of the input.
    """

    def __init__(self, batch: Batch, reference: Tensor) -> None:
        import torch

        self.batch = batch
        self.reference: Tensor = torch.where(batch.features.inside, reference.to(batch.inputs.dtype), batch.inputs)

    def __call__(self, owners: Tensor, present: Tensor) -> Tensor:
        """See :meth:`Fill.__call__`."""
        inputs, reference = (x.index_select(0, owners) for x in (self.batch.inputs, self.reference))
        return self.batch.features.rows(owners).keep(inputs, reference, present)


@dataclass(frozen=True)
class Removal(Component, RemovalFacts):
    """How metrics take features away. Metrics share perturbed inputs over all explanations of a study.

    Facts (class variables, or properties where they depend on a parameter):
        modalities: the supported kinds of inputs. Metrics with this removal are skipped for others.
        needs: the parts of ``batch.background`` without which it cannot work, a subset of ``pool``, ``mean``, ``low``,
            ``high``, ``special``, ``labels`` and ``embed``. Without them metrics are skipped with the reason.
        differentiable: whether the perturbed inputs may be differentiated with respect to ``batch.inputs``: autograd
            gives their derivative, that of replaced elements included.
    """

    kind: ClassVar[str] = "removal"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "modalities")
    if not TYPE_CHECKING:  # declared by RemovalFacts
        needs: ClassVar[frozenset[BackgroundPart]] = frozenset()
        differentiable: ClassVar[bool] = False

    @abstractmethod
    def fill(self, batch: Batch, rng: Draws) -> Fill:
        """What replaces features of these examples; a :class:`ReferenceFill` where one reference does.

        Args:
            batch: the examples; ``batch.background`` describes the dataset. It must not be changed.
            rng: random numbers per example; whatever is random is drawn here, once for all masks.

        Raises:
            Unsupported: the removal does not support these inputs; the metric is skipped with the reason.
        """
