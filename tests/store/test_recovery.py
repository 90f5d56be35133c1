from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from small_studies import run


def test_a_study_recomputes_objects_that_lack_the_expected_tensors(workplace):
    first = run("method=[saliency]")
    for path in Path("outputs/store/objects").rglob("*.safetensors"):
        save_file({"other": torch.zeros(1)}, path)
    again = run("method=[saliency]")
    np.testing.assert_array_equal(again.scores["value"], first.scores["value"])
