"""Methods that read the attention weights of transformers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.core.parameters import Range
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.block import Block
    from xaiexp.inference.passes import Handle

__all__ = ["AttentionRollout", "AttentionXGradient", "Chefer", "RawAttention"]


@dataclass(frozen=True)
class _FromAttention(Method):
    """What the family shares: the pass, the row that is read, the way from tokens to the input.

    The network must be an encoder whose layers all attend over the same tokens. The row is the class token's,
    or more exactly: the mean of the rows of the tokens that the output is read from after the last attention, which
    its gradient tells (one token in ViT and BERT, all of them in a network that averages its tokens, the two that
    a distilled DeiT has). A picture's patch shares its relevance among its pixels, a text's token among the numbers of
    its embedding. Tokens that the network adds, special tokens and padding get nothing.

    Under bf16 a map differs from that in float32 by up to 5 % of its largest value, one of weights alone by 0.5 %:
    what the tests hold it to on small networks.
    """

    needs = frozenset({"attention", "gradients"})
    reads_baseline = False
    signed = False
    complete = False
    multiplied_by_inputs = True

    @abstractmethod
    def matrix(self, layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """What tokens take from tokens, ``[B, T, T]``.

        Args:
            layers: weights ``[B, H, T, T]``, from the first layer to the last.
            gradients: of the score with respect to those that :attr:`reads` names, in the same order.
        """

    @property
    def reads(self) -> Literal["none", "last", "all"]:
        """The layers whose gradients it takes."""
        return "all"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the network runs no self-attention over all its tokens (windows, merging, cross-attention),
                or its tokens cannot be traced back to the input.
        """
        import torch
        from torch import nn

        from xaiexp.builtin.methods.attention.relevance_rules import read_by, row
        from xaiexp.builtin.methods.attention.token_index import spread, token_index
        from xaiexp.builtin.methods.attention.weight_capture import AttentionWeights

        network = model.passes.module
        if isinstance(network, nn.Module) and any(isinstance(m, nn.TransformerDecoderLayer) for m in network.modules()):
            raise Unsupported("it has a decoder, whose cross-attention this method has no rule for")
        found: list[tuple[Tensor, int]] = []

        def run(block: Block) -> Tensor:
            seen = AttentionWeights(len(block.rows))
            with seen:
                logits = block.logits(block.rows.requires_grad_() * 1)
            layers = seen.layers()
            if not layers[-1].requires_grad:
                raise Unsupported("the model's scores do not depend on its inputs through differentiable operations")
            modality = batch.background.modality
            found[:] = [token_index(batch.shape, modality, layers[0].shape[-1], seen.patches)]
            wanted = layers if self.reads == "all" else layers[-1:]
            scores = self._explained(block, model, logits)
            gradients = torch.autograd.grad(scores.sum(), wanted, materialize_grads=True)
            block.counter.add(backward=len(scores))
            read = read_by(seen.heads(gradients[-1]))
            _check_read(read, found[0][1], layers[0].shape[-1])
            matrix = self.matrix(
                [seen.heads(weights.detach()).to(block.rows.dtype) for weights in layers],
                [seen.heads(gradient).to(block.rows.dtype) for gradient in gradients],
            )
            return row(matrix, read)

        relevance = model.apply(run)
        index, _ = found[0]
        return spread(relevance, index) * batch.features.inside

    def _explained(self, block: Block, model: Handle, logits: Tensor) -> Tensor:
        """What is differentiated, ``[B]``: the score, or a function of all logits that favours no class."""
        from xaiexp.inference.outputs import target_scores

        if self.reads == "none":
            return logits.square().sum(dim=1)
        return target_scores(logits, block.batch.targets[block.owners], model.output)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward, at most down to the first weights."""
        return Cost(1, 1)


def _check_read(read: Tensor, before: int, tokens: int) -> None:
    """Refuse an output that is read from a single token that is taken for a place of the input.

    A class token at the end would shift every other token by one.
    """
    place = read.int().argmax(dim=1)
    strange = (read.sum(dim=1) == 1) & (place >= before)
    if before and bool(strange.any()):
        raise Unsupported(
            f"its output is read from token {int(place[strange][0])} of {tokens} and not from a class token at the "
            "start, so its tokens cannot be traced back to the input"
        )


@dataclass(frozen=True)
class RawAttention(_FromAttention):
    """The attention weights of the last layer, averaged over its heads: the row of the class token.

    Where there is no class token, the mean of the rows of the tokens that the output is read from.
    """

    summary = "the last layer's attention weights in the row of the class token"
    source = "Abnar and Zuidema 2020, section 2 (raw attention); Vaswani et al. 2017, equation 1"
    target_specific = False
    multiplied_by_inputs = False

    @property
    def reads(self) -> Literal["none", "last", "all"]:
        """None: the weights are of no class."""
        return "none"

    def matrix(self, layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """The mean over heads."""
        return layers[-1].mean(dim=1)


@dataclass(frozen=True)
class AttentionRollout(_FromAttention):
    """Attention weights of all layers, the residual connection mixed in, multiplied: the row of the class token.

    Where there is no class token, the mean of the rows of the tokens that the output is read from.

    Args:
        head_fusion: how the heads of a layer become one: ``mean`` as in the paper, ``max`` or ``min`` as is usual
            for pictures.
        residual: the share of the residual connection; the paper has 0.5.
    """

    summary = "attention weights multiplied through the layers, with the residual connection"
    source = "Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers, equation 1 and section 3"
    target_specific = False
    multiplied_by_inputs = False

    head_fusion: Literal["mean", "max", "min"] = "mean"
    residual: Annotated[float, Range(0.0, 1.0)] = 0.5

    @property
    def reads(self) -> Literal["none", "last", "all"]:
        """None: the weights are of no class."""
        return "none"

    def matrix(self, layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """See :func:`xaiexp.builtin.methods.attention.relevance_rules.rollout`."""
        from xaiexp.builtin.methods.attention.relevance_rules import rollout

        return rollout(layers, self.head_fusion, self.residual)


@dataclass(frozen=True)
class AttentionXGradient(_FromAttention):
    """The attention weights of the last layer times the gradient of the score, averaged over its heads.

    The row of the class token; where there is none, the mean of the rows of the tokens that the output is read from.

    Args:
        positive: keep only what speaks for the target in each head, as Grad-SAM does; off keeps both signs.
    """

    summary = "the last layer's attention weights times their gradient"
    source = (
        "Serrano and Smith 2019, Is Attention Interpretable? (weights times gradient); positive part: Barkan et al. "
        "2021, Grad-SAM; the row of the class token as Chefer et al. 2021 (CVPR) do for their baseline GradCAM"
    )

    positive: bool = False

    @property
    def signed(self) -> bool:  # type: ignore[override]  # the base class states a constant
        """Whether the sign is kept."""
        return not self.positive

    @property
    def reads(self) -> Literal["none", "last", "all"]:
        """The last."""
        return "last"

    def matrix(self, layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """The mean over heads of the product."""
        product = layers[-1] * gradients[-1]
        return (product.clamp(min=0) if self.positive else product).mean(dim=1)


@dataclass(frozen=True)
class Chefer(_FromAttention):
    """Generic attention explainability: weights times gradient, positive part, accumulated through the layers.

    The row of the class token; where there is none, the mean of the rows of the tokens that the output is read from.
    """

    summary = "positive attention times gradient, accumulated through the layers"
    source = "Chefer et al. 2021 (ICCV), Generic Attention-model Explainability, equations 5 and 6"

    def matrix(self, layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """See :func:`xaiexp.builtin.methods.attention.relevance_rules.relevancy`."""
        from xaiexp.builtin.methods.attention.relevance_rules import relevancy

        return relevancy(layers, gradients)
