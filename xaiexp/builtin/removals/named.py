"""The built-in removals: one for each baseline with one reference, and those that no baseline gives."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from typing import ClassVar

from xaiexp.builtin.baselines import blur, constants, inpaint, range_ends, tokens
from xaiexp.builtin.removals.token_deletion import TokenDeletion
from xaiexp.contract.kinds import Baseline
from xaiexp.contract.removal import Fill, ReferenceFill, Removal
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.parameters import hints
from xaiexp.core.vocabulary import MODALITIES, BackgroundPart

__all__ = ["AUTO", "COMPONENTS", "Auto", "Marginal", "NoisyLinear"]

AUTO = {"image": "blur", "table": "mean", "series": "mean", "text": "zero"}
"""What ``auto`` selects by modality."""


@dataclass(frozen=True)
class _ByBaseline(Removal):
    """Base of the removals that replace features with the reference of a baseline, whose parameters they have."""

    baseline: ClassVar[type[Baseline]]

    def fill(self, batch: Batch, rng: Draws) -> Fill:
        """The reference of the baseline.

        Raises:
            Unsupported: the baseline does not support these inputs.
        """
        return ReferenceFill(batch, self.baseline(**self.parameters()).references(batch, rng))


def _by_baseline(
    baseline: type[Baseline], needs: tuple[BackgroundPart, ...] = (), differentiable: bool = True
) -> type[Removal]:
    """The removal with the name, the parameters and the references of a baseline.

    Args:
        needs: parts of the background that the baseline reads.
        differentiable: False where the reference is computed from the input outside of the graph.
    """
    declared, fields = hints(baseline), dataclasses.fields(baseline)
    return dataclasses.make_dataclass(
        baseline.__name__,
        [(f.name, declared[f.name], dataclasses.field(default=f.default)) for f in fields],
        bases=(_ByBaseline,),
        namespace={
            "__module__": __name__,
            "__doc__": f"Features are replaced as by the baseline of this name.\n\n{inspect.getdoc(baseline)}",
            "baseline": baseline,
            "name": baseline.name,
            "summary": baseline.summary,
            "source": baseline.source,
            "modalities": baseline.modalities,
            "needs": frozenset(needs),
            "differentiable": differentiable,
        },
        frozen=True,
    )


Zero = _by_baseline(constants.Zero)
Black = _by_baseline(range_ends.Black, ("low", "high"))
White = _by_baseline(range_ends.White, ("low", "high"))
Constant = _by_baseline(constants.Constant)
Mean = _by_baseline(constants.Mean, ("mean",))
Blur = _by_baseline(blur.Blur, differentiable=False)
Inpaint = _by_baseline(inpaint.Inpaint, differentiable=False)
MaxDistance = _by_baseline(range_ends.MaxDistance, ("low", "high"))
PadToken = _by_baseline(tokens.PadToken, ("special",))
MaskToken = _by_baseline(tokens.MaskToken, ("special",))


@dataclass(frozen=True)
class Auto(Removal):
    """The usual removal of the modality: blur for images, mean for tables and series, zero for texts.

    Zero takes the place of the mean where the mean is not known (``xaiexp.score`` without background), and the mean
    that of zero for prompts of language models, many of which are singular at zero.
    """

    summary = "the usual removal of the modality: blur for images, mean for tables and series, zero for texts"
    source = "Fong and Vedaldi 2017 (blur); Samek et al. 2017, section III (mean); Sundararajan et al. 2017 (zero)"
    modalities = MODALITIES

    def fill(self, batch: Batch, rng: Draws) -> Fill:
        """That of the removal which the modality selects."""
        name = AUTO[batch.background.modality]
        if "continuation" in batch.context:
            name = "mean"
        if name == "mean" and batch.background.mean is None:
            name = "zero"
        chosen = {cls.name: cls for cls in (Blur, Mean, Zero)}[name]
        return chosen().fill(batch, rng)


@dataclass(frozen=True)
class NoisyLinear(Removal):
    """Noisy linear imputation: an absent element is the weighted mean of its neighbours, plus noise.

    The noise has a standard deviation of a hundredth of the range of the data, and is the same for every mask.
    """

    summary = "noisy linear imputation: the weighted mean of the neighbours, plus noise (images and series)"
    source = (
        "Rong et al. 2022, A Consistent and Efficient Evaluation Strategy for Attribution Methods (ROAD), section 4"
    )
    modalities = ("image", "series")
    needs = frozenset({"low", "high"})

    def fill(self, batch: Batch, rng: Draws) -> Fill:
        """The imputation from the features that are present.

        Raises:
            Unsupported: the inputs have no neighbours, or the range of the data is not known.
        """
        from xaiexp.builtin.removals.noisy_linear import imputation_fill

        return imputation_fill(batch, rng)


@dataclass(frozen=True)
class Marginal(Removal):
    """An absent feature has its value in a random example of the data, one example for all of them.

    ``monotonicity_nguyen`` draws several and takes the mean over them.
    """

    summary = "values of a random example of the data"
    source = "Covert, Lundberg, Lee 2021, Explaining by Removing, section 4.2 (marginal distribution)"
    modalities = ("image", "table", "series")
    needs = frozenset({"pool"})
    differentiable = True

    def fill(self, batch: Batch, rng: Draws) -> Fill:
        """One example of the pool for each example of the batch, drawn with replacement.

        Raises:
            Unsupported: the background has no data of the inputs' shape.
        """
        from xaiexp.builtin.removals.marginal import marginal_fills

        return marginal_fills(batch, rng, 1)[0]


COMPONENTS: tuple[type[Removal], ...] = (
    Auto,
    Blur,
    Mean,
    Zero,
    Constant,
    Black,
    White,
    MaxDistance,
    Inpaint,
    PadToken,
    MaskToken,
    NoisyLinear,
    Marginal,
    TokenDeletion,
)
