"""A configuration file must not be able to run code: configurations come from other people."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_studies import SMALL

from xaiexp.cli import app as cli
from xaiexp.config import compose as config
from xaiexp.config.safety import refuse_trust
from xaiexp.errors import UserError


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


@pytest.mark.parametrize("override", ["trust=[os]", "+trust=[os]", "++trust=[os]"])
def test_trust_on_the_command_line_is_accepted(override):
    refuse_trust(["os"], ["seed=1", override])


INSIDE = [
    "model.trust=[os]",
    "+model.kwargs={trust: [os]}",
    "+a={trust:[os]}",
    "+a='trust=[os]'",
    "model.target=trust=os",
    "+x.trust=[os]",
    "hydra.job.name=trust=os",
    "~trust=[os]",
    "distrust=[os]",
]


@pytest.mark.parametrize("override", INSIDE)
def test_trust_inside_another_override_trusts_nobody(override):
    with pytest.raises(UserError, match=r"^trust: may only be given on the command line \(got \['os'\]\)"):
        refuse_trust(["os"], ["seed=1", override])


def test_a_file_that_trusts_itself_is_refused_beside_such_an_override(workplace, capfd):
    write_preset(
        "defaults:\n  - override /model: factory\ntrust: [subprocess]\n"
        "model:\n  target: subprocess:call\n  kwargs: {args: [touch, pwned]}\n"
    )
    for override in ("+model.kwargs.trust=[subprocess]", "hydra.job.name='trust=[subprocess]'"):
        assert cli.main(["experiment=theirs", override]) == cli.WRONG
        assert "trust: may only be given on the command line" in capfd.readouterr().err
    assert not Path("pwned").exists()
