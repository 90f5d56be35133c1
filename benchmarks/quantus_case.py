"""One network, its inputs and maps as xaiexp and as Quantus take them; used by ``quantus_peers.py``."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import quantus
import torch
from torch import Tensor, nn

import xaiexp
from xaiexp.api.functions import _bound
from xaiexp.contract.registry import installed
from xaiexp.core.explanations import Explanation, Scores
from xaiexp.engine.explainer import rebound

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
if not hasattr(np, "trapz"):  # Quantus 0.6.0 calls it; numpy 2.4 has dropped it
    setattr(np, "trapz", np.trapezoid)  # noqa: B010 -- the plain way is refused for a name that is gone

METHOD, BASELINE = "integrated_gradients", 0.3  # no pixel of a digit is 0.3: no attribution is 0


class Case:
    """A network with inputs, classes and maps, for both sides."""

    def __init__(
        self,
        module: nn.Module,
        x: Tensor,
        maps: Tensor | None = None,
        tiles: Tensor | None = None,
        masks: Tensor | None = None,
        budget: int | None = None,
    ) -> None:
        self.module, self.x, self.y = module, x, module(x).argmax(1)
        self.maps = self.explain(x, self.y) if maps is None else maps
        handle, self.draws = _bound(module, x, self.y, tiles, None, None, "logit", budget, 0)
        self.batch = replace(handle.batch, masks=masks)
        self.handle = handle.passes.bind(self.batch)
        method = installed().build("method", METHOD, {})
        reference = torch.full_like(x, BASELINE).unsqueeze(1)
        told = Explanation(METHOD, "given", self.maps, self.batch.features, True, True, True, reference)
        self.explanation = rebound(told, method, self.handle, self.draws)

    def explain(self, x: Tensor, y: Tensor) -> Tensor:
        return xaiexp.attribute(self.module, x, METHOD, target=y, baseline=BASELINE)

    def ours(self, name: str, **parameters: Any) -> np.ndarray:
        metric = installed().build("metric", name, parameters)
        scored = metric.score_all(self.handle, self.batch, [self.explanation], self.draws.within(f"metric/{name}"))
        return (scored.values if isinstance(scored, Scores) else scored)[0].double().numpy()

    def theirs(self, metric: Any, softmax: bool = False, size: int | None = None, **more: Any) -> Any:
        np.random.seed(0)  # noqa: NPY002 -- the one that Quantus draws from
        return metric(
            model=self.module, x_batch=self.x.numpy().copy(), y_batch=self.y.numpy(),
            a_batch=more.pop("maps", self.maps).numpy().copy(), softmax=softmax, device="cpu",
            batch_size=size or len(self.x), channel_first=True, **more,
        )  # fmt: skip

    def part(self, rows: slice) -> Case:
        return Case(self.module, self.x[rows], self.maps[rows])

    def explaining(self, seen: list[Any] | None = None) -> Callable[..., np.ndarray]:
        """Our method as Quantus calls one."""

        def explain(model: nn.Module, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
            if seen is not None:
                seen.append(np.asarray(targets))
            x, y = torch.as_tensor(np.asarray(inputs)).float(), torch.as_tensor(np.asarray(targets))
            return xaiexp.attribute(model, x, METHOD, target=y, baseline=BASELINE).numpy()

        return explain


def told(words: str, holds: object) -> str:
    """The words, if they are true."""
    if not bool(holds):
        raise AssertionError(f"no longer true: {words}")
    return words


def gap(a: Any, b: Any) -> float:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return float(np.max(np.abs(a - b)))


def same(a: Any, b: Any, tolerance: float = 1e-4) -> str:
    apart = gap(a, b)
    return told(f"equal ({apart:.0e})", apart < tolerance)


def quiet(name: str, **parameters: Any) -> Any:
    return getattr(quantus, name)(
        **{"disable_warnings": True, "display_progressbar": False, "return_aggregate": False, **parameters}
    )


def unchanged(c: Case, name: str, **parameters: Any) -> str:
    """That batches change nothing of ours."""
    half = len(c.x) // 2
    whole = c.ours(name, **parameters)
    parts = [c.part(slice(0, half)), c.part(slice(half, None))]
    apart = gap(whole, np.concatenate([p.ours(name, **parameters) for p in parts]))
    apart = max(apart, gap(whole, Case(c.module, c.x, c.maps, budget=7).ours(name, **parameters)))
    return told(f"Ours: {apart:.0e} between batches of {len(c.x)}, {half} and 7.", apart < 1e-4)
