"""Soft normalised sufficiency and comprehensiveness: elements are masked by importance, not whole tokens."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.removals.masking import RemovalChoice, RemovesFeatures
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["SoftComprehensiveness", "SoftSufficiency"]


@dataclass(frozen=True)
class _SoftMask(RemovesFeatures):
    """Base of the metrics here, with their parameters."""

    needs_sign = False
    scale_invariant = True
    re_explains = False
    unit = "1"
    reads_probability = True
    modalities = ("text",)

    removal: RemovalChoice = "auto"
    n_samples: Annotated[int, Range(1), Effort(3, 10, 30)] = 10

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Tensor:
        """The values ``[M, N]`` of M explanations; all use the same random numbers."""
        import torch

        from xaiexp.builtin.metrics.faithfulness.soft_masks_formulas import importance, kept
        from xaiexp.builtin.removals.fill import removed_inputs

        absent = removed_inputs(self.removal, batch, rng)
        each = [
            importance(explanation.values.to(batch.inputs.dtype), batch.features.valid) for explanation in explanations
        ]
        defined = torch.stack([shares.isfinite().all(dim=1) for shares in each])

        def pieces() -> Iterator[Tensor]:
            for shares in each:
                probability = self._kept(shares.nan_to_num(0.5))
                for samples in model.blocks(self.n_samples):
                    yield kept(batch, absent, probability, rng.uniform("mask", batch.shape, samples))

        whole = _probabilities(model, model.scores(output="probability"))
        none = _probabilities(model, model.scores(absent, output="probability"))
        found = _probabilities(model, model.scores(pieces(), output="probability"))
        soft = found.view(len(batch), len(each), self.n_samples).mean(dim=2).T
        return self._value(whole, none, soft).masked_fill(~defined, torch.nan).to(batch.inputs.dtype)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """One pass without any feature, and one for each sample and explanation."""
        return Cost(forward=1 + self.n_samples * explanations)

    @abstractmethod
    def _kept(self, shares: Tensor) -> Tensor:
        """The probability of each feature that its elements are kept, from its importance."""

    @abstractmethod
    def _value(self, whole: Tensor, none: Tensor, soft: Tensor) -> Tensor:
        """The values ``[M, N]``."""


def _probabilities(model: Handle, scores: Tensor) -> Tensor:
    """Probabilities of scores; of texts the exponentials of their log-probabilities."""
    scores = scores.double()
    return scores.exp() if model.output.task == "log_probabilities" else scores


@dataclass(frozen=True)
class SoftSufficiency(_SoftMask):
    """Soft normalised sufficiency: what the probability keeps where elements stay by the importance of their feature.

    Each element of an embedding stays with the probability of its feature's importance, the attribution scaled to 0..1
    over the example, and is replaced as by ``removal`` otherwise. 1 where the probability does not fall, 0 where it
    falls as without any feature. NaN where removing everything does not lower the probability, and for maps whose
    values are all equal. Unlike :class:`Sufficiency` it needs no number of top features, and perturbs less.

    Args:
        removal: what an element is replaced with; the paper takes zero.
        n_samples: masks an example.
    """

    summary = "the share of the probability that is kept where elements stay by the importance of their feature (texts)"
    source = "Zhao and Aletras 2023, Incorporating Attribution Importance for Improving Faithfulness Metrics, section 3"
    higher_is_better = True
    bounds = (None, 1.0)

    def _kept(self, shares: Tensor) -> Tensor:
        return shares

    def _value(self, whole: Tensor, none: Tensor, soft: Tensor) -> Tensor:
        from xaiexp.builtin.metrics.faithfulness.soft_masks_formulas import soft_sufficiency

        return soft_sufficiency(whole, none, soft)


@dataclass(frozen=True)
class SoftComprehensiveness(_SoftMask):
    """Soft normalised comprehensiveness: how far the probability falls where elements go by importance.

    Each element of an embedding goes with the probability of its feature's importance; otherwise as
    :class:`SoftSufficiency`. 1 where the probability falls as without any feature.

    Args:
        removal: what an element is replaced with; the paper takes zero.
        n_samples: masks an example.
    """

    summary = "the share of the probability that is lost where elements go by the importance of their feature (texts)"
    source = "Zhao and Aletras 2023, Incorporating Attribution Importance for Improving Faithfulness Metrics, section 3"
    higher_is_better = True
    bounds = (0.0, None)

    def _kept(self, shares: Tensor) -> Tensor:
        return 1 - shares

    def _value(self, whole: Tensor, none: Tensor, soft: Tensor) -> Tensor:
        from xaiexp.builtin.metrics.faithfulness.soft_masks_formulas import soft_comprehensiveness

        return soft_comprehensiveness(whole, none, soft)
