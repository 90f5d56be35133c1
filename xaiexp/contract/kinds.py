"""What a plugin may add: seven kinds of components, each a frozen dataclass whose fields are its parameters.

Fields are at once constructor, Hydra schema, tracked parameters, store key and repr. Facts about a component are
class variables that its author decides; the plan reads them before the first pass. Importing this file imports
no torch, and a component's module should not either: ``import torch`` belongs inside the functions that use it,
so that ``xaiexp --help`` stays quick.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Estimate, Explanation, Scores
from xaiexp.core.parameters import check
from xaiexp.core.samples import Encoded, LoadContext, Network, Outline, Source
from xaiexp.core.vocabulary import MODALITIES, Modality, Precision, Space

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.core.feature_map import FeatureMap
    from xaiexp.inference.passes import Handle

__all__ = [
    "KINDS",
    "Agreement",
    "Baseline",
    "Component",
    "Dataset",
    "Features",
    "Method",
    "Metric",
    "Model",
    "offered",
]


@dataclass(frozen=True)
class Component(ABC):
    """Anything a plugin adds.

    Class variables:
        summary: what it does, in one line.
        source: the paper and equation, or where the data or weights come from.
        name: how it is called in configs; by default the class name in snake case.
    """

    kind: ClassVar[str]
    facts: ClassVar[tuple[str, ...]] = ("summary", "source")
    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    def __post_init__(self) -> None:
        for key, value in check(f"{self.kind}.{self.name}", type(self), self.parameters()).items():
            object.__setattr__(self, key, value)

    def parameters(self) -> dict[str, Any]:
        """Parameter name to value, in the order of the fields."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}


@dataclass(frozen=True)
class Model(Component):
    """A trained network.

    Class variables (or properties, where a parameter decides):
        modality: what it takes: ``image``, ``text``, ``table`` or ``series``.
        offers: what methods may use of it, out of ``gradients`` (differentiable with respect to its inputs),
            ``modules`` (a ``torch.nn.Module`` whose submodules can be hooked), ``convolutions`` (has a
            convolutional layer over a picture) and ``attention`` (has self-attention layers); each of the last two
            implies ``maps`` (a layer whose activations lie over the picture).
    """

    kind: ClassVar[str] = "model"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "modality", "offers")
    modality: ClassVar[Modality]
    offers: ClassVar[frozenset[str]]

    @abstractmethod
    def load(self, context: LoadContext) -> Network:
        """The network, on the CPU, in eval mode.

        Raises:
            UserError: weights that are missing, corrupt, of the wrong shape or out of reach.
        """

    def input_shape(self) -> tuple[int, ...] | None:
        """The shape of one input where the model decides it, known without loading; None elsewhere."""
        return None

    def fingerprint(self) -> str:
        """What the plan may know of the weights without loading them; equal weights may differ, not the reverse."""
        return ""


@dataclass(frozen=True)
class Dataset(Component):
    """Examples to explain."""

    kind: ClassVar[str] = "dataset"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "modality")
    modality: ClassVar[Modality]

    @abstractmethod
    def open(self) -> Source:
        """The samples.

        Raises:
            UserError: files that are missing, corrupt or empty, columns that do not exist.
        """

    @abstractmethod
    def outline(self) -> Outline:
        """How many examples of what shape, quickly and without importing torch.

        Raises:
            UserError: as :meth:`open`, as far as it can be seen without reading everything.
        """

    def fingerprint(self) -> str:
        """What the plan may know of the data without reading them; equal data may differ, not the reverse."""
        return ""

    def training(self) -> Source | None:
        """Samples to train a model on, none of which :meth:`open` gives; None where there are none.

        Raises:
            UserError: as :meth:`open`.
        """
        return None


@dataclass(frozen=True)
class Features(Component):
    """A way to group the elements of an input into what attributions speak about."""

    kind: ClassVar[str] = "features"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "modalities")
    modalities: ClassVar[tuple[Modality, ...]]

    @abstractmethod
    def build(self, encoded: Encoded) -> FeatureMap:
        """The map for these inputs; it must not depend on which examples stand in the batch."""

    @abstractmethod
    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """The natural shape of the features of one input of the given shape, without importing torch."""


