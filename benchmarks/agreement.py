"""Agreement of 10 maps of 256 examples with 50,176 features: seconds by measure, and of a forward pass of MobileNetV2.

Maps come in chunks as in a study. All measures compare a chunk in turn, so what several of them need (the order of the
features) is counted for the measure that needs it first. The forward passes are made in batches of several sizes.
The loop over scipy is timed on a few pairs and scaled up. Prints JSON; seconds are wall-clock time, or processor time
with ``--cpu`` (on a machine with other work):

    uv run python benchmarks/agreement.py [EXAMPLES] [--cpu]
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable

import torch
from scipy import stats
from torchvision.models import mobilenet_v2

from xaiexp.contract.registry import installed
from xaiexp.core.feature_map import FeatureMap
from xaiexp.engine.comparison import agree_all, agree_jointly, group_maps

METHODS, SIDE, CHUNK = 10, 224, 26  # a chunk of images of this size: four million numbers


def timed(run: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    run()
    return clock() - started


def forward(size: int, examples: int, clock: Callable[[], float]) -> float:
    """One forward pass over all examples, in batches."""
    model = mobilenet_v2(weights=None).eval()
    images = torch.randn(size, 3, SIDE, SIDE)
    batches = -(-examples // size)
    with torch.no_grad():
        model(images)
        return timed(lambda: [model(images) for _ in range(batches)], clock) * examples / (batches * size)


def scipy_loop(
    maps: torch.Tensor,
    measure: Callable[[object, object], object],
    count: int,
    examples: int,
    clock: Callable[[], float],
) -> float:
    """The loop over pairs and examples, scaled up from a few of them."""
    pairs = list(itertools.islice(itertools.combinations(range(METHODS), 2), count))
    seconds = timed(lambda: [measure(maps[i, 0].numpy(), maps[j, 0].numpy()) for i, j in pairs], clock)
    return seconds / count * METHODS * (METHODS - 1) / 2 * examples


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("examples", type=int, nargs="?", default=256)
    parser.add_argument("--cpu", action="store_true")
    arguments = parser.parse_args()
    examples, clock = arguments.examples, time.process_time if arguments.cpu else time.perf_counter
    passes = {size: forward(size, examples, clock) for size in (4, 6, 16, 64)}  # before agreement, as in a study
    generator = torch.Generator().manual_seed(0)
    features = FeatureMap.from_index(torch.arange(SIDE * SIDE).view(1, 1, SIDE, SIDE), (SIDE, SIDE))
    registry, signed = installed(), [True] * METHODS
    totals = {cls.name: 0.0 for cls in registry.classes("agreement")}
    totals["grouping"] = 0.0
    for start in range(-CHUNK, examples, CHUNK):  # the first chunk warms up
        count = min(CHUNK, examples - max(0, start))
        shared = torch.randn(1, count, SIDE * SIDE, generator=generator)
        maps = shared + torch.randn(METHODS, count, SIDE * SIDE, generator=generator)
        began = clock()
        grouped = group_maps(maps, features)
        seconds = {"grouping": clock() - began}
        for cls in registry.classes("agreement"):
            measure = registry.build("agreement", cls.name, {})
            compare = agree_jointly if measure.joint else agree_all
            seconds[cls.name] = timed(lambda m=measure, c=compare, g=grouped: c(m, g, signed), clock)
        if start >= 0:
            totals = {name: totals[name] + seconds[name] for name in totals}
    loops = {
        "spearman": scipy_loop(maps, stats.spearmanr, 20, examples, clock),
        "pearson": scipy_loop(maps, stats.pearsonr, 20, examples, clock),
        "kendall_tau": scipy_loop(maps, stats.kendalltau, 5, examples, clock),
    }
    figures = {
        "examples": examples,
        "clock": clock.__name__,
        "seconds": {name: round(s, 3) for name, s in totals.items()},
        "all": round(sum(totals.values()), 2),
        "mobilenet_v2 forward, in batches of": {size: round(s, 2) for size, s in passes.items()},
        "scipy / ours": {name: round(s / totals[name], 1) for name, s in loops.items()},
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
