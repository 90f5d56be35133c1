from __future__ import annotations

import numpy as np
import torch
from small_studies import run


def test_exact_zeros_of_occlusion_are_independent_of_the_batch_size(workplace):
    words = [
        "method=[occlusion]",
        "baseline=[zero]",
        "metric=[deletion]",
        "method.occlusion.sliding_window_shapes=[1,1,1]",
    ]
    large, small = run(*words), run(*words, "force=true", "batch_budget=7")
    maps = large.attributions("occlusion")
    assert bool((maps == 0).any())
    assert torch.equal(maps == 0, small.attributions("occlusion") == 0)
    np.testing.assert_allclose(small.scores["value"], large.scores["value"], rtol=1e-4, atol=1e-6)
