"""One broken method for each check of methods; the module imports no heavy package."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from math import prod

from xaiexp.plugin import Cost, Estimate, Method, Readout, Unsupported

GENERATOR = random.Random(0)
KEPT = {}


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


@dataclass(frozen=True)
class RefusesAll(CorrectGradient):
    """Supports nothing."""

    def attribute(self, model, batch, reference, rng):
        raise Unsupported("this input is not supported")


@dataclass(frozen=True)
class ReturnsInputs(CorrectGradient):
    """Returns the tensor of the batch."""

    target_specific = False
    needs = frozenset()

    def attribute(self, model, batch, reference, rng):
        return batch.inputs

    def passes(self, shape, d):
        return Cost(0)


@dataclass(frozen=True)
class ScalesKeptGradients(CorrectGradient):
    """Multiplies in place what the handle keeps for others."""

    def attribute(self, model, batch, reference, rng):
        return model.gradients().mul_(3.0)


@dataclass(frozen=True)
class DtypeOfLayer(CorrectGradient):
    """Returns the dtype of the first layer, which is bfloat16 under autocast."""

    def attribute(self, model, batch, reference, rng):
        seen = []
        hook = next(model.module.children()).register_forward_hook(lambda *args: seen.append(args[2].dtype))
        try:
            gradients = model.gradients(batch.inputs + 0)
        finally:
            hook.remove()
        return gradients.to(seen[0])


@dataclass(frozen=True)
class ConstantSeed(CorrectGradient):
    """Draws its noise from a generator with a constant seed."""

    def attribute(self, model, batch, reference, rng):
        import torch

        noise = torch.randn(500, generator=torch.Generator().manual_seed(0))[: prod(batch.shape)].view(batch.shape)
        return model.gradients(batch.inputs + 0.1 * noise.to(batch.inputs))


@dataclass(frozen=True)
class WeightedByLabel(CorrectGradient):
    """Multiplies by a function of the label."""

    def attribute(self, model, batch, reference, rng):
        weight = 1 + 0.1 * batch.labels.to(batch.inputs)
        return model.gradients() * weight.view(-1, *[1] * len(batch.shape))


@dataclass(frozen=True)
class KeepsByIds(CorrectGradient):
    """Keeps gradients by everything but the weights."""

    def attribute(self, model, batch, reference, rng):
        key = (batch.ids, batch.inputs.dtype, tuple(batch.targets.tolist()), model.output.name, repr(model.module))
        key += (batch.inputs.sum().item(), model.passes.precision)
        if key not in KEPT:
            KEPT[key] = model.gradients()
        return KEPT[key].clone()

    def passes(self, shape, d):
        return None


@dataclass(frozen=True)
class CallsModule(CorrectGradient):
    """Calls the network itself, so that no pass is counted."""

    def attribute(self, model, batch, reference, rng):
        import torch

        gradients = []
        with torch.enable_grad():
            for rows in range(len(batch)):
                leaf = batch.inputs[rows : rows + 1].clone().requires_grad_()
                context = {key: value[rows : rows + 1] for key, value in batch.context.items()}
                score = model.output.scalars(model.module(leaf, **context))[0, batch.targets[rows]]
                gradients.append(torch.autograd.grad(score, leaf)[0])
        return torch.cat(gradients)

    def passes(self, shape, d):
        return None


@dataclass(frozen=True)
class UndeclaredModules(CorrectGradient):
    """Reads the layers of the network, which `needs` does not name."""

    needs = frozenset({"gradients"})

    def attribute(self, model, batch, reference, rng):
        return model.gradients() * (1 if list(model.module.modules()) else 0)


@dataclass(frozen=True)
class SquareGrid(CorrectGradient):
    """Takes the features of an image for a square."""

    modalities = ("image",)

    def attribute(self, model, batch, reference, rng):
        values = batch.features.pool(model.gradients())
        side = int(batch.features.d**0.5)
        return batch.features.spread(values.view(len(batch), side, side).flatten(1))


@dataclass(frozen=True)
class RemovesElements(CorrectGradient):
    """Removes single elements, whatever the features are."""

    needs = frozenset()
    multiplied_by_inputs = True

    def attribute(self, model, batch, reference, rng):
        import torch

        size = prod(batch.shape)
        rows = batch.inputs.flatten(1).unsqueeze(1).repeat(1, size, 1)
        rows[:, torch.arange(size), torch.arange(size)] = 0
        effects = model.scores().unsqueeze(1) - model.scores(rows.view(len(batch), size, *batch.shape))
        return effects.view(batch.inputs.shape)

    def passes(self, shape, d):
        return Cost(1 + prod(shape))


@dataclass(frozen=True)
class UndeclaredSigns(CorrectGradient):
    """Declares to have no signs, but returns negative values."""

    signed = False


@dataclass(frozen=True)
class ReversedSigns(CorrectGradient):
    """What raises the score is negative."""

    def attribute(self, model, batch, reference, rng):
        return -model.gradients()


@dataclass(frozen=True)
class WrongUnits(CorrectGradient):
    """Declares magnitudes of gradients to be contributions."""

    signed = False
    multiplied_by_inputs = True

    def attribute(self, model, batch, reference, rng):
        return model.gradients().abs()


@dataclass(frozen=True)
class MinusMeanLogit(CorrectGradient):
    """Subtracts a part of the mean of all logits, which depends on how many there are."""

    def attribute(self, model, batch, reference, rng):
        def run(block):
            rows = block.rows.requires_grad_()
            logits = block.logits(rows)
            scores = model.output.scalars(logits).gather(1, batch.targets[block.owners].unsqueeze(1)).squeeze(1)
            return block.gradients(scores - 0.1 * logits.mean(dim=1), rows)

        return model.apply(run)
