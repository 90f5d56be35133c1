"""The Vega libraries that draw the charts of a page: a part of vl-convert, not of this package."""

from __future__ import annotations

import functools
from importlib.metadata import version
from pathlib import Path

from xaiexp.store.files import write_atomically

__all__ = ["bundle"]


def bundle(cache: Path | None = None) -> str:
    """The source of Vega, Vega-Lite and vega-embed as one script, which sets ``window.vegaEmbed``.

    Making it takes a second or more, so it is kept.

    Args:
        cache: a folder of this program's own where it is kept between processes; None keeps it in this process alone.
    """
    return _bundle(None if cache is None else cache / f"vega-{version('vl-convert-python')}.js")


@functools.cache
def _bundle(kept: Path | None) -> str:
    try:
        if kept is not None and (text := kept.read_text(encoding="utf-8")).endswith(_END):
            return text
    except (OSError, UnicodeDecodeError):
        pass
    import vl_convert

    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;") + _END
    if kept is not None:
        try:
            write_atomically(kept, text.encode())
        except OSError:  # a page needs no cache
            return text
    return text


_END = "\n// end of the bundle\n"
