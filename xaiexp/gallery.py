"""The first examples of a study with every cell's map, kept in small files for the report and the tracking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xaiexp.runner import Chunk, Loaded
from xaiexp.store import write_atomically
from xaiexp.study import Study
from xaiexp.types import Explanation

__all__ = ["EXAMPLES", "Gallery"]

EXAMPLES = 8


class Gallery:
    """Gathers what a person would look at."""

    def __init__(self, study: Study, loaded: Loaded) -> None:
        self._study, self._loaded = study, loaded
        self._examples: list[dict[str, Any]] = []
        self._arrays: dict[str, np.ndarray[Any, Any]] = {}

    def add(self, chunk: Chunk) -> None:
        """Take in the examples of a chunk while there is room."""
        for i in range(min(len(chunk.batch), EXAMPLES - len(self._examples))):
            self._examples.append(self._example(chunk, i))

    def write(self, folder: Path) -> None:
        """Write ``gallery.json`` and ``gallery.npz``."""
        folder.mkdir(parents=True, exist_ok=True)
        told = {"modality": self._study.model.modality, "examples": self._examples}
        write_atomically(folder / "gallery.json", json.dumps(told, indent=1).encode())
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
            "columns": None,
            "maps": [],
        }
        data = batch.background.decode(batch.inputs[i]).float().cpu()
        if modality == "image":
            out["input"] = f"inputs/{number}"
            picture = (data.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            self._arrays[out["input"]] = picture[..., 0] if picture.shape[2] != 3 else picture
        elif modality == "series":
            out["input"] = f"inputs/{number}"
            self._arrays[out["input"]] = data.numpy()
        elif modality == "table":
            names = self._loaded.feature_names or tuple(f"column {k}" for k in range(len(data)))
            out["columns"] = [{"name": n, "value": v} for n, v in zip(names, data.tolist(), strict=True)]
        else:
            tokens = encoded.tokens[i]
            out["tokens"] = list(tokens)
            index = batch.features.index
            out["token_feature"] = index[i if len(index) > 1 else 0].flatten(1)[: len(tokens), 0].tolist()
        for cell, explanation in chunk.explanations.items():
            key = f"maps/{number}/{len(out['maps'])}"
            self._arrays[key] = _map(explanation, i, modality)
            out["maps"].append({"method": cell.method, "baseline": cell.baseline, "key": key})
        return out

    def _class(self, index: int | None) -> str:
        names = self._loaded.class_names
        return "" if index is None or not 0 <= index < len(names) else names[index]


def _map(explanation: Explanation, i: int, modality: str) -> np.ndarray[Any, Any]:
    """Pictures ``[H, W]`` and series ``[T]``: attribution per pixel or step; others: per feature."""
    features = explanation.features
    if modality in ("image", "series"):
        return features.spread(explanation.values)[i].sum(dim=0).float().cpu().numpy()
    count = int(features.counts[i if len(features.counts) > 1 else 0])
    return explanation.values[i, :count].float().cpu().numpy()
