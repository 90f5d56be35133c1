"""Small language models of which it is known what decides their answers, for ``recall`` and ``negation``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xaiexp.builtin.models.trained.recipe_names import recipe_name
from xaiexp.contract.kinds import Model
from xaiexp.core.samples import LoadContext, Network

__all__ = ["NegationLm", "RecallLm"]


@dataclass(frozen=True)
class _PlantedLanguageModel(Model):
    """Base of the models here: read from the cache, or trained and written to it."""

    modality = "text"
    offers = frozenset({"gradients", "modules", "attention"})
    language: ClassVar[str]

    def fingerprint(self) -> str:
        """The name of the recipe, which includes the versions of the packages it is trained with."""
        return recipe_name(self.name, self.parameters())

    def tokens(self, shape: tuple[int, ...]) -> int:
        """Those of the prompt; the continuation is not included."""
        return shape[0]

    def load(self, context: LoadContext) -> Network:
        """The network, trained first if it is not in the cache.

        Raises:
            ResourceError: the cache cannot be written.
        """
        from xaiexp.builtin.models.causal.networks import Reading, language_network
        from xaiexp.builtin.models.causal.writing import Settings
        from xaiexp.builtin.models.checkpoints import quiet
        from xaiexp.builtin.models.trained.planted_recipes import recipe, tokenizer_of
        from xaiexp.builtin.models.trained.training import load_or_train

        with quiet():
            module, _, facts = load_or_train(recipe(self.language), context.cache / f"{self.fingerprint()}.safetensors")
            tokenizer = tokenizer_of(self.language)
            return language_network(
                f"model.{self.name}",
                module.model,
                tokenizer,
                Reading(int(tokenizer.model_max_length), "raw", " "),
                Settings(max_new_tokens=1),
                context.cache / "continuations",
                facts,
            )


@dataclass(frozen=True)
class RecallLm(_PlantedLanguageModel):
    """A Llama of two layers that looks up a word: ``cat red dog blue fox green ? dog`` goes on with ``blue``.

    The words that decide are the animal that the question names and the colour after it, which ``dataset=recall``
    marks. It is trained on texts with 3 to 5 pairs, in about 10 s on one core.
    """

    summary = "a two-layer Llama that looks up a word in its prompt (dataset=recall)"
    source = "trained here; Arora et al. 2024, Zoology, section 2: associative recall"
    language = "recall"


@dataclass(frozen=True)
class NegationLm(_PlantedLanguageModel):
    """A Llama of two layers that says ``yes`` to what is good: ``the film was not good ?`` goes on with ``no``.

    The words that decide are the adjective and a ``not`` before it, which ``dataset=negation`` marks; a ``not`` that
    stands elsewhere changes nothing.
    """

    summary = "a two-layer Llama that judges an adjective and its negation (dataset=negation)"
    source = "trained here; planted as in Bastings et al. 2022, Will You Find These Shortcuts?, section 3"
    language = "negation"
