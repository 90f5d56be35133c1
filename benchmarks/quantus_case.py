"""One network with its inputs and maps, as arguments of xaiexp and of Quantus; used by ``quantus_peers.py``."""

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
if not hasattr(np, "trapz"):  # Quantus 0.6.0 calls it; numpy 2.4 removed it
    setattr(np, "trapz", np.trapezoid)  # noqa: B010 -- a direct assignment is a type error for a removed name

METHOD, BASELINE = "integrated_gradients", 0.3  # no pixel of a digit is 0.3, so no attribution is 0


class Case:
    """A network with inputs, classes and maps, for both libraries."""

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
        explanation = Explanation(METHOD, "given", self.maps, self.batch.features, True, True, True, reference)
        self.explanation = rebound(explanation, method, self.handle, self.draws)

    def explain(self, x: Tensor, y: Tensor) -> Tensor:
        return xaiexp.attribute(self.module, x, METHOD, target=y, baseline=BASELINE)

    def ours(self, name: str, **parameters: Any) -> np.ndarray:
        metric = installed().build("metric", name, parameters)
        scores = metric.score_all(self.handle, self.batch, [self.explanation], self.draws.within(f"metric/{name}"))
        return (scores.values if isinstance(scores, Scores) else scores)[0].double().numpy()

    def theirs(self, metric: Any, softmax: bool = False, size: int | None = None, **more: Any) -> Any:
        np.random.seed(0)  # noqa: NPY002 -- the generator that Quantus uses
        return metric(
            model=self.module, x_batch=self.x.numpy().copy(), y_batch=self.y.numpy(),
            a_batch=more.pop("maps", self.maps).numpy().copy(), softmax=softmax, device="cpu",
            batch_size=size or len(self.x), channel_first=True, **more,
        )  # fmt: skip

    def part(self, rows: slice) -> Case:
        return Case(self.module, self.x[rows], self.maps[rows])

    def explain_func(self, recorded_targets: list[Any] | None = None) -> Callable[..., np.ndarray]:
        """The method as an ``explain_func`` of Quantus; records the targets that it is called with."""

        def explain(model: nn.Module, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
            if recorded_targets is not None:
                recorded_targets.append(np.asarray(targets))
            x, y = torch.as_tensor(np.asarray(inputs)).float(), torch.as_tensor(np.asarray(targets))
            return xaiexp.attribute(model, x, METHOD, target=y, baseline=BASELINE).numpy()

        return explain


def checked(words: str, holds: object) -> str:
    """The words, if the computation confirms them."""
    if not bool(holds):
        raise AssertionError(f"no longer true: {words}")
    return words


def gap(a: Any, b: Any) -> float:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return float(np.max(np.abs(a - b)))


def same(a: Any, b: Any, tolerance: float = 1e-4) -> str:
    difference = gap(a, b)
    return checked(f"equal ({difference:.0e})", difference < tolerance)


def quiet(name: str, **parameters: Any) -> Any:
    return getattr(quantus, name)(
        **{"disable_warnings": True, "display_progressbar": False, "return_aggregate": False, **parameters}
    )


def unchanged(c: Case, name: str, **parameters: Any) -> str:
    """A sentence that states that the batches do not change the values of xaiexp."""
    half = len(c.x) // 2
    whole = c.ours(name, **parameters)
    parts = [c.part(slice(0, half)), c.part(slice(half, None))]
    difference = gap(whole, np.concatenate([p.ours(name, **parameters) for p in parts]))
    difference = max(difference, gap(whole, Case(c.module, c.x, c.maps, budget=7).ours(name, **parameters)))
    return checked(f"Ours: {difference:.0e} between batches of {len(c.x)}, {half} and 7.", difference < 1e-4)
