"""Methods that modify the network or the inputs that all cells share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from small_studies import Facts, run


@dataclass(frozen=True)
class ZeroesWeights(Facts):
    """Sets the weights to 0 through ``.data``, which autograd does not notice."""

    def attribute(self, model, batch, reference, rng):
        for parameter in model.module.parameters():
            parameter.data.zero_()
        return batch.inputs


@dataclass(frozen=True)
class OverwritesInputs(Facts):
    """Modifies the inputs in place."""

    def attribute(self, model, batch, reference, rng):
        return batch.inputs.mul_(0.0)


@dataclass(frozen=True)
class LeavesHook(Facts):
    """Registers a hook that doubles every score, and raises before removing it."""

    def attribute(self, model, batch, reference, rng):
        model.module.register_forward_hook(lambda module, args, out: out * 2)
        raise ValueError("before removing the hook")


@pytest.mark.parametrize(
    ("method", "changed"), [(ZeroesWeights, "the weights"), (OverwritesInputs, "the inputs"), (LeavesHook, "hooks")]
)
def test_a_method_that_changes_shared_state_fails_without_affecting_other_methods(workplace, bring, method, changed):
    bring(method)
    alone = run("method=[saliency,random]", "store=alone")
    mixed = run(f"method=[{method.name},saliency,random]", "store=mixed")
    assert list(mixed.cells["status"]) == ["failed", "done", "done"]
    assert mixed.cells["reason"].iloc[0].startswith(f"changed {changed}")
    np.testing.assert_allclose(mixed.scores["value"], alone.scores["value"], rtol=1e-6)
    torch.testing.assert_close(mixed.attributions("saliency"), alone.attributions("saliency"))
