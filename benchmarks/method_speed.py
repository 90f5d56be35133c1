"""The time of every method over that of its bare passes, and against Captum, in one process on one thread.

Suites: ``table``, 1,000 rows of 12 columns and a network with two layers of 128 units; ``image``, 8 images of 96 x 96
and MobileNetV2 with random weights. *Floor*: as many forward and backward passes as the method made, in batches of the
engine's size, without anything else. Captum runs with the batches that are fastest for it among a few
(``internal_batch_size``, ``perturbations_per_eval``). Ours, floor and Captum alternate; medians of processor time, and
the range of the ratios. The first call, which checks the network, is not counted: what is measured is every other one.

Captum's guided backpropagation and DeepLIFT have no rule for MobileNetV2's ReLU6 and treat it as linear, so that they
compute less than ours.

    uv run python benchmarks/method_speed.py [--quick] [SUITE] [METHOD ...]
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

import xaiexp
from xaiexp.contract.registry import installed
from xaiexp.errors import Unsupported, UserError
from xaiexp.inference.counter import Counter
from xaiexp.inference.passes import Passes

FEW = {
    "image": {
        "n_steps": 16, "n_samples": 16, "n_masks": 100, "strides": (3, 32, 32), "sliding_window_shapes": (3, 32, 32)
    },
    "table": {},
}  # fmt: skip


@dataclass(frozen=True)
class Suite:
    """A network with inputs, targets, examples of the data, and a map of features where elements are too many."""

    name: str
    network: nn.Module
    inputs: Tensor
    targets: Tensor
    background: Tensor
    features: Tensor | None = None


def table() -> Suite:
    """1,000 rows."""
    torch.manual_seed(0)
    layers = [nn.Linear(12, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 3)]
    network = nn.Sequential(*layers).eval().requires_grad_(False)
    x = torch.rand(1000, 12)
    return Suite("table", network, x, network(x).argmax(1), torch.rand(200, 12))


def image() -> Suite:
    """Eight images."""
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v2().eval().requires_grad_(False)
    x = torch.rand(8, 3, 96, 96)
    tiles = (torch.arange(96) // 24).view(-1, 1) * 4 + torch.arange(96) // 24
    return Suite("image", network, x, network(x).argmax(1), torch.rand(16, 3, 96, 96), tiles)


def seconds(call: Callable[[], Any]) -> float:
    """Processor time of a call."""
    started = time.process_time()
    call()
    return time.process_time() - started


def bare_passes(suite: Suite, forward: int, backward: int) -> None:
    """The passes alone; each backward pass includes a forward pass, which is counted in ``forward``."""
    shape = suite.inputs.shape[1:]
    size = Passes(suite.network, torch.device("cpu")).budget(tuple(shape))
    rows = torch.rand(size, *shape)
    with torch.no_grad():
        for start in range(0, forward - backward, size):
            suite.network(rows[: min(size, forward - backward - start)])
    for start in range(0, backward, size):
        leaf = rows[: min(size, backward - start)].clone().requires_grad_()
        torch.autograd.grad(suite.network(leaf)[:, 0].sum(), leaf)


def captum_calls(suite: Suite, options: dict[str, Any]) -> dict[str, list[Callable[[], Any]]]:
    """Captum's methods by our name, each with the settings among which the fastest counts."""
    from captum import attr

    net, x, target = suite.network, suite.inputs, suite.targets
    zero, n = torch.zeros_like(x), len(x)
    steps, samples = options.get("n_steps", 50), options.get("n_samples", 50)
    blocks = (n, 4 * n, 16 * n)
    calls: dict[str, list[Callable[[], Any]]] = {
        "saliency": [lambda: attr.Saliency(net).attribute(x, target)],
        "input_x_gradient": [lambda: attr.InputXGradient(net).attribute(x, target)],
        "guided_backprop": [lambda: attr.GuidedBackprop(net).attribute(x, target)],
        "deconvolution": [lambda: attr.Deconvolution(net).attribute(x, target)],
        "integrated_gradients": [
            lambda b=b: attr.IntegratedGradients(net).attribute(x, zero, target, n_steps=steps, internal_batch_size=b)
            for b in blocks
        ],
        "smooth_grad": [
            lambda b=b: attr.NoiseTunnel(attr.Saliency(net)).attribute(
                x, "smoothgrad", samples, b // n, 0.15, target=target, abs=False
            )
            for b in blocks
        ],
        "gradient_shap": [lambda: attr.GradientShap(net).attribute(x, zero, samples, target=target)],
    }
    if suite.name == "table":
        calls["deep_lift"] = [lambda: attr.DeepLift(net).attribute(x, zero, target)]
        calls["feature_ablation"] = [
            lambda k=k: attr.FeatureAblation(net).attribute(x, zero, target, perturbations_per_eval=k) for k in (1, 12)
        ]
        return calls
    layer = net.features[18][0]  # type: ignore[index]

    def grad_cam() -> Tensor:
        found = attr.LayerGradCam(net, layer).attribute(x, target)
        return attr.LayerAttribution.interpolate(found, (96, 96), "bilinear")

    window = (3, 32, 32)
    calls["deep_lift"] = [lambda: attr.DeepLift(net).attribute(x, zero, target)]
    calls["grad_cam"] = [grad_cam]
    calls["occlusion"] = [
        lambda k=k: attr.Occlusion(net).attribute(x, window, window, zero, target, perturbations_per_eval=k)
        for k in (1, 4)
    ]
    return calls


