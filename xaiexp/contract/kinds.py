"""The kinds of components that a plugin may provide, each a frozen dataclass whose fields are its parameters.

The fields define the constructor, the Hydra schema, the tracked parameters, the store key and the repr. The facts of
a component are class attributes or properties that its author states; they are read before the first forward pass.
Importing this module imports no torch. Modules of components should not import torch either: ``import torch`` belongs
inside the functions that use it, which keeps ``xaiexp --help`` fast.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from xaiexp.contract.callback import Callback
from xaiexp.contract.component import Component
from xaiexp.contract.output import Output
from xaiexp.contract.panel import Panel
from xaiexp.contract.removal import Removal
from xaiexp.contract.tracker import Tracker
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Estimate, Explanation, Scores
from xaiexp.core.samples import Encoded, LoadContext, Network, Outline, Source
from xaiexp.core.vocabulary import MODALITIES, Modality, Precision, Space
from xaiexp.store.fingerprints import named_stamp

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.contract.facts import AgreementFacts, InputFacts, MethodFacts, MetricFacts, ModelFacts, SingleInputFacts
    from xaiexp.core.draws import Draws
    from xaiexp.core.feature_map import FeatureMap
    from xaiexp.inference.passes import Handle
else:  # facts are declared for type checkers only, see xaiexp.contract.facts
    AgreementFacts = InputFacts = MethodFacts = MetricFacts = ModelFacts = SingleInputFacts = object

__all__ = [
    "KINDS",
    "Agreement",
    "Baseline",
    "Callback",
    "Component",
    "Dataset",
    "Features",
    "Method",
    "Metric",
    "Model",
    "Output",
    "Panel",
    "Removal",
    "Tracker",
    "offered",
]


@dataclass(frozen=True)
class Model(Component, ModelFacts):
    """A trained network.

    Facts (class variables, or properties where they depend on a parameter):
        modality: the kind of inputs: ``image``, ``text``, ``table`` or ``series``.
        offers: the capabilities that methods and metrics may use, a subset of ``gradients`` (the scores are
            differentiable with respect to the inputs), ``modules`` (a ``torch.nn.Module`` whose submodules accept
            hooks), ``convolutions`` (it contains a 2-d convolutional layer), ``attention`` (it contains
            self-attention layers) and ``trees`` (``Network.module.estimator`` is an ensemble of decision trees of
            scikit-learn, XGBoost or LightGBM). ``convolutions`` and ``attention`` each imply ``maps`` (a layer whose
            activations have the spatial axes of the image).
    """

    kind: ClassVar[str] = "model"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "modality", "offers")

    @abstractmethod
    def load(self, context: LoadContext) -> Network:
        """Load the network on the CPU, in float32 and in eval mode.

        Args:
            context: the cache folder, the trusted modules and the training data of the study.

        Raises:
            UserError: the weights are missing, corrupt, of the wrong shape or not available.
        """

    def input_shape(self) -> tuple[int, ...] | None:
        """The shape of one input without the batch axis, known without loading; None where the dataset decides it."""
        return None

    def tokens(self, shape: tuple[int, ...]) -> int | None:
        """The tokens of one input of this shape, known without loading; None where a plan counts passes alone.

        Language models say them: what one pass costs is proportional to its tokens.
        """
        return None

    def fingerprint(self) -> str:
        """An identifier of the weights that is known without loading them.

        It must change when the weights change, and may also change otherwise. By default it covers paths, sizes and
        modification times of the files that parameters name. The store needs one from a model without tensors.
        """
        return named_stamp(self.parameters())


@dataclass(frozen=True)
class Dataset(Component, SingleInputFacts):
    """The examples whose predictions are explained.

    Facts (class variables, or properties where they depend on a parameter):
        modality: the kind of inputs: ``image``, ``text``, ``table`` or ``series``.
    """

    kind: ClassVar[str] = "dataset"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "modality")

    @abstractmethod
    def open(self) -> Source:
        """Open the samples for reading.

        Raises:
            UserError: files are missing, corrupt or empty, or columns do not exist.
        """

    @abstractmethod
    def outline(self) -> Outline:
        """The number and shape of the examples, computed quickly and without importing torch.

        Raises:
            UserError: as :meth:`open`, for errors that are found without reading all data.
        """

    def fingerprint(self) -> str:
        """An identifier of the data that is known without reading them.

        It must change when the data change, and may also change otherwise. By default it covers paths, sizes and
        modification times of the files that parameters name, and of all files in folders.
        """
        return named_stamp(self.parameters())

    def training(self) -> Source | None:
        """The training samples, disjoint from those of :meth:`open`; None where there are none.

        Raises:
            UserError: as :meth:`open`.
        """
        return None


@dataclass(frozen=True)
class Features(Component, InputFacts):
    """A grouping of input elements into features, the units of attributions, agreements and metrics.

    Facts (class variables, or properties where they depend on a parameter):
        modalities: the supported kinds of inputs.
    """

    kind: ClassVar[str] = "features"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "modalities")

    @abstractmethod
    def build(self, encoded: Encoded) -> FeatureMap:
        """The map from elements to features for a batch; an example's row must not depend on the other examples."""

    @abstractmethod
    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the features of one input, for example ``(rows, columns)``, computed without importing torch.

        Args:
            inputs: the shape of one input without the batch axis.
        """


@dataclass(frozen=True)
class Baseline(Component, InputFacts):
    """A definition of missing features: the reference inputs that attributions are relative to.

    Facts (class variables, or properties where they depend on a parameter):
        modalities: the supported kinds of inputs.
    """

    kind: ClassVar[str] = "baseline"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "modalities")

    @abstractmethod
    def references(self, batch: Batch, rng: Draws) -> Tensor:
        """One reference per example, ``[N, *shape]``, or a distribution of R references, ``[N, R, *shape]``.

        References are in model space and on the batch's device. The caller resets elements that belong to no feature
        to the values of the input.

        Args:
            batch: the examples; ``batch.background`` describes the dataset. It must not be changed.
            rng: random numbers per example; see :class:`xaiexp.plugin.Draws`.

        Raises:
            Unsupported: the background does not contain what this baseline reads.
        """


@dataclass(frozen=True)
class Method(Component, MethodFacts):
    """An attribution method.

    Facts (class variables, or properties where they depend on a parameter):
        needs: the capabilities of the model that it uses beyond the scores (see ``Model.offers``). The method is
            skipped for models that do not offer them.
        reads_baseline: whether :meth:`attribute` uses a reference. Such a method has one cell per baseline.
        signed: whether the sign of an attribution says if a feature supports or opposes the target.
        complete: whether attributions sum to ``f(x) - f(reference)``.
        multiplied_by_inputs: True for contributions in units of the output, False for sensitivities per unit of input.
        modalities: the supported kinds of inputs; by default all.
        reads_distribution: whether it takes all R references at once, ``[N, R, *shape]``. Other methods get one
            reference ``[N, *shape]`` at a time, and their attributions are averaged over the R references.
        space: what its attributions refer to: ``input`` (elements of the input, for the target's score), ``layer``
            (units of a layer, ``[N, *layer]``, for the target's score) or ``neuron`` (elements of the input, for one
            neuron inside the network).
        precisions: the supported precisions of forward and backward passes. ``fp16`` is not in the default, because
            gradients of confident predictions underflow in it.
        control: whether it is a control, a lower bound for any explanation (noise, an edge detector).
        repeats: for a method whose map is one random draw, how many independent maps of an example a metric scores; the
            scores are averaged. Two numbers: for metrics to which further maps cost no pass, and for the others.
        target_specific: whether the explanation depends on the target; False for attention rollout or the activations
            of a layer.
        repeatable: whether it can explain perturbed inputs, other networks and other targets; False for attributions
            from a file. Metrics with the fact ``re_explains`` are NaN for it otherwise.
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
    if not TYPE_CHECKING:  # declared by MethodFacts
        modalities: ClassVar[tuple[Modality, ...]] = MODALITIES
        reads_distribution: ClassVar[bool] = False
        space: ClassVar[Space] = "input"
        target_specific: ClassVar[bool] = True
        repeatable: ClassVar[bool] = True
        control: ClassVar[bool] = False
        repeats: ClassVar[tuple[int, int]] = (1, 1)
        precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16")

    @abstractmethod
    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor | Estimate:
        """Attributions ``[N, *shape]`` of ``batch.inputs`` for ``batch.targets``.

        They are finite, detached and on the batch's device. The attribution of a feature is the sum over its
        elements; a method that computes values ``[N, d]`` per feature returns ``batch.features.spread(values)``. A
        method that samples returns an :class:`xaiexp.plugin.Estimate` with the standard error of each feature.

        Args:
            model: forward and backward passes, ``model.scores(x)`` and ``model.gradients(x)``; see
                :class:`xaiexp.plugin.Handle`.
            batch: the examples. It must not be changed.
            reference: ``[N, *shape]`` (see ``reads_distribution``); None where no baseline is read.
            rng: random numbers per example; see :class:`xaiexp.plugin.Draws`.

        Raises:
            Unsupported: the method does not support this model or input; the cell is skipped with the reason.
        """

    def passes(self, shape: tuple[int, ...], d: int) -> Cost | None:
        """The number of passes per example and reference; None if unknown.

        Args:
            shape: of one input without the batch axis.
            d: the number of features.
        """
        return None


@dataclass(frozen=True)
class Metric(Component, MetricFacts):
    """A measure of the quality of one explanation: one number per example.

    A metric overrides :meth:`score` or :meth:`score_all`.

    Facts (class variables, or properties where they depend on a parameter):
        higher_is_better: the direction of the values.
        bounds: the lowest and highest possible value; None where unbounded.
        needs_sign: whether it reads signs of attributions. Its value is NaN for methods that are not signed.
        scale_invariant: whether multiplying a map by a positive number leaves the value unchanged.
        re_explains: whether it calls ``explanation.explain_perturbed``, ``explain_network`` or ``explain_targets``.
        unit: of the value: ``probability``, ``output`` (the explained scalar) or ``1``, or another word.
        reads_probability: whether it reads ``model.scores(output="probability")``. In regression these are the values
            themselves: the values of the metric are then unbounded, where their unit is ``probability``.
        needs: the capabilities of the model that it uses beyond the scores, as for :class:`Method`. The metric is
            skipped for models that do not offer them.
        modalities: the supported kinds of inputs; by default all.
        spaces: the values of ``Method.space`` that it scores. Its value is NaN for others.
        auxiliary: the names of auxiliary values that it returns in :class:`xaiexp.plugin.Scores`. They measure how far
            perturbed inputs are from the data, lower is closer, and they are not ranked.
        curve: ``removed`` or ``inserted`` for a metric that summarises a curve over this share of the features and
            returns it in :class:`xaiexp.plugin.Scores`; empty for others.
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
    if not TYPE_CHECKING:  # declared by MetricFacts
        needs: ClassVar[frozenset[str]] = frozenset()
        modalities: ClassVar[tuple[Modality, ...]] = MODALITIES
        spaces: ClassVar[tuple[Space, ...]] = ("input",)
        auxiliary: ClassVar[tuple[str, ...]] = ()
        curve: ClassVar[Literal["", "removed", "inserted"]] = ""
        reads_probability: ClassVar[bool] = False

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """The values ``[N]`` of one explanation; NaN where undefined.

        ``model``, ``batch`` and ``rng`` are those of :meth:`Method.attribute`; ``explanation`` must not be changed.

        Raises:
            Unsupported: the metric does not support this model or input; it is skipped with the reason.
        """
        scored = self.score_all(model, batch, [explanation], rng)
        return (scored.values if isinstance(scored, Scores) else scored)[0]

    def score_all(
        self, model: Handle, batch: Batch, explanations: Sequence[Explanation], rng: Draws
    ) -> Tensor | Scores:
        """The values ``[M, N]`` of M explanations of one batch.

        Override it where explanations can share passes. The values of one explanation must not depend on the others,
        so all of them must be scored with the same random numbers.
        """
        import torch

        return torch.stack([self.score(model, batch, e, rng) for e in explanations])

    def passes(self, shape: tuple[int, ...], d: int, explanations: int) -> Cost | None:
        """The number of passes per example without those of further explanations; None if unknown.

        ``shape`` and ``d`` are those of :meth:`Method.passes`; ``explanations`` are scored in one call.
        """
        return None


@dataclass(frozen=True)
class Agreement(Component, AgreementFacts):
    """A measure of the similarity of two explanations.

    Facts (class variables, or properties where they depend on a parameter):
        bounds: the lowest and highest possible value. The highest is the agreement of a map with itself.
        needs_sign: whether it reads signs. Its value is NaN where a method is not signed.
        symmetric: whether the order of the two maps is irrelevant.
        needs_grid: whether it reads maps in two dimensions, ``[N, H, W]`` instead of ``[N, d]``. Its value is NaN for
            features without two axes.
        joint: whether one value is computed for all maps jointly by :meth:`compare_jointly`, instead of one per pair.
    """

    kind: ClassVar[str] = "agreement"
    facts: ClassVar[tuple[str, ...]] = (*Component.facts, "bounds", "needs_sign", "symmetric")
    if not TYPE_CHECKING:  # declared by AgreementFacts
        needs_grid: ClassVar[bool] = False
        joint: ClassVar[bool] = False

    @abstractmethod
    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """Agreement ``[N]`` of two maps of feature attributions, each ``[N, d]``, finite and without padding."""

    def compare_jointly(self, maps: Tensor) -> Tensor:
        """Agreement ``[N]`` of M maps ``[M, N, d]``; by default the mean over all pairs."""
        pairs = [(i, j) for i in range(len(maps)) for j in range(i + 1, len(maps))]
        return self.compare_all(maps, pairs).mean(dim=0)

    def compare_all(self, maps: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """Agreement ``[P, N]`` of P pairs of M maps ``[M, N, d]``.

        Override it where pairs can share computations.
        """
        import torch

        return torch.stack([self.compare(maps[i], maps[j]) for i, j in pairs])


def offered(offers: frozenset[str]) -> frozenset[str]:
    """The capabilities that a model offers, including implied ones."""
    return offers | {"maps"} if offers & {"convolutions", "attention"} else offers


_ALL = (Model, Dataset, Features, Output, Baseline, Method, Removal, Metric, Agreement, Panel, Tracker, Callback)
KINDS: dict[str, type[Component]] = {cls.kind: cls for cls in _ALL}
