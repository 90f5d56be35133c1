"""The registry: loading plugins, refusing broken ones, building components by name."""

from __future__ import annotations

import subprocess
import sys
import types
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import ClassVar

import pytest
import torch

import xaiexp
from xaiexp.contract import registry as registry_module
from xaiexp.contract.kinds import KINDS, Agreement, Component, Method, Metric, offered
from xaiexp.contract.registry import DISABLE, GROUP, HEAVY, OWN, Registry, flaw, installed
from xaiexp.core.explanations import Scores
from xaiexp.errors import ParameterError, UnknownName


@dataclass(frozen=True)
class Mine(Method):
    """The inputs themselves."""

    summary: ClassVar[str] = "mine"
    source: ClassVar[str] = "made up"
    needs: ClassVar[frozenset[str]] = frozenset()
    reads_baseline: ClassVar[bool] = False
    signed: ClassVar[bool] = True
    complete: ClassVar[bool] = False
    multiplied_by_inputs: ClassVar[bool] = True
    n: int = 1

    def attribute(self, model, batch, reference, rng):
        return batch.inputs


def plugin(*classes, **hooks):
    module = types.ModuleType("external")
    module.xaiexp_components = xaiexp.hookimpl(lambda: list(classes))
    for name, value in hooks.items():
        setattr(module, name, xaiexp.hookimpl(lambda value=value: value()))
    return module


def add(registry, *classes, name="external", dist="xaiexp-external", **hooks):
    return registry.add(name, dist, "1.0", lambda: plugin(*classes, **hooks))


def test_a_plugin_provides_its_components():
    registry = Registry()
    assert add(registry, Mine).reason == ""
    assert registry.build("method", "mine", {"n": 4}) == Mine(4)
    assert str(registry.plugin_of(Mine)) == "xaiexp-external 1.0"


def test_a_name_is_kept_by_the_first_plugin_and_the_error_names_both():
    registry = Registry()
    add(registry, Mine)
    other = type("Mine", (Mine,), {"__doc__": "another", "name": "mine", "__annotations__": {}})
    late = add(registry, dataclass(frozen=True)(other), name="late", dist="xaiexp-late")
    assert late.reason == "method 'mine' of xaiexp-late 1.0 is already provided by xaiexp-external 1.0"
    assert registry.get("method", "mine") is Mine


def test_an_unknown_hook_is_refused_with_the_nearest():
    registry = Registry()
    refused = add(registry, Mine, xaiexp_component=list)
    assert "unknown hook 'xaiexp_component'; nearest: xaiexp_components" in refused.reason
    assert registry.names("method") == []


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (lambda: __import__("no_such_package"), "could not be imported (ModuleNotFoundError: No module named"),
        (lambda: sys.exit(3), "could not be imported (SystemExit: 3"),
        (
            lambda: types.ModuleType("empty"),
            "has none of the hooks xaiexp_components, xaiexp_conf, xaiexp_publications",
        ),
        (plugin, "its hooks returned nothing"),
        (lambda: plugin(int), "int: is not a subclass of one of the kinds in xaiexp.plugin"),
        (lambda: plugin(Agreement), "Agreement: does not implement compare"),
    ],
)
def test_a_refused_plugin_is_listed_with_its_reason_and_does_not_affect_others(load, reason):
    registry = Registry()
    refused = registry.add("external", "xaiexp-external", "1.0", load)
    assert refused.reason.startswith(reason)
    add(registry, Mine, name="good")
    assert registry.names("method") == ["mine"]
    with pytest.raises(UnknownName) as caught:
        registry.get("method", "mein")
    assert str(caught.value) == (
        "method.mein: no method has this name\n  nearest: mine   all: xaiexp plugins\n"
        f"  note: plugin 'external' of xaiexp-external 1.0 {refused.reason}"
    )


def without(fact):
    stated = (*Method.facts, "attribute", "__module__")
    body = {k: v for k, v in vars(Mine).items() if k in stated and k != fact}
    return dataclass(frozen=True)(type("Mine", (Method,), body))


@pytest.mark.parametrize("fact", ["summary", "source", "needs", "signed", "complete", "multiplied_by_inputs"])
def test_every_fact_must_be_stated(fact):
    assert add(Registry(), without(fact)).reason == f"Mine: does not state {fact}"


def test_a_component_must_be_frozen():
    kindless = type("Kindless", (Component,), {})
    assert "derives from none of the kinds" in add(Registry(), kindless).reason
    bare = type("Bare", (Mine,), {})
    assert add(Registry(), bare).reason == "Bare: is not decorated with @dataclass(frozen=True)"


def test_the_constructor_checks_parameters():
    with pytest.raises(ParameterError, match=r"method\.mine\.n: must be int"):
        Mine(n="a")


def test_all_built_in_components_are_loaded_by_the_entry_point_and_none_is_refused():
    registry = installed()
    built_in = [p for p in registry.plugins if p.distribution == "xaiexp"]
    assert [p.name for p in built_in] == ["builtin"]
    assert built_in[0].reason == ""
    assert {c.kind for c in built_in[0].components} == set(KINDS)


