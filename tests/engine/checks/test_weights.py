"""What is not held in tensors decides the keys of the store too: files, and the code of the plugin."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from small_studies import run
from torch import nn

from xaiexp.cli import app as cli
from xaiexp.contract import identity
from xaiexp.contract.kinds import Model
from xaiexp.core.samples import Encoded, Network, Sample
from xaiexp.engine.checks.weights import weights_fingerprint
from xaiexp.errors import MismatchError


@dataclass(frozen=True)
class Session(Model):
    """Scores of a file of another library: no tensors of torch, and an author who thought of no fingerprint."""

    path: str = ""
    summary, source, modality, offers = "a session", "made up", "image", frozenset()

    def load(self, context):
        factors = torch.tensor(json.loads(Path(self.path).read_text()))

        def scores(x):
            return x.flatten(1)[:, 20:30].to(factors) * factors

        return Network(scores, encoded, "image", classes=10, identity="always the same")


@dataclass(frozen=True)
class Nothing(Session):
    """Neither a file nor an identity."""

    def load(self, context):
        return Network(Plain(), encoded, "image", classes=10)


@dataclass(frozen=True)
class Mended(Nothing):
    """With the line that the message asks for."""

    def fingerprint(self):
        return "version 3"


@dataclass(frozen=True)
class Weighted(Session):
    """A network of torch."""

    def load(self, context):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return Network(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), encoded, "image", classes=10)


class Plain(nn.Module):
    """A module without tensors."""

    def forward(self, x):
        return x.flatten(1)[:, 20:30]


def encoded(samples: list[Sample]) -> Encoded:
    return Encoded(torch.stack([sample.data for sample in samples]))


STUDY = ["method=[occlusion]", "metric=[sparseness]", "agreement=[]", "baseline=[zero]"]


def test_a_replaced_file_of_a_session_gives_other_results_whatever_its_author_forgot(workplace, bring):
    bring(Session)
    study = [*STUDY, "model=session", "model.path=net.json"]
    Path("net.json").write_text(json.dumps([1.0] * 10))
    os.utime("net.json", (1_000_000_000, 1_000_000_000))
    before = run(*study)
    assert run(*study).cells["cached"].all()
    Path("net.json").write_text(json.dumps([2.0] * 10))  # of the same size
    os.utime("net.json", (1_000_000_000, 1_000_000_000))
    after = run(*study)
    assert not after.cells["cached"].any()
    np.testing.assert_allclose(
        after.attributions("occlusion").numpy(), 2 * before.attributions("occlusion").numpy(), atol=1e-5
    )


def test_what_cannot_be_told_apart_is_refused_with_the_line_to_add(workplace, bring, capsys):
    bring(Nothing, Mended)
    words = [*STUDY, "examples=4", "tracking.uri=off", "report=false"]
    assert cli.main([*words, "model=nothing"]) == cli.WRONG
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines == [
        "model.nothing: has no weights by which the store could tell it from another model, and no fingerprint "
        "(got 'Plain')",
        "  add to its class: def fingerprint(self): return file_hash(Path(self.path))",
    ]
    assert cli.main([*words, "model=mended"]) == cli.DONE


def test_a_file_that_has_other_content_but_size_and_time_of_the_old_one_is_told_apart(tmp_path):
    path = tmp_path / "net"

    def print_of(content, model):
        path.write_text(content)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        return weights_fingerprint(Network(len, encoded, "image", identity="x"), model)

    os.utime(tmp_path)
    assert print_of("[1]", Session(str(path))) != print_of("[22]", Session(str(path)))
    with pytest.raises(MismatchError):
        weights_fingerprint(Network(len, encoded, "image"), Session(str(tmp_path / "missing")))


def test_a_network_of_torch_is_known_by_its_weights_wherever_they_lie(tmp_path):
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("22")
    one, two = (Weighted(str(tmp_path / name)) for name in "ab")
    assert weights_fingerprint(one.load(None), one) == weights_fingerprint(two.load(None), two)


def test_edited_code_of_the_plugin_of_a_model_computes_again(workplace, bring, monkeypatch):
    bring(Weighted)
    study = [*STUDY, "model=weighted"]
    before = run(*study)
    assert run(*study).cells["cached"].all()
    source = identity.editable_source
    monkeypatch.setattr(identity, "editable_source", lambda name: "edited" if "brought" in name else source(name))
    after = run(*study)
    assert not after.cells["cached"].any()
    assert after.record["weights"] == before.record["weights"]
