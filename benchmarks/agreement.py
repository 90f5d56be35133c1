"""Agreement of 10 maps of 256 examples with 50,176 features: seconds by measure, beside one pass of MobileNetV2.

Maps come in chunks as a study has them, and each chunk is measured by all measures in turn, so that what several need
(the order of the features) is counted where it is made first. The forward passes are made in batches of several sizes.
The loop over scipy is timed on a few pairs and scaled up. Printed as JSON:

    uv run python benchmarks/agreement.py [EXAMPLES]
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable

import torch
from scipy import stats
from torchvision.models import mobilenet_v2

from xaiexp.contract.registry import installed
from xaiexp.core.feature_map import FeatureMap
from xaiexp.engine.comparison import agree_all, agree_jointly, group_maps

EXAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 else 256
METHODS, SIDE, CHUNK = 10, 224, 26  # a chunk of pictures of this size: four million numbers


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def forward(size: int) -> float:
    """One forward pass over all examples, in batches."""
    model = mobilenet_v2(weights=None).eval()
    pictures = torch.randn(size, 3, SIDE, SIDE)
    with torch.no_grad():
        model(pictures)
        return (
            timed(lambda: [model(pictures) for _ in range(-(-EXAMPLES // size))])
            * EXAMPLES
            / (-(-EXAMPLES // size) * size)
        )


def by_scipy(maps: torch.Tensor, measure: Callable[[object, object], object], count: int) -> float:
    """The loop over pairs and examples, scaled up from a few of them."""
    pairs = list(itertools.islice(itertools.combinations(range(METHODS), 2), count))
    seconds = timed(lambda: [measure(maps[i, 0].numpy(), maps[j, 0].numpy()) for i, j in pairs])
    return seconds / count * METHODS * (METHODS - 1) / 2 * EXAMPLES


if __name__ == "__main__":
    passes = {size: forward(size) for size in (4, 6, 16, 64)}  # a study makes its passes first, too
    generator = torch.Generator().manual_seed(0)
    features = FeatureMap.from_index(torch.arange(SIDE * SIDE).view(1, 1, SIDE, SIDE), (SIDE, SIDE))
    known, signed = installed(), [True] * METHODS
    told = {cls.name: 0.0 for cls in known.classes("agreement")}
    told["gathering"] = 0.0
    for start in range(-CHUNK, EXAMPLES, CHUNK):  # one chunk to warm up
        count = min(CHUNK, EXAMPLES - max(0, start))
        shared = torch.randn(1, count, SIDE * SIDE, generator=generator)
        maps = shared + torch.randn(METHODS, count, SIDE * SIDE, generator=generator)
        began = time.perf_counter()
        ready = group_maps(maps, features)
        seconds = {"gathering": time.perf_counter() - began}
        for cls in known.classes("agreement"):
            measure = known.build("agreement", cls.name, {})
            compare = agree_jointly if measure.joint else agree_all
            seconds[cls.name] = timed(lambda m=measure, c=compare, r=ready: c(m, r, signed))
        if start >= 0:
            told = {name: told[name] + seconds[name] for name in told}
    loops = {
        "spearman": by_scipy(maps, stats.spearmanr, 20),
        "pearson": by_scipy(maps, stats.pearsonr, 20),
        "kendall_tau": by_scipy(maps, stats.kendalltau, 5),
    }
    print(
        json.dumps(
            {
                "examples": EXAMPLES,
                "seconds": {name: round(s, 3) for name, s in told.items()},
                "all": round(sum(told.values()), 2),
                "mobilenet_v2 forward, in batches of": {size: round(s, 2) for size, s in passes.items()},
                "scipy / ours": {name: round(s / told[name], 1) for name, s in loops.items()},
                "threads": torch.get_num_threads(),
            },
            indent=1,
        )
    )
