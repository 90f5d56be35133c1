"""One wrong method for each law. Imports nothing heavy: that is a law."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from xaiexp.contract.kinds import Method
from xaiexp.core.explanations import Cost, Estimate

OWN = random.Random(0)


@dataclass(frozen=True)
class Honest(Method):
    """The gradient."""

    summary = "the gradient"
    source = "Simonyan et al. 2013"
    needs = frozenset({"gradients", "modules"})
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = False

    def attribute(self, model, batch, reference, rng):
        return model.gradients()

    def passes(self, shape, d):
        return Cost(1, 1)


@dataclass(frozen=True)
class HonestShares(Honest):
    """The exact attributions of a linear network."""

    reads_baseline = True
    complete = False
    multiplied_by_inputs = True

    def attribute(self, model, batch, reference, rng):
        return model.gradients() * (batch.inputs - reference)


@dataclass(frozen=True)
class StillInTheGraph(Honest):
    """Gives a tensor that requires grad."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients().requires_grad_()


@dataclass(frozen=True)
class NegativeErrors(Honest):
    """States standard errors that none can be."""

    def attribute(self, model, batch, reference, rng):
        values = model.gradients()
        return Estimate(values, -batch.features.pool(values).abs() - 1)


@dataclass(frozen=True)
class AlwaysFloat32(Honest):
    """Rounds float64 away."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients().float()


@dataclass(frozen=True)
class LeavesAHook(Honest):
    """Hooks the network and never takes the hook away."""

    def attribute(self, model, batch, reference, rng):
        next(model.module.children()).register_forward_hook(lambda *told: None)
        return model.gradients()


@dataclass(frozen=True)
class ClearsTheInputs(Honest):
    """Works on the caller's own inputs."""

    def attribute(self, model, batch, reference, rng):
        gradients = model.gradients()
        batch.inputs.zero_()
        return gradients


@dataclass(frozen=True)
class NoFinally(Honest):
    """Takes its hook away, unless the network raises."""

    def attribute(self, model, batch, reference, rng):
        hook = next(model.module.children()).register_forward_hook(lambda *told: None)
        gradients = model.gradients()
        hook.remove()
        return gradients


@dataclass(frozen=True)
class OwnGenerator(Honest):
    """Draws from a generator that goes on from call to call."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients() * (1 + OWN.random())


@dataclass(frozen=True)
class GlobalSampler(Honest):
    """Draws its noise from the global random state."""

    def attribute(self, model, batch, reference, rng):
        import numpy as np

        noise = np.random.standard_normal(batch.shape)  # noqa: NPY002
        return model.gradients() + 0.1 * batch.inputs.new_tensor(noise)


@dataclass(frozen=True)
class SharedMaximum(Honest):
    """Divides by the maximum of the batch."""

    def attribute(self, model, batch, reference, rng):
        gradients = model.gradients()
        return gradients / gradients.abs().max()


@dataclass(frozen=True)
class CountsPadding(Honest):
    """Divides by the padded length."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients() / batch.shape[0]


@dataclass(frozen=True)
class MeanOfMeans(Honest):
    """Averages over blocks of unlike length as if they were alike."""

    def attribute(self, model, batch, reference, rng):
        import torch

        blocks = []
        for samples in model.blocks(7):
            noise = rng.normal("noise", batch.shape, samples).to(batch.inputs)
            blocks.append(model.gradients(batch.inputs.unsqueeze(1) + 0.3 * noise).mean(1))
        return torch.stack(blocks).mean(0)

    def passes(self, shape, d):
        return Cost(7, 7)


@dataclass(frozen=True)
class IgnoresTheBaseline(Honest):
    """Says that it reads a baseline."""

    reads_baseline = True


@dataclass(frozen=True)
class OtherOnTheGpu(Honest):
    """Gives twice the answer on a GPU."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients() * (2 if batch.inputs.is_cuda else 1)


@dataclass(frozen=True)
class ClaimsCompleteness(HonestShares):
    """Claims that the gradient times the difference adds up, beyond linear networks too."""

    complete = True


@dataclass(frozen=True)
class EqualShares(HonestShares):
    """Adds up, and tells nothing: every feature gets the same."""

    complete = True

    def attribute(self, model, batch, reference, rng):
        features = batch.features
        change = model.scores() - model.scores(reference)
        counts = features.counts.expand(len(batch))
        return features.spread(features.valid * (change / counts).unsqueeze(1))

    def passes(self, shape, d):
        return Cost(2)


@dataclass(frozen=True)
class AlwaysClassZero(Honest):
    """Explains the first class, whatever is asked."""

    def attribute(self, model, batch, reference, rng):
        first = replace(batch, targets=batch.targets * 0)
        return model.passes.bind(first, model.output).gradients()


@dataclass(frozen=True)
class AlwaysLogits(Honest):
    """Explains the logit, whatever is asked."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients(output="logit")


@dataclass(frozen=True)
class ForetellsTooLittle(Honest):
    """Promises one forward pass."""

    def passes(self, shape, d):
        return Cost(1)
