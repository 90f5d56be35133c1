"""Values of xaiexp and Quantus for the same maps, metric by metric: equal, or different with the reason.

    uv run --with quantus==0.6.0 benchmarks/quantus_peers.py

Maps of integrated gradients for held-out digits on the network that ``model=digits_cnn`` trains. Where a metric draws
random numbers, both get the same ones. Every statement of the table is verified by a computation; if one is no longer
true (another version of Quantus), the script stops there. Printed as a Markdown table.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import quantus
import skimage.metrics
import torch
from quantus.functions.perturb_func import noisy_linear_imputation
from quantus.functions.similarity_func import correlation_spearman
from quantus.helpers.enums import ScoreDirection
from quantus.helpers.model.pytorch_model import PyTorchModel
from quantus_case import BASELINE, METHOD, Case, checked, gap, quiet, same, unchanged
from scipy import stats
from torch import Tensor, nn

import xaiexp
from xaiexp.builtin.metrics.faithfulness.correlation_formulas import subsets_of_size
from xaiexp.builtin.metrics.randomisation.map_similarity import map_similarity
from xaiexp.builtin.metrics.robustness.sensitivity_formulas import nearby_points
from xaiexp.builtin.removals.imputation import impute
from xaiexp.contract.registry import installed
from xaiexp.core.samples import LoadContext

EXAMPLES, D, GREY = 32, 64, 0.5
Row = tuple[str, str, str]


def complexity(c: Case) -> Iterator[Row]:
    plain = {"abs": True, "normalise": False}
    yield "sparseness", same(c.ours("sparseness"), c.theirs(quiet("Sparseness", **plain))), "They add 1e-7 to all."
    yield "entropy", same(c.ours("entropy"), c.theirs(quiet("Complexity", **plain))), "They add 1e-12 in the logarithm."
    count = quiet("EffectiveComplexity", eps=0.05)
    alone = [c.part(slice(i, i + 1)).theirs(count)[0] for i in range(len(c.x))]
    yield (
        "effective_complexity", "different",
        checked("They count attributions above eps and never evaluate the network; ours does, as the paper. Their "
             "count is of maps divided by the largest value of the whole dataset, so it depends on the other examples "
             f"({sum(np.array(alone) != c.theirs(count))} of {len(alone)} examples, eps 0.05).",
             (np.array(alone) != c.theirs(count)).any()),
    )  # fmt: skip


def localisation(c: Case) -> Iterator[Row]:
    masks = {"s_batch": c.batch.masks.unsqueeze(1).numpy()}  # type: ignore[union-attr]  # given
    pointing = quiet("PointingGame")
    empty = {"s_batch": np.zeros_like(masks["s_batch"])}
    yield (
        "pointing_game", same(c.ours("pointing_game"), c.theirs(pointing, **masks)),
        checked("Except where the mask is empty: they write NaN into an array of truth values, which makes it a "
             "hit; ours is NaN.", all(c.theirs(pointing, **empty))),
    )  # fmt: skip
    absolute = {"abs": True}
    signed = np.array(c.theirs(quiet("RelevanceMassAccuracy"), **masks))
    yield (
        "relevance_mass",
        same(c.ours("relevance_mass", of="magnitudes"), c.theirs(quiet("RelevanceMassAccuracy", **absolute), **masks)),
        checked("Of magnitudes. By default they add up negative values too, and the share leaves 0..1 "
             f"(here {signed.min():.1f} to {signed.max():.1f}); ours takes the positive part.",
             signed.min() < 0 or signed.max() > 1),
    )  # fmt: skip
    yield (
        "relevance_rank",
        same(c.ours("relevance_rank", of="magnitudes"), c.theirs(quiet("RelevanceRankAccuracy", **absolute), **masks)),
        "Of magnitudes, without ties; they break ties by position.",
    )  # fmt: skip
    yield (
        "top_k_intersection",
        same(c.ours("top_k_intersection", of="magnitudes", k=6),
             c.theirs(quiet("TopKIntersection", k=6, **absolute), **masks)),
        "Of magnitudes, without ties; their k is 1,000 by default.",
    )  # fmt: skip


def correlations(c: Case) -> Iterator[Row]:
    grey = {"perturb_baseline": GREY}
    constant = {"removal": "constant"}
    yield (
        "faithfulness_estimate",
        same(c.ours("faithfulness_estimate", n_features=D, **constant),
             c.theirs(quiet("FaithfulnessEstimate", **grey))),
        "All features, same value for removed ones.",
    )  # fmt: skip
    runs, share = 50, 0.25
    subsets = subsets_of_size(
        c.draws.within("metric/faithfulness_correlation"), c.batch.features,
        torch.full((len(c.x),), round(share * D)), range(runs), "subset 0",
    )  # fmt: skip
    given = iter([s.nonzero().flatten().numpy() for s in subsets.transpose(0, 1).flatten(0, 1)])
    with mock.patch("numpy.random.choice", side_effect=given):
        them = c.theirs(quiet("FaithfulnessCorrelation", nr_runs=runs, subset_size=round(share * D), **grey))
    yield (
        "faithfulness_correlation",
        same(c.ours("faithfulness_correlation", n_samples=runs, share=share, **constant), them),
        "Same subsets given to both.",
    )  # fmt: skip
    yield (
        "monotonicity_nguyen",
        same(c.ours("monotonicity_nguyen", n_features=D, **constant),
             c.theirs(quiet("MonotonicityCorrelation", nr_samples=1, **grey)), 0.02),
        "One fixed value for a removed feature. Effects within rounding tie in ours, not in theirs. By default they "
        "draw the other value uniformly from 0..1; ours can draw it from the data (removal=marginal), as the paper.",
    )  # fmt: skip

    metric = quiet("SensitivityN", **grey)
    whole, halves = c.theirs(metric), c.theirs(metric, size=len(c.x) // 2)
    order = (-c.maps.flatten(1)).argsort(dim=1)
    drops, parts, x = [], c.maps.flatten(1).gather(1, order).numpy(), c.x.flatten(1).clone()
    for k in range(int(0.8 * D)):
        x[torch.arange(len(x)), order[:, k]] = GREY
        with torch.no_grad():
            scores = c.module(torch.cat([c.x, x.view_as(c.x)]))
        drops.append((scores[: len(x)] - scores[len(x) :])[torch.arange(len(x)), c.y].numpy())
    twin = [stats.pearsonr(drops[k], parts[:, k])[0] for k in range(len(drops))]
    words = checked(
        "They correlate, over the examples and for each n, the attribution of the n-th feature alone with the drop "
        "without the first n (recomputed: equal); Ancona et al. correlate over random subsets of an example.",
        gap(whole, twin) < 1e-3,
    )
    words += " " + checked(
        f"Only the first mini-batch is read: with batch_size {len(c.x) // 2} the numbers are those of the first "
        f"{len(c.x) // 2} examples alone, up to {gap(whole, halves):.2f} away from those of batch_size {len(c.x)}.",
        gap(halves, c.part(slice(0, len(c.x) // 2)).theirs(metric)) < 1e-6 and gap(whole, halves) > 0.01,
    )
    yield "sensitivity_n", "different", f"{words} {unchanged(c, 'sensitivity_n', **constant)}"


def orders(c: Case, tiles: Tensor) -> Iterator[Row]:
    grey, constant = {"perturb_baseline": GREY}, {"removal": "constant"}
    with torch.no_grad():
        ends = [c.module(x)[torch.arange(len(c.x)), c.y].numpy() for x in (c.x, torch.full_like(c.x, GREY))]
        probable = c.module(c.x).softmax(1)[torch.arange(len(c.x)), c.y].numpy()
    flipping = quiet("PixelFlipping", return_auc_per_sample=True, **grey)
    curves = np.array(c.theirs(quiet("PixelFlipping", **grey)))
    yield (
        "pixel_flipping",
        same(c.ours("pixel_flipping", steps=D, **constant),
             (np.array(c.theirs(flipping)) + (ends[0] + curves[:, 0]) / 2) / D),
        checked("After adding the first step: their curve starts behind the first flip, and its area is not divided "
             "by the number of steps, so it grows with the image.", gap(curves[:, -1], ends[1]) < 1e-4),
    )  # fmt: skip

    tiled = Case(c.module, c.x, c.maps, tiles=tiles)
    regions = quiet("RegionPerturbation", patch_size=2, **grey)
    drops = np.array(c.theirs(regions))
    noise = Case(c.module, c.x, torch.randn(c.x.shape, generator=torch.Generator().manual_seed(0)))
    by_chance = np.array(noise.theirs(regions))
    yield (
        "aopc", same(tiled.ours("aopc", steps=16, **constant), drops.sum(1) / 17),
        checked("The mean of the curve that they return, with its start at 0. They declare \"lower is better\" in "
             f"every order; most relevant first, a large drop is good (mean {drops.mean():.2f}, of noise "
             f"{by_chance.mean():.2f}).",
             quantus.RegionPerturbation.score_direction == ScoreDirection.LOWER and drops.mean() > by_chance.mean()),
    )  # fmt: skip

    irof = quiet("IROF", **grey)
    with mock.patch("quantus.helpers.utils.get_superpixel_segments", return_value=tiles.numpy()):
        them = np.array(c.theirs(irof, softmax=True))
        by_mean = quiet("IROF")
        alone = c.part(slice(0, 1)).theirs(by_mean, softmax=True)[0]
        together = c.theirs(by_mean, softmax=True)[0]
        colour = nn.Sequential(nn.Flatten(), nn.Linear(3 * D, 2)).eval().requires_grad_(False)
        three = Case(colour, c.x.repeat(1, 3, 1, 1), c.maps.repeat(1, 3, 1, 1))
        refused = ""
        try:
            three.theirs(irof, softmax=True)
        except AssertionError as error:
            refused = str(error)
    first = tiled_first(tiled, tiles)
    yield (
        "irof",
        same(tiled.ours("irof", steps=16, **constant), (them - (1 + first / probable) / 2) / 16),
        checked("Same segments; after adding the first step and dividing by the number of segments (theirs grows with "
             "it). Their default value for removed pixels is the mean of the whole mini-batch, so it depends on the "
             "other examples, and images of three channels fail.",
             abs(alone - together) > 1e-4 and "mask shape" in refused),
    )  # fmt: skip


def tiled_first(c: Case, tiles: Tensor) -> np.ndarray:
    """The probability without the tile of the highest attribution."""
    top = c.explanation.values.argmax(dim=1)
    x = torch.where(tiles == top.view(-1, 1, 1, 1), GREY, c.x)
    with torch.no_grad():
        return c.module(x).softmax(1)[torch.arange(len(x)), c.y].numpy()


def axioms(c: Case) -> Iterator[Row]:
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(D, 10)).eval().requires_grad_(False)
    weights = linear[1].weight[linear(c.x).argmax(1)].view_as(c.x)
    exact = Case(linear, c.x, weights * (c.x - BASELINE))
    baseline = {"perturb_baseline": BASELINE}
    default, bare = (
        np.mean(exact.theirs(quiet("Completeness", **baseline, **more))) for more in ({}, {"normalise": False})
    )
    yield (
        "completeness", "different",
        checked("They compare floats with ==, by default after dividing the maps by their largest value: the exact "
             f"contributions of a linear model are complete for {default:.0%} of the examples ({bare:.0%} without the "
             f"division). Ours is the gap, here at most {exact.ours('completeness').max():.0e}.",
             default < 0.1 and bare < 1 and exact.ours("completeness").max() < 1e-5),
    )  # fmt: skip
    noise = torch.randn(c.x.shape, generator=torch.Generator().manual_seed(0))
    always = [np.mean(c.theirs(quiet("Monotonicity", perturb_baseline=b), maps=noise)) for b in ("black", GREY)]
    yield (
        "monotonicity_arya", "different",
        checked("They start from the baseline and set pixels to the baseline again, so nothing ever changes and "
             "every map is monotone, noise too (100 %). Ours puts the input's own pixels back "
             f"({c.ours('monotonicity_arya', removal='constant').mean():.0%} monotone).", min(always) == 1),
    )  # fmt: skip
    once, often = (np.array(c.theirs(quiet("Infidelity", n_perturb_samples=n, perturb_baseline=GREY))) for n in (1, 3))
    x, squares = c.x.clone(), []
    for row, column in itertools.product(range(0, 8, 4), range(0, 8, 4)):
        x[:, :, row : row + 4, column : column + 4] = GREY
        with torch.no_grad():
            fall = (c.module(c.x) - c.module(x))[torch.arange(len(x)), c.y]
        squares.append((fall - (c.maps * (c.x - x)).flatten(1).sum(1)).square().numpy())
    linear_gap = np.array(exact.theirs(quiet("Infidelity", perturb_baseline=BASELINE)))
    yield (
        "infidelity", "different",
        checked("No expectation over random perturbations: they replace patches one after the other in reading order "
             "and keep them (recomputed: equal), the same in every sample. ", gap(once, often) < 1e-5
             and gap(once, np.mean(squares, axis=0)) < 1e-3)
        + checked("Contributions are multiplied by the step once more: the exact ones of a linear model get "
               f"{linear_gap.mean():.2f}; ours {exact.ours('infidelity').max():.0e}.",
               linear_gap.mean() > 0.01 and exact.ours("infidelity").max() < 1e-6),
    )  # fmt: skip
    silent = quiet("NonSensitivity", perturb_baseline=GREY)
    them = np.array(c.theirs(silent)) / D
    mine = c.ours("non_sensitivity", removal="constant", epsilon=1e-5)
    zeroed = torch.where(c.maps.abs() < c.maps.flatten(1).abs().median(), 0.0, c.maps)
    half = Case(c.module, c.x, zeroed)
    apart = gap(np.array(half.theirs(silent)) / D, half.ours("non_sensitivity", removal="constant", epsilon=1e-5))
    coarse = quiet("NonSensitivity", perturb_baseline=GREY, eps=0.05)
    alone = [c.part(slice(i, i + 1)).theirs(coarse)[0] for i in range(len(c.x))]
    moved = int((np.array(alone) != c.theirs(coarse)).sum())
    yield (
        "non_sensitivity", checked(f"equal ({max(gap(them, mine), apart):.0e})", max(gap(them, mine), apart) < 1e-6),
        checked("As a share (they count), with a threshold next to 0, also of maps that are half zeros. Theirs is "
             f"absolute, of maps divided by the largest value of all: with 0.05, {moved} of {len(alone)} examples get "
             "another number alone than in a batch. Ours is relative to the example's own largest.", moved > 0),
    )  # fmt: skip


def imputation(c: Case) -> Iterator[Row]:
    shares = [10, 20, 30, 40, 50, 70, 90]
    road = quiet("ROAD", percentages=shares, noise=0.0)
    half = len(c.x) // 4
    whole, first = (np.array(list(c.theirs(road, size=n).values())) for n in (None, half))
    alone = np.array(list(c.part(slice(0, half)).theirs(road).values()))
    gone = (-c.maps.flatten(1)).argsort(dim=1)[:, :32]
    known = torch.ones(len(c.x), D, dtype=torch.bool).scatter(1, gone, False).view_as(c.x)
    mine = impute(c.x, known, torch.tensor(0.0), 1e-6)
    them = np.stack([noisy_linear_imputation(x.numpy(), g.numpy(), noise=0.0) for x, g in zip(c.x, gone, strict=True)])
    words = checked(f"The imputed images are equal ({gap(mine, them):.0e}, without noise).", gap(mine, them) < 1e-3)
    words += " They return one accuracy per share of the features, for the dataset; ours the target's probability, by "
    words += "example. " + checked(
        f"Only the first mini-batch is read: with batch_size {half} it is the accuracy of the first {half} examples, "
        f"up to {gap(whole, first):.2f} away from that with batch_size {len(c.x)}.",
        gap(first, alone) == 0 and gap(whole, first) > 0,
    )
    yield "road", "different", f"{words} {unchanged(c, 'road')}"


@contextlib.contextmanager
def steps(c: Case, name: str, count: int) -> Iterator[Callable[..., np.ndarray]]:
    """The points of xaiexp around the inputs as a perturbation function of Quantus, each returned once."""
    radius = installed().build("metric", name, {}).perturb_radius
    points = torch.cat(list(nearby_points(c.handle, c.batch, c.draws.within(f"metric/{name}"), radius, count)), dim=1)
    given = iter(points.flatten(2).transpose(0, 1).numpy())
    yield lambda **_: next(given).copy()


def robustness(c: Case) -> Iterator[Row]:
    n = 5
    pairs = [
        ("sensitivity_max", "MaxSensitivity",
         "Same points. Their radius is absolute (0.2), ours relative to the range of the data.", {}),
        ("local_lipschitz", "LocalLipschitzEstimate",
         "Same points, normalise=False. By default they divide each batch of maps by its own largest value first, so "
         "that the two maps compared are on two scales.", {"normalise": False}),
    ]  # fmt: skip
    for name, theirs, words, more in pairs:
        with steps(c, name, n) as perturb:
            metric = quiet(theirs, nr_samples=n, perturb_func=perturb, **more)
            them = c.theirs(metric, explain_func=c.explain_func())
        yield name, same(c.ours(name, n_perturb_samples=n), them, 1e-3), words
    torch.manual_seed(0)
    smooth = nn.Sequential(nn.Flatten(), nn.Linear(D, 16), nn.Tanh(), nn.Linear(16, 10)).eval().requires_grad_(False)
    whole = Case(smooth, c.x + 0.06)  # nothing is 0: neither pixels nor attributions nor units
    for short in ("Input", "Output", "Representation"):
        name = f"relative_{short.lower()}_stability"
        layer = {"layer_names": ["2"]} if short == "Representation" else {}
        got = []
        for each in (whole, c):
            names = {"layer_names": ["relu4"]} if layer and each is c else layer
            with steps(each, name, n) as perturb:
                metric = quiet(f"Relative{short}Stability", nr_samples=n, perturb_func=perturb, **names)
                them = np.array(each.theirs(metric, explain_func=each.explain_func()))
            got.append((them, each.ours(name, n_perturb_samples=n, floor=1e-12), each.ours(name, n_perturb_samples=n)))
        (them, mine, _), (theirs_here, _, ours_here) = got
        fine = np.isfinite(them) & np.isfinite(mine)
        bare = getattr(quantus, f"Relative{short}Stability")(disable_warnings=True)
        upwards = bare.perturb_func(arr=np.zeros((1, D)), indices=np.arange(D)[None])
        away = iter([c.x.roll(1, 0).flatten(1).numpy(), *[c.x.flatten(1).numpy() + 0.01] * (n - 1)])
        far = {"perturb_func": lambda a=away, **_: next(a).copy(), **names}
        metric = quiet(f"Relative{short}Stability", nr_samples=n, **far)
        lost = np.isnan(c.theirs(metric, explain_func=c.explain_func())) == (c.y != c.y.roll(1)).numpy()
        words = "Same points, ours without a floor, a network in which nothing is 0. They divide by numbers next to 0 "
        words += f"as they are: on digits_cnn the median is {np.nanmedian(theirs_here):.3g}, ours (floor 0.1) "
        words += f"{np.nanmedian(ours_here):.3g}. " + checked(
            "Their default noise only goes up (by 0.02 to 0.2), and one point that changes the class makes the value "
            "NaN; ours leaves that point out.",
            upwards.min() >= 0.02 and lost.all() and (c.y != c.y.roll(1)).any(),
        )
        if layer:
            words += " By default theirs reads all layers, ours the penultimate."
        yield name, same(mine[fine] / them[fine], np.ones(int(fine.sum())), 1e-2) + " in ratio", words


def randomisation(c: Case) -> Iterator[Row]:
    by_layer = quiet("MPRT", similarity_func=correlation_spearman)
    layers = c.theirs(by_layer, explain_func=c.explain_func())
    average = quiet("MPRT", similarity_func=correlation_spearman, return_average_correlation=True)
    averaged = np.array(c.theirs(average, explain_func=c.explain_func()))
    drawn = np.mean([v for k, v in layers.items() if k != "original"], axis=0)
    count = len(layers) - 1
    last = list(PyTorchModel(c.module).get_random_layer_generator("top_down", 42))[-1][1]
    again_maps = xaiexp.attribute(last, c.x, METHOD, target=c.y, baseline=BASELINE).flatten(1)
    mine = map_similarity(c.maps.flatten(1), again_maps, c.batch.features, "spearman", "magnitudes")
    yield (
        "parameter_randomisation", "different",
        checked(f"For the same randomised network, the correlations are {same(mine, list(layers.values())[-1])}. ",
             True)
        + checked("Their average includes the comparison of the explanation with itself, (sum + 1) / (layers + 1): "
               f"{averaged.mean():.2f} in place of {drawn.mean():.2f}.",
               gap(averaged, (drawn * count + 1) / (count + 1)) < 1e-6)
        + " They draw by each layer's initialiser, in the order of definition and with one seed for all layers; ours "
        "from the parameters' own mean and deviation, in the order of execution.",
    )  # fmt: skip
    recorded: list[Any] = []
    metric = quiet("RandomLogit", num_classes=10, similarity_func=correlation_spearman)
    them = c.theirs(metric, explain_func=c.explain_func(recorded))
    others = c.explain(c.x, torch.as_tensor(recorded[0]))
    mine = map_similarity(c.maps.flatten(1), others.flatten(1), c.batch.features, "spearman", "values")
    flat = c.theirs(quiet("RandomLogit", num_classes=10, normalise=False), explain_func=c.explain_func())
    lined = []
    for a, b in zip(c.maps.flatten(1).numpy(), others.flatten(1).numpy(), strict=True):
        both = np.concatenate([a, b])
        lined.append(skimage.metrics.structural_similarity(a, b, data_range=float(np.ptp(both))))
    halves: list[Any] = []
    c.theirs(metric, size=len(c.x) // 2, explain_func=c.explain_func(halves))
    off = np.concatenate(halves)
    draws = np.split(off - (off > c.y.numpy()), 2)  # which of the other nine
    yield (
        "random_logit", same(mine, them),
        checked("Same other class, Spearman. Their default is SSIM of maps flattened into one row (recomputed: "
             "equal), not of images. ", gap(flat, lined) < 1e-4)
        + checked("Their generator is seeded again for every mini-batch, so the other class depends on the batch size.",
               np.array_equal(*draws) and not np.array_equal(off, recorded[0])),
    )  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    lines = ["| ours | Quantus | how |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {verdict} | {words} |" for name, verdict, words in rows)])


def main() -> None:
    known = installed()
    with tempfile.TemporaryDirectory() as folder:
        network = known.build("model", "digits_cnn", {}).load(LoadContext(Path(folder)))
    samples = known.build("dataset", "digits", {}).open().read(0, EXAMPLES)
    x = network.encode(samples).inputs
    module = network.module.eval().requires_grad_(False)
    case = Case(module, x, masks=(x > 0.5).squeeze(1))
    side = torch.arange(8) // 2
    tiles = side.view(-1, 1) * 4 + side
    print(f"Quantus {quantus.__version__}, {EXAMPLES} digits, maps of {METHOD}.\n")
    parts = [
        complexity(case), localisation(case), correlations(case), orders(case, tiles), axioms(case),
        imputation(case), robustness(case), randomisation(case),
    ]  # fmt: skip
    print(table(list(itertools.chain(*parts))))


if __name__ == "__main__":
    main()
