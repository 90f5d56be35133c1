"""The default study: where its seconds go. ``uv run python benchmarks/default_study.py``.

Imports first, then one study in an empty folder, then the same again from the store. "Model work" is the time inside
forward and backward passes and the training of the shipped network.
"""

from __future__ import annotations

import json
import os
import tempfile
import time

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def main() -> None:
    started = time.perf_counter()
    import mlflow  # noqa: F401  # its import is what is timed
    import sklearn.datasets  # noqa: F401
    import torch

    import xaiexp
    from xaiexp import report  # noqa: F401
    from xaiexp.builtin.models.trained import training
    from xaiexp.inference.passes import Passes

    imports = time.perf_counter() - started
    inside = 0.0

    def timed(owner: object, name: str) -> None:
        original = getattr(owner, name)

        def wrapper(*args: object, **kwargs: object) -> object:
            nonlocal inside
            before = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                inside += time.perf_counter() - before

        setattr(owner, name, wrapper)

    timed(Passes, "_retried")
    timed(training, "_train")
    rows = {"threads": torch.get_num_threads(), "imports": round(imports, 2)}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in ("first", "again"):
            inside, before = 0.0, time.perf_counter()
            result = xaiexp.run([], quiet=True)
            whole = time.perf_counter() - before
            rows[name] = {
                "seconds": round(whole, 2),
                "model work": round(inside, 2),
                "outside": round(whole - inside, 2),
                "passes": result.record["passes"],
            }
        os.chdir("/")
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
