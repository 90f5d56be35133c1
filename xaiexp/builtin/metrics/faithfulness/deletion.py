"""Faithfulness by order: what happens to the score while features go, the highest or the lowest attributions first.

What holds for all of them: features are ordered by their signed values, ties are broken at random, by the same numbers
for all explanations; NaN for maps that are not numbers and examples without features. With each value comes ``shift``,
how far the masked inputs that were evaluated leave the data on average (see :mod:`xaiexp.builtin.removals.data_distance`):
1 is as far as examples are from each other, NaN where the model has no penultimate layer or there are no data to
compare with.

A note on peers: Quantus' ``RegionPerturbation`` (AOPC) is declared "lower is better" in every order, though removing
the most relevant regions first should change much. Here the direction follows from the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.metrics.faithfulness.ordered_removal import FIRST, Order, Ordered
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Explanation, Scores
from xaiexp.core.parameters import Effort, Range

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = [
    "Aopc",
    "Deletion",
    "Insertion",
    "Irof",
    "MonotonicityArya",
    "PixelFlipping",
]


@dataclass(frozen=True)
class _Stepwise(Ordered):
    """A measure of a curve from the whole input to the empty one, or back.

    Args:
        steps: at how many evenly spaced numbers of features the score is taken, besides the start; examples with
            fewer features go one at a time.
        removal: what a removed feature becomes.
    """

    steps: Annotated[int, Range(1), Effort(6, 16, 64)] = 16

    def _grid(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Numbers of features ``[N, K]``, the same as fractions, and which points are an example's own."""
        import torch

        from xaiexp.builtin.metrics.removal_curves import grid

        counts = batch.features.counts.expand(len(batch))
        points = counts.clamp(max=self.steps)
        steps = grid(counts, points)
        own = torch.arange(steps.shape[1], device=steps.device) <= points.unsqueeze(1)
        return steps, steps.double() / counts.unsqueeze(1), own

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """The points between the ends for every explanation, and the empty input once."""
        return Cost(forward=1 + explanations * (min(self.steps, d) - 1))


@dataclass(frozen=True)
class Deletion(_Stepwise):
    """The area under the target's probability as features are removed, highest attribution first, in [0, 1].

    By the trapezoidal rule over the fraction of features removed, 0 to 1; always the probability, whatever the study
    explains. A low area means that the features named first were needed.

    Args:
        steps: at how many evenly spaced numbers of features the probability is taken, besides the start; examples
            with fewer features go one at a time.
        removal: what a removed feature becomes: the name of a baseline with one reference, in data space;
            ``noisy_linear`` (see :class:`xaiexp.builtin.metrics.faithfulness.comprehensiveness.Road`); ``auto`` is blur for
            pictures, mean for tables and series, zero for texts.
    """

    summary = "area under the target's probability as the highest attributions are removed first"
    source = "Petsiuk et al. 2018, RISE, section 4.1 (deletion)"
    higher_is_better = False

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The areas ``[M, N]`` of M explanations; all curves in one stream of full batches."""
        from xaiexp.builtin.metrics.removal_curves import area

        gone, fractions, _ = self._grid(batch)
        drawn = self._drawn(model, batch, explanations, rng, gone)
        return self._scores(batch, explanations, area(drawn.values, fractions), drawn.shift)


@dataclass(frozen=True)
class Insertion(_Stepwise):
    """The area under the target's probability as features are put back, highest attribution first, in [0, 1].

    As :class:`Deletion`, from the removed input to the whole one: a high area means that the features named first
    were enough.

    Args:
        steps: at how many evenly spaced numbers of features the probability is taken, besides the start; examples
            with fewer features go one at a time.
        removal: what a removed feature is: as for :class:`Deletion`.
    """

    summary = "area under the target's probability as the highest attributions are put back first"
    source = "Petsiuk et al. 2018, RISE, section 4.1 (insertion)"
    higher_is_better = True

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The areas ``[M, N]`` of M explanations; all curves in one stream of full batches."""
        from xaiexp.builtin.metrics.removal_curves import area

        back, fractions, _ = self._grid(batch)
        gone = batch.features.counts.expand(len(batch)).unsqueeze(1) - back
        drawn = self._drawn(model, batch, explanations, rng, gone, ("lowest",))
        return self._scores(batch, explanations, area(drawn.values, fractions), drawn.shift)


