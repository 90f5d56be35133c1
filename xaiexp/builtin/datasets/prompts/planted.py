"""Prompts of two small languages, of which it is known which words decide the answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract.kinds import Dataset
from xaiexp.core.parameters import Range
from xaiexp.core.prompts import Message, Part, Prompt
from xaiexp.core.samples import Outline, Sample, Source

if TYPE_CHECKING:
    from numpy.random import Generator

    from xaiexp.builtin.planted_language import PlantedText

__all__ = ["Negation", "Recall"]


@dataclass(frozen=True)
class _PlantedPrompts(Dataset):
    """Base of the datasets here: drawn from the seed, with the words that decide as ground truth."""

    modality = "text"

    count: Annotated[int, Range(1, 100_000)] = 256
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0

    def open(self) -> Source:
        """The prompts; the question at their end belongs to no feature."""
        import numpy as np

        def read(start: int, stop: int) -> Sequence[Sample]:
            rows = range(self.count)[start:stop]
            return [self._sample(row, self._text(np.random.default_rng([self.seed, row, 0]))) for row in rows]

        return Source(self.count, read)

    def outline(self) -> Outline:
        """Number of prompts, and a typical number of tokens."""
        return Outline(self.count, (self._tokens(),), exact=False)

    def _sample(self, row: int, text: PlantedText) -> Sample:
        parts = (Part(" ".join(text.words), "text"), Part(" " + " ".join(text.question), ""))
        starts = [sum(len(word) + 1 for word in text.words[:place]) for place in range(len(text.words))]
        spans = tuple((starts[place], starts[place] + len(text.words[place])) for place in text.deciding)
        prompt = Prompt((Message("", parts),), f" {text.answer}")
        return Sample(f"{self.name}/{self.seed}/{row}", prompt, mask=spans, name=f"prompt {row}")

    @abstractmethod
    def _text(self, rng: Generator) -> PlantedText:
        """One text."""

    @abstractmethod
    def _tokens(self) -> int:
        """How many tokens a prompt typically has."""


@dataclass(frozen=True)
class Recall(_PlantedPrompts):
    """Pairs of an animal and a colour, then a question with one of the animals, for ``model=recall_lm``.

    The colour of this animal is the continuation. Its pair in the prompt is marked as ground truth, since without
    either of its words the colour is not known.

    Args:
        count: number of prompts.
        seed: of the prompts.
    """

    summary = "prompts to look up a word in, with the deciding pair as ground truth"
    source = "generated here; Arora et al. 2024, Zoology, section 2: associative recall"

    def _text(self, rng: Generator) -> PlantedText:
        from xaiexp.builtin.planted_language import recall_text

        return recall_text(rng, 3, 5)

    def _tokens(self) -> int:
        return 11  # <s>, four pairs, the question


@dataclass(frozen=True)
class Negation(_PlantedPrompts):
    """Neutral words around one adjective, half of them with ``not`` before it, for ``model=negation_lm``.

    ``yes`` or ``no`` is the continuation; the adjective and its ``not`` are marked as ground truth. Half of the texts
    have a ``not`` elsewhere, which changes nothing.

    Args:
        count: number of prompts.
        seed: of the prompts.
    """

    summary = "prompts whose answer an adjective and its negation decide, marked as ground truth"
    source = "generated here; planted as in Bastings et al. 2022, Will You Find These Shortcuts?, section 3"

    def _text(self, rng: Generator) -> PlantedText:
        from xaiexp.builtin.planted_language import negation_text

        return negation_text(rng, 3, 6)

    def _tokens(self) -> int:
        return 8
