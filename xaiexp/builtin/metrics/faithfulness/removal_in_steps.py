"""Faithfulness from curves of the score while features are removed step by step, in the order of the attributions.

See :class:`.ordered_removal.OrderedRemoval` for the order of the features, ties and undefined values.

Difference from Quantus: its ``RegionPerturbation`` (AOPC) declares "lower is better" for every order, although removing
the most relevant regions first should change the output most. Here the direction follows from the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.builtin.metrics.faithfulness.ordered_removal import FIRST, Order, OrderedRemoval
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import CURVE_POINTS, Cost, Explanation, Scores
from xaiexp.core.parameters import Effort, Range
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.builtin.metrics.removal_curves import Curves
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
class _RemovalInSteps(OrderedRemoval):
    """Base of the metrics of a curve from the original input to the fully removed one, or back.

    Args:
        steps: the number of evenly spaced numbers of features at which the score is evaluated, besides the start;
            examples with fewer features use every number.
        removal: what a removed feature is replaced with.
    """

    steps: Annotated[int, Range(1), Effort(6, 16, 64)] = 16

    def _points(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """The points of the curves: numbers of features ``[N, K]``, the same as fractions, and which points are used.

        Examples with fewer points than others repeat their last one; only its first occurrence counts as used.
        """
        import torch

        from xaiexp.builtin.metrics.removal_curves import evenly_spaced

        counts = batch.features.counts.expand(len(batch))
        points = counts.clamp(max=self.steps)
        n_features = evenly_spaced(counts, points)
        used = torch.arange(n_features.shape[1], device=n_features.device) <= points.unsqueeze(1)
        return n_features, n_features.double() / counts.unsqueeze(1), used

    def _area(self, batch: Batch, explanations: Sequence[Explanation], curves: Curves, fractions: Tensor) -> Scores:
        """The areas under curves, and the curves at evenly spaced shares."""
        from xaiexp.builtin.metrics.removal_curves import area, at_even_shares

        drawn = at_even_shares(curves.values, fractions, CURVE_POINTS)
        return self._scores(batch, explanations, area(curves.values, fractions), curves.shift, drawn)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """The intermediate points for every explanation, and the fully removed input once."""
        return Cost(forward=1 + explanations * (min(self.steps, d) - 1))


@dataclass(frozen=True)
class Deletion(_RemovalInSteps):
    """The area under the target's probability as features are removed, highest attribution first, in [0, 1].

    By the trapezoidal rule over the fraction of removed features, 0 to 1; always of the probability, whatever output
    the study explains. A low area means that the features with the highest attributions were necessary.

    Args:
        steps: the number of evenly spaced numbers of features at which the probability is evaluated, besides the start;
            examples with fewer features use every number.
        removal: what a removed feature is replaced with: a removal by name, or with parameters as
            ``{name: blur, sigma: 3}``; ``auto`` is blur for images, mean for tables and time series, zero for texts.
    """

    summary = "area under the target's probability as the highest attributions are removed first"
    source = "Petsiuk et al. 2018, RISE, section 4.1 (deletion)"
    curve = "removed"
    higher_is_better = False

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The areas ``[M, N]`` of M explanations; all curves are evaluated in one stream of full batches."""
        n_removed, fractions, _ = self._points(batch)
        return self._area(batch, explanations, self._curves(model, batch, explanations, rng, n_removed), fractions)


@dataclass(frozen=True)
class Insertion(_RemovalInSteps):
    """The area under the target's probability as features are inserted, highest attribution first, in [0, 1].

    As :class:`Deletion`, from the fully removed input to the original one. A high area means that the features with the
    highest attributions were sufficient.

    Args:
        steps: the number of evenly spaced numbers of features at which the probability is evaluated, besides the start;
            examples with fewer features use every number.
        removal: what a removed feature is replaced with, as for :class:`Deletion`.
    """

    summary = "area under the target's probability as the highest attributions are inserted first"
    source = "Petsiuk et al. 2018, RISE, section 4.1 (insertion)"
    curve = "inserted"
    higher_is_better = True

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The areas ``[M, N]`` of M explanations; all curves are evaluated in one stream of full batches."""
        n_inserted, fractions, _ = self._points(batch)
        n_removed = batch.features.counts.expand(len(batch)).unsqueeze(1) - n_inserted
        curves = self._curves(model, batch, explanations, rng, n_removed, ("lowest",))
        return self._area(batch, explanations, curves, fractions)


@dataclass(frozen=True)
class PixelFlipping(_RemovalInSteps):
    """The area under the explained output as features are flipped, highest attribution first, in units of the output.

    As :class:`Deletion`, for the output that the study explains. Bach et al. plot the curve pixel by pixel; its area is
    the usual summary. They flip the sign of binary pixels; here a flipped feature is replaced as ``removal`` defines.

    Args:
        steps: the number of evenly spaced numbers of features at which the output is evaluated, besides the start;
            examples with fewer features use every number.
        removal: what a flipped feature is replaced with, as for :class:`Deletion`.
    """

    summary = "area under the output as the highest attributions are flipped first"
    source = "Bach et al. 2015, section 'Evaluating heatmaps' (pixel-flipping); the area as in Samek et al. 2017"
    curve = "removed"
    higher_is_better = False
    bounds = (None, None)
    unit = "output"
    reads_probability = False

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The areas ``[M, N]`` of M explanations."""
        n_removed, fractions, _ = self._points(batch)
        curves = self._curves(model, batch, explanations, rng, n_removed, output=None)
        return self._area(batch, explanations, curves, fractions)


