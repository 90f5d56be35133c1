"""Captum's methods that change the input and need scores only; each example is explained alone, as a vector."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from xaiexp.plugin import Batch, Cost, Draws, Effort, Handle, Method, PerAxis, Range, Unsupported

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "FeatureAblation",
    "FeaturePermutation",
    "KernelShap",
    "Lime",
    "Occlusion",
    "ShapleyValueSampling",
    "ShapleyValues",
]


@dataclass(frozen=True)
class _PerturbationMethod(Method):
    """Base class: features are replaced by the reference; Captum's ``feature_mask`` is the study's features."""

    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could underflow
    reads_baseline = True
    signed = True
    complete = False
    multiplied_by_inputs = True

    @abstractmethod
    def peer(self, forward: Any) -> tuple[Any, dict[str, Any]]:
        """Captum's object for a forward function, and the arguments of its ``attribute``."""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`."""
        from xaiexp_captum.calls import by_example, quiet

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline

        def one(number: int) -> Tensor:
            example = model.example(number)
            if not len(example.positions):
                return example.spread(example.inputs)
            peer, arguments = self.peer(example)
            with quiet(), rng.legacy("captum", number):
                found = peer.attribute(
                    example.inputs,
                    baselines=example.vectors(reference[number : number + 1]),
                    feature_mask=example.index.unsqueeze(0),
                    perturbations_per_eval=max(1, model.passes.budget(batch.shape)),
                    **arguments,
                )
            # Captum assigns the value of a feature to each of its elements; here elements add up to the feature.
            return example.spread(found / batch.features.sizes.expand(len(batch), -1)[number].cpu()[example.index])

        return by_example(batch, one)


