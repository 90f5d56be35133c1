"""The time that 20 installed plugins add to ``xaiexp --help``. ``uv run python benchmarks/plugins_startup.py``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from xaiexp.cli.tools.scaffold import new_plugin
from xaiexp.contract.registry import installed


def fastest_help(site: Path) -> float:
    """Seconds of the fastest of seven calls of ``xaiexp --help`` with ``site`` on the import path."""
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
            package = new_plugin(f"mine{k}", Path(folder), installed()) / f"xaiexp_mine{k}"
            package.rename(site / package.name)
            info = site / f"{package.name}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: xaiexp-mine{k}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[xaiexp]\nmine{k} = {package.name}\n")
        without, with_plugins = fastest_help(empty), fastest_help(site)
    figures = {"--help, s": without, "with 20 plugins, s": with_plugins, "added, s": with_plugins - without}
    print(json.dumps({key: round(value, 3) for key, value in figures.items()}, indent=1))


if __name__ == "__main__":
    main()
