"""Attributions of xaiexp beside those of Captum, by way of the plugin, on the same examples.

    uv run python benchmarks/peers_agree.py

Prints the table of benchmarks/README.md: the largest difference relative to the largest attribution, and Pearson's
correlation, of deterministic methods, and both sums against the change of the score.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import xaiexp

BASELINE = 0.1


@dataclass(frozen=True)
class Pair:
    """A method of ours and the same of Captum.

    Args:
        ours, captum: names of the methods.
        parameters: of both.
        only_ours: further parameters of ours.
        reads: whether they read a baseline.
        expected: the largest relative difference of maps that count as equal; None where they are known to differ.
        why: the known difference.
    """

    ours: str
    captum: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    only_ours: Mapping[str, Any] = field(default_factory=dict)
    reads: bool = True
    expected: float | None = 1e-6
    why: str = ""


def pairs(network: str) -> Iterator[Pair]:
    """The pairs for one of :func:`networks`."""
    yield Pair("saliency", "captum_saliency", reads=False)
    yield Pair("input_x_gradient", "captum_input_x_gradient", reads=False)
    yield Pair("integrated_gradients", "captum_integrated_gradients", {"n_steps": 20}, expected=1e-4)
    yield Pair("feature_ablation", "captum_feature_ablation")
    yield Pair("occlusion", "captum_occlusion", {"sliding_window_shapes": (1, 3, 3), "strides": (1, 2, 2)})
    yield Pair("guided_backprop", "captum_guided_backprop", reads=False)
    yield Pair("deconvolution", "captum_deconvolution", reads=False)
    if network != "max pool":
        yield Pair("deep_lift", "captum_deep_lift")
    else:
        why = (
            "of a ReLU and a max-pool that follow each other, Captum overwrites one hook; the maps add up nevertheless"
        )
        yield Pair("deep_lift", "captum_deep_lift", expected=None, why=why)
    layer = {"layer": "0", "n_steps": 20}
    rule = {"method": "riemann_trapezoid"}
    yield Pair("layer_conductance", "captum_layer_conductance", layer | rule, expected=1e-4)
    why = "Captum's gausslegendre leaves out the ends of the line and takes the gradient at the start of each step"
    yield Pair("layer_conductance", "captum_layer_conductance", layer, {"method": "midpoint"}, expected=None, why=why)
    yield Pair("layer_integrated_gradients", "captum_layer_integrated_gradients", layer, expected=1e-4)
    yield Pair("internal_influence", "captum_internal_influence", layer, expected=1e-4)
    yield Pair("neuron_gradient", "captum_neuron_gradient", {"layer": "0"}, reads=False)


class Separator(nn.Module):
    """A module between two others that changes nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 1


def networks() -> dict[str, nn.Module]:
    """Small convolutional networks in float64; those with a max-pool compute the same."""
    made = {}
    pools = {
        "average pool": nn.AvgPool2d(2),
        "max pool": nn.MaxPool2d(2),
        "separated max pool": nn.Sequential(Separator(), nn.MaxPool2d(2), Separator()),
    }
    with torch.random.fork_rng():
        for name, pool in pools.items():
            torch.manual_seed(1)
            layers = nn.Conv2d(1, 4, 3), nn.ReLU(), pool, nn.Conv2d(4, 6, 2), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)
            made[name] = nn.Sequential(*layers).double().eval()
    return made


def examples() -> tuple[Tensor, Tensor]:
    """Eight inputs ``[8, 1, 8, 8]`` and their targets."""
    x = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return x, torch.arange(8) % 3


@dataclass(frozen=True)
class Row:
    """The comparison of one pair: largest difference, correlation, and the largest errors of both sums."""

    pair: Pair
    difference: float
    correlation: float
    sums: tuple[float, float]


def compare(module: nn.Module, pair: Pair) -> Row:
    """Explain the examples by both methods."""
    x, targets = examples()
    baseline = BASELINE if pair.reads else None
    ours, theirs = (
        xaiexp.attribute(module, x, name, target=targets, baseline=baseline, **pair.parameters, **more)
        for name, more in ((pair.ours, pair.only_ours), (pair.captum, {}))
    )
    a, b = ours.flatten(1), theirs.flatten(1)
    with torch.no_grad():
        at = torch.arange(len(x)), targets
        change = module(x)[at] - module(torch.full_like(x, BASELINE))[at]
    scale = float(change.abs().max())
    sums = float((a.sum(1) - change).abs().max()) / scale, float((b.sum(1) - change).abs().max()) / scale
    correlation = float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])
    return Row(pair, float((a - b).abs().max() / a.abs().max()), correlation, sums)


_ADD_UP = ("deep_lift", "integrated_gradients", "layer_conductance", "layer_integrated_gradients")


def main() -> None:
    print("| network | ours | Captum | largest difference | correlation | error of our sum, of theirs | |")
    print("|---|---|---|---|---|---|---|")
    for name, module in networks().items():
        for pair in pairs(name):
            row = compare(module, pair)
            sums = f"{row.sums[0]:.1e}, {row.sums[1]:.1e}" if pair.ours in _ADD_UP else "–"
            said = "equal" if pair.expected is not None and row.difference <= pair.expected else pair.why or "DIFFERENT"
            parameters = ", ".join(f"{k}={v}" for k, v in {**pair.parameters, **pair.only_ours}.items() if k != "layer")
            named = f"`{pair.ours}`" + (f" ({parameters})" if parameters else "")
            numbers = f"{row.difference:.1e} | {row.correlation:.6f} | {sums}"
            print(f"| {name} | {named} | `{pair.captum}` | {numbers} | {said} |")


if __name__ == "__main__":
    main()
