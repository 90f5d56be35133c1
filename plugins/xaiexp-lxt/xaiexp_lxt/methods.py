"""AttnLRP and CP-LRP, which differ in how relevance passes the attention weights and gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from xaiexp.plugin import Batch, Cost, Method, Range, Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.plugin import Block, Draws, Handle

__all__ = ["AttnLrp", "CpLrp"]

_ACHTIBAT = "Achtibat et al. 2024, AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers"
_ALI = "Ali et al. 2022, XAI for Transformers: Better Explanations through Conservative Propagation"


@dataclass(frozen=True)
class _TransformerLrp(Method):
    """Base of the methods: relevance starts from the target's score and is propagated back to the inputs.

    The rules are in the form of modified gradients: the relevance of a tensor is its value times its modified gradient
    (Arras et al. 2025, Close Look at Decomposition-based XAI-Methods for Transformer Language Models). It is in units
    of the score. It is conserved except for what biases, constants that are added (positions, class token), epsilon
    and the softmax of ``attn_lrp`` absorb. LRP uses no reference, so these methods do not claim completeness, which
    refers to ``f(x) - f(reference)``.
    """

    needs = frozenset({"attention", "gradients", "modules"})
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True
    precisions = ("fp32",)  # the rules divide activations by each other

    through_attention: ClassVar[bool]
    """Whether attention weights and gates receive relevance."""

    epsilon: Annotated[float, Range(0)] = 1e-6
    gamma: Annotated[float, Range(0)] = 0.0

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the network has an operation without a rule, or the study explains probabilities or what a
                language model writes.
        """
        from xaiexp_lxt.propagation import Propagation
        from xaiexp_lxt.rules import Rules

        if "continuation" in batch.context:
            raise Unsupported(
                f"{self.name} starts from a logit, and the score of a continuation is a log-probability, whose sum of "
                "exponentials over the vocabulary has no rule: use input_x_gradient, integrated_gradients or chefer"
            )
        if not model.output.as_returned:
            raise Unsupported("LRP starts from a number that the network returns: use output=logit (or output=value)")
        if model.passes.precision not in self.precisions:
            raise Unsupported(
                f"{self.name} divides activations by each other, which needs full precision: use precision=fp32"
            )
        rules = Rules(self.epsilon, self.gamma, self.through_attention)

        def run(block: Block) -> Tensor:
            leaf = block.rows.requires_grad_()
            with Propagation(self.name, model.module, rules) as propagation:
                scores = block.scores(propagation.start(leaf), model.output)
                propagation.finish(scores)
            return leaf.detach() * block.gradients(scores, leaf)

        return model.apply(run)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward and one backward pass."""
        return Cost(1, 1)


@dataclass(frozen=True)
class AttnLrp(_TransformerLrp):
    """AttnLRP: relevance passes through the values, queries and keys of an attention, and through gates.

    Rules: epsilon (or gamma) in linear layers and convolutions, Taylor decomposition at the softmax, half to each
    factor of a product, identity in elementwise activations and in the scale of a normalisation.

    Args:
        epsilon: parameter of the epsilon rule; larger values absorb more relevance.
        gamma: additional weight of contributions of the sign of the output in linear layers and convolutions; 0 is the
            epsilon rule. The paper uses it for vision transformers, whose maps are noisy otherwise.
    """

    summary = "LRP for transformers: relevance of values, queries and keys"
    source = f"{_ACHTIBAT}, equations 7 to 9 and propositions 3.1 to 3.4"
    through_attention = True


@dataclass(frozen=True)
class CpLrp(_TransformerLrp):
    """CP-LRP: attention weights and gates are constants, relevance passes through values only.

    Rules: as ``attn_lrp``, except that what a softmax returns, and the activation of a gated layer, are constants.
    Where a network has no biases, a map sums to the score.

    Args:
        epsilon: parameter of the epsilon rule; larger values absorb more relevance.
        gamma: additional weight of contributions of the sign of the output in linear layers and convolutions; 0 is the
            epsilon rule.
    """

    summary = "LRP for transformers with attention weights as constants"
    source = f"{_ALI}, section 4; {_ACHTIBAT} (its other rules, and gates)"
    through_attention = False
