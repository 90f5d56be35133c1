"""Texts of two small languages of which it is known which words decide what follows. Importing it imports no torch.

``recall``: pairs of an animal and a colour, then a question with one of the animals; its colour follows. The words that
decide are this animal and its colour in their pair: without either the colour is not known. ``negation``: neutral words
around one adjective, before which ``not`` may stand; ``yes`` follows what is good and ``no`` what is not. What decides
are the adjective and its ``not``. A ``not`` may stand elsewhere too, where it changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

__all__ = ["LANGUAGES", "SPECIAL", "PlantedText", "negation_text", "recall_text", "vocabulary"]

SPECIAL = ("<s>", "</s>", "?")
"""The beginning and end of a text, and the mark of the question."""

KEYS = ("cat", "dog", "fox", "owl", "bee", "ant", "elk", "hen", "cow", "pig", "rat", "jay")
VALUES = ("red", "blue", "green", "gold", "grey", "pink", "black", "white", "brown", "violet", "silver", "orange")
GOOD, BAD = ("good", "great", "fine", "lovely"), ("bad", "awful", "poor", "dull")
NEUTRAL = ("the", "film", "was", "a", "day", "long", "we", "saw", "it", "then", "and", "so")
NOT, ANSWERS = "not", ("no", "yes")

LANGUAGES = ("recall", "negation")


@dataclass(frozen=True)
class PlantedText:
    """A text with its question.

    Args:
        words: before the question.
        question: words from the mark of the question on.
        answer: the word that follows.
        deciding: places of the words that decide it.
    """

    words: tuple[str, ...]
    question: tuple[str, ...]
    answer: str
    deciding: tuple[int, ...]


def vocabulary(language: str) -> tuple[str, ...]:
    """The words of a language, special ones first."""
    own = (*KEYS, *VALUES) if language == "recall" else (*GOOD, *BAD, *NEUTRAL, NOT, *ANSWERS)
    return (*SPECIAL, *own)


def recall_text(rng: Generator, fewest: int, most: int) -> PlantedText:
    """Between ``fewest`` and ``most`` pairs with different animals, and a question."""
    count = int(rng.integers(fewest, most + 1))
    keys = rng.permutation(len(KEYS))[:count]
    values = rng.integers(0, len(VALUES), count)
    asked = int(rng.integers(count))
    words = tuple(word for k, v in zip(keys, values, strict=True) for word in (KEYS[k], VALUES[v]))
    return PlantedText(words, ("?", KEYS[keys[asked]]), VALUES[values[asked]], (2 * asked, 2 * asked + 1))


def negation_text(rng: Generator, fewest: int, most: int) -> PlantedText:
    """Between ``fewest`` and ``most`` neutral words around an adjective, half of them with ``not`` before it."""
    count = int(rng.integers(fewest, most + 1))
    words = [NEUTRAL[i] for i in rng.integers(0, len(NEUTRAL), count)]
    good, negated, idle = (bool(flag) for flag in rng.integers(0, 2, 3))
    adjective = (GOOD if good else BAD)[int(rng.integers(len(GOOD)))]
    place = int(rng.integers(0, count + 1))
    own = [NOT, adjective] if negated else [adjective]
    elsewhere = [i for i in range(count) if i != place]  # before a neutral word
    if idle and elsewhere:
        at = int(rng.choice(np.asarray(elsewhere)))
        words.insert(at, NOT)
        place += at < place
    words[place:place] = own
    deciding = tuple(range(place, place + len(own)))
    return PlantedText(tuple(words), ("?",), ANSWERS[good != negated], deciding)
