"""From a line to its sweep: the newest unfinished one of this line, or a new folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from xaiexp.config.build import plain
from xaiexp.config.compose import composed, expand, fingerprint_of_sources, is_basic, shared
from xaiexp.contract.registry import installed
from xaiexp.core.keys import digest
from xaiexp.errors import UserError, without_passwords
from xaiexp.results.foreign_folder import refuse_foreign
from xaiexp.results.identity import Sources, config_digest
from xaiexp.store.files import ensure_writable
from xaiexp.sweep.folder import JobEntry, SweepFile, claim_sweep, release_sweep
from xaiexp.sweep.states import Job, state_of

__all__ = ["Sweep", "found", "open_sweep"]

_OPTION = "hydra.sweep.dir"


@dataclass(frozen=True)
class Sweep:
    """A sweep as a line finds it.

    Args:
        folder: absolute.
        jobs: with their states; the overrides contain passwords. One job without a folder where another sweeper than
            Hydra's basic one chooses the jobs: what all of them share.
        basic: whether the jobs are those of Hydra's basic sweeper, and may be continued.
        continued: whether the folder had a sweep of this line.
        file: the content of ``sweep.json``.
        configs: the configurations that were composed, by the folder of the job.
    """

    folder: Path
    jobs: tuple[Job, ...]
    basic: bool
    continued: bool
    file: SweepFile
    configs: dict[str, DictConfig]

    @property
    def studies(self) -> tuple[Job, ...]:
        """The jobs that are no shards."""
        return tuple(job for job in self.jobs if not job.shard_of)

    @property
    def left(self) -> tuple[Job, ...]:
        """The jobs that are not done; not the shards of a study that is."""
        done = {job.folder for job in self.studies if job.state == "done"}
        return tuple(job for job in self.jobs if job.state != "done" and job.shard_of not in done)

    @property
    def sharded(self) -> bool:
        """Whether some study is divided into shards."""
        return len(self.studies) < len(self.jobs)

    @property
    def first(self) -> tuple[Job, ...]:
        """The jobs that are left and wait for no others: shards, and studies without shards."""
        sharded = {job.shard_of for job in self.jobs if job.shard_of}
        return tuple(job for job in self.left if job.folder not in sharded)

    def refreshed(self) -> Sweep:
        """The same sweep with the states that the jobs have now."""
        sources = Sources(installed())
        states = [state_of(self.folder, entry, sources) for entry in self.file.jobs]
        jobs = [replace(job, state=s, reason=why) for job, (s, why) in zip(self.jobs, states, strict=True)]
        return replace(self, jobs=tuple(jobs))

    def mergeable(self) -> tuple[Job, ...]:
        """The studies that are left and whose shards have all ended, well or not; the store has what they need."""
        shards: dict[str, list[bool]] = {}
        for job in self.jobs:
            if job.shard_of:
                shards.setdefault(job.shard_of, []).append(job.state in ("done", "failed"))
        return tuple(job for job in self.left if all(shards.get(job.folder, [False])))

    def finish(self) -> bool:
        """Write down that all jobs are done, if they are; returns whether they are."""
        sources = Sources(installed())
        done = bool(self.file.jobs) and all(
            state_of(self.folder, entry, sources)[0] == "done" for entry in self.file.jobs if not entry.shard_of
        )
        if done:
            replace(self.file, finished=_now()).write(self.folder)
        return done


@dataclass(frozen=True)
class _Line:
    """What is known of a line before its sweep is looked for."""

    overrides: list[list[str]]
    base: DictConfig
    digest: str
    sources: str
    basic: bool
    resume: bool
    folder: Path
    named: bool


def found(overrides: Sequence[str]) -> Sweep:
    """The sweep that a line would run, without creating anything: for ``xaiexp plan -m``."""
    line = _read(overrides)
    folder = _unfinished(line)
    return _sweep(line, folder or line.folder, folder is not None)


@contextmanager
def open_sweep(overrides: Sequence[str]) -> Iterator[Sweep]:
    """The sweep of a line; this process is the only one that runs it meanwhile.

    Raises:
        UserError: the line is wrong, or another process runs the sweep.
    """
    from filelock import FileLock

    line = _read(overrides)
    root = _root(line)
    ensure_writable(root, _OPTION)
    with FileLock(root / f".{line.digest[:16]}.lock"):  # two processes with one line must not both start it
        folder = _unfinished(line)
        continued, folder = folder is not None, folder or line.folder
        refuse_foreign(folder, _OPTION, sweep=True)
        ensure_writable(folder, _OPTION)
        claim_sweep(folder)
        try:
            sweep = _sweep(line, folder, continued)
            if sweep.left or not continued:
                sweep.file.write(folder)
        except BaseException:
            release_sweep(folder)
            raise
    try:
        yield sweep
    finally:
        release_sweep(folder)


def _read(overrides: Sequence[str]) -> _Line:
    base = composed(shared(overrides))
    jobs = expand(overrides, base.hydra.sweeper.get("params") or {})
    if not jobs:
        raise UserError("-m", "makes no job", got=" ".join(overrides))
    raw = OmegaConf.to_container(base.hydra.sweep, resolve=False)
    template = str(raw["dir"]) if isinstance(raw, dict) else ""
    words = sorted(without_passwords(word) for word in overrides if not _has_no_effect(word))
    return _Line(
        overrides=jobs,
        base=base,
        digest=digest([words, config_digest(plain(base))]),
        sources="" if any("${" in word or "searchpath" in word for word in overrides) else fingerprint_of_sources(),
        basic=is_basic(base),
        resume=bool(base.resume),
        folder=Path(os.path.abspath(str(base.hydra.sweep.dir))),  # noqa: PTH100  # not resolved: a link stays a link
        named="${" not in template,
    )


def _has_no_effect(word: str) -> bool:
    key = word.lstrip("+~").partition("=")[0]
    return key == "resume" or key.startswith(("hydra.", "hydra/"))


def _root(line: _Line) -> Path:
    """The folder below which sweeps of a line lie: what is fixed in ``hydra.sweep.dir``, or its parent."""
    if line.named:
        return line.folder.parent
    template = str(OmegaConf.to_container(line.base.hydra.sweep, resolve=False)["dir"])  # type: ignore[call-overload,index]  # a mapping
    return Path(os.path.abspath(template.partition("${")[0].rpartition("/")[0] or "."))  # noqa: PTH100


def _unfinished(line: _Line) -> Path | None:
    """The folder of the newest unfinished sweep of a line, or the one that the line names."""
    if not line.basic or not line.resume:
        return None
    if line.named:
        return line.folder if (line.folder / "sweep.json").is_file() else None
    root = _root(line)
    depth = len(line.folder.relative_to(root).parts)
    files = ((path.parent, SweepFile.read(path.parent)) for path in root.glob("/".join(["*"] * depth + ["sweep.json"])))
    sweeps = [
        (file.started, folder) for folder, file in files if file and file.line == line.digest and not file.finished
    ]
    return max(sweeps)[1] if sweeps else None


def _sweep(line: _Line, folder: Path, continued: bool) -> Sweep:
    configs: dict[str, DictConfig] = {}
    known = SweepFile.read(folder) if continued else None
    if not line.basic:
        if line.base.shards > 1:
            raise UserError("shards", "goes with Hydra's basic sweeper only", got=line.base.shards)
        file = SweepFile(line=line.digest, started=_now())
        return Sweep(
            folder, (Job(tuple(line.overrides[0]), ""),), False, False, file, {"": composed(line.overrides[0])}
        )
    entries: list[JobEntry] = []
    words: list[tuple[str, ...]] = []
    for overrides, entry, count in _entries(line, known, configs):
        parts = _shards(entry, count, configs, known)
        entries += [*parts, entry]
        words += [(*overrides, f"shard={k}") for k in range(len(parts))] + [tuple(overrides)]
    sources = Sources(installed())
    jobs = []
    for each, entry in zip(words, entries, strict=True):
        state, reason = state_of(folder, entry, sources) if continued else ("to do", "")
        jobs.append(Job(each, entry.folder, state, reason, entry.shard_of))
    started = known.started if known is not None else _now()
    file = SweepFile(line=line.digest, started=started, sources=line.sources, jobs=tuple(entries))
    if known is not None and not any(job.state != "done" for job in jobs if not job.shard_of):
        file = replace(file, finished=known.finished or _now())
    return Sweep(folder, tuple(jobs), True, continued, file, configs)


def _entries(
    line: _Line, known: SweepFile | None, configs: dict[str, DictConfig]
) -> Iterator[tuple[list[str], JobEntry, int]]:
    """The studies of a line, and into how many shards they are divided (1 for none).

    Those that an earlier start wrote down keep their folders.
    """
    earlier = {} if known is None or known.line != line.digest else {_key(e.overrides): e for e in known.jobs}
    unchanged = known is not None and bool(line.sources) and known.sources == line.sources
    for number, overrides in enumerate(line.overrides):
        words = tuple(without_passwords(word) for word in overrides)
        entry = earlier.get(_key(words))
        if entry is None or not unchanged:  # else the composed configuration is the same
            cfg = composed(overrides)
            folder = _subfolder(cfg, number) if entry is None else entry.folder
            entry = JobEntry(words, folder, config_digest(plain(cfg)), bool(cfg.report))
            configs[folder] = cfg
            count = int(cfg.shards) if cfg.shard is None else 1
        else:
            count = max(1, sum(each.shard_of == entry.folder for each in known.jobs)) if known is not None else 1
        yield overrides, entry, count


def _shards(entry: JobEntry, count: int, configs: dict[str, DictConfig], known: SweepFile | None) -> list[JobEntry]:
    """The jobs of the shards of a study, in hidden folders; none where it is not divided."""
    if count < 2:
        return []
    if entry.folder not in configs and known is not None:
        return [each for each in known.jobs if each.shard_of == entry.folder]
    config = plain(configs[entry.folder])
    return [
        JobEntry(
            (*entry.overrides, f"shard={k}"),
            f".shards/{entry.folder}-{k}",
            config_digest(config | {"shard": k}),
            report=False,
            shard_of=entry.folder,
        )
        for k in range(count)
    ]


def _key(overrides: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(word for word in overrides if not _has_no_effect(word)))


def _subfolder(cfg: DictConfig, number: int) -> str:
    with open_dict(cfg):
        cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
    return str(cfg.hydra.sweep.subdir)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="microseconds")
