"""The program: Hydra's application, and a few tools named by a first word."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from omegaconf import DictConfig

from xaiexp.cli.plugins import plugins
from xaiexp.config import compose as config
from xaiexp.config.safety import refuse_trust
from xaiexp.contract.registry import installed
from xaiexp.core.record import Record
from xaiexp.errors import ResourceError, UnknownName, UserError, nearest
from xaiexp.store.files import writable

__all__ = ["TOOLS", "job", "main"]

DONE, FAILED, WRONG = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        0 all cells done or skipped by plan; 1 some cell failed, the rest is there; 2 the request is wrong.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        print(f"xaiexp {version('xaiexp')}")  # noqa: T201
        return DONE
    if threading.current_thread() is threading.main_thread():
        # A scheduler's or a container's stop is an interruption like any other: books are closed, runs end as failed.
        signal.signal(signal.SIGTERM, _interrupted)
    try:
        if words and "=" not in words[0] and not words[0].startswith(("-", "+", "~")):
            return int(_tool(words[0])(words[1:]))
        return _application(words)
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201  # this is the program's voice
        return WRONG
    except KeyboardInterrupt:
        print("interrupted: what is in the store will be found again", file=sys.stderr)  # noqa: T201
        return FAILED
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _interrupted(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _tool(word: str) -> Any:
    if word not in TOOLS:
        raise UnknownName(
            word,
            "is neither KEY=VALUE nor a tool",
            nearest=nearest(word, TOOLS),
            hint=f"tools: {', '.join(TOOLS)}",
        )
    return TOOLS[word]


# --- the application ------------------------------------------------------------------------------------------


_codes: list[int] = []


def job(cfg: DictConfig) -> int:
    """One job of Hydra's: one study. It never raises, so that the other jobs of a sweep go on."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from xaiexp.engine.progress import Meter

    folder = Path(HydraConfig.get().runtime.output_dir)
    several = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        config.prepare()
        from xaiexp.api.execute import execute

        registry = installed()
        refuse_trust(cfg.trust, list(HydraConfig.get().overrides.task))
        study = config.to_study(cfg, registry)
        with Meter(study.describe()) as meter:
            outcome = execute(study, config.plain(cfg), folder, registry, meter)
        _show(outcome, brief=several)
        code = outcome.code
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201
        code = WRONG
    except OSError as error:
        print(f"{error.filename or folder}: {error.strerror or error}", file=sys.stderr)  # noqa: T201
        code = FAILED
    except MemoryError:
        print(f"out of memory: {folder}", file=sys.stderr)  # noqa: T201
        code = FAILED
    _codes.append(code)
    return code


def _show(outcome: Any, brief: bool) -> None:
    from xaiexp.cli import tables as terminal
    from xaiexp.core.ids import ALL_METHODS
    from xaiexp.engine.progress import console

    out = console()
    if brief:
        study = outcome.record.study
        out.print(f"{study.model} on {study.dataset}, seed {study.seed}: {outcome.record.status}", markup=False)
    if not brief and len(outcome.summary):
        refused = set(outcome.verdicts.loc[outcome.verdicts["refused"].astype(bool), "metric"])
        out.print("mean [95 % interval] (rank; equal ranks are a tie within the noise)", markup=False)
        out.print(terminal.summary_table(outcome.summary, outcome.record, refused))
        for line in terminal.verdict_lines(outcome.verdicts):
            out.print(line, markup=False)
        out.print()
    if not brief and len(outcome.agreement):
        pairs = outcome.agreement[outcome.agreement["method_a"] != ALL_METHODS]
        measure = (pairs if len(pairs) else outcome.agreement)["measure"].iloc[0]
        out.print(f"agreement: {measure}, mean over examples", markup=False)
        out.print(terminal.agreement_table(outcome.agreement, measure))
    for note in terminal.notes(outcome.cells, outcome.errors):
        out.print(note, markup=False)
    for line in terminal.result_paths(outcome.folder, outcome.report, outcome.tracked):
        out.print(line, markup=False)


def _application(words: list[str]) -> int:
    from hydra._internal.utils import get_args_parser

    args = get_args_parser().parse_args(words)
    if args.help:
        from xaiexp.cli import help as helping

        print(helping.page(args.overrides))  # noqa: T201
        return DONE
    shows = args.hydra_help or args.cfg or args.info or args.shell_completion
    if shows or args.experimental_rerun:
        return _hydra(words)
    overrides = list(args.overrides)
    sweeping = args.multirun or any(o.startswith("hydra.mode=") and "MULTIRUN" in o for o in overrides)
    folder, jobs = _checked(overrides, sweeping)
    key = "hydra.sweep.dir" if sweeping else "hydra.run.dir"
    quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    try:
        code = _hydra([*words, f"{key}='{quoted}'"])
    finally:
        if sweeping:
            swept = _after_sweep(folder, jobs)
    return max(code, swept) if sweeping else code


def _checked(overrides: list[str], sweeping: bool) -> tuple[Path, int]:
    """Compose and plan every job before the first starts; where the results go, and how many jobs there are."""
    from xaiexp.plan.plan import plan

    jobs = config.expand(overrides) if sweeping else [overrides]
    tracked = set()
    folder: Path | None = None
    for each in jobs:
        cfg = config.composed(each)
        study = config.to_study(cfg, installed())
        plan(study)
        tracked.add(study.settings.tracking)
        if folder is None:
            folder = Path(str(cfg.hydra.sweep.dir if sweeping else cfg.hydra.run.dir))
    if folder is None:
        raise UserError("-m", "makes no job", got=" ".join(overrides))
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  # not resolved: a link stays a link
    writable(folder, "hydra.sweep.dir" if sweeping else "hydra.run.dir")
    if sweeping:  # the workers of a launcher must find the store made: they would all make it at once
        from xaiexp.tracking.mlflow import prepare_store

        for wanted in tracked:
            prepare_store(wanted)
    return folder, len(jobs)


