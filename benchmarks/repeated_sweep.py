"""What a finished cell costs in a sweep that is repeated: CPU time beyond start-up, everything from the store.

uv run python benchmarks/repeated_sweep.py [STUDIES] [many]

With ``many`` a study has 25 cells in place of 5.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import time
from pathlib import Path

from xaiexp.cli import app

CELLS = ["method=[saliency,input_x_gradient,occlusion,random]", "baseline=[zero,blur]"]
STUDY = ["model=digits_mlp", "examples=16", "metric=[deletion,sparseness]", "agreement=[rank_correlation]", *CELLS]
MANY = ["method=[integrated_gradients,occlusion,feature_ablation,gradient_shap,deep_lift]", "effort=draft"]
MANY += ["baseline=[zero,mean,blur,black,white]"]
BARE = ["tracking.uri=off", "report=false"]


def cpu(words: list[str]) -> float:
    """CPU seconds of one run of the program in this process."""
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = app.main(words)
    assert code == 0, words
    return time.process_time() - started


def main() -> None:
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    seeds = f"seed={','.join(map(str, range(studies)))}"
    study = [*STUDY, *(MANY if "many" in sys.argv else [])]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print(f"{'':28}ms of CPU a study   a cell")
        for name, more in (("without tracking and page", BARE), ("with tracking and page", [])):
            cpu(["-m", seeds, *study, *more])  # fills the store; imports and start-up are paid
            one = cpu(["-m", "seed=0", *study, *more])
            every = cpu(["-m", seeds, *study, *more])
            each = (every - one) / (studies - 1)
            import pandas as pd

            cells = len(pd.read_parquet(next(Path("outputs/multirun").glob("*/*/0/cells.parquet"))))
            print(f"{name:28}{1000 * each:18.0f}{1000 * each / cells:9.1f}")


if __name__ == "__main__":
    main()
