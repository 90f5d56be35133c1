"""Chooses how the passes of a study are made: measured once for a network and shape, and kept in the store."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial

import torch
from torch import nn

from xaiexp.core.batches import Batch
from xaiexp.core.keys import SpeedKey
from xaiexp.engine.maps import reasons_from, reasons_to
from xaiexp.inference.passes import Passes
from xaiexp.inference.speed import PLAIN, WORTHWHILE, Speed, copy_of, measured, work_bound, work_of
from xaiexp.plan.settings import Settings
from xaiexp.store.objects import Store

__all__ = ["prescribe", "use_speed"]

_ANY = SpeedKey("any", (), "any", "any", "any").digest


def use_speed(engine: Passes, batch: Batch, settings: Settings, store: Store, weights: str, passes: int) -> Speed:
    """Make the passes of a study cheaper where this pays, and say how they are made.

    Args:
        engine: of the study.
        batch: some of its examples.
        settings: of the study.
        store: where the choice is kept: a study that goes on, and every shard, makes its passes alike.
        weights: fingerprint of the network.
        passes: that the study is expected to make.
    """
    module = engine.module
    full = settings.precision == "fp32" and batch.inputs.dtype == torch.float32
    if settings.speed == "plain" or not full or not isinstance(module, nn.Module) or engine.hooked:
        return PLAIN
    key = SpeedKey(weights, batch.shape, batch.device.type, torch.__version__, str(settings.batch_budget)).digest
    kept = _kept(store, key) or _kept(store, _ANY)
    if kept is not None:
        return _used(engine, batch, kept)
    if work_bound(module, batch.inputs) * passes < WORTHWHILE:
        return PLAIN
    work = work_of(engine, batch)
    if work.multiplications * passes < WORTHWHILE:
        return PLAIN
    speed, twin = measured(engine, batch, work)
    earlier = _kept(store, key)  # of another shard, in the meantime
    if earlier is not None:
        return _used(engine, batch, earlier)
    _keep(store, key, speed)
    engine.use(speed.rows, None if twin is None else lambda: twin, batch.shape)
    return speed


def prescribe(store: Store, speed: Speed) -> None:
    """Have every network of a store make its passes so, where no other choice lies there: to repeat a study."""
    _keep(store, _ANY, speed)


def _keep(store: Store, key: str, speed: Speed) -> None:
    store.put(key, {"speed": reasons_to({0: json.dumps(asdict(speed))})}, "speed measurements")


def _kept(store: Store, key: str) -> Speed | None:
    found = store.get(key, "speed")
    return None if found is None else Speed(**json.loads(reasons_from(found["speed"])[0]))


def _used(engine: Passes, batch: Batch, speed: Speed) -> Speed:
    """Make passes as they were made before; the copy is made when the first pass needs it."""
    make = None if speed.kind == PLAIN.kind else partial(copy_of, engine, batch, speed.kind)
    engine.use(speed.rows, make, batch.shape)
    return speed
