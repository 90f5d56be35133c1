"""The vocabulary of the facts that components state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from xaiexp.contract.kinds import Component
from xaiexp.core.vocabulary import MODALITIES, TASKS, Precision, Space
from xaiexp.errors import nearest

__all__ = ["CAPABILITIES", "wrong_fact"]

CAPABILITIES = ("gradients", "modules", "convolutions", "attention", "trees")
"""What a model may offer. ``maps`` is implied by ``convolutions`` and ``attention``, and may be needed."""

Rule = Callable[[Any], str]
"""What is wrong with a value; empty where nothing is."""


def _among(*words: str) -> Rule:
    def rule(value: Any) -> str:
        return "" if isinstance(value, str) and value in words else _unknown(value, words)

    return rule


def _unknown(value: Any, words: tuple[str, ...]) -> str:
    close = nearest(str(value), words, 1)
    return (
        f"{value!r} is unknown (nearest: {close[0]})" if close else f"{value!r} is unknown; known: {', '.join(words)}"
    )


def _several(kind: type[tuple[Any, ...]] | type[frozenset[Any]], words: tuple[str, ...], least: int = 1) -> Rule:
    """A tuple, or a set, of words."""

    def rule(value: Any) -> str:
        if not isinstance(value, kind):
            example = 'frozenset({"gradients"})' if kind is frozenset else '("image",)'
            return f"{value!r} is a {type(value).__name__}; must be a {kind.__name__} of words, such as {example}"
        unknown = [word for word in value if word not in words]
        if unknown:
            return _unknown(unknown[0], words)
        return "" if len(value) >= least else f"is empty; known: {', '.join(words)}"

    return rule


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else f"{value!r} must be True or False"


def _bounds(value: Any) -> str:
    number = (int, float)
    if not (isinstance(value, tuple) and len(value) == 2 and all(v is None or isinstance(v, number) for v in value)):
        return f"{value!r} must be two numbers, or None where unbounded, such as (0.0, None)"
    low, high = value
    return "" if low is None or high is None or low < high else f"{value!r}: the lowest is not below the highest"


def _words(value: Any) -> str:
    valid = isinstance(value, tuple) and all(isinstance(word, str) and word for word in value)
    return "" if valid else f"{value!r} must be a tuple of names"


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and value.strip() else f"{value!r} must be a word"


def _repeats(value: Any) -> str:
    valid = isinstance(value, tuple) and len(value) == 2 and all(type(v) is int and v >= 1 for v in value)
    return "" if valid else f"{value!r} must be two numbers of at least 1"


_MODALITIES = _several(tuple, MODALITIES)
_NEEDS = _several(frozenset, (*CAPABILITIES, "maps"), 0)
_SPACES = get_args(Space)
_RULES: dict[str, dict[str, Rule]] = {
    "model": {"modality": _among(*MODALITIES), "offers": _several(frozenset, (*CAPABILITIES, "maps"), 0)},
    "dataset": {"modality": _among(*MODALITIES)},
    "features": {"modalities": _MODALITIES},
    "baseline": {"modalities": _MODALITIES},
    "output": {"tasks": _several(tuple, TASKS, 0), "own_scale": _flag},
    "method": {
        "needs": _NEEDS,
        "modalities": _MODALITIES,
        "space": _among(*_SPACES),
        "precisions": _several(tuple, get_args(Precision)),
        "repeats": _repeats,
        **dict.fromkeys(
            (
                "reads_baseline",
                "signed",
                "complete",
                "multiplied_by_inputs",
                "reads_distribution",
                "target_specific",
                "repeatable",
                "control",
            ),
            _flag,
        ),
    },
    "metric": {
        "needs": _NEEDS,
        "modalities": _MODALITIES,
        "spaces": _several(tuple, _SPACES),
        "bounds": _bounds,
        "unit": _text,
        "auxiliary": _words,
        "curve": _among("", "removed", "inserted"),
        **dict.fromkeys(
            ("higher_is_better", "needs_sign", "scale_invariant", "re_explains", "reads_probability"), _flag
        ),
    },
    "agreement": {"bounds": _bounds, **dict.fromkeys(("needs_sign", "symmetric", "needs_grid", "joint"), _flag)},
}


def wrong_fact(component: Component) -> str:
    """The first fact of a component whose value is not of the vocabulary, and what is wrong; empty where none is."""
    for fact, rule in _RULES.get(component.kind, {}).items():
        wrong = rule(getattr(component, fact))
        if wrong:
            return f"{fact} = {wrong}"
    return ""
