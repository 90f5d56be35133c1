"""Peak memory of a study of 64 and of 1,024 examples. ``uv run python benchmarks/memory.py``."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile

STUDY = """
import resource, sys, xaiexp
xaiexp.run(["model=shapes_cnn", "dataset=shapes", "dataset.count=1024", "examples=" + sys.argv[1],
            "method=[saliency,integrated_gradients,random]", "method.integrated_gradients.n_steps=16", "baseline=[zero]",
            "metric.infidelity.n_samples=32", "tracking.uri=off"], quiet=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak(examples: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", STUDY, str(examples)], cwd=folder, check=True, capture_output=True, text=True
        )
    return int(done.stdout.split()[-1])


def main() -> None:
    few, many = peak(64), peak(1024)
    print(json.dumps({"64 examples": few, "1024 examples": many, "ratio": round(many / few, 3)}, indent=1))


if __name__ == "__main__":
    assert resource  # the figure comes from the operating system, not from torch
    main()
