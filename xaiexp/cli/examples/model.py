"""The model mine for xaiexp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from xaiexp.plugin import Component, Encoded, LoadContext, Modality, Model, Network, ResourceError, Sample, hookimpl

XAIEXP_API = 1  # the version of the plugin contract that this plugin requires


@dataclass(frozen=True)
class Mine(Model):
    """A linear network: the logit of a class says how near a row is to the mean of its training rows."""

    summary = "the nearest mean of the training rows, as a linear network"
    source = "Hastie, Tibshirani, Friedman 2009, section 4.3, with the unit matrix as covariance"
    modality: ClassVar[Modality] = "table"
    offers: ClassVar[frozenset[str]] = frozenset({"gradients", "modules"})

    def load(self, context: LoadContext) -> Network:
        """Averages the training split of the study's dataset."""
        import torch

        training = None if context.training is None else context.training()
        if training is None:
            raise ResourceError("model.mine", "needs a dataset with a training split", hint="dataset=breast_cancer")
        samples = training.read(0, training.count)
        rows, labels = torch.stack([s.data for s in samples]), torch.tensor([s.label for s in samples])
        means = torch.stack([rows[labels == k].mean(dim=0) for k in range(int(labels.max()) + 1)])
        linear = torch.nn.Linear(means.shape[1], len(means), device="meta")  # weights that nothing has drawn
        linear.load_state_dict({"weight": means, "bias": -means.square().sum(dim=1) / 2}, assign=True)

        def encode(samples: Sequence[Sample]) -> Encoded:
            masks = [s.mask for s in samples if s.mask is not None]
            known = torch.stack(masks) if len(masks) == len(samples) else None
            return Encoded(torch.stack([s.data for s in samples]), masks=known)

        return Network(linear.eval(), encode, "table", len(means), training.class_names)


@hookimpl
def xaiexp_components() -> Sequence[type[Component]]:
    """The components of this plugin."""
    return [Mine]
