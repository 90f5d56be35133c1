"""The time of every metric over the time of its own passes, on a CPU. ``uv run python benchmarks/metrics_overhead.py``.

MobileNetV2 with random weights, a few pictures, square tiles as features, the maps of five methods. A metric's passes
are counted while it runs, explaining again included, and then made once more alone, in the full batches of the engine.
Both are timed in turns, several times, and the quickest of each counts. The representations of the data, which all
metrics share, are made before. Metrics without passes are told in milliseconds.

Pictures are 224 x 224, eight of them, unless told: six fill a batch of the engine, and up to 27 are the chunk that a
study hands to its metrics. With fewer or smaller ones what is measured are batches that are not full (explaining two
examples again makes passes of two rows), and what a metric does once a chunk (a copy of the network, its parameters
drawn anew), which both hardly count in a study.

The time is that of the clock, or on a single thread (``OMP_NUM_THREADS=1``) that of the processor, which other work on
the machine hardly changes. MobileNetV2 is a light network: another makes the same overhead a smaller part.

    uv run python benchmarks/metrics_overhead.py [--inside] [--network=NAME] [SIDE] [EXAMPLES] [METRIC ...]

NAME is one of torchvision's, mobilenet_v2 unless told.

With ``--inside`` the passes are not made again: the time of a metric is set against that of its own passes, of one run.
That is steadier, and quicker, but does not see batches that are not full.
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


def bare(handle: Handle, batch: Batch, forward: int, backward: int) -> None:
    """So many passes, in full batches; every backward pass comes with a forward one, which is among ``forward``."""
    size = handle.passes.budget(batch.shape)
    rows = batch.inputs.repeat(-(-size // len(batch)), 1, 1, 1)[:size]
    with torch.no_grad():
        for start in range(0, forward - backward, size):
            handle.module(rows[: min(size, forward - backward - start)])
    for start in range(0, backward, size):
        leaf = rows[: min(size, backward - start)].clone().requires_grad_()
        torch.autograd.grad(handle.module(leaf)[:, 0].sum(), leaf)


def inside(metric: Metric, handle: Handle, batch: Batch, given: list[Explanation], draws: Any) -> Any:
    """Passes, seconds and the ratio of one metric over the passes that it makes."""
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
    """A way to get a handle that remembers nothing, and explanations."""
    torch.manual_seed(0)
    module = get_model(NETWORK, weights=None).eval().requires_grad_(False)
    x = torch.rand(EXAMPLES, 3, SIDE, SIDE)
    place = torch.arange(SIDE) * TILES // SIDE
    tiles = place.view(-1, 1) * TILES + place
    target = module(x).argmax(1)
    handle, draws = _bound(module, x, target, tiles, torch.rand(16, 3, SIDE, SIDE), None, "logit", None, 0)
    features = replace(handle.batch.features, shape=(TILES, TILES))
    mask = torch.zeros(EXAMPLES, SIDE, SIDE, dtype=torch.bool)
    mask[:, SIDE // 4 : SIDE // 2, SIDE // 4 : SIDE // 2] = True
    batch = replace(handle.batch, features=features, masks=mask)
    bound = handle.passes.bind(batch)
    reference = torch.zeros_like(x).unsqueeze(1)
    known = installed()
    given = []
    for name in METHODS:
        method = known.build("method", name, {"n_steps": 8} if name == "integrated_gradients" else {})
        fixed = reference if method.reads_baseline else None
        told = Explanation(
            name, "zero", attributed(method, bound, fixed, draws), features, method.signed, method.complete,
            method.multiplied_by_inputs, fixed,
        )  # fmt: skip
        given.append(rebound(told, method, bound, draws))
    return lambda: handle.passes.bind(batch), batch, given, draws


def measured(metric: Metric, fresh: Callable[[], Handle], batch: Batch, given: list[Explanation], draws: Any) -> Any:
    """Passes, seconds and the ratio of one metric."""
    handle = fresh()
    counter = handle.counter
    times: list[tuple[float, float]] = []
    forward = backward = 0
    handle.hidden_of_pool()
    if INSIDE:
        handle = fresh()
        handle.logits()  # shared by all metrics
        return inside(metric, handle, batch, given, draws)
    for _ in range(REPEATS):
        handle = fresh()
        handle.logits()  # shared by all metrics
        before = (counter.forward, counter.backward)
        took = seconds(lambda h=handle: metric.score_all(h, batch, given, draws))
        # Of the last time: the first time also makes what all metrics share.
        forward, backward = counter.forward - before[0], counter.backward - before[1]
        times.append((took, seconds(lambda h=handle, f=forward, b=backward: bare(h, batch, f, b))))
    took, passes = (min(side) for side in zip(*times, strict=True))
    if not forward:
        return {"milliseconds": round(1e3 * took, 1)}
    return {"passes": forward + backward, "seconds": round(took, 2), "ratio": round(took / passes, 2)}


def main() -> None:
    fresh, batch, given, draws = setting()
    known, out = installed(), {}
    for cls in known.classes("metric"):
        if NAMES and cls.name not in NAMES:
            continue
        metric = known.build("metric", cls.name, {})
        if "image" not in metric.modalities:
            continue
        try:
            out[cls.name] = measured(metric, fresh, batch, given, draws.within(f"metric/{cls.name}"))
        except Unsupported as reason:
            out[cls.name] = {"not here": str(reason)}
        print(cls.name, json.dumps(out[cls.name]), file=sys.stderr, flush=True)
    worst = {name: told["ratio"] for name, told in out.items() if told.get("ratio", 0) > 1.1}
    told = {"network": NETWORK, "side": SIDE, "examples": EXAMPLES, "threads": torch.get_num_threads()}
    print(json.dumps(told | {"metrics": out, "above 1.1": worst}, indent=1))


if __name__ == "__main__":
    main()
