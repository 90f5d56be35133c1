"""A page: one self-contained HTML file over one or several studies, with the viewer and its document."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from xaiexp.errors import ResourceError
from xaiexp.report.document.binary import unpack
from xaiexp.report.document.build import document
from xaiexp.report.studies import FurtherPanel, read_study
from xaiexp.report.vega import bundle
from xaiexp.store.files import write_atomically

__all__ = ["build", "live_page", "page", "templates", "viewer"]


def build(
    folders: Sequence[Path],
    out: Path,
    title: str | None = None,
    *,
    every: bool = False,
    cache: Path | None = None,
    further: Mapping[Path, Sequence[FurtherPanel]] | None = None,
) -> Path:
    """Write one self-contained HTML page over one or several studies.

    Args:
        folders: study folders, see `find_studies`. Files that are missing in them are listed on the page.
        out: the file, which is written atomically.
        title: of the page; by default the name of the study or the number of studies.
        every: whether nothing is left out, however large the page becomes.
        cache: a folder of this program's own, where the chart library is kept.
        further: panels beside those that the configurations name, by the folder of their study.

    Returns:
        ``out``.

    Raises:
        ResourceError: a folder holds no file of a study, or ``out`` cannot be written.
    """
    if not folders:
        raise ResourceError("report", "no study to report on", hint="name a folder that a study or a sweep wrote")
    brought = further or {}
    studies = [replace(read_study(Path(each)), further=tuple(brought.get(Path(each), ()))) for each in folders]
    content = document(studies, title, every)
    out = Path(out)
    try:
        write_atomically(out, page(content, cache).encode())
    except OSError as error:
        raise ResourceError(str(out), f"the report cannot be written ({error.strerror or error})") from error
    return out


def page(content: bytes, cache: Path | None = None) -> str:
    """The HTML of a page.

    A Content-Security-Policy names the scripts of the page by their hashes, forbids all others, and the network.

    Args:
        content: the packed document.
        cache: see :func:`build`.
    """
    about, _ = unpack(content)
    encoded = base64.b64encode(content).decode("ascii")
    return _rendered(cache, "", title=about["title"], summaries=_summaries(about), document=encoded, live=False)[0]


def live_page(cache: Path | None = None) -> tuple[str, str]:
    """The HTML of the page that a server hands out, and its Content-Security-Policy.

    It holds no study: its viewer asks the server for the document.

    Args:
        cache: see :func:`build`.
    """
    return _rendered(cache, "; connect-src 'self'", title="xaiexp", summaries=(), document="", live=True)


def _rendered(cache: Path | None, further: str, **values: Any) -> tuple[str, str]:
    """The template with the scripts, and the policy that allows these alone.

    Args:
        cache: see :func:`build`.
        further: directives of the policy.
        values: of the template.
    """
    scripts = {"vega": _inline(bundle(cache)), "viewer": _inline(viewer())}
    hashes = " ".join(f"'{_hash(text)}'" for text in scripts.values())
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:{further}; "
        "base-uri 'none'; form-action 'none'"
    )
    return templates().get_template("page.html").render(policy=policy, **values, **scripts), policy


def _summaries(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is read before the viewer runs, and where it cannot: the answer of every study."""
    return [{"name": study["name"], **study["answer"]} for study in about["studies"]]


@functools.cache
def viewer() -> str:
    """The compiled module of ``viewer/``."""
    return (Path(__file__).parent / "static" / "viewer.js").read_text(encoding="utf-8")


def _inline(script: str) -> str:
    """The script as it may stand in a page; no string of a script ends the element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@functools.cache
def templates() -> Environment:
    """The templates, compiled once a process: a sweep builds many pages."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
