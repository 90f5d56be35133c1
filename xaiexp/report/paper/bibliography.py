"""BibTeX entries of the components of studies, from the sources that they state."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from xaiexp.core.record import ComponentFacts, Record
from xaiexp.report.paper.markup import latex_text

__all__ = ["bibliography"]

# "Petsiuk et al. 2018, RISE, section 4.1 (deletion)": authors and year; the first words behind them are the title.
_NAME = r"(?:(?:van|von|de|der|la) )?[A-ZÀ-Ž][\w'’-]+"
_CITATION = re.compile(rf"({_NAME}(?:(?:,? and |, | ){_NAME})*(?: et al\.)?)\s+((?:1[89]|20)\d\d)\b")
_PLACE = re.compile(r"\b(section|equation|eq\.|definition|table|figure|chapter|proposition|algorithm|appendix|page)\b")


@dataclass
class _Entry:
    """A work that components name as their source.

    Args:
        authors, year, title: as far as the source states them.
        users: the components, with the text that each states.
    """

    authors: str
    year: str
    title: str
    users: dict[str, str] = field(default_factory=dict)


def bibliography(records: Sequence[Record]) -> str:
    """BibTeX entries of the methods, metrics, baselines, agreements, datasets and models of studies, and of xaiexp.

    A component states its source in words, from which no complete entry can be made: each entry is a ``@misc`` with
    the authors and the year that are stated, and the whole text in ``note``. One work has one entry, whichever
    components name it.

    Args:
        records: of the studies.
    """
    entries: dict[tuple[str, str, str], _Entry] = {}
    for name, facts in _components(records):
        for authors, year, title in _cited(facts.source) or [("", "", name)]:
            entry = entries.setdefault((authors, year, title), _Entry(authors, year, title))
            entry.users[name] = facts.source
    for key in [key for key in entries if key[0] and not key[2]]:  # a short source of a work that another one names
        titled = [other for other in entries if other[:2] == key[:2] and other[2]]
        if len(titled) == 1:
            entries[titled[0]].users |= entries.pop(key).users
    versions = dict.fromkeys(record.versions.get("xaiexp", "") for record in records)
    lines = ["% Made from the sources that components state: complete the entries before printing them.", ""]
    keys: set[str] = set()
    for entry in entries.values():
        lines += _written(_unique(_key(entry), keys), entry)
    version = ", ".join(each for each in versions if each)
    lines += ["@misc{xaiexp,", "  title = {{xaiexp}},", f"  note = {{Version {latex_text(version)}}},", "}", ""]
    return "\n".join(lines)


def _components(records: Iterable[Record]) -> Iterator[tuple[str, ComponentFacts]]:
    """Kind and name of every component with a source, with its facts."""
    for record in records:
        listed: list[tuple[str, ComponentFacts]] = [("model", record.model), ("dataset", record.dataset)]
        listed += [("method", facts) for facts in record.methods.values()]
        listed += [("baseline", facts) for facts in record.baselines.values()]
        listed += [("metric", facts) for label, facts in record.metrics.items() if not record.is_auxiliary(label)]
        listed += [("agreement", facts) for facts in record.agreements.values()]
        for kind, facts in listed:
            if facts.source:
                yield f"{kind} {facts.name}".strip(), facts


def _cited(source: str) -> list[tuple[str, str, str]]:
    """Authors, year and title of the works that a source names; the title is empty where none is stated."""
    found = []
    for part in source.split(";"):
        for match in _CITATION.finditer(part):
            words = part[match.end() :].lstrip(" ,.").split(",")[0].split(": ")[0]
            title = re.sub(r"\s*\([^)]*\)?$", "", words).strip(" .")
            stated = title[:1].isupper() and not _PLACE.match(title.lower())
            found.append((match[1], match[2], title if stated else ""))
    return found


def _key(entry: _Entry) -> str:
    surname = re.split(r"[ ,]", entry.authors)[0] if entry.authors else entry.title.replace(" ", "_")
    plain = unicodedata.normalize("NFKD", surname).encode("ascii", "ignore").decode()
    return (re.sub(r"\W", "", plain).lower() or "source") + entry.year


def _unique(key: str, taken: set[str]) -> str:
    """The key, with a letter behind it where it is taken."""
    candidates = [key, *(f"{key}{chr(97 + i)}" for i in range(1, 26))]
    chosen = next((each for each in candidates if each not in taken), f"{key}_{len(taken)}")
    taken.add(chosen)
    return chosen


def _written(key: str, entry: _Entry) -> list[str]:
    sources = dict.fromkeys(entry.users.values())
    note = "; ".join(latex_text(text) for text in sources)
    fields = {
        "author": _authors(entry.authors),
        "title": f"{{{latex_text(entry.title)}}}" if entry.title else "",
        "year": entry.year,
        "note": note,
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return [f"% {', '.join(entry.users)}", f"@misc{{{key},", *lines, "}", ""]


def _authors(authors: str) -> str:
    """The authors in BibTeX's words: ``A and B``, ``A and others``."""
    if not authors:
        return ""
    several = authors.endswith("et al.")
    names = [name.strip() for name in re.split(r",| and ", authors.removesuffix("et al.")) if name.strip()]
    return latex_text(" and ".join([*names, *(["others"] if several else [])]))
