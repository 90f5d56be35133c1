"""Attributions of one method for a batch, their comparison, and Captum for reference."""

from __future__ import annotations

import warnings

import torch
from builders import bind, draws


def explained(method, network, batch, reference=None, seed=0, **options):
    """The result of a method; the reference is passed only if the method reads a baseline."""
    reference = reference if method.reads_baseline else None
    return method.attribute(bind(network, batch, **options), batch, reference, draws(batch, seed))


def same(got, want, rtol=1e-9):
    """Assert equal dtypes, and equal values up to ``rtol`` relative to each and to the largest value."""
    want = want.detach()
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.abs().max()))


def quiet_captum():
    """Captum with its test networks, imported without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # raised by the imports of Captum
        import captum.attr
        import captum.testing.helpers.basic_models
    return captum
