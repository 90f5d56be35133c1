"""Runs the sweep of a line: what is left of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

from xaiexp.cli.exit_codes import FAILED
from xaiexp.cli.hydra_words import hydra_words, quoted
from xaiexp.contract.registry import installed
from xaiexp.sweep.opening import Sweep, open_sweep
from xaiexp.sweep.states import Job, counted

__all__ = ["run_sweep"]

_QUIET = "hydra.hydra_logging.root.level=WARNING"
"""Hydra does not log its jobs; each prints a line of its own."""


def run_sweep(words: Sequence[str], overrides: list[str], hydra: Callable[[list[str]], int]) -> int:
    """Run the jobs of a sweep that are not done, and write its tables and its page.

    Args:
        words: of the command line.
        overrides: those of the words that are ``KEY=VALUE``.
        hydra: runs the application with words and returns its exit code.

    Returns:
        The exit code.
    """
    from xaiexp.cli.searching import objective_of, run_default, say_best, words_of_search
    from xaiexp.cli.summary import print_sweep
    from xaiexp.config.paired import is_pairing
    from xaiexp.sweep.launching import only
    from xaiexp.sweep.workers import launch_all, stop_workers

    with open_sweep(overrides) as sweep:
        goal = None if sweep.basic else objective_of(sweep)
        uris = _checked(sweep)
        words = [word for word in hydra_words(words, overrides, uris) if not is_pairing(word)]  # they are in the jobs
        where = [f"hydra.sweep.dir={quoted(str(sweep.folder))}", _QUIET]
        more = [] if goal is None else words_of_search(sweep, goal)
        _say_what_is_left(sweep)

        def launch(jobs: Sequence[Job]) -> int:
            known = [replace(j, overrides=tuple(hydra_words(j.overrides, j.overrides, uris))) for j in jobs]
            with only(known) if sweep.basic else nullcontext():
                return hydra([*words, *more, *where])

        code = 0
        try:
            if goal is not None:
                run_default(sweep, lambda shared: hydra([*hydra_words(shared, shared, uris), *where]))
            if sweep.first:
                code = launch_all(sweep, sweep.first, launch, _say)
            if sweep.sharded and (merged := sweep.refreshed().mergeable()):
                code = max(code, launch_all(sweep, merged, launch, _say))
        finally:
            stop_workers()
            swept = print_sweep(sweep.folder, len(sweep.studies), sweep.basic)
        if goal is not None:
            say_best(sweep, goal, print)
        _send_what_was_not_sent(sweep)
        sweep.finish()
        if sweep.sharded:
            _say_which_shards_are_left(sweep.refreshed())
    if code and len(sweep.left) < len(sweep.jobs):  # the others are done
        code = FAILED
    return max(code, swept)


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


def _checked(sweep: Sweep) -> list[str]:
    """Plan every job that is left before the first one starts; returns the addresses of tracking servers."""
    from xaiexp.config.build import to_study
    from xaiexp.config.compose import composed
    from xaiexp.plan.plan import plan
    from xaiexp.tracking.addresses import prepare

    known = {}
    for job in [job for job in sweep.left if not job.shard_of] or sweep.studies[:1]:
        cfg = sweep.configs.get(job.folder)
        study = to_study(composed(job.overrides) if cfg is None else cfg, installed())
        plan(study)
        known[study.settings.tracking] = study.trackers
    for tracking, trackers in known.items():
        for line in prepare(trackers, tracking):
            _say(f"{line}; studies are sent later: xaiexp track {sweep.folder}")
    return [tracking.uri or "" for tracking in known]


def _say_what_is_left(sweep: Sweep) -> None:
    if not sweep.continued:
        return
    _say(f"continues {sweep.folder}, {counted(sweep.jobs)}")
    for job in sweep.jobs:
        if job.state == "changed":
            _say(f"  runs {job.folder} again: {job.reason}")


def _say_which_shards_are_left(sweep: Sweep) -> None:
    """Name the studies that wait for shards, which a worker that died has not finished."""
    waiting = {job.folder for job in sweep.left} - {job.folder for job in sweep.mergeable()}
    for job in sweep.studies:
        shards = [each.state in ("done", "failed") for each in sweep.jobs if each.shard_of == job.folder]
        if shards and job.folder in waiting:
            _say(f"study {job.folder}: {sum(shards)} of {len(shards)} shards ended; the same line continues it")


def _send_what_was_not_sent(sweep: Sweep) -> None:
    """Send the studies that were done before this start and are not tracked yet."""
    from xaiexp.api.send import send
    from xaiexp.core.record import Record
    from xaiexp.errors import ResourceError, UserError
    from xaiexp.tracking.session import is_sent

    left = 0
    for job in sweep.studies:
        folder = sweep.folder / job.folder
        try:
            if job.state == "done" and not is_sent(Record.read(folder / "record.json")):
                left += send(folder, _say) == "failed"
        except (OSError, ResourceError, UserError) as error:
            _say(str(error))
    if left:
        _say(f"{left} studies are not sent: xaiexp track {sweep.folder}")
