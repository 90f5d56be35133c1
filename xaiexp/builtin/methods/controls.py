"""The floor that every real method has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract import Method
from xaiexp.types import Batch, Cost

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.draws import Draws
    from xaiexp.passes import Handle

__all__ = ["Random"]


@dataclass(frozen=True)
class Random(Method):
    """Standard normal numbers, one for each feature, that know nothing of the model."""

    summary = "standard normal numbers: knows nothing of the model, the floor of every comparison"
    source = "the random control of Hooker et al. 2019, A Benchmark for Interpretability Methods, section 4"
    needs = frozenset[str]()
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.Method.attribute`."""
        values = rng.normal("values", (batch.features.d,)).to(batch.inputs.dtype)
        return batch.features.spread(values * batch.features.valid)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """No pass at all."""
        return Cost(0)
