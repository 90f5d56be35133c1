"""Studies of many passes make them cheaper: the numbers stay, and all parts of a study make them alike."""

from __future__ import annotations

import pytest
import torch
from builders import make_batch
from torch import nn

import xaiexp
from xaiexp.engine.checks import speed as engine_speed
from xaiexp.engine.checks.speed import prescribe, use_speed
from xaiexp.inference import speed
from xaiexp.inference.passes import Passes
from xaiexp.plan.settings import Settings
from xaiexp.store.objects import Store


@pytest.fixture
def network():
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(8)
    norm.running_var.uniform_(0.5, 2)
    return nn.Sequential(nn.Conv2d(3, 8, 3), norm, nn.Tanh(), nn.Flatten(), nn.Linear(8 * 36, 3)).eval()


@pytest.fixture
def long_study(monkeypatch):
    """Every study counts as long, and copies as faster."""
    monkeypatch.setattr(engine_speed, "WORTHWHILE", 1.0)
    times = iter(float(n) for n in range(1, 1000))
    monkeypatch.setattr(
        speed._Passes,
        "seconds",
        lambda passes, count: 1e6 if isinstance(passes.module, nn.Module) else next(times),
    )


def compared(network, folder, **settings):
    inputs = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return xaiexp.compare(
        network,
        inputs,
        methods=["integrated_gradients", "occlusion", "grad_cam", "random"],
        metrics=["infidelity", "deletion"],
        store=str(folder / "store"),
        report=False,
        **settings,
    )


@pytest.mark.usefixtures("long_study")
def test_a_study_with_cheaper_passes_has_the_numbers_of_a_plain_one(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cheap, plain = compared(network, tmp_path), compared(network, tmp_path, speed="plain")
    assert cheap.record["speed"]["kind"] == "folded batch normalisation, channels last"
    assert plain.record["speed"]["kind"] == "plain"
    for cell in (("integrated_gradients", "zero"), ("occlusion", "zero"), ("grad_cam", "none")):
        torch.testing.assert_close(cheap.attributions(*cell), plain.attributions(*cell), rtol=1e-4, atol=1e-6)
    keys = ["method", "baseline", "metric", "example"]
    both = cheap.scores.merge(plain.scores, on=keys)
    assert len(both) == len(plain.scores)
    torch.testing.assert_close(
        torch.tensor(both["value_x"]), torch.tensor(both["value_y"]), rtol=1e-3, atol=1e-4, equal_nan=True
    )


@pytest.mark.usefixtures("long_study")
def test_what_was_measured_holds_for_the_next_study(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = compared(network, tmp_path)
    monkeypatch.setattr(engine_speed, "measured", None)  # nothing is measured again
    second = compared(network, tmp_path)
    assert second.record["speed"] == first.record["speed"]
    assert second.cells["cached"].all()


def used(network, folder, passes=10**12, **settings):
    batch = make_batch(torch.rand(4, 3, 8, 8), modality="image")
    engine = Passes(network.requires_grad_(False))
    return use_speed(engine, batch, Settings(**settings), Store(folder), "weights", passes)


def test_shards_take_what_the_first_one_measured(network, tmp_path, monkeypatch, long_study):
    mine = speed.Speed("channels last", rows=4, ratio=3.0)

    def slower(engine, batch, work):  # another shard ends its measurement in the meantime
        used(network, tmp_path)
        return mine, None

    measured = speed.measured
    calls = iter([slower, measured])
    monkeypatch.setattr(engine_speed, "measured", lambda *given: next(calls)(*given))
    assert used(network, tmp_path) != mine


@pytest.mark.parametrize("settings", [{"speed": "plain"}, {"precision": "bf16"}], ids=["speed=plain", "half precision"])
def test_passes_stay_plain(network, tmp_path, monkeypatch, settings):
    monkeypatch.setattr(engine_speed, "measured", None)
    assert used(network, tmp_path, **settings) == speed.PLAIN


def test_short_studies_are_not_measured(network, tmp_path, monkeypatch):
    monkeypatch.setattr(engine_speed, "work_of", None)
    assert used(network, tmp_path, passes=1000) == speed.PLAIN


def test_a_network_that_comes_with_hooks_stays_as_it_is(network, tmp_path, monkeypatch):
    monkeypatch.setattr(engine_speed, "measured", None)
    network[0].register_forward_hook(lambda layer, given, out: None)
    assert used(network, tmp_path) == speed.PLAIN


def test_a_store_may_prescribe_how_passes_are_made(network, tmp_path, monkeypatch):
    monkeypatch.setattr(engine_speed, "measured", None)
    mine = speed.Speed("channels last", rows=4, ratio=3.0)
    prescribe(Store(tmp_path), mine)
    assert used(network, tmp_path, passes=1) == mine
