"""Writes the tables of components, and notebooks of pages with Python code: ``uv run python docs/generate.py``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from notebook_files import notebooks
from plugin_parts import page as plugins

from xaiexp.contract.kinds import Component
from xaiexp.contract.registry import installed
from xaiexp.core.explanations import Cost
from xaiexp.core.parameters import MISSING, default_values
from xaiexp.core.vocabulary import MODALITIES, TASKS, Task

HERE = Path(__file__).parent
# Passes are stated for these inputs: shape, number of features, description.
SAMPLES = {
    "image": ((3, 64, 64), 49, "an image of 64 x 64 pixels in 49 tiles"),
    "table": ((30,), 30, "a row of 30 columns"),
    "series": ((1, 96), 96, "a series of 96 steps"),
    "text": ((34, 384), 32, "a text of 32 tokens"),
}
NOTE = "Generated from the registry by `docs/generate.py`; a test compares. Facts are those of the default parameters."


def of_kind(kind: str) -> Iterator[Any]:
    """The built-in components of a kind, made with their defaults, by name."""
    known = installed()
    for cls in sorted(known.classes(kind), key=lambda c: c.name):
        if known.plugin_of(cls).distribution == "xaiexp":
            required = [k for k, v in default_values(cls).items() if v is MISSING]
            assert required in ([], ["path"]), (cls.name, required)
            yield cls(**dict.fromkeys(required, "FILE"))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    clean = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return lines + [f"| {' | '.join(row)} |" for row in clean]


def modality_names(modalities: Sequence[str]) -> str:
    return "all" if set(modalities) == set(MODALITIES) else ", ".join(modalities)


def cost(found: Cost | None) -> str:
    if found is None:
        return "not known before"
    parts = [
        f"{found.forward:,} forward" if found.forward else "",
        f"{found.backward:,} backward" if found.backward else "",
    ]
    return " + ".join(p for p in parts if p) or "none"


def first(component: Component, ask: Callable[[tuple[int, ...], int], Cost | None]) -> str:
    """The passes for the first modality that a component is for."""
    modality = next(m for m in SAMPLES if m in component.modalities)  # type: ignore[attr-defined]
    shape, d, _ = SAMPLES[modality]
    said = cost(ask(shape, d))
    return said if modality == "image" else f"{said} ({modality})"


def sums_to(method: Any) -> str:
    if not method.complete:
        return "no"
    return {"input": "yes", "layer": "yes, over the layer", "neuron": "yes, of the neuron"}[method.space]


def methods() -> str:
    """The page of methods."""
    rows = [
        (
            f"`{m.name}`",
            m.summary,
            modality_names(m.modalities),
            ", ".join(sorted(m.needs)) or "nothing but scores",
            "the baseline" if m.reads_baseline else "–",
            sums_to(m),
            first(m, m.passes),
            m.source,
        )
        for m in of_kind("method")
    ]
    columns = ("method", "what it is", "modality", "needs", "reads", "complete", "passes", "source")
    samples = "; ".join(f"{name}: {words}" for name, (_, _, words) in SAMPLES.items())
    return "\n".join(
        [
            "# Methods",
            "",
            NOTE,
            "",
            "*Complete*: attributions add up to f(x) - f(reference); every study measures it in passing.",
            "*Passes*: of one example and one reference, with the default parameters",
            f"({samples};",
            "where a method does not support images, the modality is named).",
            "",
            *table(columns, rows),
            "",
        ]
    )


def metrics() -> str:
    """The page of metrics and agreements."""

    def bounds(component: Any) -> str:
        low, high = component.bounds
        return f"{'-∞' if low is None else f'{low:g}'} to {'∞' if high is None else f'{high:g}'}"

    rows = [
        (
            f"`{m.name}`",
            m.summary,
            modality_names(m.modalities),
            "higher" if m.higher_is_better else "lower",
            bounds(m),
            m.unit,
            ", ".join(w for w, yes in (("signs", m.needs_sign), ("explains again", m.re_explains)) if yes) or "–",
            "yes" if m.scale_invariant else "no",
            getattr(m, "removal", "–") or "–",
            first(m, lambda shape, d, m=m: m.passes(shape, d, 5)),
            m.source,
        )
        for m in of_kind("metric")
    ]
    columns = (
        "metric", "what it measures", "modality", "better", "range", "unit", "needs", "scale invariant", "removal",
        "passes of 5 methods", "source",
    )  # fmt: skip
    agreements = [
        (
            f"`{a.name}`",
            a.summary,
            bounds(a),
            "signs" if a.needs_sign else "–",
            "all maps at once" if a.joint else "pairs",
            a.source,
        )
        for a in of_kind("agreement")
    ]
    return "\n".join(
        [
            "# Metrics and agreements",
            "",
            NOTE,
            "",
            "*Removal*: how the metric removes features by default (`auto`: blur for images, mean for tables and",
            "series, zero embedding for texts); `removal=[...]` at the root of a study makes it an axis.",
            "*Passes*: of one example for five methods, explaining again aside; the samples are those of",
            "[methods](methods.md).",
            "",
            "## Metrics",
            "",
            *table(columns, rows),
            "",
            "## Agreements",
            "",
            *table(("agreement", "what it measures", "range", "needs", "of", "source"), agreements),
            "",
        ]
    )


TASK_MEANINGS: dict[Task, tuple[str, str, str]] = {
    "multiclass": ("one logit a class", "softmax over the logits", "the class with the largest logit"),
    "binary": ("one logit, which speaks for class 1", "logistic function", "class 1 above 0"),
    "multilabel": ("one logit a label", "logistic function of each", "every label above 0"),
    "regression": ("values", "none; metrics read the values", "the value"),
    "probabilities": ("numbers in [0, 1]", "the numbers", "the largest; a single one above 1/2 is class 1"),
    "log_probabilities": (
        "log-probabilities of texts, of language models",
        "their exponentials; metrics read the log-probabilities",
        "the continuation",
    ),
}


def outputs() -> str:
    """The page of tasks and outputs."""
    tasks = [(f"`{name}`", *TASK_MEANINGS[name]) for name in TASKS]
    rows = [
        (
            f"`{o.name}`",
            o.summary,
            "all" if set(o.tasks) == set(TASKS) else ", ".join(o.tasks),
            "its own scale" if o.own_scale else "probability" if o.name != "value" else "value",
            o.source,
        )
        for o in of_kind("output")
    ]
    return "\n".join(
        [
            "# Tasks and outputs",
            "",
            NOTE,
            "",
            "## Tasks",
            "",
            "The *task* says what the numbers are that a network returns. It is taken from `task=` (of a study,",
            "of `xaiexp.attribute` and `xaiexp.score`), else from the model (its configuration, or how it was",
            "trained), else from the labels of the dataset, else from the numbers themselves: rows in [0, 1] that",
            "sum to 1 are probabilities; several numbers of which some lie outside of [0, 1] are the logits of a",
            "softmax. Where none of these tells it and something needs to know, the study is refused with the",
            "line to add. `record.json` and the report say which task was used.",
            "",
            *table(("task", "the network returns", "probability", "predicted"), tasks),
            "",
            "## Outputs",
            "",
            "The *output* says which scalars of a network are explained: K numbers a row, of which the target",
            "picks one. By default the numbers are explained as the network returns them: `logit`, `value` for a",
            "regression, `probability` where it returns probabilities. Metrics of probabilities (deletion,",
            "insertion, comprehensiveness, sufficiency, road, prediction gaps) read the probability of the target",
            "whatever is explained; of values, and of outputs with a scale of their own, they read the explained",
            "scalar, in its units and without bounds. `irof` and `monotonicity_arya` are defined for",
            "probabilities only and are left out then.",
            "",
            *table(("output", "what it is", "tasks", "metrics of probabilities read", "source"), rows),
            "",
        ]
    )


PAGES = {"methods.md": methods, "metrics.md": metrics, "outputs.md": outputs, "plugins.md": plugins}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
    for name, text in notebooks().items():
        (HERE / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{HERE / name}\n")
