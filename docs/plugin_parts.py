"""The generated parts of ``plugins.md``: an example of each kind, and the vocabulary of facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from xaiexp.cli.tools.scaffold import example
from xaiexp.contract.kinds import KINDS
from xaiexp.contract.panel import SECTIONS
from xaiexp.core import vocabulary

PAGE = Path(__file__).parent / "plugins.md"
PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
WORDS = {
    "`modality`, `modalities`": vocabulary.MODALITIES,
    "`tasks` of an output, `Network.task`": vocabulary.TASKS,
    "`precisions` of a method": get_args(vocabulary.Precision),
    "`space` of a method, `spaces` of a metric": get_args(vocabulary.Space),
    "`needs` of a removal": vocabulary.BACKGROUND_PARTS,
    "`section` of a panel": SECTIONS,
}


def page() -> str:
    """``plugins.md`` with its parts made anew."""
    return PART.sub(lambda found: f"{found[1]}\n{part(found[2])}\n{found[3]}", PAGE.read_text(encoding="utf-8"))


def part(name: str) -> str:
    """The part of a name: ``vocabulary``, or the example of a kind."""
    return "".join(f"{line}\n" for line in vocabulary_tables()) if name == "vocabulary" else code(name)


def code(kind: str) -> str:
    """The example of a kind without the docstring of its module."""
    source = example(kind).split("\n", 1)[1].lstrip()
    return f"```python\n{source}```\n"


def vocabulary_tables() -> Iterator[str]:
    """What each kind must and may state, and the words of facts."""
    yield from ("| kind | must state | may state, with its default |", "|---|---|---|")
    for kind, cls in KINDS.items():
        required = [f"`{fact}`" for fact in cls.facts]
        own = [name for name in vars(cls) if f"\n        {name}:" in (cls.__doc__ or "") and name not in cls.facts]
        optional = [f"`{name} = {_literal(getattr(cls, name))}`" for name in own if not callable(getattr(cls, name))]
        yield f"| {kind} | {', '.join(required)} | {', '.join(optional) or '–'} |"
    yield from ("", "| fact | words |", "|---|---|")
    for fact, words in WORDS.items():
        yield f"| {fact} | {', '.join(f'`{word}`' for word in words)} |"


def _literal(value: object) -> str:
    return "all" if value == vocabulary.MODALITIES else repr(value)
