"""The facts of each kind of component, as a type checker sees them: read-only properties.

In place of a read-only property, a type checker accepts a class variable, a field or a property, so a component may
state a fact in any of these ways. :mod:`xaiexp.contract.kinds` derives from these classes for type checking only; at
run time they do not exist, and a fact without a default is missing until a component states it.
"""

from __future__ import annotations

from typing import Literal

from xaiexp.core.vocabulary import BackgroundPart, Modality, Precision, Space, Task

__all__ = [
    "AgreementFacts",
    "InputFacts",
    "MethodFacts",
    "MetricFacts",
    "ModelFacts",
    "OutputFacts",
    "PanelFacts",
    "RemovalFacts",
    "SingleInputFacts",
]


class SingleInputFacts:
    """Facts of a dataset."""

    @property
    def modality(self) -> Modality:
        """Kind of inputs."""
        raise NotImplementedError


class ModelFacts(SingleInputFacts):
    """Facts of a model."""

    @property
    def offers(self) -> frozenset[str]:
        """Capabilities that methods and metrics may use."""
        raise NotImplementedError


class InputFacts:
    """Facts of features and of a baseline."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Kinds of inputs that are supported."""
        raise NotImplementedError


class OutputFacts:
    """Facts of an output."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks of networks that it is defined for."""
        raise NotImplementedError

    @property
    def own_scale(self) -> bool:
        """Whether its scalars stand for no probability."""
        raise NotImplementedError


class PanelFacts:
    """Facts of a panel."""

    @property
    def title(self) -> str:
        """Of the panel."""
        raise NotImplementedError

    @property
    def section(self) -> Literal["answer", "metrics", "agreement", "examples", "made"]:
        """Section of the page in which it stands."""
        raise NotImplementedError


class RemovalFacts(InputFacts):
    """Facts of a removal."""

    @property
    def needs(self) -> frozenset[BackgroundPart]:
        """Parts of the background without which it cannot work."""
        raise NotImplementedError

    @property
    def differentiable(self) -> bool:
        """Whether perturbed inputs may be differentiated with respect to the inputs."""
        raise NotImplementedError


class MethodFacts(InputFacts):
    """Facts of a method."""

    @property
    def needs(self) -> frozenset[str]:
        """Capabilities of the model that are used."""
        raise NotImplementedError

    @property
    def reads_baseline(self) -> bool:
        """Whether a reference is used."""
        raise NotImplementedError

    @property
    def signed(self) -> bool:
        """Whether the sign of an attribution is meaningful."""
        raise NotImplementedError

    @property
    def complete(self) -> bool:
        """Whether attributions sum to ``f(x) - f(reference)``."""
        raise NotImplementedError

    @property
    def multiplied_by_inputs(self) -> bool:
        """Whether attributions are contributions in units of the output."""
        raise NotImplementedError

    @property
    def reads_distribution(self) -> bool:
        """Whether all references are taken at once."""
        raise NotImplementedError

    @property
    def space(self) -> Space:
        """What the attributions refer to."""
        raise NotImplementedError

    @property
    def target_specific(self) -> bool:
        """Whether the explanation depends on the target."""
        raise NotImplementedError

    @property
    def repeatable(self) -> bool:
        """Whether perturbed inputs, other networks and other targets can be explained."""
        raise NotImplementedError

    @property
    def control(self) -> bool:
        """Whether it is a control: no explanation, but a lower bound for any explanation."""
        raise NotImplementedError

    @property
    def repeats(self) -> tuple[int, int]:
        """Number of independent maps whose scores are averaged."""
        raise NotImplementedError

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Supported precisions of forward and backward passes."""
        raise NotImplementedError


class MetricFacts(InputFacts):
    """Facts of a metric."""

    @property
    def higher_is_better(self) -> bool:
        """Direction of the values."""
        raise NotImplementedError

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Lowest and highest possible value."""
        raise NotImplementedError

    @property
    def needs_sign(self) -> bool:
        """Whether signs of attributions are read."""
        raise NotImplementedError

    @property
    def scale_invariant(self) -> bool:
        """Whether a positive factor leaves the values unchanged."""
        raise NotImplementedError

    @property
    def re_explains(self) -> bool:
        """Whether further explanations are computed."""
        raise NotImplementedError

    @property
    def unit(self) -> str:
        """Unit of the values."""
        raise NotImplementedError

    @property
    def curve(self) -> str:
        """Over which share of the features it has a curve; empty where it has none."""
        raise NotImplementedError

    @property
    def needs(self) -> frozenset[str]:
        """Capabilities of the model that are used."""
        raise NotImplementedError

    @property
    def spaces(self) -> tuple[Space, ...]:
        """Spaces whose attributions are scored."""
        raise NotImplementedError

    @property
    def reads_probability(self) -> bool:
        """Whether probabilities of the target are read."""
        raise NotImplementedError

    @property
    def auxiliary(self) -> tuple[str, ...]:
        """Names of the auxiliary values."""
        raise NotImplementedError


class AgreementFacts:
    """Facts of an agreement."""

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Lowest and highest possible value."""
        raise NotImplementedError

    @property
    def needs_sign(self) -> bool:
        """Whether signs of attributions are read."""
        raise NotImplementedError

    @property
    def symmetric(self) -> bool:
        """Whether the order of the two maps is irrelevant."""
        raise NotImplementedError

    @property
    def needs_grid(self) -> bool:
        """Whether maps are read in two dimensions."""
        raise NotImplementedError

    @property
    def joint(self) -> bool:
        """Whether one value is computed for all maps jointly."""
        raise NotImplementedError
