"""Studies of tables with a network of known weights, for tests of what is done with finished studies."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch

import xaiexp

NETWORK = """
import torch
from torch import nn


def network(columns=4, hidden=8):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(columns, hidden), nn.Tanh(), nn.Linear(hidden, 2))
"""
QUIET = ["tracking.uri=off", "report=false"]


def write_network(folder: Path, columns: int = 4, seed: int = 0, hidden: int = 8) -> Path:
    """The module ``known_network`` in a folder, and the file of its weights."""
    (folder / "known_network.py").write_text(NETWORK)
    torch.manual_seed(seed)
    layers = torch.nn.Sequential(torch.nn.Linear(columns, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 2))
    torch.save(layers.state_dict(), folder / "weights.pt")
    return folder / "weights.pt"


def write_table(
    path: Path, columns: int = 4, rows: int = 24, seed: int = 0, shift: dict[int, float] | None = None, start: int = 0
) -> Path:
    """A CSV file: ``c0 ... c3 label site``, normal columns, of which some are shifted; ids from ``start``."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, columns))
    for column, by in (shift or {}).items():
        values[:, column] += by
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", *(f"c{i}" for i in range(columns)), "label", "site"])
        for i, row in enumerate(values):
            label = int(row[0] + row[1] > 0)
            writer.writerow([start + i, *(f"{value:.6f}" for value in row), label, "north" if i % 2 else "south"])
    return path


def words(table: Path, weights: Path, *more: str, columns: int = 4, examples: str = "null") -> list[str]:
    """The overrides of a study of a table by the network of known weights."""
    return [
        "model=factory",
        "model.target=known_network:network",
        f"+model.kwargs.columns={columns}",
        "model.modality=table",
        f"model.weights={weights}",
        "trust=[known_network]",
        "dataset=csv",
        f"dataset.path={table}",
        "dataset.label_column=label",
        "dataset.id_column=row",
        "dataset.ignore=[site]",
        "dataset.held_out=1",
        f"examples={examples}",
        "method=[integrated_gradients,input_x_gradient,random]",
        "method.integrated_gradients.n_steps=1",
        "baseline=[zero]",
        "metric=[deletion,sparseness]",
        "agreement=[rank_correlation]",
        "target=1",
        "null_draws=0",
        *QUIET,
        *more,
    ]


def run(table: Path, weights: Path, *more: str, **options):
    """Run such a study in the working folder."""
    return xaiexp.run(words(table, weights, *more, **options), quiet=True)
