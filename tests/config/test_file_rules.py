"""A configuration file of someone else is refused, naming file and key, before anything runs or is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_studies import SMALL

from xaiexp.cli import app as cli
from xaiexp.config import compose as config
from xaiexp.config.checked_files import CheckedFiles, checked_address
from xaiexp.errors import UserError

THEIRS = "conf/experiment/theirs.yaml"


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and "models" not in p.parts}


def is_refused(words: list[str], start: str, workplace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Run the program, the plan and a sweep: each is refused in two lines with the code 2, and writes nothing."""
    before, environment = files_below(workplace), dict(os.environ)
    for line in (words, ["plan", *words], ["-m", *words, "seed=0,1"], ["--cfg", "hydra", *words]):
        assert cli.main(line) == cli.WRONG
        message = capfd.readouterr().err
        assert message.startswith(start)
        assert len(message.strip().splitlines()) <= 2
        assert "Traceback" not in message
    assert files_below(workplace) == before
    changed = {k for k in {*environment, *os.environ} if environment.get(k) != os.environ.get(k)}
    assert changed <= {"HYDRA_FULL_ERROR", "PYTEST_CURRENT_TEST", "HYDRA_MAIN_MODULE"}


PRESETS = {
    "hydra.job.env_set.PATH": "hydra: {job: {env_set: {PATH: /tmp/theirs}}}",
    "hydra.job.env_set.GIT_CONFIG_COUNT": "hydra: {job: {env_set: {GIT_CONFIG_COUNT: '1'}}}",
    "hydra.job.env_copy": "hydra: {job: {env_copy: [TOKEN]}}",
    "hydra.job.chdir": "hydra: {job: {chdir: true}}",
    "hydra.job.name": "hydra: {job: {name: ../../theirs}}",
    "hydra.job_logging.handlers.file.filename": "hydra: {job_logging: {handlers: {file: {filename: pwned}}}}",
    "hydra.hydra_logging.root.level": "hydra: {hydra_logging: {root: {level: DEBUG}}}",
    "hydra.callbacks.a._target_": "hydra: {callbacks: {a: {_target_: os.system, command: touch pwned}}}",
    "hydra.callbacks": "hydra: {callbacks: '${removal}'}",
    "hydra.searchpath": "hydra: {searchpath: ['pkg://antigravity']}",
    "hydra.output_subdir": "hydra: {output_subdir: ../..}",
    "hydra.run.dir": "hydra: {run: {dir: theirs}}",
    "hydra.run.dir ": "hydra: {run: {dir: outputs/../theirs}}",
    "hydra.run.dir  ": "hydra: {run: {dir: /tmp/theirs}}",
    "hydra.sweep.dir": "hydra: {sweep: {dir: elsewhere}}",
    "hydra.sweep.subdir": "hydra: {sweep: {subdir: ../../theirs}}",
    "hydra.sweep.subdir ": "hydra: {sweep: {subdir: '${experiment}'}}",
    "hydra.launcher._target_": "hydra: {launcher: {_target_: subprocess.call}}",
    "hydra.launcher.setup": "hydra: {launcher: {setup: [touch pwned]}}",
    "hydra.launcher.comment": 'hydra: {launcher: {comment: "a\\n touch pwned"}}',
    "hydra.launcher.partition": 'hydra: {launcher: {partition: "a\\n touch pwned"}}',
    "hydra.launcher": "hydra: {launcher: '${model}'}",
    "hydra.sweeper.custom_search_space": "hydra: {sweeper: {custom_search_space: os.system}}",
    "hydra.sweeper.params.hydra/job_logging": "hydra: {sweeper: {params: {hydra/job_logging: none}}}",
    "hydra.sweeper.params.hydra.job.env_set.A": "hydra: {sweeper: {params: {hydra.job.env_set.A: b}}}",
    "hydra.sweeper.params.trust": "hydra: {sweeper: {params: {trust: '[os]'}}}",
    "hydra.sweeper.params.store": "hydra: {sweeper: {params: {store: /tmp/theirs}}}",
    "hydra.sweeper.params.+x": "hydra: {sweeper: {params: {+x: 1}}}",
    "hydra.sweeper.params.device": "hydra: {sweeper: {params: {device: '$\\{oc.env\\:HOME\\}'}}}",
    "hydra.job.env_set": "hydra.job.env_set: {}\nhydra.job: {env_set: 3}",
    "hydra.job_logging": "defaults:\n  - override /hydra/job_logging: stdout",
    "hydra.env": "defaults:\n  - /hydra/env: default",
    "device": "device: ${oc.env:HOME}",
    "device ": "device: ${oc.decode:'${oc.env:HOME}'}",
    "device  ": "device: ${oc.${output}:HOME}",
    "device   ": "device: '${oc.env:HOME,${seed}}'",
    "device    ": "device: '${${output}:HOME}'",
    "device     ": "device: '${ oc.env : HOME }'",
    "defaults.model": "defaults:\n  - model: ${oc.env:HOME}",
    "defaults": "defaults:\n  - ../../theirs",
    "defaults ": "defaults:\n  - other@hydra.job",
    "defaults  ": "defaults:\n  - other@_global_.hydra.job",
    "defaults   ": "defaults:\n  - /experiment@tracking: other",
    "defaults    ": "defaults:\n  - override /model@hydra: other",
    "store": "store: /tmp/theirs",
    "store ": "store: outputs/../../theirs",
    "store  ": "store: ${device}",
    "tracking.uri": "tracking: {uri: 'http://127.0.0.1:9'}",
    "tracking.uri ": "tracking: {uri: 'postgresql://me:secret@h/db'}",
    "tracking": "tracking: ${model}",
}


