"""Single examples: the input and what every cell says about it, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xaiexp.report.figures import series_svg
from xaiexp.report.images import colour, full_colour, heatmap, ink, photograph, png_uri
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import cell, number

__all__ = ["Bar", "Example", "Panel", "Token", "examples", "pixels"]

BARS = 10
TINY = 64  # pictures below this side are shown pixel by pixel


@dataclass(frozen=True)
class Token:
    """A stretch of text in its colour; special tokens have none."""

    text: str
    glued: bool
    special: bool = False
    fill: str = ""
    ink: str = ""
    title: str = ""


@dataclass(frozen=True)
class Bar:
    """A column of a table: its attribution as a bar, in percent of the width there is."""

    name: str
    value: str
    attribution: str
    start: float
    length: float
    fill: str


@dataclass(frozen=True)
class Panel:
    """What one cell says; the filled field decides how it is drawn."""

    title: str
    caption: str = ""
    scores: tuple[tuple[str, str], ...] = ()
    picture: str = ""
    alt: str = ""
    tiny: bool = False
    tokens: tuple[Token, ...] = ()
    bars: tuple[Bar, ...] = ()
    signed: bool = True
    more: int = 0
    svg: str = ""
    note: str = ""


@dataclass(frozen=True)
class Example:
    """One example with all its panels."""

    name: str
    facts: tuple[tuple[str, str], ...]
    wrong: bool
    original: Panel | None
    columns: tuple[tuple[str, str], ...]
    panels: tuple[Panel, ...]


def pixels(study: StudyFolder, count: int) -> int:
    """How many pixels the pictures of the first ``count`` examples have."""
    if study.gallery.modality != "image":
        return 0
    keys = [
        key
        for example in study.gallery.examples[:count]
        for key in (example.get("input"), *(drawn.get("key") for drawn in example.get("maps") or ()))
    ]
    arrays = [study.gallery.arrays[key] for key in keys if key in study.gallery.arrays]
    return sum(min(a.shape[0], 224) * min(a.shape[1], 224) for a in arrays if a.ndim >= 2)


def examples(study: StudyFolder, count: int, side: int) -> list[Example]:
    """The first examples of the gallery.

    Args:
        study: whose.
        count: how many at most.
        side: the longer side of a picture at most, in pixels.
    """
    scores = _scores(study)
    return [_example(study, described, scores, side) for described in study.gallery.examples[:count]]


_Scores = Mapping[tuple[str, str, str, str], tuple[tuple[str, str], ...]]


def _scores(study: StudyFolder) -> _Scores:
    """Scores by example, explained class, method and baseline."""
    found: dict[tuple[str, str, str, str], tuple[tuple[str, str], ...]] = {}
    shown = {str(example.get("id")) for example in study.gallery.examples}
    frame = study.scores[study.scores["example"].astype(str).isin(shown)] if len(study.scores) else study.scores
    metrics = study.facts("metrics")
    for row in frame.itertuples():
        if str(row.metric).rpartition(".")[0] in metrics:
            continue  # what a metric noticed on the way is told once, for all examples
        key = (str(row.example), str(row.target), str(row.method), str(row.baseline))
        found[key] = (*found.get(key, ()), (str(row.metric), number(float(str(row.value)))))
    return found


def _class(index: object, name: object) -> str:
    if index is None:
        return ""
    return f"{name} ({index})" if name not in (None, "", str(index)) else f"class {index}"


def _example(study: StudyFolder, described: Mapping[str, Any], scores: _Scores, side: int) -> Example:
    target, predicted, label = (
        _class(described.get(kind), described.get(f"{kind}_name")) for kind in ("target", "predicted", "label")
    )
    output = str(study.facts("study").get("output") or "score")
    facts = [("explained class", target), ("predicted", predicted), ("label", label or "unknown")]
    if output != "probability":  # otherwise the score is the probability: once is enough
        facts.append((output, number(described.get("score"))))
    facts.append(("probability", number(described.get("probability"))))
    columns = described.get("columns") or []
    name = str(described.get("name") or described.get("id") or "example")
    panels = []
    for drawn in described.get("maps") or ():
        method, baseline = str(drawn.get("method")), str(drawn.get("baseline"))
        values = study.gallery.arrays.get(drawn.get("key"))
        panel = Panel(title=cell(method, baseline), note="its map is missing from the gallery")
        if values is not None:
            numbers = np.asarray(values, dtype=np.float64)
            signed = study.signed(method, numbers)
            panel = _panel(study, described, drawn, numbers, signed, side)
        own = scores.get((str(described.get("id")), str(described.get("target")), method, baseline), ())
        panels.append(replace(panel, scores=own))
    return Example(
        name=name,
        facts=tuple(fact for fact in facts if fact[1]),
        wrong=described.get("label") is not None and described.get("label") != described.get("predicted"),
        original=_original(study, described, name, side),
        columns=tuple((str(column.get("name")), _held(column.get("value"))) for column in columns),
        panels=tuple(panels),
    )


def _original(study: StudyFolder, described: Mapping[str, Any], name: str, side: int) -> Panel | None:
    values = study.gallery.arrays.get(described.get("input") or "")
    if study.gallery.modality == "text" and described.get("tokens"):
        return Panel(title="input", tokens=_tokens(described, None, True))
    if values is None:
        return None
    if study.gallery.modality == "series":
        return Panel(title="input", svg=series_svg(np.atleast_2d(values), None, True, f"the series {name}"))
    if study.gallery.modality != "image":
        return None
    tiny = max(values.shape[:2]) < TINY
    uri = png_uri(photograph(values, side))
    return Panel(title="input", picture=uri, alt=f"the picture {name}", tiny=tiny)


_NEURON = "of a neuron inside the network, not of the class"


def _panel(
    study: StudyFolder,
    described: Mapping[str, Any],
    drawn: Mapping[str, Any],
    values: NDArray[np.float64],
    signed: bool,
    side: int,
) -> Panel:
    title = cell(str(drawn.get("method")), str(drawn.get("baseline")))
    scale = full_colour(values)
    caption = f"full colour: {number(scale)}" if scale > 0 else "zero everywhere"
    if not np.isfinite(values).all():
        caption += "; grey: undefined"
    modality, space = study.gallery.modality, drawn.get("space", "input")
    note = {"neuron": _NEURON, "layer": "units of a layer, added up over its channels"}.get(str(space), "")
    flat, units = values.ravel(), drawn.get("units")
    if units is not None:  # of a layer that does not lie like the input
        note = f"the strongest of the {drawn.get('of', len(flat)):,} units of a layer"
    if space == "layer" and not signed and bool((flat < 0).any()):  # activations: neither for nor against
        signed, note = True, f"{note}; blue is below zero, not against the class"
    if units is not None:
        return replace(_table([{"name": name} for name in units], title, flat, signed), note=note, more=0)
    name = described.get("name") or described.get("id")
    alt = f"attributions of {title} for {name}"
    if modality == "image" and values.ndim == 2:
        uri = png_uri(heatmap(values, signed, side))
        tiny = max(values.shape) < TINY
        return Panel(title=title, caption=caption, picture=uri, alt=alt, tiny=tiny, note=note)
    if modality == "text":
        tokens = _tokens(described, flat, signed, by_position=space == "layer")
        return Panel(title=title, caption=caption, tokens=tokens, note=note)
    if modality == "series":
        curves = np.atleast_2d(study.gallery.arrays.get(described.get("input") or "", np.zeros((1, len(flat)))))
        steps = described.get("steps") if space != "layer" else None
        svg = series_svg(curves, flat, signed, alt, steps)
        return Panel(title=title, caption=caption, svg=svg, note=note)
    return replace(_table(described.get("columns") or [], title, flat, signed), note=note)


def _held(value: object) -> str:
    """What a feature of a row holds: a number, or the level of a category."""
    return value if isinstance(value, str) else number(value)


# Byte-level and sentence-piece tokenizers mark the beginning of a word, WordPiece marks its continuation.
_WORD_BEGINS = ("Ġ", "▁")
_CONTINUES = "##"


def _written(token: str, begins_words: bool) -> tuple[str, bool]:
    """A token without its marks, and whether it is glued to the one before."""
    if token.startswith(_WORD_BEGINS):
        return token[1:], False
    if token.startswith(_CONTINUES) and len(token) > len(_CONTINUES):
        return token[len(_CONTINUES) :], True
    return token, begins_words


def _tokens(
    described: Mapping[str, Any], values: NDArray[np.float64] | None, signed: bool, by_position: bool = False
) -> tuple[Token, ...]:
    """The text in its colours.

    Args:
        values: of the features, or with ``by_position`` of all tokens in their order; None colours nothing.
    """
    tokens = [str(token) for token in described.get("tokens") or ()]
    features: Sequence[int] = described.get("token_feature") or range(len(tokens))
    begins_words = any(token.startswith(_WORD_BEGINS) for token in tokens)
    scale = full_colour(values) if values is not None else 0.0
    words = _words(tokens, features, begins_words)
    pieces, after_special = [], True
    for place, (token, feature) in enumerate(zip(tokens, features, strict=False)):
        text, glued = _written(token, begins_words)
        glued = glued and not after_special
        after_special = feature < 0
        at = place if by_position else feature
        if feature < 0 and not by_position:
            pieces.append(Token(text=text, glued=False, special=True, title="special token: no attribution"))
        elif values is None or at >= len(values):
            pieces.append(Token(text=text, glued=glued))
        else:
            value = float(values[at])
            fill = colour(value, signed, scale)
            title = number(value) if by_position else f"{words[feature]}{number(value)}"
            pieces.append(Token(text=text, glued=glued, fill=fill, ink=ink(fill), title=title))
    return tuple(pieces)


def _words(tokens: Sequence[str], features: Sequence[int], begins_words: bool) -> dict[int, str]:
    """What to say before the attribution of a feature: its text where it has several tokens, else nothing."""
    parts: dict[int, list[str]] = {}
    for token, feature in zip(tokens, features, strict=False):
        parts.setdefault(feature, []).append(_written(token, begins_words)[0])
    return {feature: f"{''.join(part)}: " if len(part) > 1 else "" for feature, part in parts.items()}


def _table(columns: Sequence[Mapping[str, Any]], title: str, values: NDArray[np.float64], signed: bool) -> Panel:
    magnitudes = np.where(np.isfinite(values), np.abs(values), -1.0)
    largest = float(magnitudes.max(initial=0.0))
    bars = []
    for place in np.argsort(-magnitudes, kind="stable")[:BARS]:
        value = float(values[place])
        column = columns[place] if len(columns) == len(values) else {}
        share = abs(value) / largest if largest > 0 and math.isfinite(value) else 0.0
        length = round(share * (50 if signed else 100), 1)  # signed ones have half the width for either side
        bars.append(
            Bar(
                name=str(column.get("name", f"feature {place}")),
                value=_held(column["value"]) if "value" in column else "",
                attribution=number(value),
                start=(50 - length if value < 0 else 50) if signed else 0,
                length=length,
                fill=colour(math.copysign(0.75, value), signed, 1.0),
            )
        )
    return Panel(title=title, bars=tuple(bars), signed=signed, more=max(0, len(values) - BARS))
