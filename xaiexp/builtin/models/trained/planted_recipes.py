"""Recipes of the small language models for the datasets ``recall`` and ``negation``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from xaiexp.builtin.models.trained.training import Data, Recipe
from xaiexp.builtin.planted_language import SPECIAL, PlantedText, negation_text, recall_text, vocabulary

__all__ = ["AnswerLogits", "language_model", "recipe", "tokenizer_of"]

FEWEST, MOST = 3, 5
"""Pairs of a text of ``recall``."""

WORDS = (3, 6)
"""Neutral words of a text of ``negation``."""

_QUERIES = 12
_TRAIN, _HELD_OUT = 4096, 512
_BEGIN, _END, _QUESTION = range(len(SPECIAL))
_POSITIONS = 64


def language_model(words: int) -> Any:
    """An untrained Llama of two layers, two heads and a width of 64."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=words,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=_POSITIONS,
        tie_word_embeddings=False,
        initializer_range=0.1,  # with the usual .02 a network of this width learns to look up only much later
        bos_token_id=_BEGIN,
        eos_token_id=_END,
        pad_token_id=_END,
    )
    return LlamaForCausalLM(config)


def tokenizer_of(language: str) -> Any:
    """A tokenizer of transformers with one token a word; it puts ``<s>`` before a text."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate(vocabulary(language))}
    backend = Tokenizer(WordLevel(words, unk_token=SPECIAL[_END]))
    backend.pre_tokenizer = WhitespaceSplit()  # type: ignore[assignment]  # declared without its subclasses
    begin = SPECIAL[_BEGIN]
    backend.post_processor = TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, _BEGIN)])  # type: ignore[assignment]  # as above
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=begin,
        eos_token=SPECIAL[_END],
        pad_token=SPECIAL[_END],
        unk_token=SPECIAL[_END],
        model_max_length=_POSITIONS,
        clean_up_tokenization_spaces=False,
    )


class AnswerLogits(nn.Module):
    """The logits ``[N, V, Q]`` of the answers of Q questions, of token ids int64 ``[N, T]``.

    Args:
        model: a causal language model.
        first: words from the mark of the question to the first word that an answer follows.
        queries: the number Q of questions, each two words after the one before.
    """

    def __init__(self, model: nn.Module, first: int, queries: int) -> None:
        super().__init__()
        self.model = model
        self._first, self._queries = first, queries

    def forward(self, ids: Tensor) -> Tensor:
        """See the class."""
        model: Any = self.model
        logits: Tensor = model(ids, use_cache=False, return_dict=True).logits
        start = (ids == _QUESTION).int().argmax(dim=1, keepdim=True) + self._first
        places = start + 2 * torch.arange(self._queries)
        return logits.gather(1, places.unsqueeze(-1).expand(-1, -1, logits.shape[-1])).transpose(1, 2)


def recipe(language: str) -> Recipe:
    """The recipe of the network of a language; it learns from texts with several questions each."""
    words = vocabulary(language)
    ids = {word: i for i, word in enumerate(words)}
    first, queries = (1, _QUERIES) if language == "recall" else (0, 1)

    def build() -> nn.Module:
        return AnswerLogits(language_model(len(words)), first, queries)

    def data() -> Data:
        return Data(*_texts(language, _TRAIN, 1, ids), *_texts(language, _HELD_OUT, 2, ids), {})

    if language == "recall":
        return Recipe(build, data, epochs=6, batch=32)
    return Recipe(build, data, epochs=10, batch=32, rate=4e-3)


def _texts(language: str, count: int, part: int, ids: dict[str, int]) -> tuple[Tensor, Tensor]:
    """Token ids ``[N, T]``, padded on the right, and the answers ``[N, Q]``."""
    rng = np.random.default_rng([part, len(language)])
    rows, answers = [], []
    for _ in range(count):
        text = recall_text(rng, FEWEST, MOST) if language == "recall" else negation_text(rng, *WORDS)
        asked, answer = _questions(text, rng) if language == "recall" else (["?", text.answer], [text.answer])
        rows.append(torch.tensor([_BEGIN, *(ids[word] for word in (*text.words, *asked))]))
        answers.append([ids[word] for word in answer])
    padded = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=_END)
    return padded, torch.tensor(answers)


def _questions(text: PlantedText, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Several questions of one text, each with its answer."""
    pairs = list(zip(text.words[::2], text.words[1::2], strict=True))
    chosen = [pairs[i] for i in rng.integers(0, len(pairs), _QUERIES)]
    return ["?", *(word for pair in chosen for word in pair)], [value for _, value in chosen]
