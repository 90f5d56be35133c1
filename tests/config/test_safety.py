"""A configuration file must not be able to run code: configurations come from other people."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_studies import SMALL

from xaiexp.cli import app as cli
from xaiexp.config import compose as config


def write_preset(text: str) -> None:
    """Write ``conf/experiment/theirs.yaml`` in the current folder."""
    folder = Path("conf/experiment")
    folder.mkdir(parents=True)
    (folder / "theirs.yaml").write_text("# @package _global_\n" + text)


def test_trust_given_in_a_file_is_refused_and_nothing_runs(workplace, capfd):
    write_preset(
        "defaults:\n  - override /model: factory\ntrust: [subprocess, os]\n"
        "model:\n  target: subprocess:call\n  kwargs: {args: [touch, pwned]}\n"
    )
    for words in (["experiment=theirs"], ["plan", "experiment=theirs"], ["-m", "experiment=theirs", "seed=0,1"]):
        assert cli.main(words) == cli.WRONG
        assert capfd.readouterr().err.startswith("trust: may only be given on the command line")
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    "override",
    [
        "+hydra.callbacks.a={_target_: os.system, command: touch pwned}",
        "+hydra.callbacks.a={_target_: hydra.utils.get_method, path: antigravity.x}",
        "+hydra.callbacks.a={_target_: xaiexp.cli.app.os.mkdir, _args_: [pwned]}",
        "+hydra.callbacks.a={_target_: hydra_plugins.x.y}",
        "hydra.launcher._target_=subprocess.call",
        "+hydra.job_logging.handlers.q={class: logging.NullHandler, x: 'ext://antigravity.C'}",
        "+hydra.job_logging.formatters.q={class: os.system}",
        "+hydra.job_logging.handlers.q={class: logging.handlers.SocketHandler, host: h, port: 1}",
    ],
)
def test_overrides_that_name_code_are_refused(workplace, capfd, override):
    assert cli.main([override, *SMALL]) == cli.WRONG
    assert "names code to run, which no configuration may" in capfd.readouterr().err
    assert not Path("pwned").exists()


def test_the_shipped_configuration_passes_the_safety_check():
    assert config.composed([]).seed == 0