@pytest.mark.parametrize("key", PRESETS)
def test_a_preset_may_not_set(key, workplace, capfd):
    write({THEIRS: f"# @package _global_\n{PRESETS[key]}\n"})
    is_refused(["experiment=theirs", *SMALL], f"{THEIRS}: {key.strip()}: ", workplace, capfd)


ELSEWHERE = {
    "a package of its own": (
        {THEIRS: "# @package hydra.job\nenv_set: {A: b}\n"},
        f"{THEIRS}: hydra.job.env_set.A: may not be set in a file",
    ),
    "a package below the root": (
        {THEIRS: "# @package a._global_.hydra.job\nenv_set: {A: b}\n"},
        f"{THEIRS}: hydra.job.env_set.A: may not be set in a file",
    ),
    "a package of the tracking": (
        {THEIRS: "# @package tracking\nuri: http://127.0.0.1:9\n"},
        f"{THEIRS}: tracking.uri: may not be set in a preset",
    ),
    "a file without a package that is listed by one at the root": (
        {
            THEIRS: "# @package _global_\ndefaults:\n  - other\n",
            "conf/experiment/other.yaml": "hydra: {job: {env_set: {A: b}}}\n",
        },
        "conf/experiment/other.yaml: hydra.job.env_set.A: may not be set in a file",
    ),
    "a folder named hydra below the presets": (
        {
            THEIRS: "# @package _global_\ndefaults:\n  - job/hydra\n",
            "conf/experiment/job/hydra.yaml": "# @package hydra.job\nenv_set: {A: b}\n",
        },
        "conf/experiment/job/hydra.yaml: hydra.job.env_set.A: may not be set in a file",
    ),
    "a relative group named hydra": (
        {
            THEIRS: "# @package _global_\ndefaults:\n  - hydra/job: other\n",
            "conf/experiment/hydra/job/other.yaml": "env_set: {A: b}\n",
        },
        f"{THEIRS}: hydra.job: may not be set in a file",
    ),
    "a relative file in a folder named hydra": (
        {
            THEIRS: "# @package _global_\ndefaults:\n  - hydra/job/other\n",
            "conf/experiment/hydra/job/other.yaml": "env_set: {A: b}\n",
        },
        "conf/experiment/hydra/job/other.yaml: hydra.job.env_set.A: may not be set in a file",
    ),
    "a file at hydra that lists another": (
        {
            THEIRS: "# @package hydra\ndefaults:\n  - other\n",
            "conf/experiment/other.yaml": "# @package job\nenv_set: {A: b}\n",
        },
        f"{THEIRS}: defaults: may list files of the same folder only",
    ),
    "a launcher": (
        {
            THEIRS: "# @package _global_\ndefaults:\n  - override /hydra/launcher: theirs\n",
            "conf/hydra/launcher/theirs.yaml": "_target_: hydra_plugins.theirs.Launcher\n",
        },
        "conf/hydra/launcher/theirs.yaml: hydra.launcher._target_: may not be set in a file",
    ),
    "the logging of all studies": (
        {"conf/hydra/job_logging/default.yaml": "root: {handlers: []}\n", THEIRS: "# @package _global_\nseed: 1\n"},
        "conf/hydra/job_logging/default.yaml: hydra.job_logging.root.handlers: may not be set in a file",
    ),
    "the main file": (
        {
            "conf/config.yaml": "defaults: [xaiexp_schema, _self_, {experiment: null}]\nhydra: {searchpath: ['pkg://x']}\n",
            THEIRS: "# @package _global_\nseed: 1\n",
        },
        "conf/config.yaml: hydra.searchpath: may not be set in a file",
    ),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_the_place_of_a_key_does_not_hide_it(case, workplace, capfd):
    files, message = ELSEWHERE[case]
    write(files)
    is_refused(["experiment=theirs", *SMALL], message, workplace, capfd)


def test_a_main_file_of_a_plugin_is_a_preset(workplace):
    write({"plugin/config.yaml": "store: /tmp/theirs\n"})
    source = CheckedFiles("xaiexp-theirs", checked_address(workplace / "plugin"))
    with pytest.raises(UserError, match=r"plugin/config.yaml: store: may only be below outputs/ in a preset"):
        source.load_config("config")


def test_an_override_may_not_place_a_file_at_hydra(workplace, capfd):
    write({THEIRS: "env_set: {A: b}\n"})
    is_refused(
        ["+experiment@hydra.job=theirs", *SMALL], "+experiment@hydra.job=theirs: may not place", workplace, capfd
    )


def test_a_folder_of_the_search_path_is_checked_as_well(workplace, capfd):
    write({"more/experiment/theirs.yaml": "# @package _global_\nhydra: {job: {env_set: {A: b}}}\n"})
    for folder in ("file://more", "more"):
        words = [f"hydra.searchpath=[{folder}]", "experiment=theirs", *SMALL]
        is_refused(words, "more/experiment/theirs.yaml: hydra.job.env_set.A: may not be set", workplace, capfd)
    write({"more/experiment/theirs.yaml": "# @package _global_\nseed: 7\n"})
    assert config.composed(["hydra.searchpath=[file://more]", "experiment=theirs"]).seed == 7
    with pytest.raises(UserError, match="would import a package"):
        config.composed(["hydra.searchpath=['pkg://antigravity']"])


ALLOWED = """\
# @package _global_
defaults:
  - override /model: digits_mlp
  - override /hydra/launcher: basic
hydra:
  mode: RUN
  verbose: false
  job: {name: mine, chdir: false}
  run: {dir: "outputs/mine/${now:%Y-%m-%d}/${model.name}"}
  sweep: {dir: outputs/sweeps, subdir: "${hydra.job.num}"}
  sweeper: {max_batch_size: 2, params: {seed: "1,2"}}
seed: 3
examples: ${seed}
store: outputs/mine/store
tracking: {uri: "off", experiment: mine}
"""


def test_the_keys_of_the_allow_list_may_stand_in_a_preset(workplace):
    write({THEIRS: ALLOWED})
    cfg = config.composed(["experiment=theirs"])
    assert (cfg.examples, cfg.store, cfg.tracking.uri) == (3, "outputs/mine/store", "off")
    assert cfg.hydra.run.dir.startswith("outputs/mine/20")


def test_the_main_file_of_the_project_may_set_store_and_tracking(workplace):
    text = (config.CONF / "config.yaml").read_text() + "\nstore: /data/store\ntracking: {uri: 'http://127.0.0.1:9'}\n"
    write({"conf/config.yaml": text})
    cfg = config.composed([])
    assert (cfg.store, cfg.tracking.uri) == ("/data/store", "http://127.0.0.1:9")


def test_the_command_line_may_set_more(workplace, monkeypatch):
    monkeypatch.setenv("SEED", "5")
    cfg = config.composed(
        ["seed=${oc.env:SEED}", "store=/data/store", "hydra.run.dir=/data/run", "hydra.job.chdir=true"]
    )
    assert (cfg.seed, cfg.store, cfg.hydra.run.dir) == (5, "/data/store", "/data/run")


UNREADABLE = {
    "a bracket": b"seed: [a\n",
    "a tab": b"model:\n\tname: x\n",
    "a duplicate key": b"seed: 1\nseed: 2\n",
    "an anchor in itself": b"model: &a {b: *a}\n",
    "many aliases": b"a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in b"bcdefg"),
    "deep nesting": b"a: " + b"[" * 5000 + b"]" * 5000,
    "a NUL byte": b"seed: 1\x00\n",
    "a picture": b"\x89PNG\r\n\x1a\n\x00\xff",
    "latin-1": "device: Gerät\n".encode("latin-1"),
    "a list": b"- seed\n",
    "a word": b"seed\n",
    "a tag of Python": b"seed: !!python/object/apply:os.system [touch pwned]\n",
    "a bad interpolation": b"device: ${a\n",
    "a defaults mapping": b"defaults: {model: x}\n",
    "an unhashable key": b"{[1]: 2}: 3\n",
    "a header of three words": b"# @package a b\nseed: 1\n",
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_read_is_named(case, workplace, capfd):
    write({THEIRS: ""})
    Path(THEIRS).write_bytes(UNREADABLE[case])
    is_refused(["experiment=theirs", *SMALL], f"{THEIRS}: ", workplace, capfd)


def test_a_folder_with_the_name_of_a_file_is_no_preset(workplace, capfd):
    Path(THEIRS).mkdir(parents=True)
    for words in (["experiment=theirs"], ["plan", "experiment=theirs"]):
        assert cli.main([*words, *SMALL]) == cli.WRONG
        message = capfd.readouterr().err
        assert message.startswith("experiment=theirs: no such preset")
        assert len(message.strip().splitlines()) == 2


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--experimental-rerun=theirs.pickle", "--experimental-rerun: would run what a pickle contains"),
        ("--config-dir=more", "--config-dir: is not supported (got 'more')"),
        ("--config-path=more", "--config-path: is not supported (got 'more')"),
        ("--config-name=theirs", "--config-name: is not supported (got 'theirs')"),
    ],
)
def test_flags_that_would_run_what_was_not_checked_are_refused(flag, message, workplace, capfd):
    (workplace / "theirs.pickle").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    assert cli.main([flag, *SMALL]) == cli.WRONG
    assert capfd.readouterr().err.startswith(message)
    assert not Path("pwned").exists()
