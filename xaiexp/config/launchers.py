"""Launchers and sweepers of Hydra: which extra of ours brings the package of each."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from xaiexp.config.search_path import CONF
from xaiexp.errors import ResourceError

__all__ = ["forget_schemas", "refuse_missing", "refuse_missing_optuna"]

_EXTRAS = {
    "hydra_plugins.hydra_joblib_launcher": "joblib",
    "hydra_plugins.hydra_submitit_launcher": "slurm",
    "hydra_plugins.hydra_ray_launcher": "ray",
    "hydra_plugins.hydra_optuna_sweeper": "optuna",
}
"""Package of the launcher or sweeper to the extra that installs it."""


def forget_schemas(store: ConfigStore) -> None:
    """Remove the schemas that plugins of Hydra registered under the names of our presets.

    Hydra would merge a preset with the schema of its name, and warns that this is deprecated.
    """
    for node in ("launcher", "sweeper"):
        schemas = store.repo.get("hydra", {}).get(node, {})
        for preset in (CONF / "hydra" / node).glob("*.yaml"):
            schemas.pop(preset.name, None)


def refuse_missing(cfg: DictConfig) -> None:
    """Refuse a launcher or sweeper whose package is not installed.

    Args:
        cfg: composed, with the node ``hydra``.

    Raises:
        ResourceError: naming the extra to install.
    """
    for node in ("launcher", "sweeper"):
        target = str(OmegaConf.select(cfg, f"hydra.{node}._target_") or "")
        package = ".".join(target.split(".")[:2])
        _refuse(node, str(OmegaConf.select(cfg, f"hydra.runtime.choices.hydra/{node}") or ""), package)


def refuse_missing_optuna(overrides: Sequence[str]) -> None:
    """Refuse Optuna's sweeper before its parts are looked for, which its package brings.

    Raises:
        ResourceError: as :func:`refuse_missing`.
    """
    if "hydra/sweeper=optuna" in overrides:
        _refuse("sweeper", "optuna", "hydra_plugins.hydra_optuna_sweeper")


def _refuse(node: str, chosen: str, package: str) -> None:
    extra = _EXTRAS.get(package)
    if extra is not None and not _is_installed(package):
        raise ResourceError(
            f"hydra/{node}={chosen or extra}",
            "needs a package that is not installed",
            got=package.rpartition(".")[2],
            hint=f"pip install 'xaiexp[{extra}]'",
        )


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # no package of Hydra's plugins at all
        return False
