"""Quantus' random logit test, with the class that it draws for an example independent of the other examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xaiexp.plugin import Draws, Explanation, Handle
from xaiexp_quantus.calls import Batchwise, maps, quiet, refusals, scorable

__all__ = ["scores"]


def scores(peer: Callable[[], Any], model: Handle, explanation: Explanation, rng: Draws) -> Tensor:
    """The scores ``[N]``; NaN for maps that Quantus refuses.

    Quantus is called for each example twice: first to learn which class it asks for, then, after all of these were
    explained together, with their maps.
    """
    batch, batchwise = model.batch, Batchwise(model, explanation, rng)
    own = maps(explanation)

    def run(number: int, explain: Callable[..., Any]) -> Any:
        one = slice(number, number + 1)
        with quiet(), rng.legacy("quantus", number), refusals():
            return peer()(
                model=model.module,
                x_batch=batch.inputs[one].detach().cpu().numpy(),
                y_batch=batch.targets[one].cpu().numpy(),
                a_batch=own[one].copy(),
                channel_first=True,
                softmax=False,
                device="cpu",
                explain_func=explain,
            )

    asked: list[int] = []

    def ask(targets: Any, **_options: Any) -> Any:
        asked.append(int(targets[0]))
        return own[len(asked) - 1 : len(asked)]

    takes = scorable(own)
    for number in range(len(batch)):
        if takes[number]:
            run(number, ask)
        else:
            asked.append(int(batch.targets[number]))
    others = batchwise.explain_targets(np.asarray(asked))
    found = [float("nan")] * len(batch)
    for number in takes.nonzero()[0].tolist():

        def answer(number: int = number, **_options: Any) -> Any:
            return others[number : number + 1]

        found[number] = float(np.asarray(run(number, answer), dtype=float).reshape(-1)[0])
    return torch.tensor(found)
