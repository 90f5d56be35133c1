"""The method ``tree_shap``: exact interventional Shapley values of decision trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xaiexp.plugin import Batch, Method, Unsupported
from xaiexp_sklearn.interventional import interventional_values
from xaiexp_sklearn.tree_leaves import leaves_of

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.plugin import Draws, Handle

__all__ = ["TreeShap"]

# Scores are float32: the largest difference, relative to the scores, that is rounding.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class TreeShap(Method):
    """Interventional TreeSHAP: the Shapley values of the game in which absent features come from a reference.

    The values are exact, and averaged over the references. The explained score must be the sum of the trees: the margin
    of boosted trees, or the mean of a forest. Features of several columns (one-hot groups) are players as a whole.
    """

    summary = "exact interventional Shapley values of decision trees, over a distribution of references"
    source = "Lundberg et al. 2020, From local explanations to global understanding with explainable AI for trees"
    needs = frozenset({"trees"})
    reads_baseline = True
    reads_distribution = True
    signed = True
    complete = True
    multiplied_by_inputs = True
    modalities = ("table",)

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`; ``reference`` is a distribution ``[N, R, F]``.

        Raises:
            Unsupported: the model has no decision trees, or the explained score is not their sum.
        """
        import torch

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        estimator = getattr(model.passes.module, "estimator", None)
        if estimator is None or batch.features.index.shape[0] != 1:
            raise Unsupported("needs an ensemble of decision trees and features that are the same for all rows")
        leaves = leaves_of(estimator)
        outputs, classes = leaves.values.shape[1], model.logits().shape[1]
        if outputs != classes:
            raise Unsupported(f"the trees have {outputs} outputs, the model {classes}; {_MARGIN}")
        values = interventional_values(
            leaves,
            batch.inputs.double().cpu().numpy(),
            reference.double().cpu().numpy(),
            batch.targets.cpu().numpy(),
            batch.features.index[0].cpu().numpy(),
        )
        scores, absent = model.scores().double(), model.scores(reference).double()
        missed = torch.from_numpy(values).sum(dim=1).to(scores.device) - (scores - absent.mean(dim=1))
        scale = max(1.0, float(scores.abs().max()), float(absent.abs().max()))
        if float(missed.abs().max()) > _ROUNDING * scale:
            raise Unsupported(f"the explained score is not the sum of the trees; {_MARGIN}")
        return batch.features.spread(torch.from_numpy(values).to(batch.inputs))


_MARGIN = "boosted trees add up to their margin: model.scores=margin output=logit"