def measure(suite: Suite, name: str, repeats: int) -> dict[str, object] | None:
    """The row of a method; None where it is not for this network or these inputs."""
    kind = next(c for c in installed().classes("method") if c.name == name)
    given = {key: value for key, value in FEW[suite.name].items() if key in kind.__dataclass_fields__}
    removes = suite.features is not None and not kind.needs and kind.reads_baseline

    def ours() -> Any:
        return xaiexp.attribute(
            suite.network, suite.inputs, name, target=suite.targets, background=suite.background,
            feature_mask=suite.features if removes else None, **given,
        )  # fmt: skip

    made = []
    original = Counter.add

    def add(counter: Counter, forward: int = 0, backward: int = 0) -> None:
        made.append((forward, backward))
        original(counter, forward, backward)

    try:
        ours()
        Counter.add = add  # type: ignore[method-assign]
        ours()
    except (Unsupported, UserError):
        return None
    finally:
        Counter.add = original  # type: ignore[method-assign]
    forward, backward = (sum(column) for column in zip(*made, strict=True)) if made else (0, 0)
    choices = captum_calls(suite, given).get(name, [])
    theirs = min(choices, key=lambda call: (seconds(call), seconds(call))[1]) if choices else None
    times = [
        (
            seconds(ours),
            seconds(lambda: bare_passes(suite, forward, backward)),
            seconds(theirs) if theirs else float("nan"),
        )
        for _ in range(repeats)
    ]
    mine, floor, captum = (statistics.median(column) for column in zip(*times, strict=True))
    row: dict[str, object] = {
        "suite": suite.name,
        "method": name,
        "forward": forward / len(suite.inputs),
        "backward": backward / len(suite.inputs),
        "ms": round(1e3 * mine, 1),
    }
    if forward:
        ratios = [a / b for a, b, _ in times]
        row |= {"over floor": round(mine / floor, 2), "range": [round(min(ratios), 2), round(max(ratios), 2)]}
    if theirs:
        ratios = [c / a for a, _, c in times]
        row |= {
            "captum / ours": round(captum / mine, 2),
            "captum range": [round(min(ratios), 2), round(max(ratios), 2)],
        }
    return row


def rows(
    quick: bool, suites: tuple[str, ...] = ("table", "image"), names: tuple[str, ...] = ()
) -> list[dict[str, object]]:
    """A row for each suite and built-in method."""
    torch.set_num_threads(1)
    found = []
    own = [c.name for c in installed().classes("method") if c.__module__.startswith("xaiexp.")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of completeness, and of Captum
        for suite in (make() for make in (table, image) if make.__name__ in suites):
            found += [row for name in names or own if (row := measure(suite, name, 2 if quick else 5)) is not None]
    return found


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    chosen = tuple(word for word in words if word in ("table", "image")) or ("table", "image")
    print(json.dumps(rows("--quick" in sys.argv, chosen, tuple(w for w in words if w not in chosen)), indent=1))