def _hydra(words: list[str]) -> int:
    import hydra

    config.prepare()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing: the words are ours
    _codes.clear()
    before = sys.argv
    sys.argv = ["xaiexp", *words]
    try:
        with config.translated(installed()):
            hydra.main(config_path=str(config.CONF), config_name="config", version_base="1.3")(job)()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else DONE
    finally:
        sys.argv = before
    return _worst(_codes)


def _worst(codes: Sequence[int]) -> int:
    """One job alone speaks for itself; of several, some that were refused are failures among the others."""
    if not codes or all(code == codes[0] for code in codes):
        return codes[0] if codes else DONE
    return FAILED if any(codes) else DONE


def _after_sweep(folder: Path, jobs: int) -> int:
    """One report over all jobs, also after a crash or an interruption."""
    from xaiexp import report
    from xaiexp.engine.progress import console

    out = console()
    studies = report.find_studies(folder)
    if not studies:
        return FAILED
    done = sum(Record.read(study / "record.json").status == "done" for study in studies)
    page = report.build(studies, folder / "report.html")
    out.print(f"{done} of {max(jobs, len(studies))} studies done", markup=False)
    out.print(f"report:  {page}", markup=False)
    return DONE if done == max(jobs, len(studies)) else FAILED


# --- tools ----------------------------------------------------------------------------------------------------


def _plan(words: list[str]) -> int:
    from xaiexp.cli import tables as terminal
    from xaiexp.engine.progress import console
    from xaiexp.plan.keys import plan_key
    from xaiexp.plan.plan import plan
    from xaiexp.store.objects import Store

    multirun = [w for w in words if w in ("-m", "--multirun")]
    overrides = [w for w in words if w not in ("-m", "--multirun")]
    out = console()
    for each in config.expand(overrides) if multirun else [overrides]:
        registry = installed()
        study = config.to_study(config.composed(each), registry)
        made = plan(study)
        store = Store(Path(study.settings.store), study.settings.force)
        hits = {c.id for c in made.running if store.expected(plan_key(made, c.id, registry))}
        rows = [
            {
                "method": cell.id.method,
                "baseline": cell.id.baseline,
                "runs": "skipped" if cell.skip else ("from the store" if cell.id in hits else "yes"),
                "passes": _passes(cell, made.count, cell.id in hits, made.exact),
                "reason": cell.skip,
            }
            for cell in made.cells
        ]
        count = "all" if made.count is None else str(made.count)
        out.print(f"{study.describe()}: {count} examples, features {study.features.name}", markup=False)
        out.print(terminal.plan_table(rows))
        again = [label for label, metric in study.metrics.items() if metric.re_explains]
        out.print(f"{len(made.running)} of {len(made.cells)} cells run, {len(hits)} expected in the store")
        cells, metrics = made.passes(without=hits)
        about = "" if made.exact else "about "
        told = [
            f"{what}: {'unknown' if n is None else f'{about}{n:,}'}"
            for what, n in (("attributions", cells), ("metrics at most", metrics))
        ]
        out.print(f"passes for {', '.join(told)}")
        for label, why in made.metric_skips.items():
            out.print(f"metric {label} is left out: {why}", markup=False)
        if again:
            out.print(f"not counted: {', '.join(again)} (explains again)")
    return DONE


def _passes(cell: Any, count: int | None, found: bool, exact: bool) -> str:
    if cell.skip or found:
        return "0"
    if cell.cost is None or count is None:
        return "?"
    return f"{'' if exact else '~'}{cell.cost.total * count:,}"


def _report(words: list[str]) -> int:
    out, folders = None, []
    rest = iter(words)
    for word in rest:
        if word == "--out" or word.startswith("--out="):
            out = word.partition("=")[2] or next(rest, None)
            if not out:
                raise UserError("report --out", "needs a file", hint="as --out report.html")
        elif word.startswith("-"):
            raise UnknownName(f"report {word}", "no such option", hint="xaiexp report DIR... [--out FILE]")
        else:
            folders.append(Path(word))
    if not folders:
        raise UserError("report", "needs a folder", hint="xaiexp report DIR... [--out FILE]")
    for folder in folders:
        if not folder.is_dir():
            raise ResourceError("report", "no such folder", got=str(folder))
    from xaiexp import report

    studies = [study for folder in folders for study in report.find_studies(folder)]
    if not studies:
        raise ResourceError("report", "holds no study (a folder with record.json)", got=", ".join(map(str, folders)))
    target = Path(out) if out else folders[0] / "report.html"
    writable(target.parent, "report --out")
    print(report.build(studies, target))  # noqa: T201
    return DONE


def _ui(words: list[str]) -> NoReturn:
    from xaiexp.tracking.mlflow import STORE, embedded_uri

    port = "5000"
    if words[:1] == ["--port"] and len(words) == 2 and words[1].isdigit():
        port = words[1]
    elif words:
        raise UnknownName(f"ui {words[0]}", "no such option", hint="xaiexp ui [--port N]")
    if not (STORE / "mlflow.db").is_file():
        raise ResourceError(
            "ui", "there are no runs here yet", got=str(STORE / "mlflow.db"), hint="run a study: xaiexp"
        )
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", embedded_uri()]
    command += ["--host", "127.0.0.1", "--port", port, "--workers", "1"]
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606  # fixed words, no shell; signals then reach the server itself


TOOLS = {"plan": _plan, "plugins": plugins, "report": _report, "ui": _ui}
