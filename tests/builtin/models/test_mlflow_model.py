"""Networks of MLflow's registry: loaded from the format of torch.export, everything that could run code refused."""

from __future__ import annotations

import re
import zipfile

import pytest
import torch
from registered_models import NETWORK, registered
from torch import nn

from xaiexp.builtin.models.registered.mlflow_model import Mlflow
from xaiexp.core.samples import LoadContext
from xaiexp.errors import MismatchError, ParameterError, ResourceError


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """The folder of a registry in a database, the address of a logged model in it, and its run."""
    folder = tmp_path_factory.mktemp("registry")
    return folder, *registered(folder)


def load(registry, uri, **values):
    address = f"sqlite:///{registry[0] / 'registry.db'}"
    return Mlflow(uri=uri, registry=address, modality="table", **values).load(LoadContext(registry[0]))


def expected():
    space = {}
    exec(NETWORK, space)
    return space["network"]


@pytest.mark.parametrize("uri", ["models:/exported/1", "models:/exported@best", "logged"])
def test_a_registered_network_gives_the_scores_and_gradients_of_the_one_that_was_logged(registry, uri):
    network = load(registry, registry[1] if uri == "logged" else uri)
    for rows in (torch.rand(1, 5), torch.rand(7, 5)):
        mine, theirs = (rows.clone().requires_grad_() for _ in range(2))
        scores, wanted = network.module(mine), expected()(theirs)
        torch.testing.assert_close(scores, wanted)
        scores[:, 1].sum().backward()
        wanted[:, 1].sum().backward()
        torch.testing.assert_close(mine.grad, theirs.grad)
    assert not any(parameter.requires_grad for parameter in network.module.parameters())
    if uri != "logged":
        assert network.facts["registered_model"] == "models:/exported/1"
        assert network.facts["model_run"] == registry[2]


def test_the_graph_stays_in_eval_mode_and_moves_to_other_dtypes(registry):
    module = load(registry, "models:/exported/1").module
    module.train()
    rows = torch.rand(3, 5)
    torch.testing.assert_close(module(rows), module(rows))
    assert not module.training
    assert isinstance(module, nn.Module)
    assert module.double()(rows.double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("uri", "kind", "message"),
    [
        ("models:/pickled/1", MismatchError, "is pickled, and loading it can run any code"),
        ("models:/single/1", MismatchError, "was exported for batches of one size"),
        ("models:/nothing/1", ResourceError, "cannot be had from sqlite:"),
        ("models:/exported@worst", ResourceError, "cannot be had from sqlite:"),
        ("runs:/abc/model", ResourceError, "cannot be had from sqlite:"),
    ],
)
def test_what_cannot_be_loaded_safely_is_refused(registry, uri, kind, message):
    with pytest.raises(kind, match=rf"model\.uri: {message}"):
        load(registry, uri)


def test_an_archive_with_a_pickle_in_it_is_refused(registry, tmp_path):
    from xaiexp.builtin.models.registered.mlflow_model import _exported

    archive = next(registry[0].rglob("model.pt2"))
    changed, replaced = tmp_path / "model.pt2", 0
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(changed, "w") as new:
        for each in old.infolist():
            content = old.read(each)
            pickled = re.sub(rb'"use_pickle": *false', b'"use_pickle": true', content)
            replaced += pickled != content
            new.writestr(each, pickled)
    assert replaced
    with pytest.raises(MismatchError, match=r"is not a pickle-free payload"):
        _exported(changed, "models:/changed/1")


@pytest.mark.parametrize("uri", ["exported", "s3://bucket/model", "file:///model"])
def test_an_address_that_names_no_model_is_refused(uri):
    with pytest.raises(ParameterError, match=r"model\.uri: names no model of MLflow"):
        Mlflow(uri=uri)


def test_a_registry_with_a_password_or_without_an_answer_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"model\.registry: has a password"):
        Mlflow(uri="models:/a/1", registry="http://me:secret@localhost")
    with pytest.raises(ResourceError, match=r"model\.registry: does not answer"):
        Mlflow(uri="models:/a/1", registry="http://127.0.0.1:9").load(LoadContext(tmp_path))
    with pytest.raises(ResourceError, match=r"model\.registry: no such database"):
        Mlflow(uri="models:/a/1", registry=f"sqlite:///{tmp_path}/none.db").load(LoadContext(tmp_path))
    assert list(tmp_path.iterdir()) == []
