"""How far attributions and ground truth overlap.

In all of them ``evidence [N, d]`` is at least 0 (see :func:`evidence`), ``share [N, d]`` is the part of each feature
that lies inside the truth, ``valid [N or 1, d]`` says which columns are features, and the result is float64 ``[N]``.
NaN where the evidence is 0 everywhere or holds NaN, and where the truth is empty or everything.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from xaiexp.core.explanations import Explanation

__all__ = ["Sign", "average_precision", "evidence", "hits", "marked", "mass", "top_share"]

Sign = Literal["positive", "magnitudes"]


def evidence(explanation: Explanation, of: Sign) -> Tensor:
    """What a map says for its target, ``[N, d]``: positive parts, or magnitudes (always so for unsigned methods)."""
    values = explanation.values.double()
    return values.clamp(min=0) if of == "positive" and explanation.signed else values.abs()


def marked(share: Tensor) -> Tensor:
    """The features that are in the truth: those that lie inside with at least half of their elements; bool."""
    return share >= 0.5


def hits(given: Tensor, share: Tensor, near: Tensor, valid: Tensor) -> Tensor:
    """The part inside the grown truth, ``near [N, d]``, of the feature with the most evidence; ties share equally."""
    top = given.masked_fill(~valid, 0).amax(dim=1, keepdim=True)
    first = ((given == top) & valid).double()
    return _defined((first * near).sum(dim=1) / first.sum(dim=1), given, share, valid)


def mass(given: Tensor, share: Tensor, valid: Tensor) -> Tensor:
    """The part of all evidence that lies inside the truth."""
    given = given * valid
    return _defined((given * share).sum(dim=1) / given.sum(dim=1), given, share, valid)


def top_share(given: Tensor, share: Tensor, valid: Tensor, k: Tensor) -> Tensor:
    """The mean share of the k features with the most evidence: its expectation where ties are broken at random.

    ``k`` is int64 ``[N]``; more than there are features means all, and 0 is NaN.
    """
    count = valid.expand_as(given).sum(dim=1)
    k = torch.minimum(k, count)
    ranked = given.masked_fill(~valid, -torch.inf)
    last = ranked.sort(dim=1, descending=True).values.gather(1, (k - 1).clamp(min=0).unsqueeze(1))
    above, level = ranked > last, (ranked == last) & valid
    free = k - above.sum(dim=1)
    # Those that tie for the last places hold them in equal parts.
    held = above + level * (free / level.sum(dim=1)).unsqueeze(1)
    value = (held * share).sum(dim=1) / k
    return _defined(value.masked_fill(k == 0, float("nan")), given, share, valid)


def average_precision(given: Tensor, inside: Tensor, valid: Tensor) -> Tensor:
    """The area under precision over recall as a sum of steps, as ``sklearn.metrics.average_precision_score``.

    Features that tie enter together. ``inside`` is bool ``[N, d]``.
    """
    inside = inside & valid
    ranked = given.masked_fill(~valid, -torch.inf)
    ordered, order = ranked.sort(dim=1, descending=True)
    found = inside.gather(1, order).cumsum(dim=1)
    # How many features have at least the evidence of this one: it and all of its ties are at or above that place.
    reached = torch.searchsorted(-ordered, -ranked, right=True)
    precision = found.gather(1, (reached - 1).clamp(min=0)).double() / reached
    value = (precision * inside).sum(dim=1) / inside.sum(dim=1)
    return _defined(value, given, inside.double(), valid)


def _defined(value: Tensor, given: Tensor, share: Tensor, valid: Tensor) -> Tensor:
    told = given.isfinite().all(dim=1) & ((given > 0) & valid).any(dim=1)
    known = ((share > 0) & valid).any(dim=1) & ((share < 1) & valid).any(dim=1)
    return value.masked_fill(~(told & known), float("nan"))
