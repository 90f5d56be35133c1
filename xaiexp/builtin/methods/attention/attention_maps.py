"""Raw attention, attention rollout, attention x gradient, and generic attention explainability (Chefer et al.)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
class _AttentionMethod(Method):
    """Base class: records attention weights and gradients, and maps the relevance of tokens to the input.

    The layers of the network must all attend over the same tokens. The relevance of tokens is a row of a matrix
    ``[T, T]``: the mean of the rows of those tokens that the output depends on after the last attention, determined
    from its gradient. This is the class token in ViT and BERT, all tokens in a network with mean pooling, two tokens in
    a distilled DeiT, and in a language model the tokens that predict the continuation, whose own tokens get no
    relevance. The relevance of a patch is divided equally among its pixels, that of a text token among the elements of
    its embedding. Tokens added by the network, special tokens and padding get 0.

    With bf16, maps differ from those in float32 by up to 5 % of their largest value, and by up to 0.5 % for methods
    without gradients, in the tests on small networks.
    """

    needs = frozenset({"attention", "gradients"})
    reads_baseline = False
    signed = False
    complete = False
    multiplied_by_inputs = True

    @abstractmethod
    def matrix(self, layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """The relevance of each token (column) to each token (row), ``[B, T, T]``.

        Args:
            layers: weights ``[B, H, T, T]``, from the first layer to the last.
            gradients: of the score with respect to the layers that :attr:`reads` names, in the same order.
        """

    @property
    def reads(self) -> Literal["none", "last", "all"]:
        """The layers whose gradients the method uses."""
        return "all"

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the network has no self-attention over all its tokens (it uses windows, token merging or
                cross-attention), or its tokens cannot be mapped to the input.
        """
        import torch
        from torch import nn

        from xaiexp.builtin.methods.attention.attention_formulas import mean_row, read_tokens
        from xaiexp.builtin.methods.attention.token_index import prompt_places, spread, token_index
        from xaiexp.builtin.methods.attention.weight_capture import AttentionWeights

        network = model.passes.module
        if isinstance(network, nn.Module) and any(map(_has_decoder, network.modules())):
            raise Unsupported("the network has a decoder, and this method has no rule for its cross-attention")
        token_maps: list[tuple[Tensor, int]] = []

        def run(block: Block) -> Tensor:
            captured = AttentionWeights(len(block.rows))
            with captured:
                logits = block.logits(block.rows.requires_grad_() * 1)
            layers = captured.layers()
            if not layers[-1].requires_grad:
                raise Unsupported("the model's scores do not depend on its inputs through differentiable operations")
            modality = batch.background.modality
            tokens = layers[0].shape[-1]
            prompts = "continuation" in batch.context
            token_maps[:] = [
                (torch.arange(batch.shape[0]).unsqueeze(1).expand(batch.shape), 0)
                if prompts
                else token_index(batch.shape, modality, tokens, captured.patches)
            ]
            gradient_layers = layers if self.reads == "all" else layers[-1:]
            scores = self._differentiated(block, model, logits)
            gradients = torch.autograd.grad(scores.sum(), gradient_layers, materialize_grads=True)
            block.counter.add(backward=len(scores))
            read = read_tokens(captured.heads(gradients[-1]))
            _check_read_tokens(read, token_maps[0][1], layers[0].shape[-1])
            matrix = self.matrix(
                [captured.heads(weights.detach()).to(block.rows.dtype) for weights in layers],
                [captured.heads(gradient).to(block.rows.dtype) for gradient in gradients],
            )
            row = mean_row(matrix, read)
            return prompt_places(row, block.batch.context["attention_mask"][block.owners]) if prompts else row

        relevance = model.apply(run)
        index, _ = token_maps[0]
        return spread(relevance, index) * batch.features.inside

    def _differentiated(self, block: Block, model: Handle, logits: Tensor) -> Tensor:
        """The output to differentiate, ``[B]``: the score, or a symmetric function of all logits without gradients."""
        from xaiexp.inference.outputs import target_scores

        if self.reads == "none":
            return logits.square().sum(dim=1)
        return target_scores(logits, block.batch.targets[block.owners], model.output)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward pass, and one backward pass at most back to the first attention weights."""
        return Cost(1, 1)


def _has_decoder(module: Any) -> bool:
    """Whether a module has cross-attention: a decoder layer of torch, or an encoder-decoder of transformers."""
    from torch import nn

    config = getattr(module, "config", None)
    return isinstance(module, nn.TransformerDecoderLayer) or bool(getattr(config, "is_encoder_decoder", False))


def _check_read_tokens(read: Tensor, leading: int, tokens: int) -> None:
    """Raise if the output depends on a single token that is not one of the ``leading`` added tokens.

    With a class token at the end, the mapping of all other tokens to the input would be shifted by one.
    """
    position = read.int().argmax(dim=1)
    misplaced = (read.sum(dim=1) == 1) & (position >= leading)
    if leading and bool(misplaced.any()):
        raise Unsupported(
            f"the output depends on token {int(position[misplaced][0])} of {tokens}, not on a class token at the "
            "start, so the tokens cannot be mapped to the input"
        )


@dataclass(frozen=True)
class RawAttention(_AttentionMethod):
    """The attention weights of the last layer, averaged over heads: the row of the class token.

    Without a class token, the mean of the rows of the tokens that the output depends on.
    """

    summary = "the last layer's attention weights in the row of the class token"
    source = "Abnar and Zuidema 2020, section 2 (raw attention); Vaswani et al. 2017, equation 1"
    target_specific = False
    multiplied_by_inputs = False

    @property
    def reads(self) -> Literal["none", "last", "all"]:
        """None: attention weights do not depend on the class."""
        return "none"

    def matrix(self, layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """The mean over heads."""
        return layers[-1].mean(dim=1)


@dataclass(frozen=True)
class AttentionRollout(_AttentionMethod):
    """The product over layers of attention weights and residual connections: the row of the class token.

    Without a class token, the mean of the rows of the tokens that the output depends on.

    Args:
        head_fusion: how the heads of a layer are combined: ``mean`` as in the paper, ``max`` or ``min`` as is common
            for images.
        residual: the weight of the residual connection; 0.5 in the paper.
    """

    summary = "attention weights multiplied through the layers, with the residual connection"
    source = "Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers, equation 1 and section 3"
    target_specific = False
    multiplied_by_inputs = False

    head_fusion: Literal["mean", "max", "min"] = "mean"
    residual: Annotated[float, Range(0.0, 1.0)] = 0.5

    @property
    def reads(self) -> Literal["none", "last", "all"]:
        """None: attention weights do not depend on the class."""
        return "none"

    def matrix(self, layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """See :func:`xaiexp.builtin.methods.attention.attention_formulas.rollout`."""
        from xaiexp.builtin.methods.attention.attention_formulas import rollout

        return rollout(layers, self.head_fusion, self.residual)


@dataclass(frozen=True)
class AttentionXGradient(_AttentionMethod):
    """The attention weights of the last layer times the gradient of the score, averaged over heads.

    The row of the class token; without one, the mean of the rows of the tokens that the output depends on.

    Args:
        positive: keep only the positive part in each head, as in Grad-SAM; off keeps both signs.
    """

    summary = "the last layer's attention weights times their gradient"
    source = (
        "Serrano and Smith 2019, Is Attention Interpretable? (weights times gradient); positive part: Barkan et al. "
        "2021, Grad-SAM; the row of the class token as Chefer et al. 2021 (CVPR) do for their baseline GradCAM"
    )

    positive: bool = False

    @property
    def signed(self) -> bool:  # type: ignore[override]  # depends on a parameter
        """Whether attributions keep their sign."""
        return not self.positive

    @property
    def reads(self) -> Literal["none", "last", "all"]:
        """The last layer."""
        return "last"

    def matrix(self, layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """The product of weights and gradients, averaged over heads."""
        product = layers[-1] * gradients[-1]
        return (product.clamp(min=0) if self.positive else product).mean(dim=1)


@dataclass(frozen=True)
class Chefer(_AttentionMethod):
    """Generic attention explainability: the positive part of weights times gradients, accumulated through the layers.

    The row of the class token; without one, the mean of the rows of the tokens that the output depends on.
    """

    summary = "positive attention times gradient, accumulated through the layers"
    source = "Chefer et al. 2021 (ICCV), Generic Attention-model Explainability, equations 5 and 6"

    def matrix(self, layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        """See :func:`xaiexp.builtin.methods.attention.attention_formulas.relevancy`."""
        from xaiexp.builtin.methods.attention.attention_formulas import relevancy

        return relevancy(layers, gradients)
