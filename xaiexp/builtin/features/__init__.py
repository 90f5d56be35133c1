"""The built-in features: how the elements of an input are grouped into the units that get an attribution.

``input_axes`` follows the axes of the input (elements, pixels, columns, time steps); ``grid_tiles`` and ``superpixels``
group pixels, and ``time_windows`` groups time steps. ``tokens_and_words`` and ``sentences_and_slots`` group the tokens
of texts; ``numbered_tokens`` makes their map.
"""

from __future__ import annotations

from xaiexp.builtin.features.grid_tiles import Grid
from xaiexp.builtin.features.input_axes import Column, Element, Pixel, Step
from xaiexp.builtin.features.sentences_and_slots import Sentence, Slot
from xaiexp.builtin.features.superpixels import Slic
from xaiexp.builtin.features.time_windows import Window
from xaiexp.builtin.features.tokens_and_words import Token, Word
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    Element,
    Pixel,
    Grid,
    Slic,
    Column,
    Step,
    Window,
    Token,
    Word,
    Sentence,
    Slot,
)
