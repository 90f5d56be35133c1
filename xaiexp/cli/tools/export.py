"""``xaiexp export``: tables, references and figures for a paper, of one or several studies or sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from xaiexp.cli.arguments import ToolParser, add_folders, check_folders
from xaiexp.cli.exit_codes import DONE
from xaiexp.errors import ResourceError

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Write the files and print their paths."""
    parser = ToolParser(
        prog="xaiexp export",
        description="Tables, references and figures for a paper, over all studies of the folders; "
        "tables and references by default.",
    )
    add_folders(parser)
    parser.add_argument("--latex", action="store_true", help="scores.tex: a table for the package booktabs")
    parser.add_argument("--markdown", action="store_true", help="scores.md")
    parser.add_argument("--csv", action="store_true", help="scores.csv: one row a study, cell and metric")
    parser.add_argument("--bibtex", action="store_true", help="references.bib: the sources of all components")
    parser.add_argument(
        "--figures", choices=("svg", "pdf", "png"), help="figures/: every chart, as files of this format"
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="paper/ in the first folder by default")
    arguments = parser.parse_args(list(words))
    folders: list[Path] = arguments.folders
    check_folders("export", folders)
    from xaiexp.api.load import load
    from xaiexp.api.result import records_of, table_of
    from xaiexp.report.paper import bibliography, markup
    from xaiexp.store.files import ensure_writable, write_atomically

    results = [load(folder) for folder in folders]
    table = table_of(results)
    if not table.blocks:
        raise ResourceError("export", "no study in it has scores yet", got=", ".join(map(str, folders)))
    formats: dict[str, tuple[str, Callable[[], str]]] = {
        "latex": ("scores.tex", lambda: markup.latex(table)),
        "markdown": ("scores.md", lambda: markup.markdown(table)),
        "csv": ("scores.csv", lambda: markup.csv(table)),
        "bibtex": ("references.bib", lambda: bibliography.bibliography(records_of(results))),
    }
    chosen = [name for name in formats if getattr(arguments, name)]
    if not chosen and arguments.figures is None:
        chosen = list(formats)
    target: Path = arguments.out or folders[0] / "paper"
    ensure_writable(target, "export --out")
    for name in chosen:
        file, content = formats[name]
        write_atomically(target / file, content().encode())
        print(target / file)  # noqa: T201
    if arguments.figures is not None:
        from xaiexp.report.paper.figures import write_figures

        studies = [study.path for result in results for study in (list(result.studies.values()) or [result])]
        for path in write_figures(studies, target / "figures", arguments.figures):
            print(path)  # noqa: T201
    return DONE
