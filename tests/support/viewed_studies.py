"""Studies for the tests of the page: small networks that are run, and made-up ones where running takes too long."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from written_studies import CELLS, NAIVE, write_study

import xaiexp
from xaiexp.report import find_studies

METHODS = ["saliency", "integrated_gradients", "occlusion", "random"]
COLUMNS = ["age", "income", "height", "weight", "smoker", "pulse"]
CLASSES = ["cat", "dog", "bird"]


def _network(*shape: int) -> nn.Module:
    torch.manual_seed(0)
    size = int(np.prod(shape))
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 16), nn.Tanh(), nn.Linear(16, len(CLASSES))).eval()


def _compared(folder: Path, shape: tuple[int, ...], examples: int, axes: str, **more: object) -> Path:
    inputs = torch.rand(examples, *shape, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(examples) % len(CLASSES)
    result = xaiexp.compare(
        _network(*shape),
        inputs,
        labels,
        methods=METHODS,
        metrics=["deletion", "insertion", "sparseness"],
        baselines=["zero", "mean"],
        agreements=["rank_correlation", "sign_agreement"],
        task="multiclass",
        axes=axes,
        class_names=CLASSES,
        folder=folder,
        quiet=True,
        seed=0,
        store=str(folder / ".store"),
        **more,
    )
    return result.path


def image_study(folder: Path) -> list[Path]:
    """Grey images with masks."""
    masks = torch.zeros(18, 8, 8)
    masks[:, 2:6, 2:6] = 1
    return [_compared(folder, (1, 8, 8), 18, "NCHW", masks=masks, target="label")]


def targets_study(folder: Path) -> list[Path]:
    """Images, each explained for two classes."""
    return [_compared(folder, (1, 8, 8), 6, "NCHW", target=[0, 1])]


def table_study(folder: Path) -> list[Path]:
    """Rows of a table with named columns."""
    return [_compared(folder, (len(COLUMNS),), 18, "NF", feature_names=COLUMNS, target="predicted")]


def series_study(folder: Path) -> list[Path]:
    """Series of two channels."""
    return [_compared(folder, (2, 24), 8, "NCT", target="predicted")]


def text_study(folder: Path) -> list[Path]:
    """Made-up texts."""
    return [told(write_study(folder / "texts", "text", examples=8))]


def sweep(folder: Path) -> list[Path]:
    """Made-up studies of two models and two seeds."""
    for model in ("digits_cnn", "digits_mlp"):
        for seed in (0, 1):
            told(write_study(folder / f"{model}-{seed}", model=model, seed=seed, examples=4))
    return find_studies(folder)


def hostile_study(folder: Path) -> list[Path]:
    """A study whose every name tries to be markup, a formula or a script."""
    cells = [*CELLS, ("<u onmouseover=window.hurt=1>m</u>", '"><img src=x onerror=window.hurt=1>')]
    written = write_study(
        folder / "hostile", "text", model=HOSTILE, dataset="javascript:window.hurt=1", cells=cells, examples=4
    )
    return [told(written, HOSTILE)]


HOSTILE = '<img src=x onerror="window.hurt=1"></script><script>window.hurt=1</script>'


def told(folder: Path, name: str = "example") -> Path:
    """Add facts of the examples to a made-up study."""
    scores = pd.read_parquet(folder / "scores.parquet")[["example", "target"]].drop_duplicates()
    count = np.arange(len(scores))
    predicted, known = count % 2, count != 2  # as in the gallery
    facts = scores.assign(
        name=[f"{name} {i}" for i in count],
        label=np.where(known, NAIVE, ""),
        predicted=np.where(predicted == 1, NAIVE, "benign"),
        wrong=np.where(known, predicted == 0, -1),
        probability=0.5 + count / 40,
        score=count / 10,
    )
    facts.to_parquet(folder / "examples.parquet", index=False)
    file = folder / "gallery" / "gallery.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    for i, example in enumerate(content["examples"]):
        example |= {"name": f"{name} {i}", "probability": 0.5 + i / 40}
    file.write_text(json.dumps(content), encoding="utf-8")
    return folder