BUILT_IN = [c for c in installed().classes() if installed().plugin_of(c).distribution == "xaiexp"]


@pytest.mark.parametrize("component", BUILT_IN, ids=lambda c: f"{c.kind}.{c.name}")
def test_built_in_components_state_a_summary_and_a_source(component):
    assert component.summary.strip()
    assert component.source.strip()
    assert component.__doc__
    assert component.__module__.startswith("xaiexp.builtin.")


def test_listing_components_imports_nothing_heavy():
    code = (
        "import sys; from xaiexp.contract.registry import installed; list(installed().classes());"
        "print([m for m in ('torch', 'numpy', 'pandas', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def changed(title="Mine", bases=(Mine,), /, **body):
    return dataclass(frozen=True)(type(title, bases, {"__annotations__": {}, **body}))


class Unscored(Metric):
    """States everything and computes nothing."""

    summary = source = "made up"
    higher_is_better = needs_sign = scale_invariant = re_explains = False
    bounds = (None, None)
    unit = "1"


@pytest.mark.parametrize(
    ("component", "reason"),
    [
        (changed("Unscored", (Unscored,)), "overrides neither score nor score_all"),
        (changed(__annotations__={"kind": "int"}, kind=1), "derives from none of the kinds"),
        (changed(__annotations__={"name": "int"}, name=1), "a parameter must not be named name"),
        (changed(__annotations__={"n": "NoSuchType"}, n=1), "the types of its fields cannot be read"),
    ],
)
def test_a_component_of_a_wrong_form_is_refused_with_the_reason(component, reason):
    assert flaw(component).startswith(reason)


def test_a_metric_scores_one_explanation_or_all():
    for method in ("score", "score_all"):
        metric = changed("Scored", (Unscored,), **{method: lambda self, *words: None})
        assert flaw(metric) == ""
    assert flaw(Mine) == ""


def test_a_plugin_that_gives_a_name_twice_is_refused():
    other = changed(name="mine")
    assert add(Registry(), Mine, other).reason == "provides method 'mine' twice"


def test_a_plugin_for_another_version_of_the_contract_is_refused():
    module = plugin(Mine)
    module.XAIEXP_API = 99
    refused = Registry().add("external", "xaiexp-external", "1.0", lambda: module)
    assert refused.reason.startswith("is written for version 99 of the contract; this is version 1: update xaiexp")
    module.XAIEXP_API = 1
    assert Registry().add("external", "xaiexp-external", "1.0", lambda: module).reason == ""


def test_a_plugin_of_presets_alone_is_accepted(tmp_path):
    registry = Registry()
    assert add(registry, xaiexp_conf=lambda: tmp_path).conf == tmp_path
    assert add(registry, Mine).conf is None


@pytest.mark.parametrize("disabled", ["external", " xaiexp-external , other", "other,external"])
def test_a_plugin_is_disabled_by_its_name_or_distribution(disabled, monkeypatch):
    monkeypatch.setenv("XAIEXP_DISABLE_PLUGINS", disabled)
    registry = Registry()
    assert add(registry, Mine).reason == "is disabled by XAIEXP_DISABLE_PLUGINS"
    assert registry.names("method") == []


@pytest.mark.parametrize("disabled", ["", ",", "other", "xaiexp,builtin"])
def test_other_plugins_and_the_built_in_one_are_not_disabled(disabled, monkeypatch):
    monkeypatch.setenv("XAIEXP_DISABLE_PLUGINS", disabled)
    assert add(Registry(), Mine).reason == ""
    assert add(Registry(), Mine, name="builtin", dist="xaiexp").reason == ""
    assert add(Registry(), Mine, name="", dist="").reason == ""


def test_the_import_of_a_plugin_is_timed_and_what_it_loads_first_is_listed(monkeypatch):
    now = [5.0]
    monkeypatch.setattr(registry_module.time, "perf_counter", lambda: now[0])
    for package in HEAVY:
        monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setitem(sys.modules, "numpy", types.ModuleType("numpy"))

    def load():
        now[0] += 2.5
        monkeypatch.setitem(sys.modules, "captum", types.ModuleType("captum"))
        monkeypatch.setitem(sys.modules, "harmless", types.ModuleType("harmless"))
        return plugin(Mine)

    loaded = Registry().add("external", "xaiexp-external", "1.0", load)
    assert (loaded.seconds, loaded.heavy, loaded.components) == (2.5, ("captum",), (Mine,))


class Point:
    """An entry point."""

    def __init__(self, name, dist, *classes):
        self.name, self.load = name, lambda: plugin(*classes)
        self.dist = None if dist is None else types.SimpleNamespace(name=dist, version="2.0")


def test_entry_points_are_loaded_ours_first_and_then_by_distribution_and_name():
    other = changed("Other")
    points = [
        Point("b", "zeta", Mine),
        Point("a", "zeta", other),
        Point("z", "alpha"),
        Point("nowhere", None),
        Point("own", "xaiexp", changed()),
    ]
    registry = Registry.from_entry_points(points)
    assert [(p.name, p.distribution, p.version) for p in registry.plugins] == [
        ("own", "xaiexp", "2.0"),
        ("nowhere", "", ""),
        ("z", "alpha", "2.0"),
        ("a", "zeta", "2.0"),
        ("b", "zeta", "2.0"),
    ]
    assert str(registry.plugin_of(registry.get("method", "mine"))) == "xaiexp 2.0"
    assert registry.plugin_of(Mine) is OWN  # another class of this name
    assert registry.names("method") == ["mine", "other"]
    assert [component.name for component in registry.classes()] == ["mine", "other"]
    assert list(registry.classes("metric")) == []


@pytest.mark.parametrize(
    ("title", "name"),
    [("GradCAM", "grad_cam"), ("SmoothGrad2", "smooth_grad2"), ("KernelSHAPPlus", "kernel_shap_plus"), ("A", "a")],
)
def test_the_name_of_a_component_is_its_class_in_snake_case(title, name):
    assert changed(title).name == name
    assert changed(title, name="own").name == "own"


@dataclass(frozen=True)
class Distance(Agreement):
    """The negative largest difference."""

    summary = source = "made up"
    bounds, needs_sign, symmetric = (None, 0.0), True, True

    def compare(self, a, b):
        return -(a - b).abs().amax(dim=1)


def test_joint_agreement_is_the_mean_over_all_pairs():
    maps = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    pairs = [Distance().compare(maps[i], maps[j]) for i in range(4) for j in range(i + 1, 4)]
    torch.testing.assert_close(Distance().compare_jointly(maps), sum(pairs) / 6)


def test_scores_of_one_explanation_are_those_of_all():
    @dataclass(frozen=True)
    class All(Unscored):
        def score_all(self, model, batch, explanations, rng):
            return torch.stack([torch.full((2,), float(e)) for e in explanations])

    @dataclass(frozen=True)
    class WithMore(All):
        def score_all(self, model, batch, explanations, rng):
            return Scores(super().score_all(model, batch, explanations, rng), {})

    @dataclass(frozen=True)
    class One(Unscored):
        def score(self, model, batch, explanation, rng):
            return torch.full((2,), float(explanation))

    for metric in (All(), WithMore()):
        assert metric.score(None, None, 7, None).tolist() == [7, 7]
    assert One().score_all(None, None, [1, 2], None).tolist() == [[1, 1], [2, 2]]
    assert One().passes((1,), 1, 1) is None


@pytest.mark.parametrize(
    ("offers", "all_of_them"),
    [
        ({"gradients"}, {"gradients"}),
        ({"attention"}, {"attention", "maps"}),
        ({"convolutions", "gradients"}, {"convolutions", "gradients", "maps"}),
    ],
)
def test_convolutions_and_attention_imply_maps(offers, all_of_them):
    assert offered(frozenset(offers)) == all_of_them


@dataclass(frozen=True)
class Saliency(Mine):
    """A component with the name of one of ours."""

    name: ClassVar[str] = "saliency"


def points(*others):
    """Our entry point behind those of other distributions, as an environment may list them."""

    def point(name, distribution, load):
        dist = types.SimpleNamespace(name=distribution, version="9.0")
        return types.SimpleNamespace(name=name, dist=dist, load=load)

    (ours,) = [each for each in entry_points(group=GROUP) if each.dist.name == "xaiexp"]
    return [*(point(name, dist, lambda classes=classes: plugin(*classes)) for name, dist, classes in others), ours]


def test_built_in_components_are_registered_first_and_cannot_be_replaced():
    registry = Registry.from_entry_points(points(("aaa", "aaa-plugin", [Saliency, Mine]), ("builtin", "a", [Saliency])))
    assert [p.distribution for p in registry.plugins] == ["xaiexp", "a", "aaa-plugin"]
    assert registry.plugin_of(registry.get("method", "saliency")).distribution == "xaiexp"
    for refused in registry.plugins[1:]:
        assert refused.reason == f"method 'saliency' of {refused} is already provided by {registry.plugins[0]}"
    assert "mine" not in registry.names("method")


def test_other_plugins_are_sorted_by_distribution_and_name():
    others = [("z", "b-plugin", [Mine]), ("a", "c-plugin", [Mine]), ("y", "b-plugin", [Mine])]
    registry = Registry.from_entry_points(points(*others))
    assert [p.name for p in registry.plugins] == ["builtin", "y", "z", "a"]
    assert registry.plugin_of(registry.get("method", "mine")).name == "y"


@pytest.mark.parametrize("names", ["builtin", "xaiexp", "builtin,xaiexp,aaa"])
def test_built_in_components_cannot_be_disabled(names, monkeypatch):
    monkeypatch.setenv(DISABLE, names)
    registry = Registry.from_entry_points(points(("aaa", "aaa-plugin", [Mine])))
    assert registry.plugins[0].reason == ""
    assert "saliency" in registry.names("method")
    assert ("mine" in registry.names("method")) == ("aaa" not in names)