@dataclass(frozen=True)
class FeatureAblation(_PerturbationMethod):
    """The change of the score when a feature is replaced by the reference, by Captum's ``FeatureAblation``."""

    name = "captum_feature_ablation"
    summary = "the change of the score when a feature is replaced by the reference (Captum)"
    source = "Zeiler and Fergus 2014, section 4.2, for one feature at a time; captum.attr.FeatureAblation"

    def peer(self, forward: Any) -> tuple[Any, dict[str, Any]]:
        """See the base class."""
        from captum.attr import FeatureAblation as Peer

        return Peer(forward), {}

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One pass of the input, and one for each feature."""
        return Cost(d + 1)


@dataclass(frozen=True)
class ShapleyValueSampling(_PerturbationMethod):
    """Shapley values from random orders of the features, by Captum's ``ShapleyValueSampling``.

    Args:
        n_samples: number of orders.
    """

    name = "captum_shapley_value_sampling"
    summary = "Shapley values from random orders of the features (Captum)"
    source = "Castro et al. 2009, Polynomial Calculation of the Shapley Value; captum.attr.ShapleyValueSampling"
    complete = True

    n_samples: Annotated[int, Range(1), Effort(5, 25, 200)] = 25

    def peer(self, forward: Any) -> tuple[Any, dict[str, Any]]:
        """See the base class."""
        from captum.attr import ShapleyValueSampling as Peer

        return Peer(forward), {"n_samples": self.n_samples}

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """The reference once, and one pass for each feature of each order."""
        return Cost(1 + self.n_samples * d)


@dataclass(frozen=True)
class ShapleyValues(_PerturbationMethod):
    """Exact Shapley values from all orders of the features, by Captum's ``ShapleyValues``."""

    name = "captum_shapley_values"
    summary = "exact Shapley values from all orders of the features, at most 8 of them (Captum)"
    source = "Shapley 1953, A Value for n-Person Games; captum.attr.ShapleyValues"
    complete = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`.

        Raises:
            Unsupported: an example has more than 8 features: Captum runs the network for each of the d! orders.
        """
        if batch.features.d > 8:
            raise Unsupported(
                f"there are {batch.features.d} features, and Captum runs the network for every order of them: use at "
                "most 8, or captum_shapley_value_sampling"
            )
        return super().attribute(model, batch, reference, rng)

    def peer(self, forward: Any) -> tuple[Any, dict[str, Any]]:
        """See the base class."""
        from captum.attr import ShapleyValues as Peer

        return Peer(forward), {}

    def passes(self, shape: tuple[int, ...], d: int) -> Cost | None:
        """The reference once, and one pass for each feature of each of the d! orders."""
        import math

        return Cost(1 + math.factorial(d) * d) if d <= 8 else None


@dataclass(frozen=True)
class KernelShap(_PerturbationMethod):
    """Shapley values by weighted regression on random coalitions, by Captum's ``KernelShap``.

    Args:
        n_samples: number of coalitions.
    """

    name = "captum_kernel_shap"
    summary = "Shapley values by weighted regression on random coalitions (Captum)"
    source = "Lundberg and Lee 2017, A Unified Approach to Interpreting Model Predictions; captum.attr.KernelShap"
    complete = True

    n_samples: Annotated[int, Range(2), Effort(25, 25, 2000)] = 25

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`.

        Raises:
            Unsupported: an example has one feature only, for which Captum's sampling divides by zero.
        """
        if bool((batch.features.counts == 1).any()):
            raise Unsupported("an example has one feature only, and Captum's kernel is not defined for it")
        return super().attribute(model, batch, reference, rng)

    def peer(self, forward: Any) -> tuple[Any, dict[str, Any]]:
        """See the base class."""
        from captum.attr import KernelShap as Peer

        return Peer(forward), {"n_samples": self.n_samples}


@dataclass(frozen=True)
class Lime(_PerturbationMethod):
    """A sparse linear model of the score around the input, by Captum's ``Lime``.

    Args:
        n_samples: number of perturbed inputs.
        alpha: weight of the L1 penalty of the linear model (Captum's ``SkLearnLasso``).
        distance_mode: distance between perturbed input and input.
        kernel_width: width of the exponential kernel that weights perturbed inputs by their distance.
    """

    name = "captum_lime"
    summary = "a sparse linear model of the score around the input (Captum)"
    source = "Ribeiro et al. 2016, Why Should I Trust You?, equation 1; captum.attr.Lime"

    n_samples: Annotated[int, Range(1), Effort(25, 25, 1000)] = 25
    alpha: Annotated[float, Range(0)] = 0.01
    distance_mode: Literal["cosine", "euclidean"] = "cosine"
    kernel_width: Annotated[float, Range(0, exclusive=True)] = 1.0

    def peer(self, forward: Any) -> tuple[Any, dict[str, Any]]:
        """See the base class."""
        from captum._utils.models.linear_model import SkLearnLasso
        from captum.attr import Lime as Peer
        from captum.attr._core.lime import get_exp_kernel_similarity_function

        similarity = get_exp_kernel_similarity_function(self.distance_mode, kernel_width=self.kernel_width)
        model = SkLearnLasso(alpha=self.alpha)
        return Peer(forward, interpretable_model=model, similarity_func=similarity), {"n_samples": self.n_samples}


@dataclass(frozen=True)
class FeaturePermutation(Method):
    """The change of the score when a feature has the value of another example, by Captum's ``FeaturePermutation``.

    Captum permutes the feature within the batch. Here the other example is drawn from the pool of the study
    (``perm_func``), so that results do not depend on which examples share a batch.
    """

    name = "captum_feature_permutation"
    summary = "the change of the score when a feature has the value of another example (Captum)"
    source = "Molnar, Interpretable Machine Learning, Permutation Feature Importance; captum.attr.FeaturePermutation"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True
    modalities = ("image", "table", "series")  # texts of the pool have other lengths

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`.

        Raises:
            Unsupported: there is no pool.
        """
        import torch
        from captum.attr import FeaturePermutation as Peer

        from xaiexp_captum.calls import by_example, quiet

        pool = batch.background.pool
        if pool is None or tuple(pool.shape[1:]) != batch.shape:
            raise Unsupported("there are no other examples (background) to take values from")

        def one(number: int) -> Tensor:
            example = model.example(number)
            others = example.vectors(pool)

            def permute(x: Tensor, mask: Tensor) -> Tensor:
                return torch.where(mask, others[torch.randint(len(others), (len(x),))], x)

            peer = Peer(example, perm_func=permute)
            # Captum leaves out features of batches of one example, which its own permutation could not change.
            peer._min_examples_per_batch_grouped = 1  # noqa: SLF001
            with quiet(), rng.legacy("captum", number):
                found = peer.attribute(
                    example.inputs,
                    feature_mask=example.index.unsqueeze(0),
                    perturbations_per_eval=max(1, model.passes.budget(batch.shape)),
                )
            return example.spread(found / batch.features.sizes.expand(len(batch), -1)[number].cpu()[example.index])

        return by_example(batch, one)

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One pass of the input, and one for each feature."""
        return Cost(d + 1)


@dataclass(frozen=True)
class Occlusion(Method):
    """The mean change of the score over the windows that cover an element, by Captum's ``Occlusion``.

    Args:
        sliding_window_shapes: size of the window along each axis of an input. Captum has no default; here it covers
            all channels and 1/8 of each side of an image, 1/16 of a time series, one column, or one token.
        strides: steps along each axis, one number for each or one for all; Captum's default is 1.
    """

    name = "captum_occlusion"
    summary = "the change of the score when a sliding window is replaced by the reference (Captum)"
    source = "Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks; captum.attr.Occlusion"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")
    reads_baseline = True
    signed = True
    complete = False
    multiplied_by_inputs = True

    sliding_window_shapes: Annotated[tuple[int, ...] | None, PerAxis()] = None
    strides: Annotated[tuple[int, ...] | int | None, PerAxis()] = None

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`.

        Raises:
            Unsupported: window or strides do not fit the shape of the input.
        """
        from captum.attr import Occlusion as Peer

        from xaiexp_captum.calls import by_example, quiet

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        text = batch.background.modality == "text"

        def one(number: int) -> Tensor:
            example = model.example(number)
            if not len(example.positions):
                return example.spread(example.inputs)
            # Windows run over the tokens of a text alone: its other positions belong to no feature.
            shape = (len(example.positions) // batch.shape[-1], batch.shape[-1]) if text else batch.shape
            if not text and len(example.positions) < batch.inputs[0].numel():
                raise Unsupported("some elements belong to no feature, and windows would cover them")
            with quiet():
                found = Peer(lambda rows: example(rows.flatten(1))).attribute(
                    example.inputs.view(1, *shape),
                    self.window(shape, batch.background.modality),
                    strides=self.strides,
                    baselines=example.vectors(reference[number : number + 1]).view(1, *shape),
                    perturbations_per_eval=max(1, model.passes.budget(batch.shape)),
                )
            return example.spread(found)

        return by_example(batch, one)

    def window(self, shape: tuple[int, ...], modality: str) -> tuple[int, ...]:
        """The size of the window for inputs of a shape.

        Raises:
            Unsupported: it does not fit.
        """
        if self.sliding_window_shapes is None:
            parts = {"image": 8, "series": 16}.get(modality)
            window = (1, *shape[1:])
            if parts is not None:
                window = (shape[0], *(max(1, length // parts) for length in shape[1:]))
        else:
            window = self.sliding_window_shapes
        if len(window) != len(shape) or any(not 0 < w <= s for w, s in zip(window, shape, strict=False)):
            raise Unsupported(f"a window of {list(window)} does not fit inputs of shape {list(shape)}")
        steps = (self.strides,) * len(shape) if isinstance(self.strides, int) else self.strides or (1,) * len(shape)
        if len(steps) != len(shape) or any(not 0 < s <= w for s, w in zip(steps, window, strict=False)):
            raise Unsupported(f"strides of {list(steps)} do not fit a window of {list(window)}: at most its size")
        return window
