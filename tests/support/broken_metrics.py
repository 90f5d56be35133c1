"""One broken metric for each check of metrics; the module imports no heavy package."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from math import prod

from xaiexp.plugin import Cost, Metric

GENERATOR = random.Random(0)
KEPT = {}


@dataclass(frozen=True)
class CorrectSingleRemoval(Metric):
    """The mean squared difference between attributions and the effects of removing single features."""

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
class MeanOverBatch(CorrectSingleRemoval):
    """Returns the mean over the batch."""

    def score(self, model, batch, explanation, rng):
        return super().score(model, batch, explanation, rng).mean(0, keepdim=True)


@dataclass(frozen=True)
class LeavesHook(CorrectSingleRemoval):
    """Registers a hook and never removes it."""

    needs = frozenset({"modules"})

    def score(self, model, batch, explanation, rng):
        next(model.module.children()).register_forward_hook(lambda *args: None)
        return super().score(model, batch, explanation, rng)


@dataclass(frozen=True)
class OverwritesInputs(CorrectSingleRemoval):
    """Sets the inputs to zero in place."""

    def score_all(self, model, batch, explanations, rng):
        values = super().score_all(model, batch, explanations, rng)
        batch.inputs.zero_()
        return values


@dataclass(frozen=True)
class LeavesHookOnError(CorrectSingleRemoval):
    """Does not remove its hook where the network raises."""

    needs = frozenset({"modules"})

    def score(self, model, batch, explanation, rng):
        hook = next(model.module.children()).register_forward_hook(lambda *args: None)
        values = super().score(model, batch, explanation, rng)
        hook.remove()
        return values


@dataclass(frozen=True)
class OwnGenerator(CorrectSingleRemoval):
    """Draws from a generator whose state advances with every call."""

    def score_all(self, model, batch, explanations, rng):
        return (1 + GENERATOR.random()) * super().score_all(model, batch, explanations, rng)


@dataclass(frozen=True)
class GlobalGenerator(CorrectSingleRemoval):
    """Draws from the global random state."""

    def score_all(self, model, batch, explanations, rng):
        import numpy as np

        return (1 + np.random.random()) * super().score_all(model, batch, explanations, rng)  # noqa: NPY002


@dataclass(frozen=True)
class DividesByBatchMaximum(CorrectSingleRemoval):
    """Divides by the largest score of the batch."""

    def score(self, model, batch, explanation, rng):
        return super().score(model, batch, explanation, rng) / model.scores().abs().max()


@dataclass(frozen=True)
class CountsExplanations(CorrectSingleRemoval):
    """The value grows with the number of explanations."""

    def score_all(self, model, batch, explanations, rng):
        return len(explanations) * super().score_all(model, batch, explanations, rng)


@dataclass(frozen=True)
class DifferentFormulaInScoreAll(CorrectSingleRemoval):
    """`score_all` uses another formula than `score`."""

    def score_all(self, model, batch, explanations, rng):
        return super().score_all(model, batch, explanations, rng).sqrt()


@dataclass(frozen=True)
class FirstMiniBatchOnly(CorrectSingleRemoval):
    """Scores the first mini-batch; other examples have the value 0."""

    def score(self, model, batch, explanation, rng):
        values = super().score(model, batch, explanation, rng)
        values[model.passes.budget(batch.shape) :] = 0
        return values


@dataclass(frozen=True)
class FirstBlockOnly(CorrectSingleRemoval):
    """Averages over the samples of the first pass only."""

    def score(self, model, batch, explanation, rng):
        samples = next(iter(model.blocks(16)))
        return super().score(model, batch, explanation, rng) + rng.uniform("s", (), samples).mean(1)


@dataclass(frozen=True)
class WrongBounds(CorrectSingleRemoval):
    """Values exceed the declared bounds."""

    bounds = (0.0, 0.01)


@dataclass(frozen=True)
class WrongDirection(CorrectSingleRemoval):
    """Declares a larger error to be better."""

    higher_is_better = True


@dataclass(frozen=True)
class DifferentReference(CorrectSingleRemoval):
    """Removes features with another reference than that of the attributions."""

    def score(self, model, batch, explanation, rng):
        return self.error(model, batch, explanation.values, to=1.0)


@dataclass(frozen=True)
class WronglyScaleInvariant(CorrectSingleRemoval):
    """Declares to be scale invariant."""

    scale_invariant = True


@dataclass(frozen=True)
class WronglyReExplains(CorrectSingleRemoval):
    """Declares to compute further explanations, but does not."""

    re_explains = True


@dataclass(frozen=True)
class UnderestimatesPasses(CorrectSingleRemoval):
    """`passes` predicts one forward pass."""

    def passes(self, shape, d, explanations):
        return Cost(1)


@dataclass(frozen=True)
class AlwaysNan(CorrectSingleRemoval):
    """Is defined for no map."""

    scale_invariant = True

    def score(self, model, batch, explanation, rng):
        return super().score(model, batch, explanation, rng) * float("nan")


@dataclass(frozen=True)
class MultipliesByFloat32(CorrectSingleRemoval):
    """Multiplies by a matrix of float32."""

    def score(self, model, batch, explanation, rng):
        import torch

        return self.error(model, batch, explanation.values @ torch.eye(batch.features.d))


@dataclass(frozen=True)
class ClearsKeptLogits(CorrectSingleRemoval):
    """Overwrites what the handle keeps for others."""

    def score_all(self, model, batch, explanations, rng):
        values = super().score_all(model, batch, explanations, rng)
        model.logits().zero_()
        return values


@dataclass(frozen=True)
class ConstantSeed(CorrectSingleRemoval):
    """Draws from a generator with a constant seed."""

    def score(self, model, batch, explanation, rng):
        return (1 + random.Random(0).random()) * super().score(model, batch, explanation, rng)


@dataclass(frozen=True)
class AddsLabels(CorrectSingleRemoval):
    """Adds a function of the label."""

    def score(self, model, batch, explanation, rng):
        return super().score(model, batch, explanation, rng) + 0.1 * batch.labels


@dataclass(frozen=True)
class AlwaysFirstClass(CorrectSingleRemoval):
    """Reads the scores of the first class for every target."""

    def score(self, model, batch, explanation, rng):
        first = replace(batch, targets=batch.targets * 0)
        return self.error(model.with_batch(first), first, explanation.values)


@dataclass(frozen=True)
class KeepsByIds(CorrectSingleRemoval):
    """Keeps scores by everything but the weights."""

    needs = frozenset({"modules"})

    def score(self, model, batch, explanation, rng):
        key = (batch.ids, batch.inputs.dtype, tuple(batch.targets.tolist()), repr(model.module))
        if key not in KEPT:
            KEPT[key] = model.scores()
        return self.error(model, batch, explanation.values) + 0 * KEPT[key] + KEPT[key].abs()


@dataclass(frozen=True)
class UndeclaredSigns(CorrectSingleRemoval):
    """Reads signs, which `needs_sign` denies."""

    needs_sign = False


@dataclass(frozen=True)
class CallsModule(CorrectSingleRemoval):
    """Calls the network itself, so that no pass is counted."""

    needs = frozenset({"modules"})

    def score(self, model, batch, explanation, rng):
        for row in range(len(batch)):
            model.module(batch.inputs[row : row + 1], **{k: v[row : row + 1] for k, v in batch.context.items()})
        return super().score(model, batch, explanation, rng)


@dataclass(frozen=True)
class UndeclaredModules(CorrectSingleRemoval):
    """Reads the layers of the network, which `needs` does not name."""

    def score(self, model, batch, explanation, rng):
        return super().score(model, batch, explanation, rng) * (1 if list(model.module.modules()) else 0)


@dataclass(frozen=True)
class SquareGrid(CorrectSingleRemoval):
    """Takes the features of an image for a square."""

    def score(self, model, batch, explanation, rng):
        values = explanation.values
        if batch.background.modality == "image":
            side = int(batch.features.d**0.5)
            values = values.view(len(batch), side, side).flatten(1)
        return self.error(model, batch, values)


@dataclass(frozen=True)
class RemovesElements(CorrectSingleRemoval):
    """Removes single elements, whatever the features are."""

    def score(self, model, batch, explanation, rng):
        import torch

        size = prod(batch.shape)
        rows = batch.inputs.flatten(1).unsqueeze(1).repeat(1, size, 1)
        rows[:, torch.arange(size), torch.arange(size)] = 0
        effects = model.scores().unsqueeze(1) - model.scores(rows.view(len(batch), size, *batch.shape))
        return (explanation.values - batch.features.pool(effects.view(batch.inputs.shape))).square().sum(1)
