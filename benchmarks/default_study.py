"""Run time of the default study, by part. ``uv run python benchmarks/default_study.py``.

It times the imports, a study in an empty folder, and the same study again with all results cached. "model work" is the
time in forward and backward passes and in the training of the built-in network.
"""

from __future__ import annotations

import json
import os
import tempfile
import time

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def main() -> None:
    started = time.perf_counter()
    import mlflow  # noqa: F401  # only to time its import
    import sklearn.datasets  # noqa: F401
    import torch

    import xaiexp
    from xaiexp import report  # noqa: F401
    from xaiexp.builtin.models import training
    from xaiexp.inference.passes import Passes

    imports = time.perf_counter() - started
    model_seconds = 0.0

    def timed(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def wrapper(*args: object, **kwargs: object) -> object:
            nonlocal model_seconds
            before = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                model_seconds += time.perf_counter() - before

        setattr(owner, name, wrapper)

    timed(Passes, "_retried")
    timed(training, "_train")
    figures = {"threads": torch.get_num_threads(), "imports": round(imports, 2)}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in ("first", "again"):
            model_seconds, before = 0.0, time.perf_counter()
            result = xaiexp.run([], quiet=True)
            seconds = time.perf_counter() - before
            figures[name] = {
                "seconds": round(seconds, 2),
                "model work": round(model_seconds, 2),
                "outside": round(seconds - model_seconds, 2),
                "passes": result.record["passes"],
            }
        os.chdir("/")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
