"""Maps that ask the network nothing: what every real method has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["InputMagnitude", "Random", "Sobel"]


@dataclass(frozen=True)
class Random(Method):
    """Standard normal numbers, one for each feature, that know nothing of the model."""

    summary = "standard normal numbers: knows nothing of the model, the floor of every comparison"
    source = "the random control of Hooker et al. 2019, A Benchmark for Interpretability Methods, section 4"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # it makes no pass
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True
    target_specific = False
    control = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`."""
        values = rng.normal("values", (batch.features.d,)).to(batch.inputs.dtype)
        return batch.features.spread(values * batch.features.valid)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """No pass at all."""
        return Cost(0)


@dataclass(frozen=True)
class Sobel(Method):
    """The edges of a picture: the length of its gradient by Sobel's filters, of the mean of the channels.

    In data space, as a person sees the picture; beyond the border it goes on as at the border, which is no edge.
    """

    summary = "the edges of the picture by Sobel's filters: knows nothing of the model"
    source = "Adebayo et al. 2018, Sanity Checks for Saliency Maps, section 5 (edge detector); Sobel and Feldman 1968"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # it makes no pass
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
        # The channels of a pixel share its edge, so that they add up to it.
        return (edges / batch.shape[0]).to(batch.inputs.dtype).unsqueeze(1).expand_as(batch.inputs).clone()

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """No pass at all."""
        return Cost(0)


@dataclass(frozen=True)
class InputMagnitude(Method):
    """How large the input itself is: ``|x|`` of every element, and of a text the length of every token's embedding.

    In model space, where a network that normalises its inputs has the mean of the data near 0.

    Args:
        distance_from: ``zero`` for ``|x|``; ``mean`` for ``|x - mean of the data|`` (per channel of a picture or a
            series, per column of a table, and the mean embedding of a text).
    """

    summary = "the absolute value of the input, or its distance from the mean: knows nothing of the model"
    source = (
        "the input as a control: Adebayo et al. 2018, Sanity Checks for Saliency Maps, section 5 (input x gradient)"
    )
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # it makes no pass
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
            # The elements of a token share the length of its embedding, so that they add up to it.
            length = x.square().sum(dim=-1, keepdim=True).sqrt()
            return (length / x.shape[-1]).expand_as(x).clone()
        return x.abs()

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """No pass at all."""
        return Cost(0)
