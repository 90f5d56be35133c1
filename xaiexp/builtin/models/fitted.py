"""Networks that are trained on the study's own data set, in seconds, and kept in the cache."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from xaiexp.builtin.models.small import recipe_name
from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network

if TYPE_CHECKING:
    from torch import nn

    from xaiexp.builtin.models.fitting import Examples
    from xaiexp.builtin.models.training import Recipe

__all__ = ["SeriesCnn", "TabularMlp"]


@dataclass(frozen=True)
class _Fitted(Model):
    """What they have in common: train on the data set's training part, or find what was trained on it before."""

    offers = frozenset({"gradients", "modules"})
    axes: ClassVar[int]

    seed: Annotated[int, Range(0)] = field(default=0, kw_only=True)

    def fingerprint(self) -> str:
        """The recipe with the versions that it was followed with; what it was followed on is not known yet."""
        return recipe_name(self.name, self.parameters())

    def load(self, context: LoadContext) -> Network:
        """The network; trained first where the cache has none for the same recipe and the same examples.

        Raises:
            MismatchError: the data set has no training part, or one that cannot be trained on.
            ResourceError: the cache cannot be written.
        """
        from xaiexp.builtin.models import training
        from xaiexp.builtin.models.encoding import tensor_encoder
        from xaiexp.builtin.models.fitting import read_training

        examples = read_training(f"model.{self.name}", context, self.axes)
        recipe = self._recipe(examples)
        identity = f"{self.fingerprint()}-{examples.digest()}"
        module, extra, facts = training.make(recipe, context.cache / f"{identity}.safetensors", self.seed)
        tested = "a network" if recipe.tested_folds == 1 else f"{recipe.tested_folds} networks"
        facts |= {
            "held_out_accuracy_of": f"{tested} like this one, trained without 1/{recipe.folds} of the training part",
            "trained_on_examples": len(examples.labels),
        }
        if examples.columns:
            facts["trained_on_columns"] = ", ".join(examples.columns)
        return Network(
            module,
            tensor_encoder(tuple(examples.inputs.shape[1:]), extra["mean"], extra["std"]),
            self.modality,
            classes=len(examples.class_names),
            class_names=examples.class_names,
            mean=extra["mean"],
            std=extra["std"],
            identity=identity,
            facts=facts,
        )

    @abstractmethod
    def _recipe(self, examples: Examples) -> Recipe:
        """How to train on these examples."""


@dataclass(frozen=True)
class TabularMlp(_Fitted):
    """A fully connected network for any labelled table, ``[N, F]`` standardised to logits.

    It is trained on the training part of the study's data set, by the same steps on every machine. The accuracy in
    the record is that of networks like it on parts of the training part that they did not see.

    Args:
        hidden: width of each hidden layer.
        steps: of the training, about.
        seed: another seed begins with other weights and takes the examples in another order.
    """

    summary = "a small fully connected network, trained on the spot on any labelled table"
    source = "trained here, on the training part of the data set"
    modality = "table"
    axes = 1

    hidden: Annotated[tuple[int, ...], Range(1)] = (32, 16)
    steps: Annotated[int, Range(1)] = 600

    def _recipe(self, examples: Examples) -> Recipe:
        from xaiexp.builtin.models.fitting import mlp, recipe_for

        def build() -> nn.Module:
            return mlp(examples.inputs.shape[1], len(examples.class_names), self.hidden)

        return recipe_for(examples, build, self.steps, batch=64, rate=3e-3, decay=0.1)


@dataclass(frozen=True)
class SeriesCnn(_Fitted):
    """A one-dimensional convolutional network for labelled series, ``[N, C, T]`` standardised to logits.

    Three convolutions over time, their average over time, one linear layer. It is trained as ``tabular_mlp`` is.

    Args:
        width: channels of the first layer; the others have twice as many.
        steps: of the training, about.
        seed: another seed begins with other weights and takes the examples in another order.
    """

    summary = "a small 1-d convolutional network, trained on the spot on any labelled time series"
    source = "trained here, on the training part of the data set (Wang et al. 2017 for the kind of network)"
    modality = "series"
    axes = 2

    width: Annotated[int, Range(1)] = 16
    steps: Annotated[int, Range(1)] = 600

    def _recipe(self, examples: Examples) -> Recipe:
        from xaiexp.builtin.models.fitting import recipe_for, series_network

        def build() -> nn.Module:
            return series_network(examples.inputs.shape[1], len(examples.class_names), self.width)

        return recipe_for(examples, build, self.steps, batch=64, rate=1e-2, decay=1e-2)
