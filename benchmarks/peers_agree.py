"""Attributions of xaiexp beside those of Captum and of shap, by way of the plugins, on the same examples.

    uv run python benchmarks/peers_agree.py

Prints the tables of benchmarks/README.md: the largest difference relative to the largest attribution, and Pearson's
correlation, and both sums against the change of the score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import xaiexp

BASELINE = 0.1


@dataclass(frozen=True)
class Pair:
    """A method of ours and the same of a peer.

    Args:
        ours, theirs: names of the methods.
        parameters: of both.
        only_ours, only_theirs: further parameters of one.
        reads: whether they read a baseline.
        references: whether the baseline is a distribution of four references.
        tiles: how many tiles the image has as features; None for those of its own.
        expected: the largest relative difference of maps that count as equal; None where they are known to differ.
        why: the known difference.
    """

    ours: str
    theirs: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    only_ours: Mapping[str, Any] = field(default_factory=dict)
    only_theirs: Mapping[str, Any] = field(default_factory=dict)
    reads: bool = True
    references: bool = False
    tiles: int | None = None
    expected: float | None = 1e-6
    why: str = ""


def pairs(network: str) -> Iterator[Pair]:
    """The pairs of ours and Captum for one of :func:`networks`."""
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


def shap_pairs(network: str) -> Iterator[Pair]:
    """The pairs of ours and shap for one of :func:`networks` with ``overlapping``."""
    if network == "overlapping max pool":
        why = "shap's max_unpool keeps one of several windows that share a maximum: its map does not add up"
        unchecked = {"check_additivity": False}
        yield Pair("deep_lift_shap", "shap_deep", only_theirs=unchecked, references=True, expected=None, why=why)
        return
    yield Pair("exact_shapley", "shap_exact", references=True, tiles=8)
    yield Pair("kernel_shap", "shap_kernel", only_theirs={"l1_reg": 0}, references=True, tiles=8)
    # With two features the mean of an order and its reverse is exact.
    yield Pair("permutation_shap", "shap_permutation", references=True, tiles=2)
    if network != "separated max pool":  # shap has no rule for modules of one's own, and the plugin refuses them
        yield Pair("deep_lift_shap", "shap_deep", references=True)
    why = "other random points: the difference falls with the root of their number"
    samples = {"only_ours": {"n_samples": 200}, "only_theirs": {"nsamples": 200}}
    yield Pair("expected_gradients", "shap_gradient", **samples, references=True, expected=None, why=why)


class Separator(nn.Module):
    """A module between two others that changes nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 1


def networks(overlapping: bool = False) -> dict[str, nn.Module]:
    """Small convolutional networks in float64; ``max pool`` and ``separated max pool`` compute the same.

    Args:
        overlapping: whether there is one more, whose pool has windows that overlap.
    """
    made = {}
    pools = {
        "average pool": nn.AvgPool2d(2),
        "max pool": nn.MaxPool2d(2),
        "separated max pool": nn.Sequential(Separator(), nn.MaxPool2d(2), Separator()),
    }
    if overlapping:
        pools["overlapping max pool"] = nn.MaxPool2d(4, stride=1)  # 3 x 3, as the others
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


def references() -> Tensor:
    """Four references of all examples, ``[1, 4, 1, 8, 8]``."""
    return 0.5 * torch.randn(1, 4, 1, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def tiles(count: int) -> Tensor:
    """The map ``[1, 8, 8]`` of 2 or 8 tiles of equal size, each as wide as half of the image."""
    rows = torch.arange(8).view(8, 1) * (count // 2) // 8
    return (rows * 2 + torch.arange(8) // 4).expand(1, 8, 8).contiguous()


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
    background = references() if pair.references else torch.full((1, 1, *x.shape[1:]), BASELINE, dtype=x.dtype)
    baseline = (background if pair.references else BASELINE) if pair.reads else None
    mask = tiles(pair.tiles) if pair.tiles else None
    ours, theirs = (
        xaiexp.attribute(
            module, x, name, target=targets, baseline=baseline, feature_mask=mask, **pair.parameters, **more
        )
        for name, more in ((pair.ours, pair.only_ours), (pair.theirs, pair.only_theirs))
    )
    # Every element of a tile has the value of the tile.
    size = x[0].numel() // pair.tiles if pair.tiles else 1
    a, b = ours.flatten(1) / size, theirs.flatten(1) / size
    with torch.no_grad():
        at = torch.arange(len(x)), targets
        change = module(x)[at] - module(background[0])[:, targets].mean(dim=0)
    scale = float(change.abs().max())
    sums = float((a.sum(1) - change).abs().max()) / scale, float((b.sum(1) - change).abs().max()) / scale
    correlation = float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])
    return Row(pair, float((a - b).abs().max() / a.abs().max()), correlation, sums)


_ADD_UP = ("deep_lift", "integrated_gradients", "layer_conductance", "layer_integrated_gradients")


def main() -> None:
    print_table("Captum", networks(), pairs)
    print()
    print_table("shap", networks(overlapping=True), shap_pairs)


def print_table(peer: str, modules: Mapping[str, nn.Module], pairs_of: Callable[[str], Iterator[Pair]]) -> None:
    print(f"| network | ours | {peer} | largest difference | correlation | error of our sum, of theirs | |")
    print("|---|---|---|---|---|---|---|")
    for name, module in modules.items():
        for pair in pairs_of(name):
            row = compare(module, pair)
            sums = f"{row.sums[0]:.1e}, {row.sums[1]:.1e}" if pair.references or pair.ours in _ADD_UP else "–"
            said = "equal" if pair.expected is not None and row.difference <= pair.expected else pair.why or "DIFFERENT"
            ours = _named(
                pair.ours, {**pair.parameters, **pair.only_ours, **({"tiles": pair.tiles} if pair.tiles else {})}
            )
            theirs = _named(pair.theirs, pair.only_theirs)
            numbers = f"{row.difference:.1e} | {row.correlation:.6f} | {sums}"
            print(f"| {name} | {ours} | {theirs} | {numbers} | {said} |")


def _named(method: str, parameters: Mapping[str, Any]) -> str:
    """A method as it stands in a table."""
    said = ", ".join(f"{key}={value}" for key, value in parameters.items() if key != "layer")
    return f"`{method}`" + (f" ({said})" if said else "")


if __name__ == "__main__":
    main()
