"""LRP methods, each defined by a composite of zennit: which rule applies to which kind of layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from xaiexp.plugin import Batch, Cost, Method, Range, Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.plugin import Block, Draws, Handle

__all__ = [
    "LrpEpsilonAlpha2Beta1",
    "LrpEpsilonAlpha2Beta1Flat",
    "LrpEpsilonGammaBox",
    "LrpEpsilonPlus",
    "LrpEpsilonPlusFlat",
]

_BACH = "Bach et al. 2015, On Pixel-Wise Explanations for Non-Linear Classifier Decisions"
_MONTAVON = "Montavon et al. 2019, Layer-Wise Relevance Propagation: An Overview"
_LAPUSCHKIN = "Lapuschkin et al. 2019, Unmasking Clever Hans Predictors"


@dataclass(frozen=True)
class _Lrp(Method):
    """Base of the LRP methods: relevance starts from the target's score and is propagated back layer by layer.

    It is conserved except for what biases and epsilon absorb; without these it sums to ``f(x)``. LRP uses no reference,
    so these methods do not claim completeness, which refers to ``f(x) - f(reference)``.
    """

    needs = frozenset({"gradients", "modules"})
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True

    composite: ClassVar[str]
    """zennit's name of the composite."""

    epsilon: Annotated[float, Range(0)] = 1e-6
    stabilizer: Annotated[float, Range(0)] = 1e-6

    def rules(self, batch: Batch) -> dict[str, Any]:
        """The arguments of the composite."""
        return {"epsilon": self.epsilon, "stabilizer": self.stabilizer}

    def first_layers(self) -> tuple[type, ...]:
        """The kinds of layers that the rule for the first layer applies to; empty without such a rule."""
        return ()

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: the network has a layer or operation without a rule, or the study explains probabilities.
        """
        from zennit.composites import COMPOSITES

        from xaiexp_zennit.canonical import Canonical, MergeBatchNorms

        if not model.output.as_returned:
            raise Unsupported("LRP starts from a number that the network returns: use output=logit (or output=value)")
        logits, rules = model.logits(), self.rules(batch)

        def run(block: Block) -> Tensor:
            composite = COMPOSITES[self.composite](**rules, canonizers=[MergeBatchNorms()])
            leaf = block.rows.requires_grad_()
            with Canonical(model.module, composite, self.stabilizer, self.first_layers()) as canonical:
                with canonical.forward_pass():
                    scores = block.logits(leaf * 1)
                canonical.check_same(scores, logits[block.owners])
                start = scores.gather(1, batch.targets[block.owners].unsqueeze(1)).squeeze(1)
                # Its gradient with respect to the target's score is that score, the initial relevance of LRP.
                return block.gradients(start * start.detach(), leaf)

        return model.apply(run)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One forward pass shared with all methods, and one forward and one backward pass of the canonical form."""
        return Cost(2, 1)


@dataclass(frozen=True)
class LrpEpsilonPlus(_Lrp):
    """The z-plus rule in convolutions, the epsilon rule in fully connected layers.

    Args:
        epsilon: parameter of the epsilon rule; larger values absorb more relevance.
        stabilizer: added to the denominators of the other rules.
    """

    summary = "LRP: z-plus in convolutions, epsilon in fully connected layers"
    source = f"{_BACH} (epsilon: equation 58); {_MONTAVON} (table 10.1); zennit's EpsilonPlus"
    modalities = ("image", "table", "series")
    composite = "epsilon_plus"


@dataclass(frozen=True)
class LrpEpsilonAlpha2Beta1(_Lrp):
    """The alpha-beta rule (2, 1) in convolutions, the epsilon rule in fully connected layers.

    Args:
        epsilon: parameter of the epsilon rule; larger values absorb more relevance.
        stabilizer: added to the denominators of the other rules.
    """

    summary = "LRP: alpha 2 beta 1 in convolutions, epsilon in fully connected layers"
    source = f"{_BACH} (alpha-beta: equation 60); {_MONTAVON} (table 10.1); zennit's EpsilonAlpha2Beta1"
    modalities = ("image", "table", "series")
    composite = "epsilon_alpha2_beta1"


@dataclass(frozen=True)
class _FirstConvolution(_Lrp):
    """Base of the methods with a special rule for the first convolution."""

    modalities = ("image", "series")

    def first_layers(self) -> tuple[type, ...]:
        """Convolutions: the flat rule in a fully connected layer would give all elements the same relevance."""
        from torch.nn.modules.conv import _ConvNd

        return (_ConvNd,)


@dataclass(frozen=True)
class LrpEpsilonPlusFlat(_FirstConvolution):
    """The flat rule in the first convolution, z-plus in the others, epsilon in fully connected layers.

    Args:
        epsilon: parameter of the epsilon rule; larger values absorb more relevance.
        stabilizer: added to the denominators of the other rules.
    """

    summary = "LRP: flat in the first convolution, z-plus in the others, epsilon in fully connected layers"
    source = f"{_LAPUSCHKIN} (flat); {_MONTAVON} (table 10.1); zennit's EpsilonPlusFlat"
    composite = "epsilon_plus_flat"


@dataclass(frozen=True)
class LrpEpsilonAlpha2Beta1Flat(_FirstConvolution):
    """The flat rule in the first convolution, alpha-beta (2, 1) in the others, epsilon in fully connected layers.

    Args:
        epsilon: parameter of the epsilon rule; larger values absorb more relevance.
        stabilizer: added to the denominators of the other rules.
    """

    summary = "LRP: flat in the first convolution, alpha 2 beta 1 in the others, epsilon in fully connected layers"
    source = f"{_LAPUSCHKIN} (flat); {_BACH} (alpha-beta: equation 60); zennit's EpsilonAlpha2Beta1Flat"
    composite = "epsilon_alpha2_beta1_flat"


@dataclass(frozen=True)
class LrpEpsilonGammaBox(_FirstConvolution):
    """The box rule in the first convolution, gamma in the others, epsilon in fully connected layers.

    The box is the range of valid inputs in model space: 0..1 before normalisation for images, else the range of the
    data.

    Args:
        epsilon: parameter of the epsilon rule; larger values absorb more relevance.
        stabilizer: added to the denominators of the other rules.
        gamma: additional weight of positive contributions.
    """

    summary = "LRP: the box rule in the first convolution, gamma in the others, epsilon in fully connected layers"
    source = f"Montavon et al. 2017 (box: z^B, equation 8); {_MONTAVON} (gamma: table 10.1); zennit's EpsilonGammaBox"
    composite = "epsilon_gamma_box"

    gamma: Annotated[float, Range(0)] = 0.25

    def rules(self, batch: Batch) -> dict[str, Any]:
        """The arguments of the composite.

        Raises:
            Unsupported: the range of the inputs is unknown.
        """
        low, high = batch.background.low, batch.background.high
        if low is None or high is None:
            raise Unsupported("the box rule needs the range of valid inputs, which is unknown")
        low, high = (end.to(batch.inputs).expand(batch.shape).unsqueeze(0) for end in (low, high))
        return {**super().rules(batch), "gamma": self.gamma, "low": low, "high": high}
