"""Agreement of 10 maps of 256 examples with 50,176 features: seconds by measure, beside one pass of MobileNetV2.

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

from xaiexp.comparison import agree_all, agree_together
from xaiexp.feature_map import FeatureMap
from xaiexp.registry import installed

EXAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 else 256
METHODS, SIDE = 10, 224


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def forward() -> float:
    """One forward pass over all examples, four at a time (the quickest here)."""
    model = mobilenet_v2(weights=None).eval()
    pictures = torch.randn(4, 3, SIDE, SIDE)
    with torch.no_grad():
        model(pictures)
        return timed(lambda: [model(pictures) for _ in range(EXAMPLES // 4)])


def by_scipy(maps: torch.Tensor, measure: Callable[[object, object], object], count: int) -> float:
    """The loop over pairs and examples, scaled up from a few of them."""
    pairs = list(itertools.islice(itertools.combinations(range(METHODS), 2), count))
    seconds = timed(lambda: [measure(maps[i, 0].numpy(), maps[j, 0].numpy()) for i, j in pairs])
    return seconds / count * METHODS * (METHODS - 1) / 2 * EXAMPLES


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(1, EXAMPLES, SIDE * SIDE, generator=generator)
    maps = shared + torch.randn(METHODS, EXAMPLES, SIDE * SIDE, generator=generator)
    features = FeatureMap.from_index(torch.arange(SIDE * SIDE).view(1, 1, SIDE, SIDE), (SIDE, SIDE))
    known, signed = installed(), [True] * METHODS
    told = {}
    for cls in known.classes("agreement"):
        measure = known.build("agreement", cls.name, {})
        compare = agree_together if measure.together else agree_all
        told[cls.name] = round(timed(lambda m=measure, c=compare: c(m, maps, features, signed)), 2)
    passes = forward()
    loops = {
        "spearman": by_scipy(maps, stats.spearmanr, 20),
        "pearson": by_scipy(maps, stats.pearsonr, 20),
        "kendall_tau": by_scipy(maps, stats.kendalltau, 5),
    }
    print(
        json.dumps(
            {
                "examples": EXAMPLES,
                "seconds": told,
                "all": round(sum(told.values()), 1),
                "mobilenet_v2 forward": round(passes, 1),
                "scipy / ours": {name: round(s / told[name], 1) for name, s in loops.items()},
                "threads": torch.get_num_threads(),
            },
            indent=1,
        )
    )
