"""The time of every metric relative to its own passes, on a CPU. ``uv run python benchmarks/metrics_overhead.py``.

MobileNetV2 with random weights, a few images, square tiles as features, the maps of five methods. The passes of a
metric are counted while it runs, explaining again included. The same passes are then made without the metric, in the
full batches of the engine. Both are timed alternately, several times, and the minimum of each counts. The
representations of the data, which all metrics share, are computed before. Metrics without passes are reported in
milliseconds.

By default there are eight images of 224 x 224: six fill a batch of the engine, and up to 27 form the chunk that a study
passes to its metrics. With fewer or smaller images, batches are not full (explaining two examples again makes passes of
two rows), and the cost per chunk (a copy of the network, randomising its parameters) dominates. In a study both are
negligible.

The time is wall-clock time, or on a single thread (``OMP_NUM_THREADS=1``) processor time, which is less affected by
other work on the machine. MobileNetV2 is a light network: the relative overhead is smaller for others.

    uv run python benchmarks/metrics_overhead.py [--inside] [--network=NAME] [SIDE] [EXAMPLES] [METRIC ...]

NAME is one of torchvision's, by default mobilenet_v2.

With ``--inside`` the passes are not repeated: the time of a metric is divided by the time of its own passes in one run.
This varies less and takes less time, but does not include the effect of batches that are not full.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torchvision.models import get_model

from xaiexp.api.functions import _bound
from xaiexp.contract.kinds import Metric
from xaiexp.contract.registry import installed
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Explanation
from xaiexp.engine.explainer import attributed, rebound
from xaiexp.errors import Unsupported
from xaiexp.inference.passes import Handle, Passes

INSIDE = "--inside" in sys.argv
NETWORK = next((word.partition("=")[2] for word in sys.argv if word.startswith("--network=")), "mobilenet_v2")
WORDS = [word for word in sys.argv[1:] if not word.startswith("--")]
SIDE = int(WORDS[0]) if WORDS else 224
EXAMPLES = int(WORDS[1]) if len(WORDS) > 1 else 8
NAMES = WORDS[2:]
TILES, REPEATS = 8, 3
METHODS = ["integrated_gradients", "saliency", "input_x_gradient", "random", "sobel"]


def seconds(run: Callable[[], Any]) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    started = clock()
    run()
    return clock() - started


def bare_passes(handle: Handle, batch: Batch, forward: int, backward: int) -> None:
    """Passes in full batches; each backward pass includes a forward pass, which is counted in ``forward``."""
    size = handle.passes.budget(batch.shape)
    rows = batch.inputs.repeat(-(-size // len(batch)), 1, 1, 1)[:size]
    with torch.no_grad():
        for start in range(0, forward - backward, size):
            handle.module(rows[: min(size, forward - backward - start)])
    for start in range(0, backward, size):
        leaf = rows[: min(size, backward - start)].clone().requires_grad_()
        torch.autograd.grad(handle.module(leaf)[:, 0].sum(), leaf)


def measure_inside(metric: Metric, handle: Handle, batch: Batch, given: list[Explanation], draws: Any) -> Any:
    """Passes, seconds and the ratio of one metric to the passes that it makes."""
    counter, within, original = handle.counter, 0.0, Passes._retried
    before = counter.forward + counter.backward

    def timed(*args: Any, **kwargs: Any) -> Any:
        nonlocal within
        out = None

        def run() -> None:
            nonlocal out
            out = original(*args, **kwargs)

        within += seconds(run)
        return out

    Passes._retried = timed  # type: ignore[method-assign]
    try:
        took = seconds(lambda: metric.score_all(handle, batch, given, draws))
    finally:
        Passes._retried = original  # type: ignore[method-assign]
    passes = counter.forward + counter.backward - before
    if not passes:
        return {"milliseconds": round(1e3 * took, 1)}
    return {"passes": passes, "seconds": round(took, 2), "ratio": round(took / within, 3)}


def setting() -> tuple[Callable[[], Handle], Batch, list[Explanation], Any]:
    """A function that returns a handle with empty caches, the batch, its explanations and random draws."""
    torch.manual_seed(0)
    module = get_model(NETWORK, weights=None).eval().requires_grad_(False)
    x = torch.rand(EXAMPLES, 3, SIDE, SIDE)
    tile = torch.arange(SIDE) * TILES // SIDE
    tiles = tile.view(-1, 1) * TILES + tile
    target = module(x).argmax(1)
    handle, draws = _bound(module, x, target, tiles, torch.rand(16, 3, SIDE, SIDE), None, "logit", None, 0)
    features = replace(handle.batch.features, shape=(TILES, TILES))
    mask = torch.zeros(EXAMPLES, SIDE, SIDE, dtype=torch.bool)
    mask[:, SIDE // 4 : SIDE // 2, SIDE // 4 : SIDE // 2] = True
    batch = replace(handle.batch, features=features, masks=mask)
    bound = handle.passes.bind(batch)
    reference = torch.zeros_like(x).unsqueeze(1)
    registry = installed()
    given = []
    for name in METHODS:
        method = registry.build("method", name, {"n_steps": 8} if name == "integrated_gradients" else {})
        fixed = reference if method.reads_baseline else None
        explanation = Explanation(
            name, "zero", attributed(method, bound, fixed, draws), features, method.signed, method.complete,
            method.multiplied_by_inputs, fixed,
        )  # fmt: skip
        given.append(rebound(explanation, method, bound, draws))
    return lambda: handle.passes.bind(batch), batch, given, draws


def measure(metric: Metric, fresh: Callable[[], Handle], batch: Batch, given: list[Explanation], draws: Any) -> Any:
    """Passes, seconds and the ratio of one metric."""
    handle = fresh()
    counter = handle.counter
    times: list[tuple[float, float]] = []
    forward = backward = 0
    handle.hidden_of_pool()
    if INSIDE:
        handle = fresh()
        handle.logits()  # shared by all metrics
        return measure_inside(metric, handle, batch, given, draws)
    for _ in range(REPEATS):
        handle = fresh()
        handle.logits()  # shared by all metrics
        before = (counter.forward, counter.backward)
        took = seconds(lambda h=handle: metric.score_all(h, batch, given, draws))
        # The last repetition counts: the first one also computes what all metrics share.
        forward, backward = counter.forward - before[0], counter.backward - before[1]
        times.append((took, seconds(lambda h=handle, f=forward, b=backward: bare_passes(h, batch, f, b))))
    took, passes = (min(side) for side in zip(*times, strict=True))
    if not forward:
        return {"milliseconds": round(1e3 * took, 1)}
    return {"passes": forward + backward, "seconds": round(took, 2), "ratio": round(took / passes, 2)}


def main() -> None:
    fresh, batch, given, draws = setting()
    registry, out = installed(), {}
    for cls in registry.classes("metric"):
        if NAMES and cls.name not in NAMES:
            continue
        metric = registry.build("metric", cls.name, {})
        if "image" not in metric.modalities:
            continue
        try:
            out[cls.name] = measure(metric, fresh, batch, given, draws.within(f"metric/{cls.name}"))
        except Unsupported as reason:
            out[cls.name] = {"not supported": str(reason)}
        print(cls.name, json.dumps(out[cls.name]), file=sys.stderr, flush=True)
    worst = {name: result["ratio"] for name, result in out.items() if result.get("ratio", 0) > 1.1}
    facts = {"network": NETWORK, "side": SIDE, "examples": EXAMPLES, "threads": torch.get_num_threads()}
    print(json.dumps(facts | {"metrics": out, "above 1.1": worst}, indent=1))


if __name__ == "__main__":
    main()
