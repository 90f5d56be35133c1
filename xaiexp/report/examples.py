"""Single examples: the input and the map of every cell, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xaiexp.core.ids import CellId
from xaiexp.report.pictures.images import colour, full_colour, heatmap, input_image, png_uri, text_colour
from xaiexp.report.pictures.series import series_image
from xaiexp.report.studies import StudyFolder
from xaiexp.report.wording import number

__all__ = [
    "Bar",
    "Example",
    "Panel",
    "Token",
    "column_value",
    "examples",
    "facts_of",
    "is_wrong",
    "note_of",
    "pieces",
    "pixels",
]

BARS = 10
"""How many bars of a table are shown."""

TINY = 64
"""Images with a smaller side are shown without interpolation."""


@dataclass(frozen=True)
class Token:
    """A token of a text.

    Args:
        joined: whether no space separates it from the token before.
        special: whether it belongs to no feature and has no attribution.
        fill, text_colour: ``#rrggbb``; empty where it is not coloured.
        title: its tooltip.
    """

    text: str
    joined: bool
    special: bool = False
    fill: str = ""
    text_colour: str = ""
    title: str = ""


@dataclass(frozen=True)
class Bar:
    """A column of a table, with its attribution as a bar; ``start`` and ``length`` in percent of the width."""

    name: str
    value: str
    attribution: str
    start: float
    length: float
    fill: str


@dataclass(frozen=True)
class Panel:
    """The input or the map of one cell: as ``image``, ``tokens`` or ``bars``, whichever is not empty.

    Args:
        scores: metric and value of the cell on this example.
        image: as a ``data:`` address; ``alt``, its text for screen readers.
        tiny: whether the image is shown without interpolation.
        wide: whether it is shown in its own size, not in that of the other images.
        more: how many bars are not shown.
    """

    title: str
    caption: str = ""
    scores: tuple[tuple[str, str], ...] = ()
    image: str = ""
    alt: str = ""
    tiny: bool = False
    wide: bool = False
    tokens: tuple[Token, ...] = ()
    bars: tuple[Bar, ...] = ()
    signed: bool = True
    more: int = 0
    note: str = ""


@dataclass(frozen=True)
class Example:
    """One example and one target with all panels."""

    name: str
    facts: tuple[tuple[str, str], ...]
    wrong: bool
    original: Panel | None
    columns: tuple[tuple[str, str], ...]
    panels: tuple[Panel, ...]


def pixels(study: StudyFolder, count: int) -> int:
    """How many pixels the images of the first ``count`` examples have."""
    if study.gallery.modality != "image":
        return 0
    keys = [
        key
        for example in study.gallery.examples[:count]
        for key in (example.get("input"), *(described.get("key") for described in example.get("maps") or ()))
    ]
    arrays = [study.gallery.arrays[key] for key in keys if key in study.gallery.arrays]
    return sum(min(a.shape[0], 224) * min(a.shape[1], 224) for a in arrays if a.ndim >= 2)


def examples(study: StudyFolder, count: int, side: int) -> list[Example]:
    """The first examples of the gallery.

    Args:
        study: the study.
        count: how many at most.
        side: the longer side of an image at most, in pixels.
    """
    scores = _scores(study)
    return [_example(study, example, scores, side) for example in study.gallery.examples[:count]]


_Scores = Mapping[tuple[str, str, str, str], tuple[tuple[str, str], ...]]


def _scores(study: StudyFolder) -> _Scores:
    """Scores by example, explained class, method and baseline; without auxiliary values."""
    scores: dict[tuple[str, str, str, str], tuple[tuple[str, str], ...]] = {}
    shown = {str(example.get("id")) for example in study.gallery.examples}
    frame = study.scores[study.scores["example"].astype(str).isin(shown)] if len(study.scores) else study.scores
    for row in frame.itertuples():
        if study.record.is_auxiliary(str(row.metric)):
            continue
        key = (str(row.example), str(row.target), str(row.method), str(row.baseline))
        scores[key] = (*scores.get(key, ()), (str(row.metric), number(float(str(row.value)))))
    return scores


def _class(index: object, name: object) -> str:
    """A class, several labels, or a value, in words."""
    if index is None:
        return ""
    if isinstance(index, list | tuple):
        return str(name or "none") if index else "none"
    if isinstance(index, float):
        return number(index)
    return f"{name} ({index})" if name not in (None, "", str(index)) else f"class {index}"


def _example(study: StudyFolder, example: Mapping[str, Any], scores: _Scores, side: int) -> Example:
    name = str(example.get("name") or example.get("id") or "example")
    panels = []
    for described in example.get("maps") or ():
        cell = CellId(str(described.get("method")), str(described.get("baseline")))
        values = study.gallery.arrays.get(described.get("key"))
        panel = Panel(title=str(cell), note="this map is missing from the gallery")
        if values is not None:
            panel = _panel(study, example, described, cell, np.asarray(values, dtype=np.float64), side)
        key = (str(example.get("id")), str(example.get("target")), cell.method, cell.baseline)
        panels.append(replace(panel, scores=scores.get(key, ())))
    return Example(
        name=name,
        facts=facts_of(study, example),
        wrong=is_wrong(example),
        original=_original(study, example, name, side),
        columns=tuple((str(c.get("name")), column_value(c.get("value"))) for c in example.get("columns") or []),
        panels=tuple(panels),
    )


def facts_of(study: StudyFolder, example: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What is explained, predicted and true, in words.

    Args:
        study: of the example.
        example: its entry in ``gallery.json``.
    """
    predicted, label = (_class(example.get(kind), example.get(f"{kind}_name")) for kind in ("predicted", "label"))
    output = study.record.study.output or "score"
    facts = [_explained(example), ("predicted", predicted), ("label", label or "unknown")]
    if example.get("task") == "log_probabilities":  # it has neither classes nor labels
        written = (example.get("continuation") or {}).get("written")
        facts = [facts[0], ("continuation", "written by the model" if written else "given")]
    if output != "probability":  # otherwise the score is the probability
        facts.append((output, number(example.get("score"))))
    if example.get("probability") is not None:
        facts.append(("probability", number(example.get("probability"))))
    return tuple(fact for fact in facts if fact[1])


