"""Examples of a study: input, facts and the map of every cell."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xaiexp.report.document import parts
from xaiexp.report.document.binary import Binary
from xaiexp.report.document.metrics import RowIndex
from xaiexp.report.examples import column_value, facts_of, is_wrong, note_of, pieces
from xaiexp.report.pictures.images import full_colour
from xaiexp.report.studies import StudyFolder

__all__ = ["LOSSLESS", "MAP_SIDE", "PICTURE_SIDE", "example_bytes", "examples"]

MAP_SIDE, PICTURE_SIDE = 112, 224
"""The longer side of the maps and pictures of images at most, in pixels; larger ones are averaged down."""

LOSSLESS = 64
"""Pictures with a longer side are compressed with loss (JPEG)."""


def example_bytes(study: StudyFolder, example: Mapping[str, Any]) -> int:
    """About how many bytes an example takes in the document, before compression."""
    arrays, size = study.gallery.arrays, 0
    for described in example.get("maps") or ():
        if described.get("key") in arrays:
            shape = arrays.shape(described["key"])
            size += math.prod(_fitting(shape, MAP_SIDE)) * (1 if len(shape) == 2 else 4)
    return size + 20_000 * (study.gallery.modality == "image")


def examples(
    study: StudyFolder,
    chosen: Sequence[Mapping[str, Any]],
    cells: Mapping[tuple[str, str], int],
    index: RowIndex,
    binary: Binary,
) -> tuple[parts.Example, ...]:
    """Some examples of the gallery.

    Args:
        study: the study.
        chosen: entries of ``gallery.json``.
        cells: method and baseline to the number of the cell.
        index: of the scores.
        binary: gets pictures and maps.
    """
    return tuple(_example(study, example, cells, index, binary) for example in chosen)


def _example(
    study: StudyFolder,
    example: Mapping[str, Any],
    cells: Mapping[tuple[str, str], int],
    index: RowIndex,
    binary: Binary,
) -> parts.Example:
    modality, arrays = study.gallery.modality, study.gallery.arrays
    values = arrays.get(example.get("input") or "")
    picture, size, series = None, None, None
    if modality == "image" and values is not None:
        picture, size = _picture(values, binary)
    elif modality == "series" and values is not None:
        channels = np.atleast_2d(values)
        series = parts.Series(binary.exact(channels), *channels.shape)
    mask = arrays.get(example.get("mask") or "")
    maps: list[parts.MapOf | None] = [None] * len(cells)
    for described in example.get("maps") or ():
        cell = cells.get((str(described.get("method")), str(described.get("baseline"))))
        found = arrays.get(described.get("key"))
        if cell is not None and found is not None:
            maps[cell] = _map(study, str(described.get("method")), described, np.asarray(found, np.float64), binary)
    target = int(example.get("target") or 0)
    return parts.Example(
        id=str(example.get("id")),
        name=str(example.get("name") or example.get("id") or "example"),
        row=index.place.get((str(example.get("id")), target), -1),
        facts=facts_of(study, example),
        wrong=is_wrong(example) if example.get("label") is not None else None,
        target=target,
        target_name=str(example.get("target_name") or f"target {target}"),
        picture=picture,
        size=size,
        tokens=_tokens(example),
        series=series,
        steps=None if example.get("steps") is None else tuple(example["steps"]),
        columns=_columns(example),
        mask=None if mask is None else parts.Mask(binary.flags(_shrunk_mask(mask)), _shrunk_mask(mask).shape),
        continued=_continued(example),
        maps=tuple(maps),
    )


def _continued(example: Mapping[str, Any]) -> parts.Continued | None:
    given = example.get("continuation")
    if not isinstance(given, Mapping):
        return None
    texts = tuple(tuple(map(str, tokens)) for tokens in given.get("texts") or ())
    weights = tuple(tuple(map(float, each)) for each in given.get("weights") or ())
    return parts.Continued(texts, weights, bool(given.get("written")))


def _tokens(example: Mapping[str, Any]) -> tuple[parts.Token, ...] | None:
    if example.get("tokens") is None:
        return None
    return tuple(parts.Token(text, joined, feature) for text, joined, feature in pieces(example))


def _columns(example: Mapping[str, Any]) -> tuple[parts.Column, ...] | None:
    if example.get("columns") is None:
        return None
    return tuple(parts.Column(str(c.get("name")), column_value(c.get("value"))) for c in example["columns"])


def _picture(values: NDArray[Any], binary: Binary) -> tuple[parts.File, tuple[int, int]]:
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.uint8))
    height, width = _fitting((image.height, image.width), PICTURE_SIDE)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BOX)
    file, lossless = io.BytesIO(), max(height, width) <= LOSSLESS
    if lossless:
        image.save(file, "PNG", optimize=True)
    else:
        image.save(file, "JPEG", quality=88)
    return binary.file(file.getvalue(), "image/png" if lossless else "image/jpeg"), (height, width)


def _fitting(shape: tuple[int, ...], side: int) -> tuple[int, ...]:
    """The shape of an image whose longer side is at most ``side``; other shapes as they are."""
    if len(shape) != 2 or max(shape) <= side:
        return shape
    return tuple(max(1, round(length * side / max(shape))) for length in shape)


def _shrunk(values: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = _fitting(values.shape, MAP_SIDE)
    small = Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64)


def _shrunk_mask(mask: NDArray[Any]) -> NDArray[Any]:
    if mask.ndim != 2 or max(mask.shape) <= MAP_SIDE:
        return mask
    return _shrunk(mask.astype(np.float64)) >= 0.5


def _map(
    study: StudyFolder, method: str, described: Mapping[str, Any], values: NDArray[np.float64], binary: Binary
) -> parts.MapOf:
    signed, note = note_of(study, method, described, values)
    full, units = full_colour(values), described.get("units")
    of_image = study.gallery.modality == "image" and values.ndim == 2
    if of_image and max(values.shape) > MAP_SIDE:
        values = _shrunk(values)
    return parts.MapOf(
        values=binary.in_steps(values) if of_image else binary.exact(values),
        shape=values.shape,
        full=full,
        signed=signed,
        note=note,
        units=None if units is None else tuple(map(str, units)),
    )
