"""Devices of a study; pretended GPUs."""

from __future__ import annotations

import types

import pytest
import torch

from xaiexp.engine import devices
from xaiexp.engine.devices import leased


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda i: types.SimpleNamespace(uuid=f"GPU-{i}"))
    monkeypatch.setattr(devices, "_folder", lambda: tmp_path)


@pytest.mark.usefixtures("two_gpus")
def test_auto_reserves_a_gpu_and_a_named_device_is_shared():
    with leased("auto") as first, leased("auto") as second:
        assert {first, second} == {torch.device("cuda:0"), torch.device("cuda:1")}
        with leased("cuda:0") as shared:
            assert shared == torch.device("cuda:0")
        with leased("cpu") as cpu:
            assert cpu == torch.device("cpu")


def test_without_a_gpu_nothing_is_reserved(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "_folder", lambda: tmp_path)
    with leased("auto") as device:
        assert device == torch.device("cpu")
    assert not list(tmp_path.iterdir())