def _explained(example: Mapping[str, Any]) -> tuple[str, str]:
    """What the explained number speaks for."""
    index = example.get("target_class", example.get("target"))
    name, task = example.get("target_name"), example.get("task")
    if task == "log_probabilities":
        return "explained", str(name)
    if task == "regression":
        return "explained", "the value" if index is None else f"value {index}"
    if index != example.get("target"):  # a single number, which speaks for class 1
        return "explained", f"{name or 'yes'} (class {index})"
    return "explained label" if task == "multilabel" else "explained class", _class(index, name)


def is_wrong(example: Mapping[str, Any]) -> bool:
    """Whether the prediction differs from the label; a value is neither right nor wrong."""
    label, predicted = example.get("label"), example.get("predicted")
    if isinstance(label, list | tuple) and isinstance(predicted, list | tuple):
        return set(label) != set(predicted)
    return type(label) is type(predicted) is int and label != predicted


def _original(study: StudyFolder, example: Mapping[str, Any], name: str, side: int) -> Panel | None:
    """The input; None for tables, whose columns are listed below the panels."""
    values = study.gallery.arrays.get(example.get("input") or "")
    if study.gallery.modality == "text" and example.get("tokens"):
        return Panel(title="input", tokens=_tokens(example, None, True))
    if values is None:
        return None
    if study.gallery.modality == "series":
        uri = png_uri(series_image(np.atleast_2d(values), None, True))
        return Panel(title="input", image=uri, alt=f"the time series {name}", wide=True)
    if study.gallery.modality != "image":
        return None
    tiny = max(values.shape[:2]) < TINY
    uri = png_uri(input_image(values, side))
    return Panel(title="input", image=uri, alt=f"the image {name}", tiny=tiny)


def note_of(
    study: StudyFolder, method: str, described: Mapping[str, Any], values: NDArray[np.float64]
) -> tuple[bool, str]:
    """Whether the signs of a map have a meaning, and what its reader must know.

    Args:
        study: of the map.
        method: that made it.
        described: its entry in ``gallery.json``.
        values: its values.
    """
    signed, space, units = study.signed(method, values), described.get("space", "input"), described.get("units")
    note = {"neuron": _NEURON, "layer": _LAYER}.get(str(space), "")
    if units is not None:
        count = described.get("of", values.size)
        note = f"the {len(units)} units of largest magnitude, of {count:,} units of a layer"
    if space == "layer" and not signed and bool((values < 0).any()):
        # Activations have a sign even where the method has none.
        signed, note = True, f"{note}; blue: negative activation, not evidence against the class"
    return signed, note


_NEURON = "attribution of a neuron inside the network, not of the class"
_LAYER = "units of a layer, summed over channels"


