"""``xaiexp show``: what a component does, its facts, source and parameters, and whether a configuration can use it."""

from __future__ import annotations

from collections.abc import Sequence

from xaiexp.cli.arguments import ToolParser
from xaiexp.cli.exit_codes import DONE
from xaiexp.cli.wording import parameter_lines, wrapped
from xaiexp.contract.documentation import Description, described, example
from xaiexp.contract.kinds import KINDS, Component, Method, Metric, offered
from xaiexp.contract.registry import Registry, installed
from xaiexp.errors import UnknownName, UserError, nearest

__all__ = ["run"]


def run(words: Sequence[str]) -> int:
    """Print what is known of components."""
    parser = ToolParser(
        prog="xaiexp show",
        usage="xaiexp show NAME | KIND=NAME [KEY=VALUE ...]",
        description="What a component does, its facts, source and parameters. With further words of a configuration, "
        "whether it can be used there, and how many passes an example takes.",
    )
    parser.add_argument("name", metavar="NAME", help="of a component, or KIND=NAME where several kinds have one")
    parser.add_argument("words", metavar="KEY=VALUE", nargs="*", help="a configuration, as of a study")
    arguments = parser.parse_args(list(words))
    registry = installed()
    from xaiexp.engine.progress import console

    out = console()
    for i, cls in enumerate(_found(arguments.name, registry)):
        text = [*_lines(described(cls), cls, registry), *_in(cls, arguments.words, registry)]
        out.print("\n".join([""] * bool(i) + text), markup=False, highlight=False)
    return DONE


def _found(word: str, registry: Registry) -> list[type[Component]]:
    kind, _, name = word.rpartition("=")
    if kind and kind not in KINDS:
        raise UnknownName("show", "no such kind of component", got=kind, nearest=nearest(kind, KINDS))
    if kind:
        return [registry.get(kind, name, "show")]
    found = [cls for cls in registry.classes() if cls.name == name]
    if not found:
        names = sorted({cls.name for cls in registry.classes()})
        raise UnknownName(
            "show", "no component has this name", got=name, nearest=nearest(name, names), hint="all: xaiexp plugins"
        )
    return found


def _lines(about: Description, cls: type[Component], registry: Registry) -> list[str]:
    lines = [f"{about.kind} {about.name}: {about.summary}", f"  from {registry.plugin_of(cls)}"]
    lines += [f"  source: {about.source}"] if about.source else []
    for paragraph in about.paragraphs:
        lines += ["", *wrapped(paragraph, 2)]
    if about.facts:
        lines += ["", *wrapped("; ".join(about.facts), 2)]
    if about.needs:
        lines += wrapped(f"needs of the model: {', '.join(about.needs)}; offered by: {_offering(about, registry)}", 2)
    lines += ["", "  parameters:" if about.parameters else "  no parameters"]
    for each in about.parameters:
        lines += parameter_lines(each, each.name, 4)
    return [*lines, "", f"  example: {example(about)}"]


def _offering(about: Description, registry: Registry) -> str:
    """The models that offer what a method or metric needs, as far as this does not depend on their parameters."""
    names = [
        cls.name
        for cls in registry.classes("model")
        if isinstance(offers := getattr(cls, "offers", None), frozenset) and set(about.needs) <= offered(offers)
    ]
    others = [cls.name for cls in registry.classes("model") if not isinstance(getattr(cls, "offers", None), frozenset)]
    if others:
        names.append(f"by their parameters {', '.join(others)}")
    return ", ".join(names) or "no installed model"


def _in(cls: type[Component], words: Sequence[str], registry: Registry) -> list[str]:
    """Whether the configuration can use the component."""
    if not words:
        return []
    from xaiexp.config.build import to_study
    from xaiexp.config.compose import composed
    from xaiexp.plan.plan import cost, unfit

    study = to_study(composed(words), registry)
    where = f"model {study.model.name} and dataset {study.dataset.name}"
    try:
        component = registry.build(cls.kind, cls.name, {})
    except UserError as error:
        return ["", f"  with {where}: {error}"]
    if not isinstance(component, Method | Metric):
        return ["", f"  with {where}: not checked; `xaiexp plan` checks a whole configuration"]
    reason = unfit(component, study.model)
    if reason:
        return ["", f"  with {where}: cannot be used, {reason}"]
    if not isinstance(component, Method):
        return ["", f"  with {where}: can be used"]
    passes = cost(study, component)
    known = "" if passes is None else f", {passes.forward:,} forward and {passes.backward:,} backward passes an example"
    return ["", f"  with {where}: can be used{known}"]
