"""Cells of a study with cheaper passes against the plain passes that they stand for, on MobileNetV2.

"floor" is the time of as many plain passes of the network, in full batches; the measurement that chooses how passes are
made was done by an earlier study in the same store.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from typing import Any

from torch import Tensor, nn

import xaiexp
from benchmarks.suites.measuring import ratio, spread
from benchmarks.suites.methods import floor
from benchmarks.suites.networks import mobilenet, photos

__all__ = ["rows"]

METHODS = [
    "integrated_gradients",
    "gradient_shap",
    "smooth_grad",
    "occlusion",
    "feature_ablation",
    "rise",
    "kernel_shap",
]


def rows(quick: bool, repeats: int = 5) -> list[dict[str, object]]:
    """A row for each method."""
    network, weights = mobilenet()
    x = photos(8, 96)
    target = network(x).argmax(dim=1)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = _study(network, x, target, ["integrated_gradients", "occlusion", "rise"], folder, 0)
        made = first.record["speed"]
        case = f"8 images of 96 x 96, MobileNetV2 ({weights}), {made['kind']}, {made['rows']} rows"
        chosen = METHODS[:4] if quick else METHODS
        return [{"case": case, **_method(name, network, x, target, folder, 1 if quick else repeats)} for name in chosen]


def _study(network: nn.Module, x: Tensor, target: Tensor, methods: list[str], folder: str, seed: int) -> Any:
    return xaiexp.compare(
        network, x, target, methods=methods, metrics=["sparseness"], baselines=["zero"], feature_mask="grid", seed=seed,
        store=f"{folder}/store", folder=f"{folder}/{methods[0]}-{seed}", report=False, quiet=True,
    )  # fmt: skip


def _method(name: str, network: nn.Module, x: Tensor, target: Tensor, folder: str, repeats: int) -> dict[str, object]:
    cells, floors, passes = [], [], 0
    for seed in range(1, repeats + 1):
        cell = _study(network, x, target, [name], folder, seed).cells.iloc[0]
        cells.append(float(cell["seconds"]))
        forward, backward = int(cell["forward_passes"]), int(cell["backward_passes"])
        passes = forward + backward
        started = time.perf_counter()
        floor(network, x, target, 36, forward, backward)
        floors.append(time.perf_counter() - started)
    return {"method": name, "passes": passes, "cell, s": spread(cells), "cell / floor": ratio(cells, floors)}
