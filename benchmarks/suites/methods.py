"""Every method against its own passes and against Captum, on images, texts and a table.

"floor" is the time of as many forward and backward passes as the method makes, in full batches without anything else;
Captum runs with full batches wherever it has a parameter for it. Ours is a second call of ``xaiexp.attribute`` on the
network, with plain passes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

import xaiexp
from benchmarks.suites.measuring import alternate, ratio, spread
from benchmarks.suites.networks import mobilenet, photos, table_network, text_network
from xaiexp.errors import Unsupported, UserError
from xaiexp.inference.counter import Counter

__all__ = ["rows"]

_QUICK = {"saliency", "integrated_gradients", "deep_lift", "grad_cam", "occlusion", "kernel_shap", "smooth_grad"}
_MOST_SECONDS = 30.0  # of a call; slower ones are measured once


def rows(quick: bool, repeats: int = 5) -> list[dict[str, object]]:
    """A row for each method that explains the network of a case."""
    network, weights = mobilenet()
    cases: list[tuple[str, nn.Module, Tensor, dict[str, Any], int]] = [
        (f"8 images of 96 x 96, MobileNetV2 ({weights})", network, photos(8, 96), {}, 36),
        ("1,000 rows of a table", *table_network(1000), {}, 1024),
    ]
    if not quick:
        cases += [
            (
                f"{count} texts of {tokens} tokens, encoder of 6 layers",
                *text_network(tokens, count),
                {"axes": "NTD"},
                16,
            )
            for tokens, count in ((128, 8), (512, 2))
        ]
    found = []
    for case, module, x, options, at_once in cases:
        found += list(_methods(case, module, x, options, at_once, quick, 1 if quick else repeats))
    return found


def _methods(
    case: str, module: nn.Module, x: Tensor, options: dict[str, Any], at_once: int, quick: bool, repeats: int
) -> Iterator[dict[str, object]]:
    target = module(x).argmax(dim=1)
    background = x.roll(1, dims=0) * 0.9
    for component in xaiexp.components("method"):
        name = component.name
        if not component.__module__.startswith("xaiexp.") or component.control or (quick and name not in _QUICK):
            continue

        def ours(name: str = name) -> object:
            return xaiexp.attribute(module, x, name, target=target, background=background, **options)

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ours()  # the first call asks the network what it returns
                with counted() as made:
                    ours()
                calls: dict[str, Callable[[], object]] = {
                    "ours": ours,
                    "floor": lambda made=made: floor(module, x, target, at_once, *made),
                }
                peer = captum(name, module, x, target, at_once)
                if peer is not None:
                    calls["captum"] = peer
                times = alternate(calls, repeats)
        except (Unsupported, UserError) as reason:
            yield {"case": case, "method": name, "note": str(reason).splitlines()[0][:80]}
            continue
        yield {
            "case": case,
            "method": name,
            "passes": sum(made),
            "ours, ms": spread([1000 * each for each in times["ours"]]),
            "ours / floor": ratio(times["ours"], times["floor"]),
            "captum / ours": ratio(times["captum"], times["ours"]) if "captum" in times else "",
        }


@contextmanager
def counted() -> Iterator[list[int]]:
    """Forward and backward passes that are made inside."""
    made, original = [0, 0], Counter.add

    def add(self: Counter, forward: int = 0, backward: int = 0) -> None:
        made[0] += forward
        made[1] += backward
        original(self, forward, backward)

    Counter.add = add  # type: ignore[method-assign]
    try:
        yield made
    finally:
        Counter.add = original  # type: ignore[method-assign]


def floor(module: nn.Module, x: Tensor, target: Tensor, at_once: int, forward: int, backward: int) -> None:
    """The passes alone: ``backward`` in both directions, the rest forward."""
    filled = x.repeat(-(-at_once // len(x)), *[1] * (x.ndim - 1))[:at_once].contiguous()
    chosen = target.repeat(-(-at_once // len(x)))[:at_once]
    for start in range(0, forward - backward, at_once):
        with torch.no_grad():
            module(filled[: forward - backward - start])
    for start in range(0, backward, at_once):
        leaf = filled[: backward - start].clone().requires_grad_()
        scores = module(leaf).gather(1, chosen[: len(leaf), None])
        torch.autograd.grad(scores.sum(), leaf)


def captum(name: str, module: nn.Module, x: Tensor, target: Tensor, at_once: int) -> Callable[[], object] | None:
    """The same method by Captum, with as many rows at once as it takes; None where it has none."""
    from captum import attr

    zero, several = torch.zeros_like(x), max(1, at_once // len(x))
    window = max(1, x.shape[-1] // 8)
    calls: dict[str, Callable[[], object]] = {
        "saliency": lambda: attr.Saliency(module).attribute(x, target, abs=False),
        "input_x_gradient": lambda: attr.InputXGradient(module).attribute(x, target),
        "integrated_gradients": lambda: attr.IntegratedGradients(module).attribute(
            x, zero, target, n_steps=50, internal_batch_size=at_once
        ),
        "deep_lift": lambda: attr.DeepLift(module).attribute(x, zero, target),
        "guided_backprop": lambda: attr.GuidedBackprop(module).attribute(x, target),
        "deconvolution": lambda: attr.Deconvolution(module).attribute(x, target),
        "gradient_shap": lambda: attr.GradientShap(module).attribute(x, zero, n_samples=50, target=target),
        "smooth_grad": lambda: attr.NoiseTunnel(attr.Saliency(module)).attribute(
            x, nt_type="smoothgrad", nt_samples=50, nt_samples_batch_size=several, stdevs=0.15, target=target, abs=False
        ),
    }
    if hasattr(module, "features"):
        calls["grad_cam"] = lambda: attr.LayerGradCam(module, module.features[-1]).attribute(x, target)
        calls["occlusion"] = lambda: attr.Occlusion(module).attribute(
            x, (3, window, window), (3, max(1, window // 2), max(1, window // 2)), zero, target,
            perturbations_per_eval=several,
        )  # fmt: skip
    elif x.ndim == 2:
        calls["feature_ablation"] = lambda: attr.FeatureAblation(module).attribute(x, zero, target)
    return calls.get(name)
