"""Writes the figures of the pages of methods, a map each of the same image: ``uv run python docs/figures.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import xaiexp
from xaiexp.contract.registry import installed
from xaiexp.report.pictures.images import heatmap, input_image

HERE = Path(__file__).parent / "images" / "methods"
SIDE, GAP = 192, 8


def main() -> None:
    """Explain one image of shapes by every method that its network and its baseline suit."""
    names = [name for name in installed().names("method") if name not in ("precomputed", "exact_shapley")]
    HERE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        result = xaiexp.run([
            "model=shapes_cnn", "dataset=shapes", f"method=[{','.join(names)}]", "baseline=[blur]", "metric=[]",
            "agreement=[]", "examples=1", "tracking.uri=off", "report=false", f"hydra.run.dir={folder}/study",
        ])  # fmt: skip
        done = result.cells[result.cells.status == "done"]
        shown = np.moveaxis(result.inputs[0].numpy(), 0, -1)
        pixels = np.round(255 * (shown - shown.min()) / (shown.max() - shown.min())).astype(np.uint8).squeeze()
        for row in done.itertuples():
            method = installed().get("method", row.method)
            values = result.attributions(row.method, row.baseline)[0].numpy()
            if values.ndim != 2:  # units of a layer
                continue
            both = Image.new("RGB", (2 * SIDE + GAP, SIDE), "white")
            both.paste(input_image(pixels, SIDE, enlarge=True).convert("RGB").resize((SIDE, SIDE), 0), (0, 0))
            drawn = heatmap(values, bool(method.signed is True), SIDE, enlarge=True).convert("RGB")
            both.paste(drawn.resize((SIDE, SIDE), 0), (SIDE + GAP, 0))
            both.save(HERE / f"{row.method}.png", optimize=True)


if __name__ == "__main__":
    main()