@dataclass(frozen=True)
class Baseline(Component):
    """What absence looks like."""

    kind: ClassVar[str] = "baseline"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "modalities")
    modalities: ClassVar[tuple[Modality, ...]]

    @abstractmethod
    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference for each example, ``[N, *shape]``, or a distribution of R of them, ``[N, R, *shape]``.

        In model space, on the batch's device. ``batch.background`` tells what the data look like. Elements that
        belong to no feature are reset to the input's own values by the caller.

        Raises:
            Unsupported: the background lacks what this baseline reads.
        """


@dataclass(frozen=True)
class Method(Component):
    """An attribution method.

    Class variables (or properties, where a parameter decides):
        needs: what it uses of the model beyond its scores (see :class:`Model`): the plan skips a method whose
            needs the model does not offer.
        reads_baseline: whether :meth:`attribute` uses a reference: such a method has one cell per baseline.
        signed: whether the sign of an attribution means for or against the target.
        complete: whether attributions sum to ``f(x) - f(reference)``.
        multiplied_by_inputs: a contribution in units of the output (True), or a sensitivity per unit of input.
        modalities: what kind of inputs it is for.
        reads_distribution: whether it takes all R references at once, ``[N, R, *shape]``. Others get one
            reference ``[N, *shape]`` at a time and their attributions are averaged over the R.
        space: what its attributions speak about: ``input`` (elements of the input, for the target's score),
            ``layer`` (units of a layer, ``[N, *layer]``, for the target's score) or ``neuron`` (elements of the
            input, for one neuron inside the network).
        precisions: the precisions of passes that it can work with. Gradients of a sure prediction vanish in fp16
            without a word, so that one must be asked for.
        control: whether it is no explanation at all but what any explanation must beat (noise, an edge detector).
        target_specific: whether another target gets another explanation (attention rollout, or the activations
            of a layer, are the same for all).
    """

    kind: ClassVar[str] = "method"
    facts: ClassVar[tuple[str, ...]] = (
        *Component.facts,
        "needs",
        "reads_baseline",
        "signed",
        "complete",
        "multiplied_by_inputs",
    )
    needs: ClassVar[frozenset[str]]
    reads_baseline: ClassVar[bool]
    signed: ClassVar[bool]
    complete: ClassVar[bool]
    multiplied_by_inputs: ClassVar[bool]
    modalities: ClassVar[tuple[Modality, ...]] = MODALITIES
    reads_distribution: ClassVar[bool] = False
    space: ClassVar[Space] = "input"
    target_specific: ClassVar[bool] = True
    control: ClassVar[bool] = False
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16")

    @abstractmethod
    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor | Estimate:
        """Attributions ``[N, *shape]`` of ``batch.inputs`` for ``batch.targets``.

        Finite, detached, on the batch's device. The elements of a feature add up to the attribution of the
        feature; a method that thinks in features ends with ``batch.features.spread(values)``. A method that
        samples returns an :class:`xaiexp.core.explanations.Estimate`, with the standard error of each feature.

        Args:
            model: the passes: ``model.scores(x)``, ``model.gradients(x)``; see :class:`xaiexp.inference.passes.Handle`.
            batch: the examples; not to be changed.
            reference: ``[N, *shape]`` (see ``reads_distribution``); None where no baseline is read.
            rng: random numbers per example; see :class:`xaiexp.core.draws.Draws`.

        Raises:
            Unsupported: this network or input cannot be explained rightly; the cell is skipped with the reason.
        """

    def passes(self, shape: tuple[int, ...], d: int) -> Cost | None:
        """Passes that one example of the given shape with d features costs, for one reference; None if unknown."""
        return None


@dataclass(frozen=True)
class Metric(Component):
    """A measure of one explanation: one number per example. Override :meth:`score` or :meth:`score_all`.

    Class variables (or properties, where a parameter decides):
        higher_is_better: the declared direction.
        bounds: the lowest and highest possible value; None is unbounded.
        needs_sign: whether it reads the sign of attributions: NaN for methods that are not signed.
        scale_invariant: whether multiplying a map by a positive number changes nothing.
        re_explains: whether it calls ``explanation.explain_perturbed``, ``under`` or ``aimed``.
        unit: of the value: ``logit``, ``probability``, ``output`` (whichever the study explains), ``1``.
        needs: what it uses of the model beyond its scores, as for :class:`Method`; the plan leaves it out where
            the model does not offer that.
        modalities: what kind of inputs it is for.
        spaces: which attributions it can judge (see :class:`Method`): NaN for others.
        auxiliary: names of further values that it returns by :class:`xaiexp.core.explanations.Scores`; a lower one is nearer
            to the data, and they are never ranked.
    """

    kind: ClassVar[str] = "metric"
    facts: ClassVar[tuple[str, ...]] = (
        *Component.facts,
        "higher_is_better",
        "bounds",
        "needs_sign",
        "scale_invariant",
        "re_explains",
        "unit",
    )
    higher_is_better: ClassVar[bool]
    bounds: ClassVar[tuple[float | None, float | None]]
    needs_sign: ClassVar[bool]
    scale_invariant: ClassVar[bool]
    re_explains: ClassVar[bool]
    unit: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    modalities: ClassVar[tuple[Modality, ...]] = MODALITIES
    spaces: ClassVar[tuple[Space, ...]] = ("input",)
    auxiliary: ClassVar[tuple[str, ...]] = ()

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """The values ``[N]`` of one explanation; NaN where undefined."""
        scored = self.score_all(model, batch, [explanation], rng)
        return (scored.values if isinstance(scored, Scores) else scored)[0]

    def score_all(
        self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws
    ) -> Tensor | Scores:
        """The values ``[M, N]`` of M explanations of one batch; override where they can share passes.

        Every explanation must meet the same random numbers, whichever others are there.
        """
        import torch

        return torch.stack([self.score(model, batch, e, rng) for e in explanations])

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """Passes that one example costs for so many explanations, re-explaining aside; None if unknown."""
        return None


@dataclass(frozen=True)
class Agreement(Component):
    """A measure of how far two explanations agree.

    Class variables (or properties, where a parameter decides):
        bounds: the lowest and highest possible value; the highest is that of a map with itself.
        needs_sign: whether it reads signs: NaN where a method is not signed.
        symmetric: whether the order of the two changes nothing.
        needs_grid: whether it reads maps in the features' own shape, ``[N, H, W]`` in place of ``[N, d]``; NaN where
            that has not two axes.
        joint: whether it is one value for all maps jointly, by :meth:`compare_jointly`, and not for pairs.
    """

    kind: ClassVar[str] = "agreement"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "bounds", "needs_sign", "symmetric")
    bounds: ClassVar[tuple[float | None, float | None]]
    needs_sign: ClassVar[bool]
    symmetric: ClassVar[bool]
    needs_grid: ClassVar[bool] = False
    joint: ClassVar[bool] = False

    @abstractmethod
    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """Agreement ``[N]`` of pooled attributions ``a`` and ``b``, each ``[N, d]``: finite, without padding."""

    def compare_jointly(self, maps: Tensor) -> Tensor:
        """Agreement ``[N]`` of M maps ``[M, N, d]`` at once: the mean over all pairs, unless overridden."""
        pairs = [(i, j) for i in range(len(maps)) for j in range(i + 1, len(maps))]
        return self.compare_all(maps, pairs).mean(dim=0)

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of M maps ``[M, N, d]``; override where pairs can share work."""
        import torch

        return torch.stack([self.compare(maps[i], maps[j]) for i, j in pairs])


def offered(offers: frozenset[str]) -> frozenset[str]:
    """What a model offers, with what that implies."""
    return offers | {"maps"} if offers & {"convolutions", "attention"} else offers


KINDS: dict[str, type[Component]] = {
    cls.kind: cls for cls in (Model, Dataset, Features, Baseline, Method, Metric, Agreement)
}
