"""One broken component for each check of baselines, features, datasets and models; no heavy imports."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path

from xaiexp.plugin import (
    MODALITIES,
    Baseline,
    Dataset,
    Encoded,
    FeatureMap,
    Features,
    Model,
    Network,
    Outline,
    Sample,
    Source,
)

GENERATOR = random.Random(0)


@dataclass(frozen=True)
class CorrectBaseline(Baseline):
    """Zero."""

    summary = "zero"
    source = "made up"
    modalities = MODALITIES

    def references(self, batch, rng):
        return self.encoded(batch, 0.0)

    def encoded(self, batch, value):
        return batch.background.encode(batch.inputs * 0 + value)


@dataclass(frozen=True)
class MisspelledModality(CorrectBaseline):
    """States a modality that does not exist."""

    modalities = ("image", "tables")


@dataclass(frozen=True)
class AlwaysFloat32(CorrectBaseline):
    """Returns float32 for inputs of float64."""

    def references(self, batch, rng):
        return super().references(batch, rng).float()


@dataclass(frozen=True)
class InputItself(CorrectBaseline):
    """Returns the input."""

    def references(self, batch, rng):
        return batch.inputs.clone()


@dataclass(frozen=True)
class ZeroOfModel(CorrectBaseline):
    """Returns 0 of the space of the model, which is the mean colour of many data sets."""

    def references(self, batch, rng):
        return batch.inputs * 0


@dataclass(frozen=True)
class ConstantSeed(CorrectBaseline):
    """Draws from a generator with a constant seed."""

    def references(self, batch, rng):
        return self.encoded(batch, random.Random(0).random())


@dataclass(frozen=True)
class SingleReference(CorrectBaseline):
    """Returns [1, *shape] instead of [N, *shape]."""

    def references(self, batch, rng):
        return super().references(batch, rng)[:1]


@dataclass(frozen=True)
class OverwritesInputs(CorrectBaseline):
    """Sets the inputs to zero in place."""

    def references(self, batch, rng):
        batch.inputs.zero_()
        return super().references(batch, rng)


@dataclass(frozen=True)
class OwnGenerator(CorrectBaseline):
    """Draws from a generator whose state advances with every call."""

    def references(self, batch, rng):
        return self.encoded(batch, GENERATOR.random())


@dataclass(frozen=True)
class GlobalGenerator(CorrectBaseline):
    """Draws from the global random state."""

    def references(self, batch, rng):
        import numpy as np

        return self.encoded(batch, np.random.random())  # noqa: NPY002


@dataclass(frozen=True)
class MeanOverBatch(CorrectBaseline):
    """Averages over the examples of the batch."""

    def references(self, batch, rng):
        return batch.inputs.mean(0).expand_as(batch.inputs).clone()


@dataclass(frozen=True)
class CorrectFeatures(Features):
    """Every column is a feature."""

    summary = "every column"
    source = "made up"
    modalities = ("table",)

    def build(self, encoded):
        return FeatureMap.from_index(self.index(encoded.inputs).unsqueeze(0))

    def index(self, inputs):
        return inputs[0].argsort() * 0 + inputs.new_tensor(range(inputs.shape[1])).long()

    def shape(self, inputs):
        return inputs


@dataclass(frozen=True)
class GapsInIndex(CorrectFeatures):
    """Uses every other index."""

    def index(self, inputs):
        return super().index(inputs) * 2


@dataclass(frozen=True)
class WrongShape(CorrectFeatures):
    """`shape` states one feature."""

    def shape(self, inputs):
        return (1,)


@dataclass(frozen=True)
class OrderedByBatchMean(CorrectFeatures):
    """Orders columns by their mean over the batch."""

    def index(self, inputs):
        return inputs.mean(0).argsort()


@dataclass(frozen=True)
class OverwritesSamples(CorrectFeatures):
    """Sets the encoded samples to zero in place."""

    def build(self, encoded):
        encoded.inputs.zero_()
        return super().build(encoded)


@dataclass(frozen=True)
class DrawsGlobally(CorrectFeatures):
    """Draws a number that it does not use from the global random state."""

    def build(self, encoded):
        encoded.inputs.new_empty(1).uniform_()
        return super().build(encoded)


@dataclass(frozen=True)
class CorrectDataset(Dataset):
    """Thirty rows of three columns."""

    summary = "thirty rows"
    source = "made up"
    modality = "table"

    def open(self):
        return Source(30, lambda start, stop: [self.sample(i) for i in range(30)[start:stop]], ("no", "yes"))

    def sample(self, i):
        import torch

        return Sample(f"row {i}", torch.tensor([i / 30, 0.5, 1.0]), i % 2)

    def outline(self):
        return Outline(30, (3,))


@dataclass(frozen=True)
class OnlyNamesItsFile(CorrectDataset):
    """`fingerprint` is the path of the file, whatever is in it.

    Args:
        path: of the file.
    """

    path: str = __file__

    def open(self):
        Path(self.path).read_text(encoding="utf-8")
        return super().open()

    def fingerprint(self):
        return self.path


@dataclass(frozen=True)
class WrongCount(CorrectDataset):
    """`outline` states one row too many."""

    def outline(self):
        return Outline(31, (3,))


@dataclass(frozen=True)
class ImagesInBytes(CorrectDataset):
    """Images with values in 0..255."""

    modality = "image"

    def sample(self, i):
        import torch

        return Sample(f"image {i}", torch.full((1, 2, 2), 8.0 * i), i % 2)

    def outline(self):
        return Outline(30, (1, 2, 2))


@dataclass(frozen=True)
class RandomAugmentation(CorrectDataset):
    """Samples are random in every read."""

    def sample(self, i):
        import torch

        return Sample(f"row {i}", torch.tensor([GENERATOR.random(), 0.5, 1.0]), i % 2)


@dataclass(frozen=True)
class DuplicateIds(CorrectDataset):
    """Two samples have the same id."""

    def sample(self, i):
        import torch

        return Sample(f"row {i // 2}", torch.tensor([i / 30, 0.5, 1.0]), i % 2)


@dataclass(frozen=True)
class LabelOutOfRange(CorrectDataset):
    """A label is beyond the number of classes."""

    def sample(self, i):
        import torch

        return Sample(f"row {i}", torch.tensor([i / 30, 0.5, 1.0]), i % 3)


@dataclass(frozen=True)
class OtherKnownLabels(CorrectDataset):
    """The labels that are known without reading are not those of the samples."""

    def open(self):
        return replace(super().open(), labels=lambda: [0] * 30)


@dataclass(frozen=True)
class SeedsNumpy(CorrectDataset):
    """Seeds the global generator of numpy."""

    def open(self):
        import numpy as np

        np.random.seed(1)  # noqa: NPY002
        return super().open()


@dataclass(frozen=True)
class TrainsOnExplained(CorrectDataset):
    """The training samples are those that are explained."""

    def training(self):
        return self.open()


@dataclass(frozen=True)
class MaskOfAnotherSize(CorrectDataset):
    """Masks have two columns, samples three."""

    def sample(self, i):
        return replace(super().sample(i), mask=super().sample(i).data[:2] > 0)


@dataclass(frozen=True)
class CorrectModel(Model):
    """A linear network for eight columns."""

    summary = "a linear network"
    source = "made up"
    modality = "table"
    offers = frozenset({"gradients", "modules"})

    def input_shape(self):
        return (8,)

    def load(self, context):
        from torch import nn

        module = nn.utils.skip_init(nn.Linear, 8, 3)
        self.fill(module)
        return Network(self.finish(module).eval(), self.encode, "table", classes=3)

    def fill(self, module):
        import torch

        with torch.no_grad():
            module.weight.copy_(torch.arange(24.0).view(3, 8).sin())
            module.bias.zero_()

    def finish(self, module):
        return module

    def encode(self, samples):
        import torch

        masks = [s.data < float("-inf") if s.mask is None else s.mask for s in samples]
        return Encoded(torch.stack([s.data for s in samples]), masks=torch.stack(masks))


def wrapped(module, function):
    """A network whose forward pass calls ``function(module, inputs)``."""
    from torch import nn

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            return function(self.inner, x)

    return Wrapped()


@dataclass(frozen=True)
class TrainingMode(CorrectModel):
    """Loads a network in training mode."""

    def load(self, context):
        network = super().load(context)
        network.module.train()
        return network


@dataclass(frozen=True)
class SeedsTorch(CorrectModel):
    """Changes the global random state before it initialises weights."""

    def fill(self, module):
        import torch

        torch.random.set_rng_state(torch.Generator().manual_seed(0).get_state())
        module.reset_parameters()


@dataclass(frozen=True)
class RandomWeights(CorrectModel):
    """Loads other weights every time."""

    def fill(self, module):
        super().fill(module)
        module.bias.data += GENERATOR.random()


@dataclass(frozen=True)
class AdditionalColumn(CorrectModel):
    """Encodes one column more than `input_shape` states."""

    def finish(self, module):
        return wrapped(module, lambda inner, x: inner(x[:, :8]))

    def encode(self, samples):
        import torch

        encoded = super().encode(samples)
        inputs, masks = (torch.cat([t, t[:, :1]], dim=1) for t in (encoded.inputs, encoded.masks))
        return Encoded(inputs, masks=masks)


@dataclass(frozen=True)
class CentersOverBatch(CorrectModel):
    """Subtracts the mean over the batch in eval mode."""

    def finish(self, module):
        return wrapped(module, lambda inner, x: inner(x - x.mean(0)))


@dataclass(frozen=True)
class WronglyDifferentiable(CorrectModel):
    """Offers gradients, but detaches its inputs."""

    def finish(self, module):
        return wrapped(module, lambda inner, x: inner(x.detach()))


@dataclass(frozen=True)
class SaysNothingOfProbabilities(CorrectModel):
    """Returns probabilities without a word."""

    def finish(self, module):
        return wrapped(module, lambda inner, x: inner(x).softmax(1))


@dataclass(frozen=True)
class DropsMasks(CorrectModel):
    """Returns no ground truth."""

    def encode(self, samples):
        return replace(super().encode(samples), masks=None)


@dataclass(frozen=True)
class UndeclaredNormalisation(CorrectModel):
    """Centers its inputs, which `mean` does not tell."""

    def encode(self, samples):
        encoded = super().encode(samples)
        return replace(encoded, inputs=encoded.inputs - 0.5)


@dataclass(frozen=True)
class TensorsOnly(CorrectModel):
    """Takes images as tensors, not as pictures."""

    modality = "image"

    def input_shape(self):
        return (1, 2, 4)

    def load(self, context):
        return replace(super().load(context), modality="image")

    def finish(self, module):
        return wrapped(module, lambda inner, x: inner(x.flatten(1)))

    def encode(self, samples):
        import torch

        masks = [s.data[0] < float("-inf") if s.mask is None else s.mask for s in samples]
        return Encoded(torch.stack([s.data for s in samples]), masks=torch.stack(masks))


@dataclass(frozen=True)
class SizeUnstated(CorrectModel):
    """A network of a fixed width whose `input_shape` states none."""

    def input_shape(self):
        return None

    def fill(self, module):
        pass

    def load(self, context):
        import torch
        from torch import nn

        module = nn.utils.skip_init(nn.Linear, 5, 3)
        with torch.no_grad():
            module.weight.fill_(0.5)
            module.bias.zero_()
        return Network(module.eval(), self.encode, "table", classes=3)
