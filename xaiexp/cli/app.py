"""The program: Hydra's application, and the tools named by a first word."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from omegaconf import DictConfig

import xaiexp.results.git_state  # noqa: F401  # finds git on the PATH that the program was started with
from xaiexp.cli.exit_codes import DONE, FAILED, INTERRUPTED, WRONG, combined
from xaiexp.cli.hydra_words import hydra_words, quoted
from xaiexp.contract.registry import installed
from xaiexp.errors import UnknownName, UserError, nearest

if TYPE_CHECKING:
    from xaiexp.plan.study import Study

__all__ = ["TOOLS", "job", "main"]

TRUST = ("archive", "drift", "gate", "reproduce", "verify")
TOOLS = tuple(
    sorted(
        ("completion", "export", "plan", "plugins", "repair", "report", "show", "store", "track", "ui", "view", *TRUST)
    )
)
"""The first words that name a tool; each is a module of :mod:`xaiexp.cli.tools`, or of its folder ``trust`` where it is
in :data:`TRUST`, with a function ``run(words)``."""

_codes: list[int] = []
_launching: list[bool] = []
"""Not empty in the process that launches jobs; empty in a worker of a launcher."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        An exit code of :mod:`xaiexp.cli.exit_codes`.
    """
    # Threads that wait for the others sleep: on a busy machine, waiting in a loop makes a study several times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        print(f"xaiexp {version('xaiexp')}")  # noqa: T201
        return DONE
    if threading.current_thread() is threading.main_thread():
        # A scheduler or a container stops a process by SIGTERM: treated as an interruption, so that runs are closed.
        signal.signal(signal.SIGTERM, _interrupted)
    try:
        if words and "=" not in words[0] and not words[0].startswith(("-", "+", "~")):
            return _tool(words[0])(words[1:])
        return _application(words)
    except SystemExit as stop:  # argparse ends a tool this way after --help
        return stop.code if isinstance(stop.code, int) else DONE
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return WRONG
    except KeyboardInterrupt:
        print("interrupted: finished chunks are in the store and will be reused", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # of a plugin that is asked before the first job, or a mistake of ours
        from xaiexp.results.job_errors import told

        told_as = _as_request(error)
        print(told(told_as, Path("outputs")), file=sys.stderr)  # noqa: T201
        return WRONG if isinstance(told_as, UserError) else FAILED


def _as_request(error: BaseException) -> BaseException:
    """An error as a wrong request, where Hydra or the system refused a value that the user gave."""
    from xaiexp.config import messages
    from xaiexp.results import job_errors

    if isinstance(error, Exception):
        error = messages.as_request(error, installed())
    return job_errors.as_request(error)


def _interrupted(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _tool(word: str) -> Callable[[Sequence[str]], int]:
    if word not in TOOLS:
        raise UnknownName(
            word,
            "is neither KEY=VALUE nor a tool",
            nearest=nearest(word, TOOLS),
            hint=f"tools: {', '.join(TOOLS)}",
        )
    place = f"trust.{word}" if word in TRUST else word
    run: Callable[[Sequence[str]], int] = import_module(f"xaiexp.cli.tools.{place}").run
    return run


def job(cfg: DictConfig) -> float | None:
    """One job of Hydra: one study. It never raises, so that the other jobs of a sweep go on.

    Returns:
        The exit code; the objective, where the study has one: None where it has no value.
    """
    if _launching:
        return _run_study(cfg)
    from xaiexp.sweep.workers import at_work

    with at_work():
        return _run_study(cfg)


def _run_study(cfg: DictConfig) -> float | None:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from xaiexp.engine.progress import Meter
    from xaiexp.results.job_errors import keep_error

    folder = Path(HydraConfig.get().runtime.output_dir)
    sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
    from xaiexp.store.owners import release
    from xaiexp.sweep.folder import job_owner_file

    owner, value = job_owner_file(folder), None
    try:
        from xaiexp.config.build import plain, to_study
        from xaiexp.config.compose import prepare
        from xaiexp.config.safety import refuse_trust

        registry = prepare()
        words = list(HydraConfig.get().overrides.task)
        refuse_trust(cfg.trust, words)
        study = to_study(cfg, registry)
        title = study.describe()
        if sweeping:
            _wait_for(owner)
        if sweeping and _is_done(cfg, folder):
            code = DONE
        else:
            with Meter(title) as meter:
                print(f"study {folder.name}: {' '.join(words)}" if sweeping else f"{title}: loading ...", flush=True)  # noqa: T201
                from xaiexp.api.execute import execute  # imports torch, which takes seconds
                from xaiexp.cli.summary import print_outcome

                outcome = execute(study, plain(cfg), folder, registry, meter)
            print_outcome(outcome, brief=sweeping)
            code = outcome.code
        value = _objective(study, folder)
    except (Exception, SystemExit) as error:  # of a component, or a mistake of ours
        told_as = _as_request(error)
        print(keep_error(folder, told_as), file=sys.stderr)  # noqa: T201
        code = WRONG if isinstance(told_as, UserError) else FAILED
    finally:
        if sweeping:
            release(owner)
    _codes.append(code)
    if sweeping:
        from xaiexp.sweep.joint import write_when_due

        with contextlib.suppress(OSError, UserError):  # written again at the end of the sweep, where errors are told
            write_when_due(Path(str(HydraConfig.get().sweep.dir)), bool(cfg.report))
    return code if cfg.objective is None else value


def _objective(study: Study, folder: Path) -> float | None:
    """The value that a sweeper optimises."""
    if study.settings.objective is None:
        return None
    from xaiexp.plan.plan import plan
    from xaiexp.sweep.search import objective_value

    goal = plan(study).objective
    return None if goal is None else objective_value(folder, goal)


def _is_done(cfg: DictConfig, folder: Path) -> bool:
    """Whether the worker of a sweep that was killed has finished this study since it was planned."""
    from xaiexp.config.build import plain
    from xaiexp.results.identity import Sources, config_digest
    from xaiexp.sweep.folder import JobEntry
    from xaiexp.sweep.states import state_of

    entry = JobEntry(
        folder=folder.name, config=config_digest(plain(cfg)), report=bool(cfg.report) and cfg.shard is None
    )
    return bool(cfg.resume) and state_of(folder.parent, entry, Sources(installed()))[0] == "done"


def _wait_for(owner: Path) -> None:
    """Wait while the worker of a sweep that was killed finishes this study, then take it over."""
    from xaiexp.store.owners import claim

    said = False
    while (other := claim(owner)) is not None:
        if not other.here():  # it worked for a sweep that this one continues
            owner.unlink(missing_ok=True)
        elif not said:
            print(f"waiting for process {other.pid}, which still runs this study", file=sys.stderr)  # noqa: T201
            said = True
        time.sleep(0.2)


def _application(words: list[str]) -> int:
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    parser.error = _refuse_words  # type: ignore[method-assign]  # it would print the usage of Hydra in ten lines
    args = parser.parse_args(words)
    if args.help:
        from xaiexp.cli import help as helping

        print(helping.page(args.overrides))  # noqa: T201
        return DONE
    _refuse_flags(args)
    from xaiexp.config.one_reading import one_reading

    with one_reading():
        return _composing(words, args)


def _refuse_words(message: str) -> NoReturn:
    raise UserError("xaiexp", message, hint="all words: xaiexp --help")


def _composing(words: list[str], args: argparse.Namespace) -> int:
    """Run the application, or what its flags ask for."""
    if args.hydra_help or args.shell_completion:
        return _hydra(words)
    overrides = list(args.overrides)
    if args.cfg or args.info:
        from xaiexp.config.compose import composed

        return _hydra(hydra_words(words, overrides, [str(composed(overrides).tracking.uri or "")]))
    if args.multirun or any(o.startswith("hydra.mode=") and "MULTIRUN" in o for o in overrides):
        from xaiexp.cli.sweeping import run_sweep

        return run_sweep(words, overrides, _hydra)
    folder, uri = _checked(overrides)
    # Hydra composes again, for half a second, in which the largest library that the study needs can be imported.
    threading.Thread(target=import_module, args=("torch",), name="import torch", daemon=True).start()
    return _hydra([*hydra_words(words, overrides, [uri]), f"hydra.run.dir={quoted(str(folder))}"])


def _refuse_flags(args: argparse.Namespace) -> None:
    """Refuse the flags of Hydra that would run what was not checked."""
    if args.experimental_rerun is not None:
        raise UserError("--experimental-rerun", "would run what a pickle contains", hint="repeat the command instead")
    for flag in ("config_path", "config_name", "config_dir"):
        if getattr(args, flag) is not None:
            hint = "further folders: 'hydra.searchpath=[file://FOLDER]'"
            raise UserError(f"--{flag.replace('_', '-')}", "is not supported", got=getattr(args, flag), hint=hint)


def _checked(overrides: list[str]) -> tuple[Path, str]:
    """Compose and plan a study before anything is written.

    Returns:
        Where the results go, and the address of the tracking server.
    """
    from xaiexp.config.build import to_study
    from xaiexp.config.compose import composed
    from xaiexp.plan.plan import plan
    from xaiexp.results.foreign_folder import refuse_foreign
    from xaiexp.store.files import ensure_writable
    from xaiexp.tracking.addresses import prepare

    cfg = composed(overrides)
    study = to_study(cfg, installed())
    study.settings.refuse_undivided()
    plan(study)
    folder = Path(os.path.abspath(str(cfg.hydra.run.dir)))  # noqa: PTH100  # not resolved: a link stays a link
    refuse_foreign(folder, "hydra.run.dir")
    ensure_writable(folder, "hydra.run.dir")
    prepare(study.trackers, study.settings.tracking)
    return folder, study.settings.tracking.uri or ""


def _hydra(words: list[str]) -> int:
    import hydra

    from xaiexp.config.compose import prepare
    from xaiexp.config.hydra_versions import VERSION_BASE
    from xaiexp.config.messages import translated
    from xaiexp.config.search_path import CONF

    registry = prepare()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing, and the error is translated
    _codes.clear()
    before = sys.argv
    sys.argv = ["xaiexp", *words]
    _launching.append(True)
    try:
        with translated(registry):
            hydra.main(config_path=str(CONF), config_name="config", **VERSION_BASE)(job)()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else DONE
    finally:
        sys.argv = before
        _launching.pop()
    return combined(_codes)
