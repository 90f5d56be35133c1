"""Pages of the site that are made from the registry: one for each component, one for each kind, and their index."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from generate import SAMPLES, cost

from xaiexp.contract.documentation import REQUIRED, Description, Parameter, described, example
from xaiexp.contract.kinds import KINDS, Component
from xaiexp.contract.registry import Registry, installed
from xaiexp.core.parameters import MISSING, default_values

__all__ = ["component_pages"]

KIND_MEANINGS: Mapping[str, str] = {
    "model": "The network that is explained, and how it is loaded.",
    "dataset": "The examples that are explained.",
    "features": "What an attribution is assigned to: pixels, tiles, superpixels, tokens, words, columns, steps.",
    "output": "Which scalars of a network are explained.",
    "baseline": "What the absence of a feature looks like: the reference that methods compare an input with.",
    "method": "How attributions are computed.",
    "metric": "How attributions are judged.",
    "agreement": "How far two or more maps agree.",
    "tracker": "Where runs are recorded besides the folder of a study.",
}
# Plugins of this repository; others that happen to be installed are left out.
OURS = ("xaiexp", "xaiexp-captum", "xaiexp-onnx", "xaiexp-quantus", "xaiexp-sklearn", "xaiexp-timm", "xaiexp-zennit")
_CODE = re.compile(r"(`[^`]*`)")


def component_pages() -> dict[str, str]:
    """Path in the site to Markdown."""
    registry = installed()
    pages: dict[str, str] = {}
    kinds = []
    for kind in KINDS:
        found = [cls for cls in registry.classes(kind) if registry.plugin_of(cls).distribution in OURS]
        abouts = sorted(((described(cls), cls) for cls in found), key=lambda pair: pair[0].name)
        if not abouts:
            continue
        for about, cls in abouts:
            pages[f"reference/{kind}/{about.name}.md"] = _page(about, cls, registry)
        rows = [(f"[`{each.name}`]({kind}/{each.name}.md)", escaped(each.summary)) for each, _ in abouts]
        pages[f"reference/{kind}.md"] = _lines(
            f"# {kind}", "", KIND_MEANINGS[kind], "", *_table((kind, "what it is"), rows)
        )
        kinds.append((f"[{kind}]({kind}.md)", KIND_MEANINGS[kind], str(len(abouts))))
    pages["reference/index.md"] = _lines(
        "# Components",
        "",
        "Everything that a study is made of. These pages are made from the installed components when the site is "
        "built; `xaiexp show NAME` prints the same.",
        "",
        *_table(("kind", "what it is", "components"), kinds),
    )
    return pages


def escaped(text: str) -> str:
    """Text in Markdown, with what stands between backticks left as it is."""
    parts = _CODE.split(text)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"([\\*_\[\]])", r"\\\1", parts[i]).replace("<", "&lt;").replace(">", "&gt;")
    return "".join(parts)


def _page(about: Description, cls: type[Component], registry: Registry) -> str:
    needs = [f"*Needs of the model:* {', '.join(f'`{each}`' for each in about.needs)}", ""] if about.needs else []
    passes = _passes(cls)
    return _lines(
        f"# {about.name}",
        "",
        f"*[{about.kind}](../{about.kind}.md) of {registry.plugin_of(cls)}:* {escaped(about.summary)}",
        "",
        *(line for paragraph in about.paragraphs for line in (escaped(paragraph), "")),
        *(f"- {escaped(fact)}" for fact in about.facts),
        "",
        *needs,
        *([f"*Passes of an example:* {passes}", ""] if passes else []),
        *([f"*Source:* {escaped(about.source)}", ""] if about.source else []),
        "## Parameters",
        "",
        *(_parameters(about.parameters) if about.parameters else ["None."]),
        "",
        "## Example",
        "",
        f"    {example(about)}",
    )


def _parameters(found: Sequence[Parameter]) -> list[str]:
    rows = [
        (
            f"`{each.name}`",
            escaped(each.type),
            f"**{REQUIRED}**" if each.default == REQUIRED else f"`{each.default}`",
            escaped(each.meaning),
        )
        for each in found
    ]
    return _table(("parameter", "type", "default", "meaning"), rows)


def _passes(cls: Any) -> str:
    """What methods and metrics cost with their default parameters, for the first sample that they are for."""
    if cls.kind not in ("method", "metric"):
        return ""
    required = [name for name, value in default_values(cls).items() if value is MISSING]
    if required:
        return ""
    component = cls()
    modality = next((each for each in SAMPLES if each in component.modalities), None)
    if modality is None:
        return ""
    shape, d, words = SAMPLES[modality]
    if cls.kind == "method":
        return f"{cost(component.passes(shape, d))} ({words})"
    return f"{cost(component.passes(shape, d, 5))}, for 5 methods together ({words})"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    clean = [[re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row] for row in rows]
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return lines + [f"| {' | '.join(row)} |" for row in clean]


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
