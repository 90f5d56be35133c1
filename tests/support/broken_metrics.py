"""One wrong metric for each law. Imports nothing heavy: that is a law."""

from __future__ import annotations

import random
from dataclasses import dataclass

from xaiexp.contract.kinds import Metric
from xaiexp.core.explanations import Cost

OWN = random.Random(0)


@dataclass(frozen=True)
class Honest(Metric):
    """The mean squared difference between attributions and what removing a feature does."""

    summary = "how far attributions are from the effect of removing one feature"
    source = "made up"
    higher_is_better = False
    bounds = (0.0, None)
    needs_sign = True
    scale_invariant = False
    re_explains = False
    unit = "output^2"

    def error(self, model, batch, values, to=0.0):
        import torch

        present = ~torch.eye(batch.features.d, dtype=torch.bool).expand(len(batch), -1, -1)
        without = batch.features.keep(batch.inputs, torch.full_like(batch.inputs, to), present)
        effect = model.scores().unsqueeze(1) - model.scores(without)
        return (values - effect).square().sum(1) / batch.features.counts

    def score(self, model, batch, explanation, rng):
        return self.error(model, batch, explanation.values)


@dataclass(frozen=True)
class OneForAll(Honest):
    """Gives the mean over the batch."""

    def score(self, model, batch, explanation, rng):
        return super().score(model, batch, explanation, rng).mean(0, keepdim=True)


@dataclass(frozen=True)
class LeavesAHook(Honest):
    """Hooks the network and never takes the hook away."""

    def score(self, model, batch, explanation, rng):
        next(model.module.children()).register_forward_hook(lambda *told: None)
        return super().score(model, batch, explanation, rng)


@dataclass(frozen=True)
class ClearsTheInputs(Honest):
    """Works on the caller's own inputs."""

    def score_all(self, model, batch, explanations, rng):
        values = super().score_all(model, batch, explanations, rng)
        batch.inputs.zero_()
        return values


@dataclass(frozen=True)
class NoFinally(Honest):
    """Takes its hook away, unless the network raises."""

    def score(self, model, batch, explanation, rng):
        hook = next(model.module.children()).register_forward_hook(lambda *told: None)
        values = super().score(model, batch, explanation, rng)
        hook.remove()
        return values


@dataclass(frozen=True)
class OwnGenerator(Honest):
    """Draws from a generator that goes on from call to call."""

    def score_all(self, model, batch, explanations, rng):
        return (1 + OWN.random()) * super().score_all(model, batch, explanations, rng)


@dataclass(frozen=True)
class GlobalSampler(Honest):
    """Draws from the global random state."""

    def score_all(self, model, batch, explanations, rng):
        import numpy as np

        return (1 + np.random.random()) * super().score_all(model, batch, explanations, rng)  # noqa: NPY002


@dataclass(frozen=True)
class SharedMaximum(Honest):
    """Divides by the largest score of the batch."""

    def score(self, model, batch, explanation, rng):
        return super().score(model, batch, explanation, rng) / model.scores().abs().max()


@dataclass(frozen=True)
class CountsRivals(Honest):
    """The value grows with the number of explanations."""

    def score_all(self, model, batch, explanations, rng):
        return len(explanations) * super().score_all(model, batch, explanations, rng)


@dataclass(frozen=True)
class TwoFormulas(Honest):
    """Has another formula for many."""

    def score_all(self, model, batch, explanations, rng):
        return super().score_all(model, batch, explanations, rng).sqrt()


@dataclass(frozen=True)
class FirstMiniBatch(Honest):
    """Reads the first mini-batch; the other examples get 0."""

    def score(self, model, batch, explanation, rng):
        values = super().score(model, batch, explanation, rng)
        values[model.passes.budget(batch.shape) :] = 0
        return values


@dataclass(frozen=True)
class FirstBlockOfSamples(Honest):
    """Averages over the samples that fit into the first pass."""

    def score(self, model, batch, explanation, rng):
        samples = next(iter(model.blocks(16)))
        return super().score(model, batch, explanation, rng) + rng.uniform("s", (), samples).mean(1)


@dataclass(frozen=True)
class TightBounds(Honest):
    """Declares bounds that it does not keep."""

    bounds = (0.0, 0.01)


@dataclass(frozen=True)
class WrongDirection(Honest):
    """Says that a larger error is better."""

    higher_is_better = True


@dataclass(frozen=True)
class RemovesToOne(Honest):
    """Removes features to a value that the attributions do not speak about."""

    def score(self, model, batch, explanation, rng):
        return self.error(model, batch, explanation.values, to=1.0)


@dataclass(frozen=True)
class ClaimsInvariance(Honest):
    """Says that the scale of a map does not matter."""

    scale_invariant = True


@dataclass(frozen=True)
class ClaimsToExplainAgain(Honest):
    """Says that it explains again, and never does."""

    re_explains = True


@dataclass(frozen=True)
class ForetellsTooLittle(Honest):
    """Promises one pass."""

    def passes(self, shape, d, explanations):
        return Cost(1)
