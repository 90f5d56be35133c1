"""Mutation testing: which small changes of the code does no test notice?

    uv run python benchmarks/mutations.py [--rooms ROOM,...] [--sample N] [--seed N] [--jobs N] [--only FILE:LINE]

A seeded sample of mutants (``mutation_operators.py``; about in proportion to the lines of a room, at least 20 a room,
at most one a line) is run against the tests that execute the changed statement, those of the room before others and
quick ones first, until one fails (killed), all pass (survived) or the time is over (killed). Which test executes
which line is measured once and kept until a file changes. A mutant gets ``--budget`` CPU seconds of tests; what does
not fit is not run, nor are the tests of built-in components: a survivor may be noticed by them, so the rate is a
lower bound. Tests that fail without a mutant are named and left out. Copies of the checkout are changed, never
itself. Exit code 1 if a mutant survived.

Of the maintained tools, mutmut 3.8 changes no decorated functions and no fields of classes, and has no seeded sample;
cosmic-ray 8.7 starts Python, and so imports torch, once a mutant. Here a process that has imported torch is forked.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mutation_operators import mutants
from mutation_runs import ROOMS, Chosen, Measured, Selection, Slot, measure

ROOT = Path(__file__).parents[1]
PRELOADED = (
    *("torch", "torchvision", "transformers", "mlflow", "pytest", "hypothesis", "hydra", "pandas"),
    *("sklearn", "scipy.stats"),
)
LEAST, GRACE = 20, 20  # mutants of a room; CPU seconds beside the tests
SLOWEST = 10  # seconds of the clock a CPU second, for what waits for ever


def sample(rooms: Sequence[str], size: int, seed: int, root: Path) -> list[Chosen]:
    """A sample that changes only where the code changes: mutants are ordered by a hash of themselves and the seed."""
    sources = {
        room: {str(file.relative_to(root)): file.read_text() for file in sorted((root / "xaiexp" / room).rglob("*.py"))}
        for room in rooms
    }
    lines = {room: sum(text.count("\n") for text in files.values()) for room, files in sources.items()}
    taken = []
    for room, files in sources.items():
        drawn = []
        for file, text in files.items():
            statements = text.splitlines()
            for mutant in mutants(text):
                words = (str(seed), file, statements[mutant.line - 1].strip(), mutant.mutation, str(mutant.column))
                drawn.append((hashlib.sha256("\0".join(words).encode()).digest(), Chosen(file, mutant)))
        used: set[tuple[str, int]] = set()
        for _, chosen in sorted(drawn, key=lambda pair: pair[0]):
            if len(used) == max(LEAST, round(size * lines[room] / sum(lines.values()))):
                break
            if (chosen.file, chosen.mutant.line) not in used and compiles(chosen.mutant.source):
                used.add((chosen.file, chosen.mutant.line))
                taken.append(chosen)
    return taken


def compiles(source: str) -> bool:
    try:
        compile(source, "<mutant>", "exec")
    except SyntaxError:
        return False
    return True


def outcomes(
    every: Sequence[Chosen], measured: Measured, jobs: int, budget: float, work: Path, root: Path
) -> Iterator[tuple[Chosen, str]]:
    """Each mutant with ``killed``, ``timed out``, ``survived`` or ``no test``, as they end."""
    waiting = [(chosen, measured.tests(chosen, budget)) for chosen in every]
    free = [Slot(work / f"slot{number}", root) for number in range(jobs)]
    running: dict[int, tuple[Chosen, Slot, float]] = {}
    while waiting or running:
        while waiting and free:
            chosen, tests = waiting.pop(0)
            if not tests:
                yield chosen, "no test"
                continue
            slot = free.pop()
            slot.write(chosen)
            limit = GRACE + 4 * math.ceil(sum(measured.seconds[test] for test in tests))
            files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
            pid = slot.start(files, "-x", plugin=Selection(tests), limit=limit)
            running[pid] = (chosen, slot, time.monotonic() + SLOWEST * limit)
        time.sleep(0.05)
        for pid, (chosen, slot, deadline) in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)  # 5: its tests were not collected, none failed
                outcome = {0: "survived", 5: "survived", -signal.SIGXCPU: "timed out"}.get(code, "killed")
            elif time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                outcome = "timed out"
            else:
                continue
            slot.restore(chosen)
            free.append(slot)
            del running[pid]
            yield chosen, outcome


def table(found: Mapping[Chosen, str]) -> str:
    """One row a room, and all."""
    counts: dict[str, list[str]] = defaultdict(list)
    for chosen, outcome in found.items():
        counts[chosen.room].append(outcome)
    rows = ["| room | mutants | killed | of these timed out | survived | kill rate |", "|---|---|---|---|---|---|"]
    for room, own in (*counts.items(), ("all", list(found.values()))):
        late, killed = own.count("timed out"), own.count("timed out") + own.count("killed")
        rows.append(f"| {room} | {len(own)} | {killed} | {late} | {len(own) - killed} | {killed / len(own):.0%} |")
    return "\n".join(rows)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", default=",".join(ROOMS), help="folders of the package, separated by commas")
    parser.add_argument("--sample", type=int, default=320, help="number of mutants (default: 320)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    parser.add_argument("--only", metavar="FILE:LINE", help="all mutants of one line in place of a sample")
    parser.add_argument("--budget", type=float, default=20.0, help="CPU seconds of tests a mutant (default: 20)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time (default: 1)")
    default = Path(tempfile.gettempdir()) / f"xaiexp-mutations-{os.getuid()}"
    parser.add_argument("--work", type=Path, default=default, help="folder of copies, timings and results")
    parser.add_argument("--resume", action="store_true", help="do not run again what an earlier run has killed")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: this one)")
    asked = parser.parse_args(words)
    root, work = asked.root.resolve(), asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if asked.only:
        file, _, line = asked.only.rpartition(":")
        every = [Chosen(file, mutant) for mutant in mutants((root / file).read_text()) if mutant.line == int(line)]
    else:
        every = sample(asked.rooms.split(","), asked.sample, asked.seed, root)
    if not every:
        raise SystemExit(f"{asked.only or asked.rooms}: there is nothing to change")
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in PRELOADED:
        importlib.import_module(name)
    began = time.monotonic()
    measured = measure(work, root, asked.jobs)
    print(f"{len(measured.seconds)} tests, measured in {time.monotonic() - began:.0f} s")
    for test in measured.failed:
        print(f"left out, fails without a mutant: {test}")
    began = time.monotonic()
    kept = work / "outcomes.json"
    known = json.loads(kept.read_text()) if asked.resume and kept.is_file() else {}
    found = {chosen: known[str(chosen)] for chosen in every if known.get(str(chosen)) in {"killed", "timed out"}}
    left = [chosen for chosen in every if chosen not in found]
    for chosen, outcome in outcomes(left, measured, asked.jobs, asked.budget, work, root):
        found[chosen] = outcome
        print(f"{len(found)}/{len(every)} {outcome}: {chosen}", file=sys.stderr, flush=True)
        kept.write_text(json.dumps({str(each): outcome for each, outcome in found.items()}, indent=1))
    found = {chosen: found[chosen] for chosen in every}
    survivors = [f"- {chosen} ({outcome})" for chosen, outcome in found.items() if outcome in {"survived", "no test"}]
    text = "\n".join((table(found), "", *survivors))
    print(f"{text}\n{len(left)} mutants in {time.monotonic() - began:.0f} s, {asked.jobs} at a time")
    (work / "survivors.md").write_text(text + "\n")
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main())
