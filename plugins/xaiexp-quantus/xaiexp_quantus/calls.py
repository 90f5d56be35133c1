"""How Quantus is called: the model and the explanation as it takes them, its random numbers by example."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from xaiexp.plugin import Batch, Draws, Explanation, Handle, Unsupported

__all__ = ["Batchwise", "maps", "normalised_by_example", "of_example", "perturbation", "quiet", "refusals", "scorable"]


@contextmanager
def quiet() -> Iterator[None]:
    """Without Quantus' warnings and messages, and with what numpy 2.4 removed and Quantus 0.6 still calls."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    removed = not hasattr(np, "trapz")
    if removed:
        setattr(np, "trapz", np.trapezoid)  # noqa: B010 -- a direct assignment is a type error for a removed name
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        if removed:
            delattr(np, "trapz")
        logging.disable(disabled)


class _Scalars(nn.Module):
    """The explained scalars ``[M, K]`` of versions of the examples of a handle's batch."""

    def __init__(self, model: Handle, numbers: Tensor) -> None:
        super().__init__()
        self.handle, self.numbers = model, numbers
        self.training = False

    def forward(self, inputs: Tensor) -> Tensor:
        """Scalars of ``inputs [N, *shape]``, or of S versions of the one example, ``[S, *shape]``."""
        batch = self.handle.batch
        numbers = self.numbers.expand(len(inputs)) if len(self.numbers) == 1 else self.numbers
        versions = batch.rows(numbers).repeated(inputs.to(batch.inputs).unsqueeze(1))
        return self.handle.output.scalars(self.handle.with_batch(versions).logits()).cpu()


def maps(explanation: Explanation, elements: Tensor | None = None) -> np.ndarray[Any, Any]:
    """The attributions as Quantus takes them: channels of images and series summed up, ``[N, 1, *spatial]``."""
    values = (explanation.elements if elements is None else elements).detach().cpu()
    return (values.sum(dim=1, keepdim=True) if values.ndim > 2 else values).numpy()


@contextmanager
def refusals() -> Iterator[None]:
    """Errors that Quantus raises for parameters and shapes, as ``Unsupported``."""
    try:
        yield
    except (AssertionError, IndexError, ValueError) as error:
        raise Unsupported(f"Quantus refuses: {' '.join(str(error).split())[:200] or type(error).__name__}") from error


