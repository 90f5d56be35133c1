"""The gallery: the first examples of a study with the map of every cell, for page, notebook and trackers."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xaiexp.core.explanations import Explanation
from xaiexp.core.feature_map import FeatureMap
from xaiexp.core.samples import Continuation
from xaiexp.core.vocabulary import Task
from xaiexp.engine.chunk import Chunk, Loaded
from xaiexp.inference.outputs import Readout
from xaiexp.plan.study import Study
from xaiexp.results.examples.example_table import Predicted, predicted_labels
from xaiexp.store.files import write_atomically

__all__ = ["EXAMPLES", "FEWEST", "STEPS", "TARGETS", "UNITS", "VALUES", "Gallery", "map_of_values", "table_columns"]

EXAMPLES = 64
"""How many examples are kept at most."""

FEWEST = 8
"""How many examples are kept however large their maps are."""

VALUES = 24 * 12 * 224 * 224
"""How many values the maps of a study have at most: those of 12 cells on 24 photos."""

STEPS = 32_767
"""Maps of images are kept as whole numbers, in so many steps from 0 to the largest magnitude; -32768 is undefined."""

TARGETS = 3
"""How many targets of one example are kept; of a text that a model continues, each token may be a target."""

CONTINUED = 32
"""How many targets of a prompt are kept."""

UNITS = 10
"""How many units of a layer are kept where they cannot be shown at places of the input."""


_HIDDEN = "□"


class Gallery:
    """Collects the first examples of a study.

    Args:
        study: the study.
        loaded: its network and data, with the names of features and classes.
    """

    def __init__(self, study: Study, loaded: Loaded) -> None:
        self._study, self._loaded = study, loaded
        self._inputs = study.settings.page is None or study.settings.page.inputs
        self._examples: list[dict[str, Any]] = []
        self._arrays: dict[str, np.ndarray[Any, Any]] = {}
        self._targets_of: dict[str, int] = {}  # example to the number of its targets that are kept
        self._values = 0  # of all maps so far

    def add(self, chunk: Chunk) -> None:
        """Keep the examples of a chunk, and their first targets, as long as there is room for them."""
        predicted = predicted_labels(chunk, chunk.readout)
        for i, sample in enumerate(chunk.examples.samples):
            kept = self._targets_of.get(sample.id, 0)
            most = CONTINUED if chunk.examples.encoded.continuations else TARGETS
            if 0 < kept < most or (kept == 0 and self._has_room()):
                self._examples.append(self._example(chunk, i, predicted[i]))
                self._targets_of[sample.id] = kept + 1

    def _has_room(self) -> bool:
        """Whether one more example is kept, if its maps are as large as those so far."""
        examples = len(self._targets_of)
        if examples < FEWEST:
            return True
        return examples < EXAMPLES and self._values * (examples + 1) <= VALUES * examples

    def write(self, folder: Path) -> None:
        """Write ``gallery.json`` and ``gallery.npz``; the targets of an example follow each other."""
        folder.mkdir(parents=True, exist_ok=True)
        position = {example: i for i, example in enumerate(self._targets_of)}
        examples = sorted(self._examples, key=lambda example: position[example["id"]])
        content = {"modality": self._study.model.modality, "inputs": self._inputs, "examples": examples}
        write_atomically(folder / "gallery.json", json.dumps(content, indent=1).encode())
        arrays = io.BytesIO()
        np.savez_compressed(arrays, **self._arrays)  # type: ignore[arg-type]  # names to arrays
        write_atomically(folder / "gallery.npz", arrays.getvalue())

    def _example(self, chunk: Chunk, i: int, predicted: Predicted) -> dict[str, Any]:
        number, modality = len(self._examples), self._study.model.modality
        sample, batch = chunk.examples.samples[i], chunk.batch
        target, readout, head = int(batch.targets[i]), chunk.readout, chunk.logits[i : i + 1]
        target_class = self._target_class(head, target, readout.task)
        out: dict[str, Any] = {
            "id": sample.id,
            "name": sample.name or sample.id,
            "task": readout.task,
            "label": sample.label,
            "label_name": self._class(sample.label),
            "target": target,
            "target_class": target_class,
            "target_name": self._class(target_class),
            "score": float(readout.scalars(head)[0, target]),
            "probability": self._probability(head, target, readout),
            "predicted": predicted,
            "predicted_name": self._class(predicted),
            "input": None,
            "tokens": None,
            "token_feature": None,
            "steps": None,
            "columns": None,
            "mask": None,
            "maps": [],
        }
        out |= self._input(f"inputs/{number}", chunk, i)
        if chunk.examples.encoded.continuations:
            out |= self._continued(chunk.examples.encoded.continuations[i], target, readout.task)
        if batch.masks is not None and bool(batch.masks[i].any()):
            out["mask"] = f"masks/{number}"
            self._arrays[out["mask"]] = self._mask(chunk, i)
        for cell, explanation in chunk.explanations.items():
            key = f"maps/{number}/{len(out['maps'])}"
            described: dict[str, Any] = {
                "method": cell.method,
                "baseline": cell.baseline,
                "key": key,
                "space": explanation.space,
            }
            if explanation.space == "layer":
                values, units = _of_layer(explanation.elements[i], modality, batch.inputs[i])
                described |= units
            else:
                values = _of_input(explanation, i, modality)
            in_steps = modality == "image" and values.ndim == 2
            self._arrays[key], described["scale"] = _in_steps(values) if in_steps else (values, None)
            self._values += values.size
            out["maps"].append(described)
        return out

    def _input(self, key: str, chunk: Chunk, i: int) -> dict[str, Any]:
        """The input of an example; without inputs, what its maps need alone: names of columns and lengths of tokens."""
        batch, modality = chunk.batch, self._study.model.modality
        data, index = batch.background.decode(batch.inputs[i]).float().cpu(), _index_of(batch.features, i)
        if modality == "image":
            pixels = (data.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            return self._kept(key, pixels[..., 0] if pixels.shape[2] != 3 else pixels)
        if modality == "series":
            same = bool((index == index[:1]).all())  # all channels of a step belong to one feature
            return self._kept(key, data.numpy()) | {"steps": index[0].tolist() if same else None}
        if modality == "table":
            names = self._loaded.feature_names or tuple(f"column {k}" for k in range(len(data)))
            columns = table_columns(names, data.tolist(), index.tolist(), batch.features.names)
            return {"columns": columns if self._inputs else [column | {"value": ""} for column in columns]}
        encoded = chunk.examples.encoded
        tokens, start = encoded.tokens[i], encoded.starts[i] if encoded.starts else 0
        features = index.flatten(1)[start : start + len(tokens), 0].tolist()
        return {"tokens": list(tokens) if self._inputs else [_HIDDEN] * len(tokens), "token_feature": features}

    def _continued(self, continuation: Continuation, target: int, task: Task | None) -> dict[str, Any]:
        """What follows a prompt, and the weight of each of its tokens in the explained score."""
        texts = [list(tokens) if self._inputs else [_HIDDEN] * len(tokens) for tokens in continuation.tokens]
        weights, place, split = continuation.spans[target], 0, []
        for tokens in continuation.tokens:
            split.append(list(weights[place : place + len(tokens)]))
            place += len(tokens)
        found: dict[str, Any] = {"continuation": {"texts": texts, "weights": split, "written": continuation.written}}
        if task == "log_probabilities":
            pairs = zip(texts[0], split[0], strict=True)
            span = "".join(token for token, weight in pairs if weight).strip()
            found |= {"target_class": target, "target_name": span, "predicted": None, "predicted_name": None}
        return found

    def _mask(self, chunk: Chunk, i: int) -> np.ndarray[Any, Any]:
        """The ground truth of an example, of texts for its tokens alone."""
        masks, encoded = chunk.batch.masks, chunk.examples.encoded
        assert masks is not None  # noqa: S101 -- the caller has seen it
        mask: np.ndarray[Any, Any] = masks[i].cpu().numpy()
        if not encoded.tokens:
            return mask
        start = encoded.starts[i] if encoded.starts else 0
        return mask[start : start + len(encoded.tokens[i])]

    def _kept(self, key: str, values: np.ndarray[Any, Any]) -> dict[str, Any]:
        if not self._inputs:
            return {}
        self._arrays[key] = values
        return {"input": key}

    @staticmethod
    def _target_class(head: Tensor, target: int, task: Task | None) -> int | None:
        """The class that the explained number speaks for: class 1 where there is one number; None for values."""
        if task == "regression":
            return target if head.shape[1] > 1 else None
        return target if head.shape[1] > 1 else 1

    @staticmethod
    def _probability(head: Tensor, target: int, readout: Readout) -> float | None:
        if readout.task is None or not readout.is_probability:
            return None
        return float(readout.bounded.scalars(head)[0, target])

    def _class(self, index: object) -> str:
        if isinstance(index, tuple):
            return ", ".join(self._class(each) or str(each) for each in index)
        names = self._loaded.class_names
        if isinstance(index, tuple):
            return ", ".join(self._class(each) or f"class {each}" for each in index)
        return "" if not isinstance(index, int) or not 0 <= index < len(names) else names[index]


def table_columns(
    names: Sequence[str], values: Sequence[float], index: Sequence[int], features: Sequence[str]
) -> list[dict[str, Any]]:
    """The features of a row of a table, ``{"name", "value"}`` each.

    The value of a feature of one element is its number. That of a one-hot group is a text: the level that is on
    (``female`` for the element ``sex=female`` of the column ``sex``), or ``none of its levels``. That of any other
    group is a text with all numbers.

    Args:
        names, values, index: name, value and feature of each element.
        features: names of the features, or empty.
    """
    rows: list[dict[str, Any]] = []
    for feature in range(max(index, default=-1) + 1):
        elements = [(names[k], values[k]) for k, f in enumerate(index) if f == feature]
        if len(elements) == 1:
            rows.append({"name": features[feature] if features else elements[0][0], "value": elements[0][1]})
            continue
        name = features[feature] if features else f"feature {feature}"
        short = [(level.removeprefix(name).lstrip("=_: ") or level, value) for level, value in elements]
        on = [level for level, value in short if abs(value - 1) < 1e-3]
        if len(on) <= 1 and all(min(abs(value), abs(value - 1)) < 1e-3 for _, value in short):
            rows.append({"name": name, "value": on[0] if on else "none of its levels"})
        else:
            rows.append({"name": name, "value": ", ".join(f"{level} {value:.3g}" for level, value in short)})
    return rows


def map_of_values(index: Tensor, values: Tensor) -> Tensor:
    """The attribution at every place: the sum over the features there, each counted once.

    All pixels of a superpixel get its attribution, whatever its size. A pixel whose channels are separate features
    gets their sum.

    Args:
        index: int64 ``[C, *places]``, the feature of every element; -1 outside of all features.
        values: ``[d]``, the attribution of every feature.

    Returns:
        ``[*places]``.
    """
    repeats = torch.stack([(index == channel).sum(dim=0) for channel in index])
    shares = values[index.clamp(min=0)] / repeats
    return shares.where(index >= 0, 0.0).sum(dim=0)


def _in_steps(values: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], float]:
    """The values as int16 and the size of a step, which is the largest magnitude divided by :data:`STEPS`."""
    known = np.isfinite(values)
    largest = float(np.abs(values[known]).max(initial=0.0))
    scale = largest / STEPS if largest else 1.0
    steps = np.where(known, np.rint(np.where(known, values, 0.0).astype(np.float64) / scale), -STEPS - 1)
    return steps.astype(np.int16), scale


def _index_of(features: FeatureMap, i: int) -> Tensor:
    """The feature of every element of one example, on the CPU."""
    return features.index[i if len(features.index) > 1 else 0].cpu()


def _of_input(explanation: Explanation, i: int, modality: str) -> np.ndarray[Any, Any]:
    """The map of one example: ``[H, W]`` for images, ``[T]`` for series; otherwise a value for each feature."""
    features, values = explanation.features, explanation.values[i].float().cpu()
    if modality in ("image", "series"):
        return map_of_values(_index_of(features, i), values).numpy()
    return values[: int(features.counts[i if len(features.counts) > 1 else 0])].numpy()


def _of_layer(units: Tensor, modality: str, inputs: Tensor) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
    """The values of a layer that are shown, and their description.

    Units with places of the input are summed over channels: images ``[K, h, w]`` to ``[h, w]``, series ``[K, t]`` to
    the T steps of the input, texts ``[T, H]`` to ``[T]``. Of other layers, the :data:`UNITS` of largest magnitude.
    """
    units = units.float().cpu()
    if modality == "image" and units.ndim == 3:
        return units.sum(dim=0).numpy(), {"how": "places"}
    if modality == "series" and units.ndim == 2:
        steps, positions = inputs.shape[-1], units.shape[-1]
        return units.sum(dim=0)[torch.arange(steps) * positions // steps].numpy(), {"how": "places"}
    if modality == "text" and units.ndim == 2 and len(units) == len(inputs):
        return units.sum(dim=1).numpy(), {"how": "places"}
    strongest = units.flatten().abs().topk(min(UNITS, units.numel())).indices
    positions_of = torch.stack(torch.unravel_index(strongest, units.shape), dim=1).tolist()
    names = [f"unit {', '.join(map(str, position))}" for position in positions_of]
    return units.flatten()[strongest].numpy(), {"how": "units", "units": names, "of": units.numel()}
