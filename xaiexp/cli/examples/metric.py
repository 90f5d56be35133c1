"""The metric mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from xaiexp.plugin import Batch, Component, Draws, Explanation, Handle, Metric, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Metric):
    """The mean squared difference between attributions and what setting one feature to 0 does to the score."""

    summary = "how far attributions are from the effect of removing one feature"
    source = "after Ancona et al. 2018, sensitivity-1"
    higher_is_better, needs_sign, scale_invariant, re_explains = False, True, False, False
    bounds: ClassVar[tuple[float | None, float | None]] = (0.0, None)
    unit = "output^2"

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """The values ``[N]``, 0 where every attribution is the effect of its feature."""
        import torch

        present = ~torch.eye(batch.features.d, dtype=torch.bool, device=batch.device).expand(len(batch), -1, -1)
        removed = batch.features.keep(batch.inputs, torch.zeros_like(batch.inputs), present)
        effect = model.scores().unsqueeze(1) - model.scores(removed)
        return (explanation.values - effect).square().sum(dim=1) / batch.features.counts


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
