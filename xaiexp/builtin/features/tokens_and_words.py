"""Tokens and words of a text as features."""

from __future__ import annotations

from dataclasses import dataclass

from xaiexp.contract.kinds import Features
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded
from xaiexp.errors import MismatchError

__all__ = ["Token", "Word"]


@dataclass(frozen=True)
class Token(Features):
    """Every token of the text is a feature, summed over the embedding dimensions; features ``(d,)``.

    Special and padding tokens belong to no feature: they are never removed, and their attribution is not counted. An
    example with fewer tokens than others leaves the last features empty.
    """

    summary = "every token of the text, without special and padding tokens"
    source = "Arras et al. 2017, section 3 (word relevance: the sum over the embedding)"
    modalities = ("text",)

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [N, T, D]`` for ``inputs [N, T, D]``; d is the largest number of tokens of the N.

        Raises:
            MismatchError: the model does not define which positions are tokens of the text.
        """
        removable = encoded.removable
        if removable is None:
            raise MismatchError(
                "features.token",
                "the model does not define which positions are tokens (Encoded.removable)",
                hint="a model for texts must define them; for other inputs use features=element, pixel, column or step",
            )
        index = (removable.long().cumsum(dim=1) - 1).masked_fill(~removable, -1)
        counts = removable.sum(dim=1)
        return FeatureMap(index.unsqueeze(-1).expand(encoded.inputs.shape), counts, (int(counts.max()),))

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(T,)`` of ``(T, D)``: an upper bound, because it includes special tokens."""
        return inputs[:1]


@dataclass(frozen=True)
class Word(Features):
    """Every word of a text is a feature, summed over its tokens; features ``(d,)``.

    Words are defined by the model (:attr:`xaiexp.core.samples.Encoded.words`). With ``model=transformers`` they are the
    words and punctuation marks of Unicode's default word boundaries (UAX #29), whatever the tokenizer; a token that
    contains several of them without spaces between them joins them. Special and padding tokens belong to no feature, as
    with :class:`Token`.
    """

    summary = "every word of the text, summed over its tokens"
    source = "after Arras et al. 2017, section 3 (the relevance of a word is a sum), over its tokens too"
    modalities = ("text",)

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [N, T, D]`` for ``inputs [N, T, D]``; d is the largest number of words of the N.

        Raises:
            MismatchError: the tokenizer does not define the word of every token.
        """
        from xaiexp.builtin.features.numbered_tokens import numbered_map

        words = encoded.words
        if words is None:
            raise MismatchError(
                "features.word",
                "the model's tokenizer does not define the word of each token (Encoded.words)",
                hint="use features=token",
            )
        if encoded.removable is not None and bool((encoded.removable & (words < 0)).any()):
            raise MismatchError(
                "features.word",
                "the model's tokenizer assigns no word to some tokens of the text",
                hint="use features=token",
            )
        return numbered_map(words, encoded.inputs)

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(T,)`` of ``(T, D)``: an upper bound, because words may have several tokens."""
        return inputs[:1]
