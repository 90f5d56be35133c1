"""Sweeps whose jobs a sweeper chooses by their results (Optuna): what it optimises, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from omegaconf import OmegaConf

from xaiexp.config.build import to_study
from xaiexp.contract.registry import installed
from xaiexp.errors import ParameterError
from xaiexp.plan.objective import OBJECTIVE, Objective
from xaiexp.plan.plan import plan
from xaiexp.sweep.launching import only
from xaiexp.sweep.opening import Sweep
from xaiexp.sweep.search import DEFAULT, conclude
from xaiexp.sweep.states import Job

__all__ = ["objective_of", "run_default", "say_best", "words_of_search"]


def objective_of(sweep: Sweep) -> Objective:
    """What the sweeper optimises.

    Raises:
        ParameterError: the line does not say it.
    """
    goal = plan(to_study(sweep.configs[""], installed())).objective
    if goal is None:
        raise ParameterError(
            "objective", "must name what the sweeper optimises", hint=f"as objective={OBJECTIVE}; cells: xaiexp plan"
        )
    return goal


def words_of_search(sweep: Sweep, goal: Objective) -> list[str]:
    """Further words of the command line: the direction of the metric, unless the user names one."""
    node = OmegaConf.to_container(sweep.configs[""].hydra.sweeper, resolve=False)
    unset = isinstance(node, dict) and node.get("direction", "") is None
    return [f"hydra.sweeper.direction={goal.direction}"] if unset else []


def run_default(sweep: Sweep, hydra: Callable[[list[str]], int]) -> None:
    """Run the study with the default of the swept parameters, which the trials are compared with."""
    shared = [word for word in sweep.jobs[0].overrides if not _of_sweeper(word)]
    with only([Job(tuple(shared), DEFAULT)]):
        hydra(["-m", *shared, "hydra/sweeper=basic"])


def _of_sweeper(word: str) -> bool:
    return word.lstrip("+~").startswith(("hydra/sweeper", "hydra.sweeper"))


def say_best(sweep: Sweep, goal: Objective, say: Callable[[str], None]) -> None:
    """Tell the best trial, and whether it is better than the default."""
    seed = int(sweep.configs[""].seed)
    lines: Sequence[str] = conclude(sweep.folder, goal, seed)
    for line in lines:
        say(line)
