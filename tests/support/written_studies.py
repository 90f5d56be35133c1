"""Writes folders of studies with made-up results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xaiexp.statistics.summary import summarise

CELLS = [
    ("saliency", "none"),
    ("integrated_gradients", "zero"),
    ("integrated_gradients", "blur"),
    ("occlusion", "zero"),
    ("random", "none"),
]


SIGNED = {"saliency": False}


METRICS = {"infidelity": False, "insertion": True, "sparseness": None}


NAIVE = "<script>alert(1)</script>"


WORDS = ["[CLS]", "an", "un", "##bear", "##ably", "good", "film", "&", "<b>", '"quoted"', "[SEP]"]


CONFIG = "seed: 0\nmethod:\n  saliency: {}  # <i>not html</i>\n"


def _image(rng: np.random.Generator, side: int) -> tuple[np.ndarray, dict[str, Any]]:
    return rng.integers(0, 256, (side, side) if side < 32 else (side, side, 3)).astype(np.uint8), {}


def _maps(modality: str, rng: np.random.Generator, side: int) -> np.ndarray:
    shape = {"image": (side, side), "text": (9,), "table": (30,), "series": (50,)}[modality]
    return rng.standard_normal(shape).astype(np.float32)


def gallery(folder: Path, modality: str, cells: list[tuple[str, str]], examples: int, side: int) -> None:
    """Write ``gallery/``."""
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    described = []
    for i in range(examples):
        example: dict[str, Any] = {
            "id": f"e{i}",
            "name": f"example {i}",
            "label": None if i == 2 else 1,
            "label_name": NAIVE,
            "target": i % 2,
            "target_name": ["benign", NAIVE][i % 2],
            "score": 3.25,
            "probability": 0.75,
            "predicted": i % 2,
            "predicted_name": ["benign", NAIVE][i % 2],
            "input": f"in{i}" if modality in ("image", "series") else None,
            "tokens": WORDS if modality == "text" else None,
            "token_feature": [-1, *range(9), -1] if modality == "text" else None,
            "columns": [{"name": f"mean radius of {k}", "value": k + 0.5} for k in range(30)]
            if modality == "table"
            else None,
            "maps": [],
        }
        if modality == "image":
            arrays[f"in{i}"] = _image(rng, side)[0]
        if modality == "series":
            arrays[f"in{i}"] = rng.standard_normal((2, 50)).cumsum(1).astype(np.float32)
        for method, baseline in cells:
            key = f"{i}-{method}-{baseline}"
            values = _maps(modality, rng, side)
            arrays[key] = values if SIGNED.get(method, True) else np.abs(values)
            example["maps"].append({"method": method, "baseline": baseline, "key": key})
        described.append(example)
    (folder / "gallery").mkdir()
    text = json.dumps({"modality": modality, "examples": described})
    (folder / "gallery" / "gallery.json").write_text(text, encoding="utf-8")
    np.savez_compressed(folder / "gallery" / "gallery.npz", **arrays)


def record(modality: str, model: str, dataset: str, seed: int, cells: list[tuple[str, str]]) -> dict[str, Any]:
    """The object of ``record.json`` of a study that is done."""
    return {
        "status": "done",
        "error": None,
        "study": {
            "model": model,
            "dataset": dataset,
            "features": "pixel",
            "modality": modality,
            "seed": seed,
            "examples": 16,
            "target": "predicted",
            "output": "logit",
        },
        "versions": {"xaiexp": "0.1.0", "python": "3.11.7", "torch": "2.9.0"},
        "plugins": [{"name": "builtin", "distribution": "xaiexp", "version": "0.1.0"}],
        "git": {"commit": "b04b953", "dirty": True},
        "weights": {"fingerprint": "w-1234"},
        "data": {"fingerprint": "d-5678", "count": 1797},
        "model_facts": {"held_out_accuracy": 0.983, "parameters": 25000},
        "device": "cpu",
        "started": "2025-11-22T09:00:00+00:00",
        "seconds": 12.5,
        "passes": {
            "attributions": {"forward": 12345, "backward": 678},
            "metrics": {name: {"forward": 100, "backward": 10, "seconds": 0.5} for name in METRICS},
        },
        "metrics": {
            name: {
                "summary": f"What {name} measures",
                "source": "Yeh et al. 2019, https://arxiv.org/abs/1901.09392, eq. 1",
                "higher_is_better": higher,
                "bounds": [0, None],
                "unit": "output squared",
            }
            for name, higher in METRICS.items()
        },
        "methods": {
            method: {
                "name": method,
                "summary": f"How {method} explains",
                "source": "A paper, eq. 2",
                "parameters": {"n_steps": 50},
                "signed": SIGNED.get(method, True),
                "complete": method == "integrated_gradients",
                "multiplied_by_inputs": method != "saliency",
            }
            for method, _ in cells
        },
        "baselines": {name: {"name": name, "summary": f"{name} everywhere"} for name in ("zero", "blur")},
        "agreements": {
            "rank_correlation": {"summary": "Spearman's rho", "source": "Krishna et al. 2022", "bounds": [-1, 1]},
            "sign_agreement": {"summary": "Same sign among the top k", "source": "Krishna 2022", "bounds": [0, 1]},
        },
        "class_names": ["benign", NAIVE],
    }


def tables(
    folder: Path,
    model: str,
    dataset: str,
    seed: int,
    cells: list[tuple[str, str]],
    failures: dict[str, tuple[str, str]],
) -> None:
    """Write the parquet files and the summary."""
    rng = np.random.default_rng(seed)
    study = {"model": model, "dataset": dataset, "seed": seed}
    rows = []
    for method, baseline in cells:
        status, reason = failures.get(method, ("done", ""))
        rows.append(
            {
                **study,
                "method": method,
                "baseline": baseline,
                "status": status,
                "reason": reason,
                "examples": 16,
                "forward_passes": 800,
                "backward_passes": 16,
                "seconds": 0.25,
                "peak_memory_bytes": 2**22,
                "cached": method == "saliency",
                "key": "k",
            }
        )
    pd.DataFrame(rows).to_parquet(folder / "cells.parquet")
    done = [cell for cell in cells if failures.get(cell[0], ("done", ""))[0] == "done"]
    scores, agreement = [], []
    for metric in METRICS:
        for place, (method, baseline) in enumerate(done):
            values = place + 1 + rng.standard_normal(16)
            if metric == "infidelity" and method == "occlusion":
                values[:3] = np.nan
            if metric == "sparseness" and method == "random":
                values[:] = np.nan
            where = {**study, "method": method, "baseline": baseline, "metric": metric}
            scores += [{**where, "example": f"e{i}", "target": i % 2, "value": v} for i, v in enumerate(values)]
    for i, a in enumerate(done):
        for b in done[i + 1 :]:
            for measure, low in (("rank_correlation", -1), ("sign_agreement", 0)):
                values = rng.uniform(low, 1, 16)
                if measure == "sign_agreement" and "saliency" in (a[0], b[0]):
                    values[:] = np.nan
                pair = {"method_a": a[0], "baseline_a": a[1], "method_b": b[0], "baseline_b": b[1]}
                agreement += [
                    {**study, **pair, "measure": measure, "example": f"e{k}", "value": v} for k, v in enumerate(values)
                ]
    pd.DataFrame(scores).to_parquet(folder / "scores.parquet")
    pd.DataFrame(agreement).to_parquet(folder / "agreement.parquet")
    summarise(pd.DataFrame(scores), METRICS, seed).to_csv(folder / "summary.csv", index=False)


def write_study(
    folder: Path,
    modality: str = "image",
    *,
    model: str = "digits_cnn",
    dataset: str = "digits",
    seed: int = 0,
    cells: list[tuple[str, str]] = CELLS,
    examples: int = 3,
    side: int = 8,
    failures: dict[str, tuple[str, str]] | None = None,
) -> Path:
    """A complete study folder."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    text = json.dumps(record(modality, model, dataset, seed, cells))
    (folder / "record.json").write_text(text, encoding="utf-8")
    tables(folder, model, dataset, seed, cells, failures or {})
    gallery(folder, modality, [c for c in cells if c[0] not in (failures or {})], examples, side)
    return folder
