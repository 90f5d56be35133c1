"""Controls that make no pass through the network: random values, Sobel edges, magnitude of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.core.parameters import Effort, Range
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["InputMagnitude", "Random", "Recency", "Sobel"]


@dataclass(frozen=True)
class Random(Method):
    """Independent standard normal values, one for each feature.

    One map of an example is one draw, and its score varies with the draw. Metrics score several draws, and average.

    Args:
        draws: number of draws for a metric whose passes serve all maps. The first draw is the map that is shown and
            that agreements compare.
        draws_with_passes: the same for a metric that makes passes for each map, or explains again.
    """

    summary = "standard normal values that do not depend on the model: a lower bound for comparisons"
    source = "the random control of Hooker et al. 2019, A Benchmark for Interpretability Methods, section 4"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # makes no pass
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True
    target_specific = False
    control = True

    draws: Annotated[int, Range(1), Effort(5, 20, 20)] = 20
    draws_with_passes: Annotated[int, Range(1), Effort(2, 4, 20)] = 4

    @property
    def repeats(self) -> tuple[int, int]:
        """See :class:`xaiexp.contract.kinds.Method`."""
        return self.draws, self.draws_with_passes

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        values = rng.normal("values", (batch.features.d,)).to(batch.inputs.dtype)
        return batch.features.spread(values * batch.features.valid)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """No passes."""
        return Cost(0)


@dataclass(frozen=True)
class Recency(Method):
    """The later, the more: feature j of d gets ``(j + 1) / d``.

    What stands last in a prompt often matters most to what a language model writes next. An explanation that is no
    better than this control has found nothing else.
    """

    summary = "the place of each feature in a text, the last one most: a control for language models"
    source = "the recency of Khandelwal et al. 2018, Sharp Nearby, Fuzzy Far Away, section 4, as a control"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # makes no pass
    reads_baseline = False
    signed = False
    complete = False
    multiplied_by_inputs = True
    target_specific = False
    control = True
    modalities = ("text",)

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        import torch

        features = batch.features
        place = torch.arange(1, features.d + 1, device=batch.device).to(batch.inputs.dtype)
        values = place / features.counts.unsqueeze(1).clamp(min=1) * features.valid
        return features.spread(values.expand(len(batch), -1))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """No passes."""
        return Cost(0)


@dataclass(frozen=True)
class Sobel(Method):
    """The edges of an image: the gradient magnitude by Sobel's filters of the mean over channels.

    Computed in data space (before the model's normalisation). The border is replicated, so that it is no edge.
    """

    summary = "the edges of the image by Sobel's filters; does not depend on the model"
    source = "Adebayo et al. 2018, Sanity Checks for Saliency Maps, section 5 (edge detector); Sobel and Feldman 1968"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # makes no pass
    reads_baseline = False
    signed = False
    complete = False
    multiplied_by_inputs = True
    modalities = ("image",)
    target_specific = False
    control = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        from xaiexp.builtin.methods.controls.sobel_filter import sobel

        edges = sobel(batch.background.decode(batch.inputs).mean(dim=1))
        # The value of a pixel is divided equally among its channels, which are summed.
        return (edges / batch.shape[0]).to(batch.inputs.dtype).unsqueeze(1).expand_as(batch.inputs).clone()

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """No passes."""
        return Cost(0)


@dataclass(frozen=True)
class InputMagnitude(Method):
    """The magnitude of the input: ``|x|`` of every element, for a text the norm of every token's embedding.

    Computed in model space, where the mean of the data is near 0 for a model with normalised inputs.

    Args:
        distance_from: ``zero`` for ``|x|``; ``mean`` for ``|x - mean of the data|`` (per channel of an image or a
            time series, per column of a table, the mean embedding of a text).
    """

    summary = "the absolute value of the input, or its distance from the mean; does not depend on the model"
    source = (
        "the input as a control: Adebayo et al. 2018, Sanity Checks for Saliency Maps, section 5 (input x gradient)"
    )
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # makes no pass
    reads_baseline = False
    signed = False
    complete = False
    multiplied_by_inputs = True
    target_specific = False
    control = True

    distance_from: Literal["zero", "mean"] = "zero"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the mean of the data is unknown.
        """
        x = batch.inputs
        if self.distance_from == "mean":
            if batch.background.mean is None:
                raise Unsupported("input_magnitude from the mean needs examples of the data: give background=")
            x = x - batch.background.mean.to(x)
        if batch.background.modality == "text":
            # The norm of a token's embedding is divided equally among its elements, which are summed.
            norm = x.square().sum(dim=-1, keepdim=True).sqrt()
            return (norm / x.shape[-1]).expand_as(x).clone()
        return x.abs()

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """No passes."""
        return Cost(0)
