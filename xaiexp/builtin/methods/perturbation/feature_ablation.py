"""Feature ablation: the change of the score when one feature is replaced by the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["FeatureAblation"]


@dataclass(frozen=True)
class FeatureAblation(Method):
    """``f(x) - f(x with feature j replaced by the reference)``, one feature at a time."""

    summary = "the change of the score when one feature at a time is replaced by the reference"
    source = (
        "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, sec. 4.2, feature by feature"
    )
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could underflow
    reads_baseline = True
    signed = True
    complete = False
    multiplied_by_inputs = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        from xaiexp.builtin.methods.perturbation.score_changes import feature_changes

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        values = feature_changes(model, lambda owners, _: reference[owners])[:, 0]
        return batch.features.spread(values)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One for the input, and one for each replaced feature."""
        return Cost(1 + d)
