"""Hydra's sweeper for a line whose jobs are known: it hands the unfinished ones to the launcher."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from xaiexp.sweep.states import Job

__all__ = ["KnownJobs", "only"]

_jobs: list[Job] = []


@contextmanager
def only(jobs: Sequence[Job]) -> Iterator[None]:
    """Let Hydra's basic sweeper launch these jobs, and none else.

    Hydra takes sweepers from its own packages alone, so that this one stands in for the basic one in its table.
    """
    table: dict[str, type] = Plugins.instance().class_name_to_class
    name = f"{BasicSweeper.__module__}.{BasicSweeper.__name__}"
    _jobs[:] = jobs
    before, table[name] = table[name], KnownJobs
    try:
        yield
    finally:
        table[name] = before


class KnownJobs(Sweeper):
    """Launches the jobs of :func:`only`, each in its own folder. They were composed and checked before."""

    def __init__(self, max_batch_size: int | None = None, params: dict[str, str] | None = None) -> None:
        self._size = max_batch_size
        self._config: DictConfig | None = None
        self._launcher: Any = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Create the launcher; called by Hydra."""
        self._config = config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Launch the jobs in batches; called by Hydra with the overrides of the line, which the jobs came from."""
        if self._config is None:
            return []
        folder = Path(str(self._config.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self._config, folder / "multirun.yaml")
        words = [[*job.overrides, f"hydra.sweep.subdir={_quoted(job.folder)}"] for job in _jobs]
        size = self._size or max(1, len(words))
        returned = []
        for start in range(0, len(words), size):
            results = self._launcher.launch(words[start : start + size], initial_job_idx=start)
            for result in results:
                _ = result.return_value  # raises what the job raised
            returned.append(results)
        return returned


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
