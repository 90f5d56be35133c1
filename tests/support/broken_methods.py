"""One broken method for each check of methods; the module imports no heavy package."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from xaiexp.plugin import Cost, Estimate, Method, Readout

GENERATOR = random.Random(0)


@dataclass(frozen=True)
class CorrectGradient(Method):
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
class GradientTimesDifference(CorrectGradient):
    """The gradient times the difference from the reference, exact for linear networks."""

    reads_baseline = True
    complete = False
    multiplied_by_inputs = True

    def attribute(self, model, batch, reference, rng):
        return model.gradients() * (batch.inputs - reference)


@dataclass(frozen=True)
class NotDetached(CorrectGradient):
    """Returns a tensor that requires grad."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients().requires_grad_()


@dataclass(frozen=True)
class NegativeStandardErrors(CorrectGradient):
    """Returns negative standard errors."""

    def attribute(self, model, batch, reference, rng):
        values = model.gradients()
        return Estimate(values, -batch.features.pool(values).abs() - 1)


@dataclass(frozen=True)
class AlwaysFloat32(CorrectGradient):
    """Returns float32 for inputs of float64."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients().float()


@dataclass(frozen=True)
class LeavesHook(CorrectGradient):
    """Registers a hook and never removes it."""

    def attribute(self, model, batch, reference, rng):
        next(model.module.children()).register_forward_hook(lambda *args: None)
        return model.gradients()


@dataclass(frozen=True)
class OverwritesInputs(CorrectGradient):
    """Sets the inputs to zero in place."""

    def attribute(self, model, batch, reference, rng):
        gradients = model.gradients()
        batch.inputs.zero_()
        return gradients


@dataclass(frozen=True)
class LeavesHookOnError(CorrectGradient):
    """Does not remove its hook where the network raises."""

    def attribute(self, model, batch, reference, rng):
        hook = next(model.module.children()).register_forward_hook(lambda *args: None)
        gradients = model.gradients()
        hook.remove()
        return gradients


@dataclass(frozen=True)
class OwnGenerator(CorrectGradient):
    """Draws from a generator whose state advances with every call."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients() * (1 + GENERATOR.random())


@dataclass(frozen=True)
class GlobalGenerator(CorrectGradient):
    """Draws its noise from the global random state."""

    def attribute(self, model, batch, reference, rng):
        import numpy as np

        noise = np.random.standard_normal(batch.shape)  # noqa: NPY002
        return model.gradients() + 0.1 * batch.inputs.new_tensor(noise)


@dataclass(frozen=True)
class DividesByBatchMaximum(CorrectGradient):
    """Divides by the maximum of the batch."""

    def attribute(self, model, batch, reference, rng):
        gradients = model.gradients()
        return gradients / gradients.abs().max()


@dataclass(frozen=True)
class DividesByPaddedLength(CorrectGradient):
    """Divides by the padded length."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients() / batch.shape[0]


@dataclass(frozen=True)
class UnweightedMeanOfBlocks(CorrectGradient):
    """Averages over blocks of different length with equal weights."""

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
class IgnoresBaseline(CorrectGradient):
    """Declares to read a baseline, but does not."""

    reads_baseline = True


@dataclass(frozen=True)
class DiffersOnGpu(CorrectGradient):
    """Returns doubled attributions on a GPU."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients() * (2 if batch.inputs.is_cuda else 1)


@dataclass(frozen=True)
class WronglyComplete(GradientTimesDifference):
    """Declares the gradient times the difference to be complete for all networks."""

    complete = True


@dataclass(frozen=True)
class EqualAttributions(GradientTimesDifference):
    """Complete, but all features have the same attribution."""

    complete = True

    def attribute(self, model, batch, reference, rng):
        features = batch.features
        change = model.scores() - model.scores(reference)
        counts = features.counts.expand(len(batch))
        return features.spread(features.valid * (change / counts).unsqueeze(1))

    def passes(self, shape, d):
        return Cost(2)


@dataclass(frozen=True)
class AlwaysFirstClass(CorrectGradient):
    """Explains the first class for every target."""

    def attribute(self, model, batch, reference, rng):
        first = replace(batch, targets=batch.targets * 0)
        return model.passes.bind(first, model.output).gradients()


@dataclass(frozen=True)
class AlwaysLogit(CorrectGradient):
    """Explains the logit for every output."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients(output=Readout(task="multiclass"))


@dataclass(frozen=True)
class UnderestimatesPasses(CorrectGradient):
    """`passes` predicts one forward pass."""

    def passes(self, shape, d):
        return Cost(1)
