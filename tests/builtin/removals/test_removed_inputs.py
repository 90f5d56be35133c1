from __future__ import annotations

import pytest
import torch
from builders import draws, make_batch
from metric_batches import normal, texts

from xaiexp.builtin.removals.fill import removed_inputs
from xaiexp.core.batches import Background


@pytest.mark.parametrize(
    ("modality", "shape", "name"), [("image", (2, 4, 4), "blur"), ("table", (4,), "mean"), ("series", (2, 4), "mean")]
)
def test_removal_auto_depends_on_the_modality(modality, shape, name):
    background = Background(modality, mean=torch.tensor(0.25).double(), shift=0.5, scale=2.0)
    batch = make_batch(normal(2, *shape), background=background)
    rng = draws(batch)
    assert torch.equal(removed_inputs("auto", batch, rng), removed_inputs(name, batch, rng))
    want = {"zero": -0.25, "mean": 0.25}
    for name, value in want.items():
        assert torch.equal(removed_inputs(name, batch, rng), torch.full_like(batch.inputs, value))


def test_elements_of_no_feature_are_not_removed():
    batch = texts()
    replacement = removed_inputs("auto", batch, draws(batch))
    inside = batch.features.inside
    assert torch.equal(replacement[~inside], batch.inputs[~inside])
    assert not replacement[inside].any()
