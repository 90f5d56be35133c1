"""Presets of launchers and sweepers."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from xaiexp.config import launchers
from xaiexp.config.compose import composed
from xaiexp.errors import ResourceError

PRESETS = {
    "hydra/launcher=joblib": "joblib",
    "hydra/launcher=slurm": "slurm",
    "hydra/launcher=slurm_local": "slurm",
    "hydra/launcher=ray": "ray",
    "hydra/sweeper=optuna": "optuna",
}


@pytest.mark.parametrize("word", PRESETS)
def test_a_preset_without_its_package_names_the_extra(word, monkeypatch):
    monkeypatch.setattr(launchers, "_is_installed", lambda package: False)
    with pytest.raises(ResourceError) as said:
        composed([word])
    first, second = str(said.value).splitlines()
    assert first.startswith(f"{word}: needs a package that is not installed (got 'hydra_")
    assert second == f"  pip install 'xaiexp[{PRESETS[word]}]'"


@pytest.mark.filterwarnings("ignore")  # of Optuna 2 and its dependencies, while they are imported
@pytest.mark.parametrize("word", PRESETS)
def test_every_field_of_a_launcher_is_in_its_preset(word, monkeypatch):
    """So that hydra.launcher.FIELD=VALUE needs no plus sign; and no field that the launcher does not know."""
    monkeypatch.setattr(launchers, "_is_installed", lambda package: True)
    pytest.importorskip(f"hydra_plugins.hydra_{_PACKAGES[PRESETS[word]]}")
    node = composed([word]).hydra[word.partition("=")[0].removeprefix("hydra/")]
    config = pytest.importorskip(node._target_.rpartition(".")[0].rpartition(".")[0] + _MODULES[PRESETS[word]])
    cls = getattr(config, _SCHEMAS[word])
    assert set(node) == set(OmegaConf.structured(cls)) - {"defaults"}
    assert node._target_ == OmegaConf.structured(cls)._target_


_PACKAGES = {
    "joblib": "joblib_launcher", "slurm": "submitit_launcher", "ray": "ray_launcher", "optuna": "optuna_sweeper",
}  # fmt: skip
_MODULES = {"optuna": ".config", "joblib": ".config", "slurm": ".config", "ray": "._config"}
_SCHEMAS = {
    "hydra/launcher=joblib": "JobLibLauncherConf",
    "hydra/launcher=slurm": "SlurmQueueConf",
    "hydra/launcher=slurm_local": "LocalQueueConf",
    "hydra/launcher=ray": "RayLauncherConf",
    "hydra/sweeper=optuna": "OptunaSweeperConf",
}


def test_a_launcher_of_a_file_of_the_user_may_still_name_no_code(tmp_path, monkeypatch):
    """The files of this package may; see also test_file_rules."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "conf/hydra/launcher"
    folder.mkdir(parents=True)
    (folder / "joblib.yaml").write_text("_target_: hydra_plugins.theirs.Launcher\n")
    with pytest.raises(Exception, match=r"joblib\.yaml: hydra\.launcher\._target_: may not be set in a file"):
        composed(["hydra/launcher=joblib"])