def scorable(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Whether Quantus takes the map of each example, bool ``[N]``: not where all values are equal, or negative."""
    flat = values.reshape(len(values), -1)
    refused: np.ndarray[Any, Any] = (flat == flat[:, :1]).all(axis=1) | (flat < 0).all(axis=1)
    return ~refused


def _numbers(value: Any, count: int) -> Tensor:
    """The scores of Quantus ``[count]``, which may be booleans or arrays; NaN where infinite."""
    found = np.asarray(
        [float(np.asarray(v, dtype=float).mean()) for v in np.asarray(value, dtype=object).reshape(count, -1)]
    )
    return torch.from_numpy(np.where(np.isfinite(found), found, np.nan))


def of_example(
    peer: Callable[[], Any], model: Handle, explanation: Explanation, number: int, rng: Draws, masks: bool
) -> Tensor:
    """The score ``[1]`` of one example; NaN for a mask of zeros and a map that Quantus refuses.

    Args:
        peer: makes the metric of Quantus.
        model: the handle.
        explanation: all maps.
        number: of the example.
        rng: seeds the global generators.
        masks: whether the metric reads masks.

    Raises:
        Unsupported: Quantus refuses a parameter for this input.
    """
    batch = model.batch
    one = slice(number, number + 1)
    if not bool(scorable(maps(explanation))[number]):
        return torch.tensor([float("nan")])
    given: dict[str, Any] = {}
    if masks:
        assert batch.masks is not None  # noqa: S101 -- asked by the caller
        mask = batch.masks[one].cpu().numpy()
        if not mask.any():
            return torch.tensor([float("nan")])
        given["s_batch"] = mask[:, None] if batch.inputs.ndim > 2 else mask
    module = _Scalars(model, torch.tensor([number], device=batch.device))
    with quiet(), rng.legacy("quantus", number), refusals():
        found = peer()(
            model=module,
            x_batch=batch.inputs[one].detach().cpu().numpy(),
            y_batch=batch.targets[one].cpu().numpy(),
            a_batch=maps(explanation)[one].copy(),
            channel_first=True,
            softmax=False,
            device="cpu",
            **given,
        )
    return _numbers(found, 1)


class Batchwise:
    """A metric of Quantus that explains again, for all examples of a batch.

    Explanations of single examples cannot be asked for alone, so Quantus gets the whole batch; what it draws for an
    example is drawn for it alone.

    Args:
        model: the handle.
        explanation: can be repeated.
        rng: seeds the global generators.
    """

    def __init__(self, model: Handle, explanation: Explanation, rng: Draws) -> None:
        self.model, self.explanation, self.rng = model, explanation, rng
        self.step = 0

    def drawn(self, perturb: Callable[..., Any]) -> Callable[..., Any]:
        """Quantus' function of perturbations of rows ``[N, E]``, applied to each row with the seeds of its example."""

        def by_row(arr: Any, indices: Any, **options: Any) -> Any:
            self.step += 1
            rows = []
            for number in range(len(arr)):
                with self.rng.legacy(f"quantus/{self.step}", number):
                    rows.append(perturb(arr=arr[number : number + 1], indices=indices[number : number + 1], **options))
            return np.concatenate(rows)

        return by_row

    def explain_perturbed(self, inputs: Any, **_options: Any) -> Any:
        """Quantus' ``explain_func`` for perturbed inputs ``[N, *shape]``."""
        batch = self.model.batch
        assert self.explanation.explain_perturbed is not None  # noqa: S101 -- asked by the caller
        points = torch.as_tensor(np.asarray(inputs)).to(batch.inputs).unsqueeze(1)
        return maps(self.explanation, self.explanation.explain_perturbed(points)[:, 0])

    def explain_network(self, model: Any, **_options: Any) -> Any:
        """Quantus' ``explain_func`` for a network with other weights."""
        assert self.explanation.explain_network is not None  # noqa: S101 -- asked by the caller
        return maps(self.explanation, self.explanation.explain_network(model))

    def explain_targets(self, targets: Any, **_options: Any) -> Any:
        """Quantus' ``explain_func`` for other targets."""
        assert self.explanation.explain_targets is not None  # noqa: S101 -- asked by the caller
        return maps(
            self.explanation, self.explanation.explain_targets(torch.as_tensor(targets).to(self.model.batch.targets))
        )

    def score(self, peer: Any, explain: Callable[..., Any], network: nn.Module | None = None) -> Tensor:
        """The scores ``[N]``; NaN for maps that Quantus refuses.

        Args:
            peer: the metric of Quantus.
            explain: its ``explain_func``.
            network: the model that it gets; by default one that returns the explained scalars.
        """
        batch: Batch = self.model.batch
        takes = torch.from_numpy(scorable(maps(self.explanation)))
        if not bool(takes.any()):
            return torch.full((len(batch),), float("nan"))
        given = maps(self.explanation).copy()
        given[~takes.numpy()] = np.arange(given[0].size).reshape(given[0].shape)  # any map: its value is not returned
        module = _Scalars(self.model, torch.arange(len(batch), device=batch.device)) if network is None else network
        from quantus.helpers import asserts

        # Quantus checks the maps of a batch together, those of perturbed inputs too: whether it refuses one depends
        # on the other examples. They were checked one by one above.
        unchecked = patch.object(asserts, "assert_attributions", lambda **_maps: None)
        with quiet(), self.rng.legacy("quantus"), unchecked:
            found = peer(
                model=module,
                x_batch=batch.inputs.detach().cpu().numpy(),
                y_batch=batch.targets.cpu().numpy(),
                a_batch=given,
                channel_first=True,
                softmax=False,
                device="cpu",
                explain_func=explain,
                batch_size=len(batch),
            )
        return torch.where(takes, _numbers(found, len(batch)), float("nan"))


def normalised_by_example(maps_of_batch: Any, **_options: Any) -> Any:
    """Quantus' normalisation ``[N, ...]``, of each example alone: by default it divides by the largest of the batch."""
    from quantus.functions.normalise_func import normalise_by_max

    return np.concatenate([normalise_by_max(row[None]) for row in maps_of_batch])


def perturbation(name: str) -> Callable[..., Any]:
    """Quantus' function of noise for rows ``[N, E]``: ``gaussian`` or ``uniform``."""
    from quantus.functions import perturb_func

    found: Callable[..., Any] = getattr(perturb_func, f"batch_{name}_noise")
    return found
