"""Size and time of pages: ``uv run python benchmarks/pages.py [CASE...]``; prints JSON.

Makes up studies with 3 metrics and 2 agreement measures: 12 cells with 64 pictures of 28 x 28, 12 cells with 24 photos
of 224 x 224, and 200 cells with 64 pictures of 28 x 28. Maps are noise, which compresses worst; photos are smooth
fields with a little noise. Measures, for each: the seconds of `xaiexp.report.build` with everything imported and the
chart library kept (the best of three), the megabytes of the page, and in Chromium, from disk, each in a new profile
(medians of five): the first content, the viewer with its first section, and for each other section the seconds from
the click until it stands.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from xaiexp.report import build
from xaiexp.report.studies import read_study
from xaiexp.report.verdicts import comparisons_of, verdicts_of
from xaiexp.statistics.summary import summarise

CHROMIUM = "/usr/bin/chromium"
METRICS = {"deletion": False, "insertion": True, "sparseness": None}
MEASURES = ("rank_correlation", "sign_agreement")
LEVELS = 8
"""Of the means of the cells: cells of one level are not told apart."""
STUDY = {"model": "network", "dataset": "pictures", "seed": 0}


@dataclass(frozen=True)
class Case:
    name: str
    cells: int
    examples: int
    side: int
    megabytes: float
    """The goal."""


CASES = (Case("12 cells", 12, 64, 28, 3), Case("photos", 12, 24, 224, 8), Case("200 cells", 200, 64, 28, 10))


def write(folder: Path, case: Case) -> Path:
    """A study folder with made-up results."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    cells = [(f"method_{i // 4}", f"baseline_{i % 4}") for i in range(case.cells)]
    ids = [f"e{i}" for i in range(case.examples)]
    write_record(folder, case, cells)
    where = pd.DataFrame([{**STUDY, "method": m, "baseline": b} for m, b in cells])
    whole = {"status": "done", "reason": "", "examples": case.examples, "forward_passes": 800, "backward_passes": 16}
    measured = {"seconds": 0.25, "peak_memory_bytes": 2**22, "cached": False, "key": "k"}
    where.assign(**whole, **measured).to_parquet(folder / "cells.parquet")
    scores = pd.concat([score_rows(where, ids, metric, rng) for metric in METRICS], ignore_index=True)
    scores.to_parquet(folder / "scores.parquet")
    a, b = np.triu_indices(case.cells, 1)
    pairs = where.iloc[a][["method", "baseline"]].add_suffix("_a").reset_index(drop=True)
    pairs[["method_b", "baseline_b"]] = where.iloc[b][["method", "baseline"]].to_numpy()
    agreement = [agreement_rows(pairs, ids, measure, rng) for measure in MEASURES]
    pd.concat(agreement, ignore_index=True).to_parquet(folder / "agreement.parquet")
    facts = {"name": ids, "label": "cat", "predicted": "cat", "wrong": 0, "probability": 0.9, "score": 1.0}
    pd.DataFrame({"example": ids, "target": 0} | facts).to_parquet(folder / "examples.parquet")
    summarise(scores, METRICS, 0).to_csv(folder / "summary.csv", index=False)
    write_gallery(folder / "gallery", case, cells, rng)
    study = read_study(folder)
    verdicts_of(study).to_csv(folder / "verdicts.csv", index=False)
    comparisons_of(study).to_csv(folder / "comparisons.csv", index=False)
    return folder


def score_rows(where: pd.DataFrame, ids: list[str], metric: str, rng: np.random.Generator) -> pd.DataFrame:
    rows = where.loc[where.index.repeat(len(ids))].reset_index(drop=True)
    values = 3 * (np.arange(len(where)) % LEVELS)[:, None] + rng.standard_normal((len(where), len(ids)))
    return rows.assign(metric=metric, example=ids * len(where), target=0, value=values.ravel())


def agreement_rows(pairs: pd.DataFrame, ids: list[str], measure: str, rng: np.random.Generator) -> pd.DataFrame:
    rows = pairs.loc[pairs.index.repeat(len(ids))].reset_index(drop=True)
    values = rng.uniform(-1, 1, len(rows))
    return rows.assign(**STUDY, measure=measure, example=ids * len(pairs), value=values)


def write_record(folder: Path, case: Case, cells: list[tuple[str, str]]) -> None:
    methods = {m: {"name": m, "summary": "explains", "source": "a paper", "signed": True} for m, _ in cells}
    metrics = {
        name: {"summary": "measures", "higher_is_better": up, "bounds": [0, None]} for name, up in METRICS.items()
    }
    asked = {**STUDY, "modality": "image", "examples": case.examples, "target": "predicted", "output": "logit"}
    record = {"status": "done", "study": asked, "methods": methods, "metrics": metrics}
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / "config.yaml").write_text("seed: 0\n", encoding="utf-8")


