"""The built-in models: networks to explain, with the preprocessing of their inputs.

The components are in ``torchvision_classifiers``, ``transformers_classifiers`` (with ``checkpoints`` to read the files,
``text_models``, ``embeddings``, ``embedding_check`` and ``word_spans`` for texts and ``image_models`` for images),
``factory`` (a network from a function of the user) and the folders ``causal`` (language models that write),
``trained`` (small networks, trained on first use) and ``registered`` (networks of MLflow's registry).
Shared by them are ``tensor_encoding`` and ``image_encoding`` (samples to tensors), ``input_channels`` (what a network
takes), ``weight_files`` (state dicts from files) and ``random_state`` (seeded initial weights).
"""

from __future__ import annotations

from xaiexp.builtin.models.causal.causal_lm import CausalLm, Seq2SeqLm
from xaiexp.builtin.models.factory import Factory
from xaiexp.builtin.models.registered.mlflow_model import Mlflow
from xaiexp.builtin.models.torchvision_classifiers import Torchvision
from xaiexp.builtin.models.trained.digits_and_shapes import DigitsCnn, DigitsMlp, ShapesCnn
from xaiexp.builtin.models.trained.planted_language_models import NegationLm, RecallLm
from xaiexp.builtin.models.trained.tabular_and_series import SeriesCnn, TabularMlp
from xaiexp.builtin.models.transformers_classifiers import Transformers
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    DigitsCnn,
    DigitsMlp,
    TabularMlp,
    ShapesCnn,
    SeriesCnn,
    Torchvision,
    Transformers,
    Factory,
    Mlflow,
    CausalLm,
    Seq2SeqLm,
    RecallLm,
    NegationLm,
)
