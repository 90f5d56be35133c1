"""The first examples of a study with every cell's map, kept in small files for the report and the tracking."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xaiexp.core.explanations import Explanation
from xaiexp.core.feature_map import FeatureMap
from xaiexp.engine.runner import Chunk, Loaded
from xaiexp.plan.study import Study
from xaiexp.store.files import write_atomically

__all__ = ["EXAMPLES", "TARGETS", "UNITS", "Gallery", "painted", "told"]

EXAMPLES = 8
TARGETS = 3  # of one example
UNITS = 10  # of a layer that is no picture


class Gallery:
    """Gathers what a person would look at."""

    def __init__(self, study: Study, loaded: Loaded) -> None:
        self._study, self._loaded = study, loaded
        self._examples: list[dict[str, Any]] = []
        self._arrays: dict[str, np.ndarray[Any, Any]] = {}
        self._seen: dict[str, int] = {}

    def add(self, chunk: Chunk) -> None:
        """Take in the examples of a chunk while there is room; of each, the first targets."""
        for i, sample in enumerate(chunk.examples.samples):
            seen = self._seen.get(sample.id, 0)
            if 0 < seen < TARGETS or (seen == 0 and len(self._seen) < EXAMPLES):
                self._examples.append(self._example(chunk, i))
                self._seen[sample.id] = seen + 1

    def write(self, folder: Path) -> None:
        """Write ``gallery.json`` and ``gallery.npz``; the targets of an example stand beside each other."""
        folder.mkdir(parents=True, exist_ok=True)
        place = {example: i for i, example in enumerate(self._seen)}
        examples = sorted(self._examples, key=lambda each: place[each["id"]])
        described = {"modality": self._study.model.modality, "examples": examples}
        write_atomically(folder / "gallery.json", json.dumps(described, indent=1).encode())
        temporary = folder / ".gallery.npz"
        with temporary.open("wb") as out:
            np.savez_compressed(out, **self._arrays)  # type: ignore[arg-type]  # names to arrays
        temporary.replace(folder / "gallery.npz")

    def _example(self, chunk: Chunk, i: int) -> dict[str, Any]:
        number, modality = len(self._examples), self._study.model.modality
        sample, batch, encoded = chunk.examples.samples[i], chunk.batch, chunk.examples.encoded
        logits, target = chunk.logits[i], int(batch.targets[i])
        single = logits.numel() == 1
        chances = logits.sigmoid() if single else logits.softmax(0)
        predicted = int(logits[0] > 0) if single else int(logits.argmax())
        out: dict[str, Any] = {
            "id": sample.id,
            "name": sample.name or sample.id,
            "label": sample.label,
            "label_name": self._class(sample.label),
            "target": target,
            "target_name": "" if single else self._class(target),
            "score": float(chances[target] if self._study.settings.output == "probability" else logits[target]),
            "probability": float(chances[target]),
            "predicted": predicted,
            "predicted_name": self._class(predicted),
            "input": None,
            "tokens": None,
            "token_feature": None,
            "steps": None,
            "columns": None,
            "maps": [],
        }
        data = batch.background.decode(batch.inputs[i]).float().cpu()
        index = _index_of(batch.features, i)
        if modality == "image":
            out["input"] = f"inputs/{number}"
            picture = (data.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            self._arrays[out["input"]] = picture[..., 0] if picture.shape[2] != 3 else picture
        elif modality == "series":
            out["input"] = f"inputs/{number}"
            self._arrays[out["input"]] = data.numpy()
            if bool((index == index[:1]).all()):  # features that are stretches of time
                out["steps"] = index[0].tolist()
        elif modality == "table":
            names = self._loaded.feature_names or tuple(f"column {k}" for k in range(len(data)))
            out["columns"] = told(names, data.tolist(), index.tolist(), batch.features.names)
        else:
            tokens = encoded.tokens[i]
            out["tokens"] = list(tokens)
            out["token_feature"] = index.flatten(1)[: len(tokens), 0].tolist()
        for cell, explanation in chunk.explanations.items():
            key = f"maps/{number}/{len(out['maps'])}"
            drawn = {"method": cell.method, "baseline": cell.baseline, "key": key, "space": explanation.space}
            if explanation.space == "layer":
                self._arrays[key], units = _of_layer(explanation.elements[i], modality, batch.inputs[i])
                drawn |= units
            else:
                self._arrays[key] = _of_input(explanation, i, modality)
            out["maps"].append(drawn)
        return out

    def _class(self, index: int | None) -> str:
        names = self._loaded.class_names
        return "" if index is None or not 0 <= index < len(names) else names[index]


def told(
    names: Sequence[str], values: Sequence[float], index: Sequence[int], features: Sequence[str]
) -> list[dict[str, Any]]:
    """The features of a row with what they hold: ``{"name", "value"}`` each.

    A feature of one element holds its number. The elements of a one-hot group make one text: the level that is on
    (``sex=female`` of the column ``sex`` is ``female``), ``none of its levels`` where all are off; other groups tell
    all their numbers.

    Args:
        names, values, index: of the elements: what they are called, hold, and which feature they belong to.
        features: names of the features, or empty.
    """
    rows: list[dict[str, Any]] = []
    for feature in range(max(index, default=-1) + 1):
        held = [(names[k], values[k]) for k, f in enumerate(index) if f == feature]
        if len(held) == 1:
            rows.append({"name": features[feature] if features else held[0][0], "value": held[0][1]})
            continue
        name = features[feature] if features else f"feature {feature}"
        short = [(level.removeprefix(name).lstrip("=_: ") or level, value) for level, value in held]
        on = [level for level, value in short if abs(value - 1) < 1e-3]
        if len(on) <= 1 and all(min(abs(value), abs(value - 1)) < 1e-3 for _, value in short):
            rows.append({"name": name, "value": on[0] if on else "none of its levels"})
        else:
            rows.append({"name": name, "value": ", ".join(f"{level} {value:.3g}" for level, value in short)})
    return rows


def painted(index: Tensor, values: Tensor) -> Tensor:
    """Give every place the attribution of the features that lie there, each counted once.

    A superpixel has one colour, that of its attribution, however large it is; a pixel whose channels are features of
    their own has their sum.

    Args:
        index: int64 ``[C, *places]``, -1 outside of all features.
        values: ``[d]``.

    Returns:
        ``[*places]``.
    """
    often = torch.stack([(index == channel).sum(dim=0) for channel in index])
    each = values[index.clamp(min=0)] / often
    return each.where(index >= 0, 0.0).sum(dim=0)


def _index_of(features: FeatureMap, i: int) -> Tensor:
    """The feature of every element of one example, on the CPU."""
    return features.index[i if len(features.index) > 1 else 0].cpu()


def _of_input(explanation: Explanation, i: int, modality: str) -> np.ndarray[Any, Any]:
    """Pictures ``[H, W]`` and series ``[T]``: attribution of the feature at each place; others: per feature."""
    features, values = explanation.features, explanation.values[i].float().cpu()
    if modality in ("image", "series"):
        return painted(_index_of(features, i), values).numpy()
    return values[: int(features.counts[i if len(features.counts) > 1 else 0])].numpy()


def _of_layer(units: Tensor, modality: str, inputs: Tensor) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
    """What can be shown of the units of a layer, and how.

    Activations that lie like the input are added up over their channels: pictures ``[K, h, w]`` to ``[h, w]``, series
    ``[K, t]`` to the T steps of the input, texts ``[T, H]`` to ``[T]``. Of other layers the strongest units.
    """
    units = units.float().cpu()
    if modality == "image" and units.ndim == 3:
        return units.sum(dim=0).numpy(), {"how": "places"}
    if modality == "series" and units.ndim == 2:
        steps, there = inputs.shape[-1], units.shape[-1]
        return units.sum(dim=0)[torch.arange(steps) * there // steps].numpy(), {"how": "places"}
    if modality == "text" and units.ndim == 2 and len(units) == len(inputs):
        return units.sum(dim=1).numpy(), {"how": "places"}
    strongest = units.flatten().abs().topk(min(UNITS, units.numel())).indices
    where = torch.stack(torch.unravel_index(strongest, units.shape), dim=1).tolist()
    names = [f"unit {', '.join(map(str, place))}" for place in where]
    return units.flatten()[strongest].numpy(), {"how": "units", "units": names, "of": units.numel()}
