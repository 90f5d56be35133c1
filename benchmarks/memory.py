"""Peak memory of a study of 64 and of 1,024 examples. ``uv run python benchmarks/memory.py``."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

STUDY = """
import resource, sys, xaiexp
words = ["model=shapes_cnn", "dataset=shapes", "dataset.count=1024", "examples=" + sys.argv[1], "baseline=[zero]",
         "method=[saliency,integrated_gradients,random]", "method.integrated_gradients.n_steps=16",
         "metric.infidelity.n_samples=32", "tracking.uri=off"]
xaiexp.run(words, quiet=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak_bytes(folder: str, examples: int) -> int:
    """Peak resident memory of a process that runs the study."""
    command = [sys.executable, "-c", STUDY, str(examples)]
    completed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return int(completed.stdout.split()[-1])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        peak_bytes(folder, 1)  # trains the network beforehand, which takes more memory than the studies
        few, many = peak_bytes(folder, 64), peak_bytes(folder, 1024)
    print(json.dumps({"64 examples": few, "1024 examples": many, "ratio": round(many / few, 3)}, indent=1))


if __name__ == "__main__":
    main()
