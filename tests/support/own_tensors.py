"""Networks and calls for the tests of axes and of several inputs in the Python functions."""

from __future__ import annotations

import torch
from builders import normal
from torch import nn

import xaiexp
from xaiexp.errors import XaiexpError

# Their values are measured in a study alone.
COSTS = ("passes", "seconds", "memory")
BUILT_IN = [c for c in xaiexp.components() if c.__module__.startswith("xaiexp.")]  # plugins have tests of their own
METRICS = [c.name for c in BUILT_IN if c.kind == "metric" and c.name not in COSTS]
# Methods that explain any network: not files, and not trees.
METHODS = [c.name for c in BUILT_IN if c.kind == "method" and c.repeatable and "trees" not in c.needs]
# Few samples: the laws hold for any number.
QUICK = {
    "exact_shapley": {},
    "kernel_shap": {"n_samples": 40},
    "lime": {"n_samples": 40},
    "rise": {"n_masks": 20},
    "shapley_sampling": {"n_samples": 3},
    "permutation_shap": {"n_samples": 2},
}


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64 and eval mode, with seeded weights."""
    module = module.double().eval()
    for i, parameter in enumerate(module.parameters()):
        parameter.data = normal(*parameter.shape, seed=seed + i) / max(1, parameter[0].numel()) ** 0.5
    return module


class Through(nn.Module):
    """A network behind a function of its arguments."""

    def __init__(self, module, change):
        super().__init__()
        self.module, self.change = module, change

    def forward(self, *given, **named):
        given, named = self.change(given, named)
        return self.module(*given, **named)


def outcome(call):
    """The result, or the kind of refusal."""
    try:
        return call()
    except XaiexpError as error:
        return type(error)


def equal(got, want, rtol=1e-9):
    """Assert two outcomes equal."""
    if isinstance(want, type) or isinstance(got, type):
        assert got is want
        return
    assert got.shape == want.shape
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.nan_to_num().abs().max()), equal_nan=True)
