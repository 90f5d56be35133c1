"""Composition with files read once: the same configurations, and fewer readings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from trained_networks import trained_networks

from xaiexp.cli import app
from xaiexp.cli.exit_codes import DONE
from xaiexp.config.checked_files import CheckedFiles
from xaiexp.config.compose import composed, composing
from xaiexp.config.one_reading import _Original, one_reading
from xaiexp.errors import UserError

LINES = [
    [],
    ["seed=3"],
    ["method=[saliency,occlusion]", "baseline=[zero,blur]", "examples=8"],
    ["method=[saliency,occlusion]", "baseline=[zero,blur]", "method.occlusion.strides=2"],
    ["model=digits_mlp", "seed=2"],
    ["effort=0.5"],
    ["+method@method.b=occlusion", "method.b.strides=2"],
    ["~agreement"],
    ["experiment=tabular_decision"],
    ["experiment=unknown"],
    ["method.occlusion.typo=2"],
]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def result(line: list[str]) -> str:
    try:
        return OmegaConf.to_yaml(composed(line), resolve=False)
    except UserError as error:
        return str(error)


def test_configurations_are_those_of_hydra() -> None:
    expected = [result(line) for line in LINES]
    with one_reading():
        for _ in range(2):
            assert [result(line) for line in LINES] == expected


def test_what_is_kept_does_not_see_what_is_done_with_a_configuration() -> None:
    with one_reading():
        first = composed(["seed=1"])
        before = result(["seed=1"])
        OmegaConf.set_struct(first, False)
        first.method.occlusion.strides = 5
        first.hydra.run.dir = "elsewhere"
        assert result(["seed=1"]) == before


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    files: list[str] = []
    original = CheckedFiles.load_config

    def load(self: CheckedFiles, config_path: str) -> object:
        files.append(f"{self.path}/{config_path}")
        return original(self, config_path)

    monkeypatch.setattr(CheckedFiles, "load_config", load)
    return files


def test_every_file_is_read_once(read: list[str]) -> None:
    with one_reading():
        for line in LINES[:4]:
            result(line)
    assert read
    assert len(read) == len(set(read))


def test_a_changed_file_is_read_by_the_next_program(tmp_path: Path) -> None:
    file = tmp_path / "conf" / "experiment" / "mine.yaml"
    file.parent.mkdir(parents=True)
    for seed in (5, 6):
        file.write_text(f"# @package _global_\nseed: {seed}\n")
        with one_reading():
            assert composed(["experiment=mine"]).seed == seed


def test_a_loader_keeps_nothing_where_it_is_sent_to(read: list[str]) -> None:
    with one_reading(), composing():
        loader = GlobalHydra.instance().config_loader()
    assert isinstance(loader, ConfigLoaderImpl)
    read.clear()
    with composing():
        for _ in range(2):
            assert isinstance(loader.load_configuration("config", [], RunMode.RUN), DictConfig)
    assert len(read) == 2 * len(set(read)) > 0


def test_a_sweep_reads_every_file_once(tmp_path: Path, read: list[str]) -> None:
    models = tmp_path / "outputs" / "store" / "models"
    models.parent.mkdir(parents=True)
    models.symlink_to(trained_networks(), target_is_directory=True)
    line = ["seed=0,1,2", "model=digits_mlp", "method=[saliency]", "metric=[]", "agreement=[]", "examples=2"]
    assert app.main(["-m", *line, "tracking.uri=off", "report=false"]) == DONE
    assert read
    assert len(read) == len(set(read))


def test_copies_of_a_configuration_are_equal_and_independent():
    original = composed(["seed=3", "method=[occlusion]"])
    kept = _Original(original)
    first, second = kept.copy(), kept.copy()
    assert first == second == original
    assert OmegaConf.get_type(first.method.occlusion) is OmegaConf.get_type(original.method.occlusion)
    for node in ("", "method.occlusion", "hydra.runtime"):
        both = [OmegaConf.select(each, node) if node else each for each in (first, original)]
        assert len({OmegaConf.is_struct(each) for each in both}) == 1
        assert len({OmegaConf.is_readonly(each) for each in both}) == 1
    first.method.occlusion.name = "other"
    assert second == original != first
