"""The kinds of Quantus' metrics: scored alone, with masks, and those that explain again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from xaiexp.plugin import Batch, Draws, Explanation, Handle, Metric, Modality, Unsupported

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Masked", "OtherTargets", "RandomWeights", "Robustness", "ScoredAlone"]


@dataclass(frozen=True)
class QuantusMetric(Metric):
    """Base class: the fields are the parameters of the class of Quantus that has the name of this class."""

    modalities: ClassVar[tuple[Modality, ...]] = ("image", "table", "series")
    fixed: ClassVar[tuple[tuple[str, Any], ...]] = ()

    @property
    def re_explains(self) -> bool:
        """Unless stated otherwise."""
        return False

    @property
    def needs_sign(self) -> bool:
        """Unless absolute attributions are scored."""
        return not self.parameters().get("abs", False)

    @property
    def scale_invariant(self) -> bool:
        """Where attributions are normalised."""
        return bool(self.parameters().get("normalise", False))

    def peer(self, **further: Any) -> Any:
        """The metric of Quantus."""
        import quantus

        options = {"disable_warnings": True, "display_progressbar": False, "return_aggregate": False}
        return getattr(quantus, type(self).__name__)(**self.parameters(), **dict(self.fixed), **options, **further)

    def require_finite(self, batch: Batch) -> None:
        """Check that no element of the batch is outside of features.

        Raises:
            Unsupported: one is, and Quantus would perturb it.
        """
        if not bool(batch.features.inside.all()):
            raise Unsupported("some elements belong to no feature, and Quantus would change them")


@dataclass(frozen=True)
class ScoredAlone(QuantusMetric):
    """Base class: each explanation of each example is scored alone."""

    reads_masks: ClassVar[bool] = False

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Metric.score`.

        Raises:
            Unsupported: Quantus refuses a parameter for these inputs, or there are no masks.
        """
        import torch

        from xaiexp_quantus.calls import of_example, quiet

        self.require_finite(batch)
        if self.reads_masks and batch.masks is None:
            raise Unsupported("the dataset has no masks")
        with quiet():
            scores = [
                of_example(self.peer, model, explanation, number, rng, self.reads_masks) for number in range(len(batch))
            ]
        return torch.cat(scores).to(batch.inputs)


@dataclass(frozen=True)
class Masked(ScoredAlone):
    """Base class: compares a map with the mask of the relevant part; NaN where the mask is empty."""

    reads_masks = True


@dataclass(frozen=True)
class _ExplainsAgain(QuantusMetric):
    """Base class: explains again; NaN for explanations that cannot be repeated."""

    repeated_by: ClassVar[str] = "explain_perturbed"

    @property
    def re_explains(self) -> bool:
        """It does."""
        return True

    def run(self, model: Handle, explanation: Explanation, rng: Draws) -> Tensor:
        """The scores ``[N]`` of an explanation that can be repeated."""
        raise NotImplementedError

    def score(self, model: Handle, batch: Batch, explanation: Explanation, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Metric.score`."""
        self.require_finite(batch)
        if getattr(explanation, self.repeated_by) is None:
            return batch.inputs.new_full((len(batch),), float("nan"))
        return self.run(model, explanation, rng).to(batch.inputs)


@dataclass(frozen=True)
class Robustness(_ExplainsAgain):
    """Base class: explains perturbed inputs."""

    perturbation: ClassVar[Literal["gaussian", "uniform"]] = "uniform"
    relative: ClassVar[bool] = True
    """Whether changes of the map are relative to the map."""

    @property
    def needs_sign(self) -> bool:
        """Norms of differences read no signs."""
        return False

    @property
    def scale_invariant(self) -> bool:
        """Where changes are relative, or maps are normalised."""
        return self.relative or super().scale_invariant

    def run(self, model: Handle, explanation: Explanation, rng: Draws) -> Tensor:
        """See the base class."""
        from xaiexp_quantus.calls import Batchwise, normalised_by_example, perturbation, quiet

        batchwise = Batchwise(model, explanation, rng)
        with quiet():
            noise = batchwise.drawn(perturbation(self.perturbation))
            peer = self.peer(perturb_func=noise, normalise_func=normalised_by_example)
        return batchwise.score(peer, batchwise.explain_perturbed)


@dataclass(frozen=True)
class RandomWeights(_ExplainsAgain):
    """Base class: explains networks with random weights."""

    needs = frozenset({"modules"})
    repeated_by = "explain_network"

    def run(self, model: Handle, explanation: Explanation, rng: Draws) -> Tensor:
        """See the base class."""
        from xaiexp_quantus.calls import Batchwise, normalised_by_example, quiet

        batchwise = Batchwise(model, explanation, rng)
        with quiet():
            peer = self.peer(normalise_func=normalised_by_example)
        return batchwise.score(peer, batchwise.explain_network, model.module)


@dataclass(frozen=True)
class OtherTargets(_ExplainsAgain):
    """Base class: explains another class."""

    repeated_by = "explain_targets"

    def run(self, model: Handle, explanation: Explanation, rng: Draws) -> Tensor:
        """See the base class.

        Raises:
            Unsupported: the network has one output only.
        """
        from xaiexp_quantus.calls import quiet
        from xaiexp_quantus.other_class import scores

        classes = model.output.scalars(model.logits()).shape[1]
        if classes < 2:
            raise Unsupported("the network has one output, and there is no other class to explain")
        with quiet():
            return scores(lambda: self.peer(num_classes=classes), model, explanation, rng)
