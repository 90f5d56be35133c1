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
    """Every token of the text itself is a feature, its embedding's dimensions added up; features ``(d,)``.

    Special tokens and padding belong to no feature: they are never removed and their attribution is not counted.
    An example with fewer tokens than others has its features first and nothing after them.
    """

    summary = "every token of the text, special tokens and padding left out"
    source = "Arras et al. 2017, section 3 (word relevance: the sum over the embedding)"
    modalities = ("text",)

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [N, T, D]`` for ``inputs [N, T, D]``; d is the largest number of tokens of the N.

        Raises:
            MismatchError: the model does not say which positions are tokens of the text.
        """
        removable = encoded.removable
        if removable is None:
            raise MismatchError(
                "features.token",
                "the model does not say which positions are tokens (Encoded.removable)",
                hint="a model for texts must; for other inputs choose features=element, pixel, column or step",
            )
        index = (removable.long().cumsum(dim=1) - 1).masked_fill(~removable, -1)
        counts = removable.sum(dim=1)
        return FeatureMap(index.unsqueeze(-1).expand(encoded.inputs.shape), counts, (int(counts.max()),))

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(T,)`` of ``(T, D)``: an upper bound, for how many of the T are special only the tokenizer knows."""
        return inputs[:1]


@dataclass(frozen=True)
class Word(Features):
    """Every word of a text is a feature, the tokens that it was cut into together; features ``(d,)``.

    What a word is the tokenizer tells: mostly what stands between spaces, and every punctuation mark. Special tokens
    and padding belong to no feature, as with :class:`Token`.
    """

    summary = "every word of the text, its tokens together"
    source = "after Arras et al. 2017, section 3 (the relevance of a word is a sum), over its tokens too"
    modalities = ("text",)

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [N, T, D]`` for ``inputs [N, T, D]``; d is the largest number of words of the N.

        Raises:
            MismatchError: the tokenizer does not say which word a token is part of.
        """
        import torch

        words = encoded.words
        if words is None:
            raise MismatchError(
                "features.word",
                "the model's tokenizer does not say which word a token is part of (Encoded.words)",
                hint="features=token explains the tokens themselves",
            )
        if encoded.removable is not None and bool((encoded.removable & (words < 0)).any()):
            raise MismatchError(
                "features.word",
                "the model's tokenizer leaves tokens of the text outside of all words",
                hint="features=token explains the tokens themselves",
            )
        # Words are numbered anew: a text that was cut may lack some.
        width = max(int(words.max()) + 1, 1)
        present = torch.zeros(len(words), width + 1, dtype=torch.int64)
        present.scatter_(1, words.where(words >= 0, width), 1)
        present = present[:, :width]
        number = present.cumsum(dim=1) - 1
        index = number.gather(1, words.clamp(min=0)).where(words >= 0, -1)
        counts = present.sum(dim=1)
        return FeatureMap(index.unsqueeze(-1).expand(encoded.inputs.shape), counts, (int(counts.max()),))

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(T,)`` of ``(T, D)``: an upper bound, for how many words the T tokens make only the tokenizer knows."""
        return inputs[:1]