@dataclass(frozen=True)
class Aopc(_RemovalInSteps):
    """The mean drop of the output along the curve, ``1 / (L + 1) sum_{k=0..L} (f(x) - f(x_k))``.

    In units of the output. ``x_k`` is the input without the first k of L equal shares of the features. With the most
    relevant features first (``morf``) a large drop is good, with the least relevant first (``lerf``) a small one.
    ``difference`` is the AOPC of ``morf`` minus that of ``lerf``, the area between the curves.

    Args:
        steps: L; examples with fewer features use every number of features.
        removal: what a removed feature is replaced with, as for :class:`Deletion`.
        order: ``morf``, ``lerf`` or ``difference``.
    """

    summary = "mean drop of the output as features are removed in the order of the attributions"
    source = "Samek et al. 2017, Evaluating the Visualization of What a Deep Neural Network Has Learned, equation 12"
    bounds = (None, None)
    unit = "output"
    reads_probability = False

    order: Order = "morf"

    @property
    def higher_is_better(self) -> bool:
        """False for ``lerf``: removing the least relevant features should not change the output."""
        return self.order != "lerf"

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        n_removed, _, used = self._points(batch)
        curves = self._curves(model, batch, explanations, rng, n_removed, FIRST[self.order], output=None)
        drops = (curves.values[..., :1] - curves.values) * used
        values = drops.sum(dim=2) / used.sum(dim=1)
        if self.order == "difference":
            morf, lerf = values.chunk(2)
            values = morf - lerf
        return self._scores(batch, explanations, values, curves.shift)

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """The intermediate points for every explanation and order, and the fully removed input once."""
        return Cost(forward=1 + len(FIRST[self.order]) * explanations * (min(self.steps, d) - 1))


@dataclass(frozen=True)
class Irof(_RemovalInSteps):
    """The area over the relative probability as features are removed, highest *mean* attribution first, at most 1.

    ``1 - area of p(x_k) / p(x)`` by the trapezoidal rule over the fraction of removed features. IROF is defined for
    superpixels, ordered by the mean over their pixels, which does not favour large ones. Here the regions are the
    study's features: choose superpixels (``features=slic``) to compute IROF as published. NaN where p(x) is 0.

    Args:
        steps: the number of evenly spaced numbers of features at which the probability is evaluated, besides the start;
            the paper removes one region at a time, as is done for examples with at most this many features.
        removal: what a removed feature is replaced with, as for :class:`Deletion`; the paper takes the mean.
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

        n_removed, fractions, _ = self._points(batch)
        curves = self._curves(model, batch, explanations, rng, n_removed, by_mean=True)
        original = curves.values[..., :1]
        if not model.output.is_probability:
            raise Unsupported(f"is relative to a probability; the explained {model.output.name} is none: use aopc")
        relative = torch.where(original > 0, curves.values / original, torch.nan)
        return self._scores(batch, explanations, 1 - area(relative, fractions), curves.shift)


@dataclass(frozen=True)
class MonotonicityArya(_RemovalInSteps):
    """Whether the probability never falls as features are inserted, lowest attribution first: 1 or 0.

    The mean over examples is the share of monotone ones. With more features than ``steps``, each step inserts several
    features. Falls within the rounding error of the inputs' dtype are ignored. Limitation: in an additive model each
    feature changes the output by the same amount at any position, so no order of single features is better than
    another. The metric is informative about interactions and about groups of features.

    Args:
        steps: the number of evenly spaced numbers of features at which the probability is evaluated, besides the start;
            examples with fewer features insert one at a time, as in the source.
        removal: what an absent feature is replaced with, as for :class:`Deletion`.
        share: return the share of the steps that do not fall, instead of 1 or 0.
    """

    summary = "whether the probability never falls as features are inserted, lowest attribution first"
    source = "Arya et al. 2019, One Explanation Does Not Fit All, section 6 (monotonicity), as in AIX360"
    higher_is_better = True
    unit = "1"

    share: bool = False

    def score_all(self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws) -> Scores:
        """The values ``[M, N]`` of M explanations."""
        import torch

        if not model.output.is_probability:
            raise Unsupported(f"is defined for a probability; the explained {model.output.name} is none: use aopc")
        n_removed, _, used = self._points(batch)
        curves = self._curves(model, batch, explanations, rng, n_removed)
        # Reversed, this is the curve of deletion, which must not rise.
        slack = 8 * torch.finfo(batch.inputs.dtype).eps
        monotone = (curves.values.diff(dim=2) <= slack) & used[:, 1:]
        share = monotone.sum(dim=2).double() / used[:, 1:].sum(dim=1)
        return self._scores(batch, explanations, share if self.share else (share == 1).double(), curves.shift)
