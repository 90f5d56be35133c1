"""Loads the network of a model, once where a process explains again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xaiexp.contract.identity import component_key
from xaiexp.contract.kinds import Dataset, Model
from xaiexp.contract.registry import installed
from xaiexp.core.keys import digest
from xaiexp.core.samples import LoadContext, Network

__all__ = ["forget_networks", "keeping_networks", "network_of"]

_MOST = 2
"""Networks that are kept at most."""

_kept: dict[str, Network] = {}
_keeping: list[bool] = []


@contextmanager
def keeping_networks() -> Iterator[None]:
    """Keep what :func:`network_of` loads inside, for the next time. For one thread at a time."""
    _keeping.append(True)
    try:
        yield
    finally:
        _keeping.pop()


def forget_networks() -> None:
    """Keep none of them any longer."""
    _kept.clear()


def network_of(model: Model, dataset: Dataset, context: LoadContext, device: str) -> Network:
    """The network of a model, as it loads it; a kept one where there is one.

    Args:
        model: of the study.
        dataset: that trains it, where the context has training data.
        context: as of :meth:`xaiexp.contract.kinds.Model.load`.
        device: as the study says; a kept network stays where it is.

    Raises:
        UserError: as :meth:`xaiexp.contract.kinds.Model.load`.
    """
    if not _keeping:
        return model.load(context)
    known = installed()
    trained = None if context.training is None else component_key(dataset, known)
    key = digest([component_key(model, known), trained, context.trust, str(context.cache), device])
    if key not in _kept:
        while len(_kept) >= _MOST:
            _kept.pop(next(iter(_kept)))
        _kept[key] = model.load(context)
    return _kept[key]
