"""Small networks for tables and time series, trained on the study's own dataset."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from xaiexp.builtin.models.trained.recipe_names import recipe_name
from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network

if TYPE_CHECKING:
    from torch import nn

    from xaiexp.builtin.models.trained.dataset_recipes import Examples
    from xaiexp.builtin.models.trained.training import Recipe
    from xaiexp.core.vocabulary import Task

__all__ = ["SeriesCnn", "TabularMlp"]

_MAIN_FIGURES: dict[Task, str] = {
    "multiclass": "held_out_accuracy",
    "regression": "held_out_r2",
    "multilabel": "held_out_f1_macro",
}


@dataclass(frozen=True)
class _TrainedOnDataset(Model):
    """Base of the models here: trained on the dataset's training part, or read from the cache."""

    offers = frozenset({"gradients", "modules"})
    axes: ClassVar[int]

    seed: Annotated[int, Range(0)] = field(default=0, kw_only=True)

    def fingerprint(self) -> str:
        """The name of the recipe; the examples are not known before :meth:`load`."""
        return recipe_name(self.name, self.parameters())

    def load(self, context: LoadContext) -> Network:
        """The network, trained first if the cache has none for the same recipe and examples.

        Raises:
            MismatchError: the dataset has no training part, or one that is unsuitable for training.
            ResourceError: the cache cannot be written.
        """
        from xaiexp.builtin.models.tensor_encoding import tensor_encoder
        from xaiexp.builtin.models.trained.dataset_recipes import read_training_part
        from xaiexp.builtin.models.trained.training import load_or_train

        examples = read_training_part(f"model.{self.name}", context, self.axes)
        recipe = self._recipe(examples)
        identity = f"{self.fingerprint()}-{examples.digest()}"
        module, extra, facts = load_or_train(recipe, context.cache / f"{identity}.safetensors", self.seed)
        tested = "a network" if recipe.tested_folds == 1 else f"{recipe.tested_folds} networks"
        figure = _MAIN_FIGURES[examples.task]
        facts |= {
            f"{figure}_of": f"{tested} like this one, trained without 1/{recipe.folds} of the training part",
            "trained_on_examples": len(examples.labels),
        }
        if examples.columns:
            facts["trained_on_columns"] = ", ".join(examples.columns)
        return Network(
            module,
            tensor_encoder(tuple(examples.inputs.shape[1:]), extra["mean"], extra["std"]),
            self.modality,
            classes=examples.outputs,
            class_names=examples.class_names,
            mean=extra["mean"],
            std=extra["std"],
            identity=identity,
            facts=facts,
            task=examples.task,
        )

    @abstractmethod
    def _recipe(self, examples: Examples) -> Recipe:
        """The recipe for training on these examples."""


@dataclass(frozen=True)
class TabularMlp(_TrainedOnDataset):
    """A fully connected network for any labelled table, ``[N, F]`` standardised to logits or a value.

    It is trained on the training part of the study's dataset, reproducibly, for what its labels are: classes
    (cross-entropy), values (mean squared error; the output is in the unit of the target) or sets of classes (binary
    cross-entropy of each). The accuracy, the R^2 and mean absolute error, or the F1 scores in ``record.json`` are
    estimated by cross-validation on the training part.

    Args:
        hidden: width of each hidden layer.
        steps: approximate number of training steps.
        seed: of the initial weights and of the order of the examples.
    """

    summary = "a small fully connected network, trained on the labelled table of the study"
    source = "trained here on the training part of the dataset"
    modality = "table"
    axes = 1

    hidden: Annotated[tuple[int, ...], Range(1)] = (32, 16)
    steps: Annotated[int, Range(1)] = 600

    def _recipe(self, examples: Examples) -> Recipe:
        from xaiexp.builtin.models.trained.dataset_recipes import recipe_for, tabular_mlp

        def build() -> nn.Module:
            return tabular_mlp(examples.inputs.shape[1], examples.outputs, self.hidden)

        return recipe_for(examples, build, self.steps, batch=64, rate=3e-3, decay=0.1)


@dataclass(frozen=True)
class SeriesCnn(_TrainedOnDataset):
    """A one-dimensional convolutional network for labelled series, ``[N, C, T]`` standardised to logits or a value.

    Three convolutions over time, global average pooling, one linear layer. It is trained in the same way as
    ``tabular_mlp``.

    Args:
        width: number of channels of the first layer; the others have twice as many.
        steps: approximate number of training steps.
        seed: of the initial weights and of the order of the examples.
    """

    summary = "a small 1D convolutional network, trained on the labelled time series of the study"
    source = "trained here on the training part of the dataset (Wang et al. 2017 for the kind of network)"
    modality = "series"
    axes = 2

    width: Annotated[int, Range(1)] = 16
    steps: Annotated[int, Range(1)] = 600

    def _recipe(self, examples: Examples) -> Recipe:
        from xaiexp.builtin.models.trained.dataset_recipes import recipe_for, series_cnn

        def build() -> nn.Module:
            return series_cnn(examples.inputs.shape[1], examples.outputs, self.width)

        return recipe_for(examples, build, self.steps, batch=64, rate=1e-2, decay=1e-2)
