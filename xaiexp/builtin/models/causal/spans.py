"""What of a continuation is explained: the words of the key ``target`` for language models, and their weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xaiexp.core.vocabulary import Task
from xaiexp.errors import MismatchError, UnknownName, nearest

__all__ = ["WHOLE", "Aim", "Target", "read_target"]

Target = str | int | tuple[str | int, ...]

_FORMS = ("next", "sequence", "span(0,3)", "'some text'", "contrast(a,b)", "candidates([a,b])")
_CALL = re.compile(r"^\s*([A-Za-z_]+)\s*\((.*)\)\s*$", re.DOTALL)
_ITEM = re.compile(r"""\s*(?:"[^"]*"|'[^']*'|[^,])+""")
_CALLS = ("span", "contrast", "candidates")
_QUOTES = "\"'"


@dataclass(frozen=True)
class Aim:
    """What is explained of every example.

    Args:
        kind: ``span`` of the continuation that the example has; ``contrast`` of two texts, whose log-odds are one
            score; ``candidates``, each of which is a class.
        texts: of a contrast or of candidates.
        start, stop: tokens of a span; no stop for the rest of the continuation.
        text: of a span, where it is named by its text.
        per_token: whether each token of the span is a score of its own.
    """

    kind: Literal["span", "contrast", "candidates"] = "span"
    texts: tuple[str, ...] = ()
    start: int = 0
    stop: int | None = None
    text: str = ""
    per_token: bool = False

    @property
    def task(self) -> Task:
        """What the scores are: log-probabilities, log-odds, or logits of a softmax over the candidates."""
        tasks: dict[str, Task] = {"span": "log_probabilities", "contrast": "binary", "candidates": "multiclass"}
        return tasks[self.kind]

    @property
    def columns(self) -> int | None:
        """The number of scores; None where it depends on the examples."""
        if self.kind == "candidates":
            return len(self.texts)
        return None if self.per_token else 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes; of a contrast that of the second text comes first, since the score speaks for class 1.

        Empty for spans.
        """
        names = tuple(text.strip() or text for text in self.texts)
        return names[::-1] if self.kind == "contrast" else names

    def weights(self, pieces: Sequence[Sequence[str]], example: str) -> list[list[list[float]]]:
        """The weight of every token in every score: scores x continuations x tokens.

        Args:
            pieces: the text of each token of each continuation of an example.
            example: its id, for messages.

        Raises:
            MismatchError: the continuation has no such tokens, or not this text.
        """
        if self.kind == "contrast":
            return [[[1.0] * len(pieces[0]), [-1.0] * len(pieces[1])]]
        if self.kind == "candidates":
            return [
                [[float(own == other)] * len(tokens) for other, tokens in enumerate(pieces)]
                for own in range(len(pieces))
            ]
        tokens = pieces[0]
        chosen = self._by_text(tokens, example) if self.text else self._by_place(tokens, example)
        if self.per_token:
            return [[[float(k == place) for k in range(len(tokens))]] for place in chosen]
        return [[[float(k in chosen) for k in range(len(tokens))]]]

    def _by_place(self, tokens: Sequence[str], example: str) -> range:
        stop = len(tokens) if self.stop is None else self.stop
        if self.start >= len(tokens) or stop > len(tokens):
            raise MismatchError(
                "target",
                f"the continuation of example {example!r} has {len(tokens)} tokens, {_shown(''.join(tokens))}",
                got=f"span({self.start},{stop})",
                hint=f"span(A,B) are the tokens A to B-1, from 0: at most span(0,{len(tokens)})",
            )
        return range(self.start, stop)

    def _by_text(self, tokens: Sequence[str], example: str) -> list[int]:
        whole = "".join(tokens)
        first = whole.find(self.text)
        if first < 0:
            raise MismatchError(
                "target",
                f"the continuation of example {example!r} is {_shown(whole)} and does not contain this text",
                got=self.text,
                hint="target=sequence for all of it, target=next for its first token",
            )
        last, place, chosen = first + len(self.text), 0, []
        for k, token in enumerate(tokens):
            if place < last and place + len(token) > first:
                chosen.append(k)
            place += len(token)
        return chosen


WHOLE = Aim()
"""The whole continuation."""


def read_target(target: Target, per_token: bool) -> tuple[Aim, Target]:
    """What the key ``target`` says for a language model, and which of the scores are explained.

    Args:
        target: of the study. A list is candidates, followed by the classes that are explained.
        per_token: whether each token of the span is explained by itself.

    Raises:
        UnknownName, MismatchError: it has none of the forms.
    """
    first, others = (target[0], tuple(target[1:])) if isinstance(target, tuple) else (target, ())
    aim = _aim(first, per_token)
    if aim.kind != "candidates":
        if others:
            raise MismatchError(
                "target",
                "a list starts with candidates; a study explains one span",
                got=[first, *others],
                hint="a sweep explains several: xaiexp -m target=next,sequence",
            )
        if aim.per_token and aim.kind != "span":
            raise MismatchError("per_token", f"is for spans, and target is a {aim.kind}", got=True)
        return aim, "all" if aim.per_token else "predicted"
    if per_token:
        raise MismatchError("per_token", "is for spans, and target are candidates", got=True)
    if not others:
        return aim, "predicted"
    return aim, others[0] if len(others) == 1 else others


def _aim(target: str | int, per_token: bool) -> Aim:
    if isinstance(target, int):
        return Aim(start=target, stop=target + 1, per_token=per_token)
    text = target.strip()
    if text in ("predicted", "sequence"):
        return Aim(per_token=per_token)
    if text == "all":
        return Aim(per_token=True)
    if text == "next":
        return Aim(stop=1, per_token=per_token)
    if text == "label":
        raise MismatchError(
            "target",
            "is the label, which is one of candidates",
            got=text,
            hint="'target=[\"candidates([negative,positive])\",label]'",
        )
    call = _CALL.match(text)
    if call is None:
        return Aim(text=_unquoted(target), per_token=per_token)
    name, inside = call.group(1), call.group(2)
    if name not in _CALLS:
        near = nearest(name, (*_CALLS, "next", "sequence"))
        raise UnknownName("target", "no such form", got=text, nearest=near, hint=f"forms: {', '.join(_FORMS)}")
    if name == "span":
        numbers = [part.strip() for part in inside.split(",")]
        if len(numbers) != 2 or not all(part.isdecimal() for part in numbers) or int(numbers[0]) >= int(numbers[1]):
            raise MismatchError(
                "target", "must be span(A,B) with A below B, the tokens A to B-1 from 0", got=text, hint="span(0,3)"
            )
        return Aim(start=int(numbers[0]), stop=int(numbers[1]), per_token=per_token)
    texts = _texts(inside)
    least, most = (2, 2) if name == "contrast" else (2, None)
    if len(texts) < least or (most is not None and len(texts) > most) or len(set(texts)) < len(texts):
        wanted = "two different texts: contrast(a,b)" if most else "different texts, at least two: candidates([a,b])"
        raise MismatchError("target", f"needs {wanted}", got=text, hint="texts with commas or spaces in quotes")
    return Aim("contrast" if most else "candidates", texts=texts, per_token=per_token)


def _texts(inside: str) -> tuple[str, ...]:
    """The texts of a list, with or without brackets; commas within quotes separate nothing."""
    plain = inside.strip()
    if plain.startswith("[") and plain.endswith("]"):
        plain = plain[1:-1]
    parts = (_unquoted(match.group().strip()) for match in _ITEM.finditer(plain))
    return tuple(part for part in parts if part)


def _unquoted(text: str) -> str:
    plain = text.strip()
    quoted = len(plain) > 1 and plain[0] == plain[-1] and plain[0] in _QUOTES
    return plain[1:-1] if quoted else text


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