def _panel(
    study: StudyFolder,
    example: Mapping[str, Any],
    described: Mapping[str, Any],
    cell: CellId,
    values: NDArray[np.float64],
    side: int,
) -> Panel:
    """The map of one cell.

    Args:
        example, described: the entries of the example and of its map in ``gallery.json``.
    """
    title, (signed, note) = str(cell), note_of(study, cell.method, described, values)
    scale = full_colour(values)
    caption = f"full colour: {number(scale)}" if scale > 0 else "zero everywhere"
    if not np.isfinite(values).any():
        caption = "undefined"
    elif not np.isfinite(values).all():
        caption += "; grey: undefined"
    modality, space = study.gallery.modality, described.get("space", "input")
    flat, units = values.ravel(), described.get("units")
    if units is not None:
        return replace(_table([{"name": name} for name in units], title, flat, signed), note=note, more=0)
    alt = f"attributions of {title} for {example.get('name') or example.get('id')}"
    if modality == "image" and values.ndim == 2:
        uri = png_uri(heatmap(values, signed, side))
        tiny = max(values.shape) < TINY
        return Panel(title=title, caption=caption, image=uri, alt=alt, tiny=tiny, note=note)
    if modality == "text":
        tokens = _tokens(example, flat, signed, by_position=space == "layer")
        return Panel(title=title, caption=caption, tokens=tokens, note=note)
    if modality == "series":
        curves = np.atleast_2d(study.gallery.arrays.get(example.get("input") or "", np.zeros((1, len(flat)))))
        steps = example.get("steps") if space != "layer" else None
        uri = png_uri(series_image(curves, flat, signed, steps))
        return Panel(title=title, caption=caption, image=uri, alt=alt, wide=True, note=note)
    return replace(_table(example.get("columns") or [], title, flat, signed), note=note)


def column_value(value: object) -> str:
    """The value of a column: a number, or the level of a category."""
    return value if isinstance(value, str) else number(value)


# Byte-level and SentencePiece tokenizers mark the first token of a word, WordPiece marks the others.
_WORD_START = ("Ġ", "▁")
_CONTINUATION = "##"


def _without_marks(token: str, marks_starts: bool) -> tuple[str, bool]:
    """The text of a token without tokenizer marks, and whether it is joined to the token before."""
    if token.startswith(_WORD_START):
        return token[1:], False
    if token.startswith(_CONTINUATION) and len(token) > len(_CONTINUATION):
        return token[len(_CONTINUATION) :], True
    return token, marks_starts


def pieces(example: Mapping[str, Any]) -> list[tuple[str, bool, int]]:
    """The tokens without the marks of the tokenizer, whether each is joined to the one before, and its feature.

    Special tokens have the feature -1.
    """
    tokens = [str(token) for token in example.get("tokens") or ()]
    features: Sequence[int] = example.get("token_feature") or range(len(tokens))
    marks_starts = any(token.startswith(_WORD_START) for token in tokens)
    found, after_special = [], True
    for token, feature in zip(tokens, features, strict=False):
        text, joined = _without_marks(token, marks_starts)
        found.append((text, joined and not after_special and feature >= 0, feature))
        after_special = feature < 0
    return found


def _tokens(
    example: Mapping[str, Any], values: NDArray[np.float64] | None, signed: bool, by_position: bool = False
) -> tuple[Token, ...]:
    """The tokens of a text, coloured by attribution.

    Args:
        example: its entry in ``gallery.json``.
        values: of the features, or with ``by_position`` of all tokens in their order; None gives no colours.
    """
    scale = full_colour(values) if values is not None else 0.0
    plain = pieces(example)
    words = _words(plain)
    shown = []
    for place, (text, joined, feature) in enumerate(plain):
        at = place if by_position else feature
        if feature < 0 and not by_position:
            shown.append(Token(text=text, joined=False, special=True, title="special token: no attribution"))
        elif values is None or at >= len(values):
            shown.append(Token(text=text, joined=joined))
        else:
            value = float(values[at])
            fill = colour(value, signed, scale)
            title = number(value) if by_position else f"{words[feature]}{number(value)}"
            shown.append(Token(text=text, joined=joined, fill=fill, text_colour=text_colour(fill), title=title))
    return tuple(shown)


def _words(plain: Sequence[tuple[str, bool, int]]) -> dict[int, str]:
    """The beginning of the tooltip of each feature: its text where it has several tokens, otherwise empty."""
    parts: dict[int, list[str]] = {}
    for text, _, feature in plain:
        parts.setdefault(feature, []).append(text)
    return {feature: f"{''.join(part)}: " if len(part) > 1 else "" for feature, part in parts.items()}


def _table(columns: Sequence[Mapping[str, Any]], title: str, values: NDArray[np.float64], signed: bool) -> Panel:
    magnitudes = np.where(np.isfinite(values), np.abs(values), -1.0)
    largest = float(magnitudes.max(initial=0.0))
    bars = []
    for place in np.argsort(-magnitudes, kind="stable")[:BARS]:
        value = float(values[place])
        column = columns[place] if len(columns) == len(values) else {}
        share = abs(value) / largest if largest > 0 and math.isfinite(value) else 0.0
        length = round(share * (50 if signed else 100), 1)  # signed bars start in the middle
        bars.append(
            Bar(
                name=str(column.get("name", f"feature {place}")),
                value=column_value(column["value"]) if "value" in column else "",
                attribution=number(value),
                start=(50 - length if value < 0 else 50) if signed else 0,
                length=length,
                fill=colour(math.copysign(0.75, value), signed, 1.0),
            )
        )
    return Panel(title=title, bars=tuple(bars), signed=signed, more=max(0, len(values) - BARS))
