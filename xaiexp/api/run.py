"""``xaiexp.run``: the study of a command line, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xaiexp.api.execute import Outcome, execute
from xaiexp.api.result import Result
from xaiexp.config.build import plain, to_study
from xaiexp.config.compose import composed
from xaiexp.contract.registry import installed
from xaiexp.engine.progress import Meter
from xaiexp.errors import UserError
from xaiexp.plan.study import Study
from xaiexp.results.foreign_folder import refuse_foreign
from xaiexp.store.files import ensure_writable
from xaiexp.store.objects import Store
from xaiexp.tracking.addresses import prepare

__all__ = ["result_of", "run"]


def run(overrides: Sequence[str] = (), *, quiet: bool = False) -> Result:
    """Run one study, as ``xaiexp OVERRIDES`` would, and leave the same files.

    Args:
        overrides: of the configuration: ``["method=[saliency,occlusion]", "examples=16"]``.
        quiet: show no progress.

    Raises:
        UserError: whatever is wrong with the request.
    """
    if isinstance(overrides, str):
        raise UserError("overrides", "must be a list of KEY=VALUE", got=overrides, hint=f"as run([{overrides!r}])")
    cfg = composed(list(overrides))
    registry = installed()
    study = to_study(cfg, registry)
    study.settings.refuse_undivided()
    folder = Path(str(cfg.hydra.run.dir))
    refuse_foreign(folder, "hydra.run.dir")
    ensure_writable(folder, "hydra.run.dir")
    prepare(study.trackers, study.settings.tracking)
    with Meter(study.describe(), quiet=quiet) as meter:
        outcome = execute(study, plain(cfg), folder, registry, meter)
    return result_of(outcome, study)


def result_of(outcome: Outcome, study: Study) -> Result:
    """What a study that has just ended returns to the caller."""
    return Result(
        outcome.folder,
        outcome.cells,
        outcome.scores,
        outcome.agreement,
        outcome.summary,
        outcome.verdicts,
        outcome.record.to_mapping(),
        Store(Path(study.settings.store).resolve()),
        outcome.keys,
        _study=study,
    )