def write_gallery(folder: Path, case: Case, cells: list[tuple[str, str]], rng: np.random.Generator) -> None:
    arrays, examples = {}, []
    for i in range(case.examples):
        arrays[f"inputs/{i}"] = picture(case.side, rng)
        maps = []
        for k, (method, baseline) in enumerate(cells):
            key = f"maps/{i}/{k}"
            arrays[key] = rng.standard_normal((case.side, case.side)).astype(np.float32)
            maps.append({"method": method, "baseline": baseline, "key": key, "space": "input"})
        known = {"label": 0, "label_name": "cat", "target": 0, "target_name": "cat", "predicted": 0}
        examples.append(
            {"id": f"e{i}", "name": f"e{i}", **known, "predicted_name": "cat", "input": f"inputs/{i}", "maps": maps}
        )
    folder.mkdir()
    content = {"modality": "image", "inputs": True, "examples": examples}
    (folder / "gallery.json").write_text(json.dumps(content), encoding="utf-8")
    np.savez_compressed(folder / "gallery.npz", **arrays)


def picture(side: int, rng: np.random.Generator) -> np.ndarray:
    if side < 64:
        return rng.integers(0, 256, (side, side), dtype=np.uint8)
    noise = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
    smooth = np.asarray(noise.filter(ImageFilter.GaussianBlur(6)), dtype=np.float64)
    smooth = (smooth - smooth.min()) / np.ptp(smooth) * 230
    return (smooth + rng.uniform(0, 25, smooth.shape)).astype(np.uint8)


STANDS = """() => {
    const look = () => document.querySelector('xai-page')?.shadowRoot?.querySelector('main')?.innerText
        ? requestAnimationFrame(() => { window.stood = performance.now() }) : requestAnimationFrame(look);
    look();
}"""

CLICKED = """name => new Promise(done => {
    const root = document.querySelector('xai-page').shadowRoot, from = performance.now();
    root.querySelector(`nav a[href="#section=${name}"]`).click();
    requestAnimationFrame(() => setTimeout(() => done((performance.now() - from) / 1000)));
})"""


def opened(browser: object, file: Path) -> dict[str, float]:
    """Seconds of one opening."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})  # type: ignore[attr-defined]
    page = context.new_page()
    page.add_init_script(f"({STANDS})()")
    page.goto(file.as_uri())
    page.wait_for_function("() => window.stood")
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    times = {"first content": page.evaluate(paint) / 1000, "viewer": page.evaluate("window.stood") / 1000}
    times |= {name: page.evaluate(CLICKED, name) for name in ("metrics", "agreement", "examples", "made", "answer")}
    context.close()
    return times


def measured(case: Case, browser: object | None) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        study, page, seconds = write(place / "study", case), place / "page.html", []
        build([study], page, cache=place)
        for _ in range(3):
            start = time.perf_counter()
            build([study], page, cache=place)
            seconds.append(time.perf_counter() - start)
        size = page.stat().st_size / 1e6
        found: dict[str, object] = {
            "megabytes": round(size, 2),
            "goal": case.megabytes,
            "build": round(min(seconds), 2),
        }
        if browser is not None:
            runs = [opened(browser, page) for _ in range(5)]
            found |= {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}
        return found


def main(names: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-gpu"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        print(
            json.dumps(
                {case.name: measured(case, browser) for case in CASES if not names or case.name in names}, indent=1
            )
        )
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
