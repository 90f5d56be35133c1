"""Sentences of a text, and slots of a template, as features."""

from __future__ import annotations

from dataclasses import dataclass

from xaiexp.contract.kinds import Features
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Encoded
from xaiexp.errors import MismatchError

__all__ = ["Sentence", "Slot"]


@dataclass(frozen=True)
class Sentence(Features):
    """Every sentence of a prompt is a feature, summed over its tokens; features ``(d,)``.

    Sentences end at full stops, question and exclamation marks before a space, at line ends, and with the slot of a
    template that they stand in. Text of a template, special and padding tokens belong to no feature.
    """

    summary = "every sentence of a prompt, summed over its tokens (language models)"
    source = "after Arras et al. 2017, section 3 (the relevance of a unit is a sum), over sentences"
    modalities = ("text",)

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [N, T, D]`` for ``inputs [N, T, D]``; d is the largest number of sentences of the N.

        Raises:
            MismatchError: the model does not define sentences.
        """
        from xaiexp.builtin.features.numbered_tokens import numbered_map

        if encoded.sentences is None:
            raise MismatchError(
                "features.sentence",
                "the model does not define the sentence of each token (Encoded.sentences)",
                hint="language models do (model=causal_lm); for classifiers use features=word",
            )
        return numbered_map(encoded.sentences, encoded.inputs)

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(T,)`` of ``(T, D)``: an upper bound, because sentences have several tokens."""
        return inputs[:1]


@dataclass(frozen=True)
class Slot(Features):
    """Every slot of a template (``{document}``) is a feature, summed over its tokens; features ``(d,)``.

    Of a prompt without a template all of it is one slot; of messages every role. Text of a template, special and
    padding tokens belong to no feature.
    """

    summary = "every slot of a template, summed over its tokens (language models)"
    source = "Cohen-Wang et al. 2024, ContextCite, section 2: sources of a context"
    modalities = ("text",)

    def build(self, encoded: Encoded) -> FeatureMap:
        """The map ``index [N, T, D]`` for ``inputs [N, T, D]``; d is the largest number of slots of the N.

        Raises:
            MismatchError: the prompts have no slots.
        """
        from xaiexp.builtin.features.numbered_tokens import numbered_map

        if encoded.slots is None:
            raise MismatchError(
                "features.slot",
                "the model does not define slots of its inputs (Encoded.slots)",
                hint="prompts of language models have slots: model=causal_lm dataset=prompts dataset.template=...",
            )
        return numbered_map(encoded.slots, encoded.inputs, encoded.slot_names)

    def shape(self, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """``(T,)`` of ``(T, D)``: an upper bound, because slots have several tokens."""
        return inputs[:1]
