"""From logits to the scores that are explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.vocabulary import Output

__all__ = ["target_scores"]


def target_scores(logits: Tensor, targets: Tensor, output: Output) -> Tensor:
    """The explained score of each row.

    Args:
        logits: float ``[B, K]``.
        targets: int64 ``[B]``, column of the explained class.
        output: ``logit``, or ``probability``: softmax over the K logits, the logistic function where K is 1.

    Returns:
        ``[B]``, in the graph if ``logits`` is.
    """
    if output == "probability":
        logits = logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)
    return logits.gather(1, targets.unsqueeze(1)).squeeze(1)
