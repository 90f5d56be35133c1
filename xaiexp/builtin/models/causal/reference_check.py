"""Whether a path from a reference to a prompt tells anything: a check of the network itself.

Norms without a mean (RMSNorm) divide an embedding by its length, so that the network changes within a thousandth of the
way from an embedding of length near 0, and its gradients there are as large as one likes. A quadrature in so many steps
does not see them: the attributions of a path do not add up, however many steps are taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from xaiexp.core.batches import Batch
from xaiexp.store.fingerprints import fingerprint

__all__ = ["ReferenceCheck", "early_share"]

_EXAMPLES = 4
_STEP = 0.01
_ALLOWED = 0.2


def early_share(scores: Tensor) -> Tensor:
    """The share of the change along a path that lies within its first hundredth.

    Args:
        scores: at the reference, a hundredth of the way from it, and at the input: ``[N, 3]``.

    Returns:
        ``[N]``: the change in the first hundredth, relative to the change over the whole path.
    """
    first, early, last = scores.unbind(dim=1)
    return (early - first).abs() / (last - first).abs().clamp(min=torch.finfo(scores.dtype).tiny)


@dataclass
class ReferenceCheck:
    """Judges references by the scores of the first examples; each reference once.

    Args:
        module: the language model over prompts.
    """

    module: nn.Module
    _judged: dict[str, str] = field(default_factory=dict, repr=False)

    def __call__(self, batch: Batch, reference: Tensor) -> str:
        """Why a path from the references ``[N, *shape]`` tells nothing; empty where it does."""
        examples = min(_EXAMPLES, len(batch))
        key = fingerprint({"reference": reference[:examples], "inputs": batch.inputs[:examples]})
        if key not in self._judged:
            self._judged[key] = self._reason(batch, reference, examples)
        return self._judged[key]

    def _reason(self, batch: Batch, reference: Tensor, examples: int) -> str:
        shares = []
        for i in range(examples):
            row = batch.inputs[i : i + 1]
            own = torch.where(batch.features.inside[i if len(batch.features.index) > 1 else 0], reference[i], row[0])
            path = torch.stack([own, torch.lerp(own, row[0], _STEP), row[0]])
            context = {key: value[i : i + 1].expand(3, *value.shape[1:]) for key, value in batch.context.items()}
            with torch.no_grad():
                scores = self.module(path, **context)["logits"]
            shares.append(early_share(scores[:, int(batch.targets[i])].unsqueeze(0)))
        share = float(torch.cat(shares).median())
        if share <= _ALLOWED:
            return ""
        return (
            f"this reference is singular for the network: {share:.0%} of the change of the score lie within the first "
            "hundredth of the path, which no quadrature sees: use baseline 'mean'"
        )
