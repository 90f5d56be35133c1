"""How well the model does on the explained examples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.core.record import PerformanceFacts
from xaiexp.core.vocabulary import Task
from xaiexp.inference.outputs import predicted_classes

__all__ = ["Performance", "chance_warning", "p_above_chance"]

LEVEL = 0.05
"""The accuracy is at chance where a binomial test does not exceed it at this level."""


def p_above_chance(correct: int, count: int, chance: float) -> float:
    """The p-value of at least ``correct`` of ``count`` right by chance (one-sided binomial test)."""
    from scipy.special import betainc  # scipy.stats.binomtest gives the same, and its import takes a second

    return float(betainc(correct, count - correct + 1, min(1.0, chance))) if correct else 1.0


class Performance:
    """Collects predictions and labels, chunk by chunk.

    Args:
        task: of the model, or what the labels say about it; None where neither is known.
    """

    def __init__(self, task: Task | None) -> None:
        self._task = task
        self._predicted: list[Tensor] = []
        self._truth: list[Tensor] = []
        self._outputs = 0
        self._kind = ""

    def add(self, batch: Batch, logits: Tensor, labelled: Sequence[bool]) -> None:
        """Add a chunk.

        Args:
            batch: with the labels.
            logits: ``[N, K]``.
            labelled: for each example whether it is explained and its label is known.
        """
        known = torch.tensor(list(labelled), device=logits.device)
        self._outputs = logits.shape[1]
        if batch.true_values is not None and logits.shape[1] == 1:
            self._kind = "values"
            self._keep(logits[:, 0].double(), batch.true_values.double(), known)
        elif batch.label_sets is not None and self._task in ("multilabel", "probabilities"):
            self._kind = "sets"
            predicted = logits > (0.5 if self._task == "probabilities" else 0.0)
            self._keep(predicted, batch.label_sets, known)
        elif batch.labels is not None and (logits.shape[1] > 1 or self._task is not None):
            self._kind = "classes"
            task = None if self._task == "multilabel" else self._task
            self._keep(predicted_classes(logits, task), batch.labels, known & (batch.labels >= 0))

    def _keep(self, predicted: Tensor, truth: Tensor, known: Tensor) -> None:
        self._predicted.append(predicted[known].cpu())
        self._truth.append(truth[known].cpu())

    def facts(self) -> PerformanceFacts | None:
        """The facts of all chunks; None where no label can be compared."""
        if not self._kind or not sum(map(len, self._truth)):
            return None
        predicted, truth = (torch.cat(parts).numpy() for parts in (self._predicted, self._truth))
        count = len(truth)
        if self._kind == "values":
            finite = np.isfinite(truth)
            predicted, truth = predicted[finite], truth[finite]
            spread = float(((truth - truth.mean()) ** 2).sum()) if len(truth) else 0.0
            missed = float(((truth - predicted) ** 2).sum())
            r2 = 1 - missed / spread if spread > 0 else None
            error = float(np.abs(truth - predicted).mean()) if len(truth) else None
            return PerformanceFacts(len(truth), r2=r2, mean_absolute_error=error)
        if self._kind == "sets":
            from sklearn.metrics import f1_score

            seen = (predicted | truth).any(axis=0)
            macro = float(f1_score(truth[:, seen], predicted[:, seen], average="macro")) if seen.any() else None
            exact = float((predicted == truth).all(axis=1).mean())
            return PerformanceFacts(count, macro_f1=macro, exact_match=exact)
        correct = int((predicted == truth).sum())
        chance = float(np.bincount(truth).max() / count)
        if chance == 1:
            chance = 1 / max(2, self._outputs)
        return PerformanceFacts(
            count, accuracy=correct / count, chance=chance, p_value=p_above_chance(correct, count, chance)
        )


def chance_warning(facts: PerformanceFacts | None) -> str:
    """A warning where the model is not better than chance; empty where it is, or where too few examples can tell.

    Chance is the share of the most frequent label among the explained examples, or one divided by the number of classes
    where all labels are equal. The accuracy is at chance where a one-sided binomial test gives p > 0.05 although a
    perfect model would give p <= 0.05. Values are at chance where R^2 is not above 0, that of the mean.
    """
    if facts is None:
        return ""
    count = facts.examples
    if facts.accuracy is not None and facts.chance is not None and facts.p_value is not None:
        if facts.p_value <= LEVEL or p_above_chance(count, count, facts.chance) > LEVEL:
            return ""
        return (
            f"warning: the accuracy on the explained examples, {facts.accuracy:.1%} of {count}, is not above chance, "
            f"{facts.chance:.1%} (binomial test, p = {facts.p_value:.2g}); check model, preprocessing and labels"
        )
    if facts.r2 is not None and facts.r2 <= 0 and math.isfinite(facts.r2):
        return (
            f"warning: R^2 on the {count} explained examples is {facts.r2:.3g}, no better than their mean; "
            "check model, preprocessing and the units of the labels"
        )
    return ""
