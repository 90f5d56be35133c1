"""The reference study: eight methods, two baselines, four metrics and all agreements on MobileNetV2.

Ours as ``xaiexp.compare`` runs it, into an empty store; peers with the same methods, references, numbers of samples and
maps: Captum for attributions and infidelity, Quantus for faithfulness correlation and pixel flipping (deletion, and
again for insertion, which Quantus has not), scipy and scikit-image for agreements. ``defaults`` leaves all batch sizes
to the libraries; above 128 pixels it gives path methods one image after the other, since all steps of all images at
once do not fit into 16 GB. ``tuned`` passes 32 rows at once wherever there is a parameter for it, and makes metrics in
batches of all maps of an example where the library allows it.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import xaiexp
from benchmarks.suites.measuring import alternate, ratio, spread
from benchmarks.suites.networks import mobilenet, photos

__all__ = ["rows"]

EXAMPLES, ROWS, SAMPLES, SUBSETS, STEPS, TOP = 8, 32, 64, 100, 16, 0.1
METHODS = [
    *("saliency", "input_x_gradient", "integrated_gradients", "gradient_shap"),
    *("deep_lift", "grad_cam", "occlusion", "random"),
]
METRICS = ["infidelity", "faithfulness_correlation", "deletion", "insertion"]


def ours(network: nn.Module, x: Tensor, target: Tensor, speed: str) -> dict[str, Any]:
    """The record of the study."""
    agreements = [component.name for component in xaiexp.components("agreement")]
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        result = xaiexp.compare(
            network, x, target, methods=METHODS, metrics=METRICS, baselines=["zero", "blur"], agreements=agreements,
            store=f"{folder}/store", folder=f"{folder}/study", report=False, quiet=True, speed=speed,
        )  # fmt: skip
        assert (result.cells["status"] == "done").all(), result.cells
        return dict(result.record)


def peers(network: nn.Module, x: Tensor, target: Tensor, tuned: bool) -> None:
    """The same by Captum, Quantus, scipy and scikit-image."""
    maps = _attributions(network, x, target, tuned)
    _infidelities(network, x, target, maps, tuned)
    _quantus(network, x, target, maps, tuned)
    _agreements(maps)


def _attributions(network: nn.Module, x: Tensor, target: Tensor, tuned: bool) -> dict[str, Tensor]:
    from captum import attr

    from xaiexp.builtin.gaussian_blur import default_sigma, gaussian_blur

    blur = gaussian_blur(x, default_sigma(tuple(x.shape[2:])))
    at_once = ROWS if tuned else None
    window = max(1, x.shape[2] // 8)
    maps = {
        "saliency": attr.Saliency(network).attribute(x, target, abs=False),
        "input_x_gradient": attr.InputXGradient(network).attribute(x, target),
        "random": torch.randn_like(x),
    }
    cam = attr.LayerGradCam(network, network.features[-1])
    maps["grad_cam"] = attr.LayerAttribution.interpolate(cam.attribute(x, target), x.shape[2:], "bilinear").expand_as(x)
    for name, reference in (("zero", torch.zeros_like(x)), ("blur", blur)):
        path, shap = attr.IntegratedGradients(network), attr.GradientShap(network)
        groups = [slice(i, i + 1) for i in range(len(x))] if tuned or x.shape[2] > 128 else [slice(None)]
        maps[f"integrated_gradients/{name}"] = torch.cat(
            [
                path.attribute(x[one], reference[one], target[one], n_steps=50, internal_batch_size=at_once)
                for one in ([slice(None)] if tuned else groups)
            ]
        )
        maps[f"gradient_shap/{name}"] = torch.cat(
            [shap.attribute(x[one], reference[one], n_samples=50, target=target[one]) for one in groups]
        )
        maps[f"deep_lift/{name}"] = attr.DeepLift(network).attribute(x, reference, target)
        maps[f"occlusion/{name}"] = attr.Occlusion(network).attribute(
            x, (3, window, window), (3, max(1, window // 2), max(1, window // 2)), reference, target,
            perturbations_per_eval=max(1, ROWS // len(x)) if tuned else 1,
        )  # fmt: skip
    return {name: found.detach() for name, found in maps.items()}


def _infidelities(network: nn.Module, x: Tensor, target: Tensor, maps: dict[str, Tensor], tuned: bool) -> None:
    from captum import metrics

    from xaiexp.builtin.gaussian_blur import default_sigma, gaussian_blur

    def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
        reference = gaussian_blur(inputs, default_sigma(tuple(inputs.shape[2:])))
        removed = (torch.rand_like(inputs[:, :1]) < torch.rand(len(inputs), 1, 1, 1)).to(inputs)
        change = (inputs - reference) * removed
        return change, inputs - change

    for found in maps.values():
        metrics.infidelity(
            network, perturb, x, found, target=target, n_perturb_samples=SAMPLES, normalize=True,
            max_examples_per_batch=ROWS if tuned else None,
        )  # fmt: skip


def _quantus(network: nn.Module, x: Tensor, target: Tensor, maps: dict[str, Tensor], tuned: bool) -> None:
    import quantus

    pixels = x.shape[2] * x.shape[3]
    common: dict[str, Any] = {"disable_warnings": True, "display_progressbar": False}
    correlation = quantus.FaithfulnessCorrelation(
        nr_runs=SUBSETS, subset_size=pixels // 5, perturb_baseline="mean", **common
    )
    flipping = quantus.PixelFlipping(features_in_step=pixels // STEPS, perturb_baseline="mean", **common)
    given = {"model": network, "x_batch": x.numpy(), "y_batch": target.numpy(), "device": "cpu"}
    for found in maps.values():
        pooled = found.sum(dim=1, keepdim=True).numpy()
        correlation(**given, a_batch=pooled, batch_size=ROWS if tuned else 64)
        flipping(**given, a_batch=pooled, batch_size=ROWS if tuned else 64)
        flipping(**given, a_batch=pooled.max() + pooled.min() - pooled, batch_size=ROWS if tuned else 64)


def _agreements(maps: dict[str, Tensor]) -> None:
    from scipy import stats
    from skimage.metrics import structural_similarity

    pooled = [found.sum(dim=1).numpy() for found in maps.values()]
    for number, first in enumerate(pooled):
        for second in pooled[number + 1 :]:
            for a, b in zip(first, second, strict=True):
                u, v = a.ravel(), b.ravel()
                for measure in (stats.pearsonr, stats.spearmanr, stats.kendalltau):
                    measure(u, v)
                structural_similarity(a, b, data_range=float(max(np.ptp(a), np.ptp(b), 1e-12)))
                top = int(TOP * len(u))
                np.intersect1d(np.argpartition(-u, top)[:top], np.argpartition(-v, top)[:top])
                u @ v / max(np.linalg.norm(u) * np.linalg.norm(v), 1e-12)
                (np.sign(u) == np.sign(v)).mean()


def rows(quick: bool, repeats: int = 5) -> list[dict[str, object]]:
    """A row for each side of the images: seconds of processor time, and ratios to ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_row(side, 1 if quick else repeats) for side in ((96,) if quick else (96, 224))]


def _row(side: int, repeats: int) -> dict[str, object]:
    network, weights = mobilenet()
    x = photos(EXAMPLES, side)
    target = network(x).argmax(dim=1)
    record = ours(network, x, target, "auto")  # which also imports everything
    times = alternate(
        {
            "ours": lambda: ours(network, x, target, "auto"),
            "ours, speed=plain": lambda: ours(network, x, target, "plain"),
            "defaults": lambda: peers(network, x, target, tuned=False),
            "tuned": lambda: peers(network, x, target, tuned=True),
        },
        repeats,
        warm=False,
    )
    return {
        "images": f"{EXAMPLES} of {side} x {side}, MobileNetV2 ({weights})",
        **{f"{name}, s": spread(seconds) for name, seconds in times.items()},
        "defaults / ours": ratio(times["defaults"], times["ours"]),
        "tuned / ours": ratio(times["tuned"], times["ours"]),
        "passes": _passes(record),
        "passes made": f"{record['speed']['kind']}, {record['speed']['rows']} rows",
    }


def _passes(record: dict[str, Any]) -> int:
    made = record["passes"]
    parts = [made["attributions"], made["predictions_and_references"], *made["metrics"].values()]
    return sum(part["forward"] + part["backward"] for part in parts)
