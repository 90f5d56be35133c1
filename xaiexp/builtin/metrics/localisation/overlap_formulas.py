"""Overlap of attributions with the ground truth.

Arguments of all functions: ``given [N, d]`` is the evidence, at least 0 (see :func:`evidence`); ``share [N, d]`` is the
share of each feature's elements inside the ground truth; ``valid [N or 1, d]`` marks the columns that are features. The
result is float64 ``[N]``, NaN where the evidence is 0 everywhere or contains NaN, and where the ground truth contains
no feature or all of them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from xaiexp.core.explanations import Explanation

__all__ = ["Sign", "average_precision", "evidence", "mass_inside", "mostly_inside", "pointing_hits", "top_k_share"]

Sign = Literal["positive", "magnitudes"]


def evidence(explanation: Explanation, of: Sign) -> Tensor:
    """The evidence of a map for its target, ``[N, d]``: positive parts, or magnitudes (always for unsigned methods)."""
    values = explanation.values.double()
    return values.clamp(min=0) if of == "positive" and explanation.signed else values.abs()


def mostly_inside(share: Tensor) -> Tensor:
    """The features with at least half of their elements inside the ground truth; bool."""
    return share >= 0.5


def pointing_hits(given: Tensor, share: Tensor, near: Tensor, valid: Tensor) -> Tensor:
    """The share of the feature with the most evidence inside the dilated ground truth; the mean over ties.

    Args:
        near: ``[N, d]``, the share of each feature's elements inside the dilated ground truth.
    """
    largest = given.masked_fill(~valid, 0).amax(dim=1, keepdim=True)
    top = ((given == largest) & valid).double()
    return _where_defined((top * near).sum(dim=1) / top.sum(dim=1), given, share, valid)


def mass_inside(given: Tensor, share: Tensor, valid: Tensor) -> Tensor:
    """The share of all evidence that lies inside the ground truth."""
    given = given * valid
    return _where_defined((given * share).sum(dim=1) / given.sum(dim=1), given, share, valid)


def top_k_share(given: Tensor, share: Tensor, valid: Tensor, k: Tensor) -> Tensor:
    """The mean share of the k features with the most evidence: its expectation if ties are broken at random.

    Args:
        k: int64 ``[N]``; limited to the number of features. NaN where it is 0.
    """
    count = valid.expand_as(given).sum(dim=1)
    k = torch.minimum(k, count)
    ranked = given.masked_fill(~valid, -torch.inf)
    last = ranked.sort(dim=1, descending=True).values.gather(1, (k - 1).clamp(min=0).unsqueeze(1))
    above, tied = ranked > last, (ranked == last) & valid
    n_remaining = k - above.sum(dim=1)
    # Features that tie for the last ranks among the top k share these ranks equally.
    weights = above + tied * (n_remaining / tied.sum(dim=1)).unsqueeze(1)
    value = (weights * share).sum(dim=1) / k
    return _where_defined(value.masked_fill(k == 0, float("nan")), given, share, valid)


def average_precision(given: Tensor, inside: Tensor, valid: Tensor) -> Tensor:
    """The area under precision over recall as a sum of steps, as ``sklearn.metrics.average_precision_score``.

    Ties enter at the same step.

    Args:
        inside: bool ``[N, d]``, the features inside the ground truth.
    """
    inside = inside & valid
    ranked = given.masked_fill(~valid, -torch.inf)
    ordered, order = ranked.sort(dim=1, descending=True)
    true_positives = inside.gather(1, order).cumsum(dim=1)
    # The number of features with at least the evidence of this one, ties included.
    n_selected = torch.searchsorted(-ordered, -ranked, right=True)
    precision = true_positives.gather(1, (n_selected - 1).clamp(min=0)).double() / n_selected
    value = (precision * inside).sum(dim=1) / inside.sum(dim=1)
    return _where_defined(value, given, inside.double(), valid)


def _where_defined(value: Tensor, given: Tensor, share: Tensor, valid: Tensor) -> Tensor:
    """``value``, NaN where the evidence or the ground truth does not define one (see the module)."""
    has_evidence = given.isfinite().all(dim=1) & ((given > 0) & valid).any(dim=1)
    has_truth = ((share > 0) & valid).any(dim=1) & ((share < 1) & valid).any(dim=1)
    return value.masked_fill(~(has_evidence & has_truth), float("nan"))
