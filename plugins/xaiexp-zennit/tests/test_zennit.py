"""The methods as components: restored networks, independence of the batch, costs and imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("xaiexp_zennit", reason="the distribution xaiexp-zennit is not installed")

import torch
from torch import nn
from zennit.canonizers import SequentialMergeBatchNorm

import xaiexp

from .lrp_cases import METHODS, bound, close, component, fingerprint, images, network, same


@METHODS
def test_the_network_is_unchanged_afterwards(method):
    module, x = network("basic blocks"), images()
    before, inputs, state = fingerprint(module), x.clone(), torch.random.get_rng_state()
    xaiexp.attribute(module, x, method, target=3)
    assert same(before, fingerprint(module))
    assert torch.equal(x, inputs)
    assert torch.equal(state, torch.random.get_rng_state())


class Boom(nn.Module):
    """Raises in the forward or backward pass, once enabled."""

    way = ""

    def forward(self, x):
        if self.way == "forward":
            raise ValueError("boom")
        if self.way == "backward":
            x.register_hook(self._raise)
        return x

    @staticmethod
    def _raise(_gradient):
        raise ValueError("boom")


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_the_network_is_unchanged_after_an_exception(way):
    module, x = network("basic blocks"), images()
    module[5].downsample.append(Boom())
    handle = bound(module, x)
    handle.logits()
    before = fingerprint(module)
    module[5].downsample[-1].way = way
    with pytest.raises(ValueError, match="boom"):
        component("lrp_epsilon_plus_flat").attribute(handle, handle.batch, None, None)
    module[5].downsample[-1].way = ""
    before["5.downsample.2"][3].add("way")
    assert same(before, fingerprint(module))


def test_an_error_while_merging_undoes_all_merges(monkeypatch):
    module, x = network("basic blocks"), images()
    before, count, merge = fingerprint(module), iter(range(100)), SequentialMergeBatchNorm.merge_batch_norm

    def short(modules, norm):
        merge(modules, norm)
        if next(count) == 5:
            raise RuntimeError("no room")

    monkeypatch.setattr(SequentialMergeBatchNorm, "merge_batch_norm", staticmethod(short))
    with pytest.raises(RuntimeError, match="no room"):
        xaiexp.attribute(module, x, "lrp_epsilon_plus", target=3)
    assert same(before, fingerprint(module))


@METHODS
def test_attributions_and_costs_do_not_depend_on_the_batch(method):
    module, x = network("fire"), images(3)
    want = xaiexp.attribute(module, x, method, target=3)
    close(torch.cat([xaiexp.attribute(module, row[None], method, target=3) for row in x]), want)
    close(xaiexp.attribute(module, x.flip(0), method, target=3).flip(0), want)
    lrp = component(method)
    for budget in (1, 2):
        handle = bound(module, x, budget=budget)
        close(lrp.attribute(handle, handle.batch, None, None), want)
        cost, counter = lrp.passes((3, 32, 32), 32 * 32), handle.counter
        assert (counter.forward, counter.backward) == (3 * cost.forward, 3 * cost.backward)


def test_registering_the_plugin_imports_no_heavy_package():
    code = (
        "import sys, xaiexp_zennit; xaiexp_zennit.xaiexp_components();"
        "print([m for m in ('torch', 'numpy', 'zennit', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
