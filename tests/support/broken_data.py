"""One wrong baseline, features, data set or model for each law. Imports nothing heavy: that is a law."""

from __future__ import annotations

import random
from dataclasses import dataclass

from xaiexp.contract.kinds import Baseline, Dataset, Features, Model
from xaiexp.core.samples import Encoded, Network, Outline, Sample, Source
from xaiexp.core.vocabulary import MODALITIES

OWN = random.Random(0)


@dataclass(frozen=True)
class HonestBaseline(Baseline):
    """Zero."""

    summary = "zero"
    source = "made up"
    modalities = MODALITIES

    def references(self, batch, rng):
        return batch.inputs * 0


@dataclass(frozen=True)
class OneReferenceForAll(HonestBaseline):
    """Gives [1, *shape]."""

    def references(self, batch, rng):
        return batch.inputs[:1] * 0


@dataclass(frozen=True)
class ClearsTheInputs(HonestBaseline):
    """Makes the inputs themselves its reference."""

    def references(self, batch, rng):
        return batch.inputs.zero_()


@dataclass(frozen=True)
class OwnGenerator(HonestBaseline):
    """Draws from a generator that goes on from call to call."""

    def references(self, batch, rng):
        return batch.inputs * 0 + OWN.random()


@dataclass(frozen=True)
class GlobalSampler(HonestBaseline):
    """Draws from the global random state."""

    def references(self, batch, rng):
        import numpy as np

        return batch.inputs * 0 + np.random.random()  # noqa: NPY002


@dataclass(frozen=True)
class MeanOfTheBatch(HonestBaseline):
    """Averages over whichever examples stand in the batch."""

    def references(self, batch, rng):
        return batch.inputs.mean(0).expand_as(batch.inputs).clone()


@dataclass(frozen=True)
class HonestFeatures(Features):
    """Every column."""

    summary = "every column"
    source = "made up"
    modalities = ("table",)

    def build(self, encoded):
        from xaiexp.core.feature_map import FeatureMap

        return FeatureMap.from_index(self.index(encoded.inputs).unsqueeze(0))

    def index(self, inputs):
        return inputs[0].argsort() * 0 + inputs.new_tensor(range(inputs.shape[1])).long()

    def shape(self, inputs):
        return inputs


@dataclass(frozen=True)
class Gaps(HonestFeatures):
    """Leaves numbers out."""

    def index(self, inputs):
        return super().index(inputs) * 2


@dataclass(frozen=True)
class ForetellsAnother(HonestFeatures):
    """Foretells one feature."""

    def shape(self, inputs):
        return (1,)


@dataclass(frozen=True)
class OrderOfTheBatch(HonestFeatures):
    """Numbers columns by their mean over the batch."""

    def index(self, inputs):
        return inputs.mean(0).argsort()


@dataclass(frozen=True)
class HonestRows(Dataset):
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
class ForetellsMore(HonestRows):
    """Foretells a row that is not there."""

    def outline(self):
        return Outline(31, (3,))


@dataclass(frozen=True)
class Bytes(HonestRows):
    """Pictures in 0..255."""

    modality = "image"

    def sample(self, i):
        import torch

        return Sample(f"picture {i}", torch.full((1, 2, 2), 8.0 * i), i % 2)

    def outline(self):
        return Outline(30, (1, 2, 2))


@dataclass(frozen=True)
class Augmented(HonestRows):
    """Another sample every time."""

    def sample(self, i):
        import torch

        return Sample(f"row {i}", torch.tensor([OWN.random(), 0.5, 1.0]), i % 2)


@dataclass(frozen=True)
class SharedIds(HonestRows):
    """Two samples share an id."""

    def sample(self, i):
        import torch

        return Sample(f"row {i // 2}", torch.tensor([i / 30, 0.5, 1.0]), i % 2)


@dataclass(frozen=True)
class LabelBeyond(HonestRows):
    """A label that none of the classes is."""

    def sample(self, i):
        import torch

        return Sample(f"row {i}", torch.tensor([i / 30, 0.5, 1.0]), i % 3)


@dataclass(frozen=True)
class SeedsEverything(HonestRows):
    """Seeds the global generators."""

    def open(self):
        import numpy as np

        np.random.seed(1)  # noqa: NPY002
        return super().open()


@dataclass(frozen=True)
class HonestModel(Model):
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

        return Encoded(torch.stack([s.data for s in samples]))


def wrapped(module, function):
    """A network that calls a function of the module and the inputs."""
    from torch import nn

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            return function(self.inner, x)

    return Wrapped()


@dataclass(frozen=True)
class InTraining(HonestModel):
    """Loads in training mode."""

    def load(self, context):
        network = super().load(context)
        network.module.train()
        return network


@dataclass(frozen=True)
class SeedsTorch(HonestModel):
    """Seeds the global generator before it fills its weights."""

    def fill(self, module):
        import torch

        torch.random.set_rng_state(torch.Generator().manual_seed(0).get_state())
        module.reset_parameters()


@dataclass(frozen=True)
class NewEveryTime(HonestModel):
    """Other weights every time."""

    def fill(self, module):
        super().fill(module)
        module.bias.data += OWN.random()


@dataclass(frozen=True)
class OneColumnMore(HonestModel):
    """Encodes to a column more than it foretells."""

    def finish(self, module):
        return wrapped(module, lambda inner, x: inner(x[:, :8]))

    def encode(self, samples):
        import torch

        return Encoded(torch.stack([torch.cat([s.data, s.data[:1]]) for s in samples]))


@dataclass(frozen=True)
class CentresOverTheBatch(HonestModel):
    """Normalises by the batch, in eval mode too."""

    def finish(self, module):
        return wrapped(module, lambda inner, x: inner(x - x.mean(0)))


@dataclass(frozen=True)
class NoGradients(HonestModel):
    """Offers gradients and runs without them."""

    def finish(self, module):
        return wrapped(module, lambda inner, x: inner(x.detach()))
