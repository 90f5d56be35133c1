"""Run times of xaiexp and Captum in one process, as ratios. ``uv run python benchmarks/peers.py``.

A convolutional network of the size of LeNet and 64 images of 28 x 28, on the CPU. "vs passes" is the run time
divided by that of the forward and backward passes that the method needs, in batches of the engine's size. Captum uses
full batches, ``perturbations_per_eval`` and ``internal_batch_size`` where it supports them.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import xaiexp

warnings.filterwarnings("ignore", module="captum")

N, SIDE, TILE = 64, 28, 4


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 84), nn.ReLU(), nn.Linear(84, 10),
    ).eval().requires_grad_(False)  # fmt: skip


def seconds(call: Callable[[], Any], repeats: int = 3) -> float:
    call()
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return best


def pass_time(model: nn.Module, x: Tensor, forward: int, backward: int) -> float:
    """The run time of the passes alone, in batches of 1,024 rows."""
    rows = x.repeat(16, 1, 1, 1)

    def run() -> None:
        for start in range(0, forward - backward, len(rows)):
            with torch.no_grad():
                model(rows[: min(len(rows), forward - backward - start)])
        for start in range(0, backward, len(rows)):
            leaf = rows[: min(len(rows), backward - start)].clone().requires_grad_()
            torch.autograd.grad(model(leaf)[:, 0].sum(), leaf)

    return seconds(run)


def main() -> None:
    from captum import attr, metrics

    model, x = network(), torch.rand(N, 1, SIDE, SIDE)
    target = model(x).argmax(1)
    zero = torch.zeros_like(x)
    tiles = (torch.arange(SIDE) // TILE).view(-1, 1) * (SIDE // TILE) + torch.arange(SIDE) // TILE
    d = int(tiles.max()) + 1
    samples = 2 * d + 2048

    def ours(name: str, **options: Any) -> Callable[[], Tensor]:
        return lambda: xaiexp.attribute(model, x, name, target=target, baseline="zero", **options)

    lines: dict[str, tuple[Callable[[], Any], Callable[[], Any], tuple[int, int]]] = {
        "integrated_gradients, 50 steps": (
            ours("integrated_gradients"),
            lambda: attr.IntegratedGradients(model).attribute(x, zero, target, n_steps=50, internal_batch_size=1024),
            (50 * N, 50 * N),
        ),
        "deep_lift": (ours("deep_lift"), lambda: attr.DeepLift(model).attribute(x, zero, target), (2 * N, 2 * N)),
        "occlusion, 4 x 4 windows": (
            ours("occlusion", sliding_window_shapes=(1, 4, 4), strides=(1, 4, 4)),
            lambda: attr.Occlusion(model).attribute(
                x, (1, 4, 4), (1, 4, 4), zero, target, perturbations_per_eval=16
            ),
            ((d + 1) * N, 0),
        ),
        f"feature_ablation, {d} tiles": (
            ours("feature_ablation", feature_mask=tiles),
            lambda: attr.FeatureAblation(model).attribute(
                x, zero, target, feature_mask=tiles.view(1, 1, SIDE, SIDE), perturbations_per_eval=16
            ),
            ((d + 1) * N, 0),
        ),
        "smooth_grad, 25 samples": (
            ours("smooth_grad", n_samples=25),
            lambda: attr.NoiseTunnel(attr.Saliency(model)).attribute(
                x, "smoothgrad", nt_samples=25, nt_samples_batch_size=16, stdevs=0.15, target=target, abs=False
            ),
            (25 * N, 25 * N),
        ),
    }  # fmt: skip
    few = 8  # Captum's KernelSHAP processes one example at a time
    small, small_target = x[:few], target[:few]
    lines[f"kernel_shap, {d} tiles, {samples} samples, {few} examples"] = (
        lambda: xaiexp.attribute(
            model, small, "kernel_shap", target=small_target, feature_mask=tiles, n_samples=samples
        ),
        lambda: [
            attr.KernelShap(model).attribute(
                small[i : i + 1], zero[:1], small_target[i : i + 1], n_samples=samples, perturbations_per_eval=1024,
                feature_mask=tiles.view(1, 1, SIDE, SIDE),
            )
            for i in range(few)
        ],
        (samples * few, 0),
    )  # fmt: skip
    out: dict[str, Any] = {"threads": torch.get_num_threads(), "device": "cpu", "methods": {}}
    for name, (ours_call, captum_call, passes) in lines.items():
        a, b, c = seconds(ours_call), seconds(captum_call), pass_time(model, x, *passes)
        out["methods"][name] = {
            "ours, ms": round(1e3 * a, 1),
            "captum / ours": round(b / a, 2),
            "ours vs passes": round(a / c, 2),
            "captum vs passes": round(b / c, 2),
        }

    maps = [xaiexp.attribute(model, x, "random", seed=k, target=target) for k in range(5)]

    def captum_infidelity() -> None:
        def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
            noise = 0.1 * torch.randn_like(inputs)
            return noise, inputs - noise

        for attributions in maps:
            metrics.infidelity(
                model, perturb, x, attributions, target=target, n_perturb_samples=64, max_examples_per_batch=1024
            )

    from xaiexp.api.functions import _bound
    from xaiexp.builtin.metrics import COMPONENTS
    from xaiexp.core.explanations import Explanation

    infidelity = next(c for c in COMPONENTS if c.name == "infidelity")(perturbation="noise", n_samples=64)

    def ours_infidelity() -> None:
        handle, draws = _bound(model, x, target, None, None, None, "logit", None, 0)
        explanations = [
            Explanation(str(i), "none", m, handle.batch.features, True, False, False) for i, m in enumerate(maps)
        ]
        infidelity.score_all(handle, handle.batch, explanations, draws)

    a, b = seconds(ours_infidelity), seconds(captum_infidelity)
    c = pass_time(model, x, 65 * N, 0)
    out["infidelity of 5 methods, 64 samples"] = {
        "ours, ms": round(1e3 * a, 1),
        "captum / ours": round(b / a, 2),
        "ours vs passes": round(a / c, 2),
        "captum vs passes of all": round(b / (5 * c), 2),
    }
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