@dataclass(frozen=True)
class PixelFlipping(_Stepwise):
    """The area under the explained output as features are flipped, highest attribution first, in its own units.

    As :class:`Deletion`, of the output that the study explains (Bach et al. plot it pixel by pixel; the area is the
    usual number of it). They flip the sign of binary pixels; here a flipped feature becomes what ``removal`` says.

    Args:
        steps: at how many evenly spaced numbers of features the output is taken, besides the start; examples with
            fewer features go one at a time.
        removal: what a flipped feature becomes: as for :class:`Deletion`.
    """

    summary = "area under the output as the highest attributions are flipped first"
    source = "Bach et al. 2015, section 'Evaluating heatmaps' (pixel-flipping); the area as in Samek et al. 2017"
    higher_is_better = False
    bounds = (None, None)
    unit = "output"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The areas ``[M, N]`` of M explanations."""
        from xaiexp.builtin.metrics.removal_curves import area

        gone, fractions, _ = self._grid(batch)
        drawn = self._drawn(model, batch, explanations, rng, gone, output=None)
        return self._scores(batch, explanations, area(drawn.values, fractions), drawn.shift)


@dataclass(frozen=True)
class Aopc(_Stepwise):
    """The mean drop of the output along the curve, ``1 / (L + 1) sum_{k=0..L} (f(x) - f(x_k))``, in its own units.

    ``x_k`` is the input without the first of L equal shares of the features. With the most relevant first (``morf``)
    a large drop is good, with the least relevant first (``lerf``) a small one; ``difference`` is AOPC of the first
    minus that of the second, the area between the curves. The direction follows from ``order``.

    Args:
        steps: L; examples with fewer features go one at a time.
        removal: what a removed feature becomes: as for :class:`Deletion`.
        order: ``morf``, ``lerf`` or ``difference``.
    """

    summary = "mean drop of the output as features are removed in the order of the attributions"
    source = "Samek et al. 2017, Evaluating the Visualization of What a Deep Neural Network Has Learned, equation 12"
    bounds = (None, None)
    unit = "output"

    order: Order = "morf"

    @property
    def higher_is_better(self) -> bool:
        """What is least relevant may be removed without a drop."""
        return self.order != "lerf"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        gone, _, own = self._grid(batch)
        drawn = self._drawn(model, batch, explanations, rng, gone, FIRST[self.order], output=None)
        drops = (drawn.values[..., :1] - drawn.values) * own
        values = drops.sum(dim=2) / own.sum(dim=1)
        if self.order == "difference":
            most, least = values.chunk(2)
            values = most - least
        return self._scores(batch, explanations, values, drawn.shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """The points between the ends for every explanation and order, and the empty input once."""
        return Cost(forward=1 + len(FIRST[self.order]) * explanations * (min(self.steps, d) - 1))


@dataclass(frozen=True)
class Irof(_Stepwise):
    """The area over the relative probability as features are removed, highest *mean* attribution first, at most 1.

    ``1 - area of p(x_k) / p(x)`` by the trapezoidal rule over the fraction of features removed. IROF is meant for
    superpixels, ordered by the mean over their pixels so that large ones are not favoured: here the regions are the
    study's features, so choose superpixels there (``features=slic``) to have IROF as published. NaN where p(x) is 0.

    Args:
        steps: at how many evenly spaced numbers of features the probability is taken, besides the start; the paper
            removes one region at a time, as examples with no more features than this do.
        removal: what a removed feature becomes: as for :class:`Deletion`; the paper takes the mean.
    """

    summary = "area over the relative probability as regions are removed, highest mean attribution first"
    source = "Rieger and Hansen 2020, IROF: a low resource evaluation metric for explanation methods, equation 1"
    higher_is_better = True
    bounds = (None, 1.0)
    unit = "1"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        import torch

        from xaiexp.builtin.metrics.removal_curves import area

        gone, fractions, _ = self._grid(batch)
        drawn = self._drawn(model, batch, explanations, rng, gone, by_mean=True)
        whole = drawn.values[..., :1]
        relative = torch.where(whole > 0, drawn.values / whole, torch.nan)
        return self._scores(batch, explanations, 1 - area(relative, fractions), drawn.shift)


@dataclass(frozen=True)
class MonotonicityArya(_Stepwise):
    """Whether the probability never falls as features are put back, lowest attribution first: 1 or 0.

    The mean over examples is the share of monotone ones. Steps of several features at a time, where there are more
    features than ``steps``. Falls within the rounding of the inputs' dtype do not count. Know its limit: in an
    additive model every feature adds its own amount whenever it comes, so that one at a time no order is better than
    another; the measure speaks about interactions, and about groups of features.

    Args:
        steps: at how many evenly spaced numbers of features the probability is taken, besides the start; examples
            with fewer features go one at a time, as in the source.
        removal: what an absent feature is: as for :class:`Deletion`.
        share: whether the value is the share of the steps that do not fall, in place of all or nothing.
    """

    summary = "whether the probability never falls as features are put back, lowest attribution first"
    source = "Arya et al. 2019, One Explanation Does Not Fit All, section 6 (monotonicity), as in AIX360"
    higher_is_better = True
    unit = "1"

    share: bool = False

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        import torch

        gone, _, own = self._grid(batch)
        drawn = self._drawn(model, batch, explanations, rng, gone)
        # Backwards, this is the curve of deletion: it must nowhere rise.
        slack = 8 * torch.finfo(batch.inputs.dtype).eps
        fine = (drawn.values.diff(dim=2) <= slack) & own[:, 1:]
        good = fine.sum(dim=2).double() / own[:, 1:].sum(dim=1)
        return self._scores(batch, explanations, good if self.share else (good == 1).double(), drawn.shift)
