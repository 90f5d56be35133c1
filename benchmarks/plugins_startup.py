"""What 20 installed plugins add to ``xaiexp --help``. ``uv run python benchmarks/plugins_startup.py``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from xaiexp.cli.scaffold import new_plugin
from xaiexp.contract.registry import installed


def best(site: Path) -> float:
    env = {**os.environ, "PYTHONPATH": str(site)}
    times = []
    for _ in range(7):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "xaiexp", "--help"], env=env, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        site, empty = Path(folder, "site"), Path(folder, "empty")
        site.mkdir()
        empty.mkdir()
        for k in range(20):
            made = new_plugin(f"mine{k}", Path(folder), installed()) / f"xaiexp_mine{k}"
            made.rename(site / made.name)
            info = site / f"{made.name}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: xaiexp-mine{k}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[xaiexp]\nmine{k} = {made.name}\n")
        without, with_them = best(empty), best(site)
    told = {"--help, s": without, "with 20 plugins, s": with_them, "added, s": with_them - without}
    print(json.dumps({key: round(value, 3) for key, value in told.items()}, indent=1))


if __name__ == "__main__":
    main()
