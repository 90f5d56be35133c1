"""What a configuration from a stranger, or a careless method, must not be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from small_studies import SMALL, Facts, run

from xaiexp import errors
from xaiexp.cli import app as cli
from xaiexp.config import compose as config


def preset(text: str) -> None:
    folder = Path("conf/experiment")
    folder.mkdir(parents=True)
    (folder / "theirs.yaml").write_text("# @package _global_\n" + text)


def test_trust_from_a_file_is_refused_and_nothing_of_it_runs(workplace, capfd):
    preset(
        "defaults:\n  - override /model: factory\ntrust: [subprocess, os]\n"
        "model:\n  target: subprocess:call\n  kwargs: {args: [touch, pwned]}\n"
    )
    for words in (["experiment=theirs"], ["plan", "experiment=theirs"], ["-m", "experiment=theirs", "seed=0,1"]):
        assert cli.main(words) == cli.WRONG
        assert capfd.readouterr().err.startswith("trust: may only be given on the command line")
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    "node",
    [
        "callbacks: {a: {_target_: os.system, command: touch pwned}}",
        "callbacks: {a: {_target_: hydra.utils.get_method, path: antigravity.x}}",
        "callbacks: {a: {_target_: xaiexp.cli.app.os.mkdir, _args_: [pwned]}}",
        "callbacks: {a: {_target_: 'hydra_plugins.x.y'}}",
        "launcher: {_target_: subprocess.call}",
        "job_logging: {handlers: {q: {class: logging.NullHandler, x: 'ext://antigravity.C'}}}",
        "job_logging: {handlers: {q: {'()': os.system}}}",
        "job_logging: {handlers: {q: {class: logging.handlers.SocketHandler, host: h, port: 1}}}",
    ],
)
def test_no_node_of_hydras_runs_code(workplace, capfd, node):
    preset(f"hydra:\n  {node}\n")
    assert cli.main(["experiment=theirs", *SMALL]) == cli.WRONG
    assert "names code to run, which no configuration may" in capfd.readouterr().err
    assert not Path("pwned").exists()


def test_the_shipped_configuration_passes_its_own_check():
    assert config.composed([]).seed == 0


@dataclass(frozen=True)
class Spoils(Facts):
    """Zeroes the weights behind autograd's back."""

    def attribute(self, model, batch, reference, rng):
        for parameter in model.module.parameters():
            parameter.data.zero_()
        return batch.inputs


@dataclass(frozen=True)
class Overwrites(Facts):
    """Works in the inputs."""

    def attribute(self, model, batch, reference, rng):
        return batch.inputs.mul_(0.0)


@dataclass(frozen=True)
class Forgets(Facts):
    """Leaves a hook behind that doubles every score, and raises."""

    def attribute(self, model, batch, reference, rng):
        model.module.register_forward_hook(lambda module, args, out: out * 2)
        raise ValueError("half way")


@pytest.mark.parametrize(
    ("careless", "what"), [(Spoils, "the weights"), (Overwrites, "the inputs"), (Forgets, "hooks")]
)
def test_a_method_that_changes_what_others_share_fails_alone(workplace, bring, careless, what):
    bring(careless)
    right = run("method=[saliency,random]", "store=right")
    mixed = run(f"method=[{careless.name},saliency,random]", "store=mixed")
    assert list(mixed.cells["status"]) == ["failed", "done", "done"]
    assert mixed.cells["reason"].iloc[0].startswith(f"changed {what}")
    np.testing.assert_allclose(mixed.scores["value"], right.scores["value"], rtol=1e-6)
    torch.testing.assert_close(mixed.attributions("saliency"), right.attributions("saliency"))


def test_a_study_in_which_nothing_can_be_done_is_a_wrong_request(workplace, capsys):
    words = [*SMALL, "method=[occlusion]", "method.occlusion.sliding_window_shapes=[1,99,99]"]
    assert cli.main(words) == cli.WRONG
    assert "skipped: a window of [1, 99, 99]" in capsys.readouterr().out


def test_occlusion_keeps_exact_zeros_for_every_batch_size(workplace):
    words = [
        "method=[occlusion]",
        "baseline=[zero]",
        "metric=[deletion]",
        "method.occlusion.sliding_window_shapes=[1,1,1]",
    ]
    whole, cut = run(*words), run(*words, "force=true", "batch_budget=7")
    maps = whole.attributions("occlusion")
    assert bool((maps == 0).any())
    assert torch.equal(maps == 0, cut.attributions("occlusion") == 0)
    np.testing.assert_allclose(cut.scores["value"], whole.scores["value"], rtol=1e-4, atol=1e-6)


def test_a_store_object_of_another_kind_counts_as_missing(workplace):
    first = run("method=[saliency]")
    from safetensors.torch import save_file

    for path in Path("outputs/store/objects").rglob("*.safetensors"):
        save_file({"other": torch.zeros(1)}, path)
    again = run("method=[saliency]")
    np.testing.assert_array_equal(again.scores["value"], first.scores["value"])


def test_an_agreement_with_nan_is_nan():
    import xaiexp

    a = torch.randn(3, 6)
    b = a.clone()
    b[1, 2] = float("nan")
    for measure in xaiexp.components("agreement"):
        maps = (a, b) if not measure.needs_grid else (torch.randn(3, 5, 6), torch.randn(3, 5, 6))
        if measure.needs_grid:
            maps[1][1, 2, 3] = float("nan")
        value = xaiexp.agree(*maps, measure.name)
        assert value.isnan().tolist() == [False, True, False]


def test_a_kind_that_does_not_exist_is_named():
    import xaiexp

    with pytest.raises(errors.UnknownName, match="nearest: method"):
        xaiexp.components("methods")
