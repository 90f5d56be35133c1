"""Which classes are explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from xaiexp.core.batches import Batch
from xaiexp.core.samples import Network, Target
from xaiexp.core.vocabulary import Task
from xaiexp.engine.examples.class_names import class_index
from xaiexp.errors import MismatchError

__all__ = ["aimed", "check_target", "max_targets", "resolved", "target_passes", "target_table"]

_PREDICTED = "target=predicted"
_WORDS = ("predicted", "label")


def aimed(network: Network, target: Target, per_token: bool) -> tuple[Network, Target]:
    """The network whose scores are what the target of a study means, and which of these are explained.

    Args:
        network: as loaded.
        target: ``predicted``, ``label``, a class by index or name, several of these, or ``all`` classes; for language
            models a span of the continuation, a contrast, or candidates.
        per_token: of the study, whether each token of the span is explained by itself.

    Raises:
        MismatchError: a language model cannot have this target, or the network is none and ``per_token`` is set.
    """
    if network.aim is not None:
        return network.aim(target, per_token)
    if per_token:
        raise MismatchError(
            "per_token",
            "is for language models, whose continuations have tokens",
            got=per_token,
            hint="per_token=false",
        )
    return network, target


def _listed(target: Target) -> tuple[str | int, ...]:
    return target if isinstance(target, tuple) else (target,)


def resolved(target: Target, class_names: Sequence[str]) -> Target:
    """The target with an index in place of each name of a class; a numeric string is an index.

    Raises:
        UnknownName: no class has this name.
        MismatchError: several classes have it, or nobody names classes.
    """
    if target == "all":
        return target

    def index(each: str | int) -> str | int:
        if not isinstance(each, str) or each in _WORDS:
            return each
        if each == "all":
            raise MismatchError("target", "all stands for every class, and not in a list", hint="target=all")
        return int(each) if each.isdecimal() else class_index(each, class_names)

    return tuple(index(each) for each in target) if isinstance(target, tuple) else index(target)


def max_targets(target: Target, classes: int | None, several_labels: bool = False) -> int:
    """The largest number of classes that an example is explained for.

    Args:
        target: of the study.
        classes: of the model; None where only the first pass can tell.
        several_labels: whether an example may have several labels.
    """
    if target == "all":
        return classes or 1
    return sum((classes or 1) if each == "label" and several_labels else 1 for each in _listed(target))


def check_target(
    target: Target, classes: int | None, has_labels: Callable[[], bool], dataset: str, task: Task | None = None
) -> None:
    """Check that the target exists.

    Args:
        target: of the study, :func:`resolved`.
        classes: of the model; None where only the first pass can tell.
        has_labels: whether some example of the study has a label; called only where the target is the label.
        dataset: its name.
        task: of the model, where it is known.

    Raises:
        MismatchError: the index is no class of the model, the dataset has no labels to explain, or the model returns
            several values, of which none is predicted.
    """
    for each in _listed(target):
        if each in _WORDS and task == "regression" and classes is not None and classes > 1:
            raise MismatchError(
                "target",
                f"the model returns {classes} values, and none of them is {each}",
                got=each,
                hint=f"target=INDEX (0 to {classes - 1}), a list of these, or target=all",
            )
        if each == "label" and not (classes == 1 and task == "regression") and not has_labels():
            raise MismatchError("target", f"is the label, but dataset {dataset!r} has no labels", hint=_PREDICTED)
        if isinstance(each, int) and classes is not None and each >= classes:
            raise MismatchError("target", f"the model has {classes} classes, 0 to {classes - 1}", got=each)


def _requested(target: str | int, batch: Batch, logits: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The examples (int64 ``[M]``) and the classes (int64 ``[M]``) that one target means, once for each label.

    Raises:
        MismatchError: the target is the label, but an example has none.
    """
    everyone = torch.arange(len(batch), device=logits.device)
    if target == "predicted" or logits.shape[1] == 1:
        yield everyone, logits.argmax(dim=1)
    elif target == "label" and batch.label_sets is not None:
        order = batch.label_sets.to(torch.int8).argsort(dim=1, descending=True, stable=True)
        counts = batch.label_sets.sum(dim=1)
        for number in range(int(counts.max())):
            rows = (counts > number).nonzero().squeeze(1)
            yield rows, order[rows, number]
    elif target == "label":
        if batch.labels is None or bool((batch.labels < 0).any()):
            missing = batch.ids[0] if batch.labels is None else batch.ids[int(batch.labels.argmin())]
            raise MismatchError("target", f"is the label, but example {missing!r} has no label", hint=_PREDICTED)
        yield everyone, batch.labels
    else:
        yield everyone, torch.full_like(everyone, int(target))


def _defined(batch: Batch, logits: Tensor) -> Tensor:
    """Which scores an example has, bool ``[N, K]``: continuations differ in their tokens."""
    spans = batch.context.get("spans")
    return torch.ones_like(logits, dtype=torch.bool) if spans is None else (spans != 0).any(dim=2)


def target_passes(target: Target, batch: Batch, logits: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Which examples of a batch are explained for which class, target by target of the study.

    Args:
        target: of the study, :func:`resolved`. The label stands for each label of an example that has several; such a
            target leaves out examples without any.
        batch: N examples.
        logits: ``[N, classes]``.

    Returns:
        For each target the rows (int64 ``[M]``) and their classes (int64 ``[M]``). Examples whose class was explained
        for an earlier target are left out, and so are targets without examples.

    Raises:
        MismatchError: a target is the label, but an example has none.
    """
    wanted = range(logits.shape[1]) if target == "all" else _listed(target)
    explained = ~_defined(batch, logits)
    passes = []
    for each in wanted:
        for rows, classes in _requested(each, batch, logits):
            new = ~explained[rows, classes]
            explained[rows, classes] = True
            if bool(new.any()):
                passes.append((rows[new], classes[new]))
    return passes


def target_table(passes: Sequence[tuple[Tensor, Tensor]], count: int, device: torch.device) -> Tensor:
    """All classes that each example is explained for.

    Args:
        passes: of :func:`target_passes`.
        count: examples.
        device: of the table.

    Returns:
        int64 ``[count, len(passes)]``; an example with fewer classes repeats its first one.
    """
    first = torch.zeros(count, dtype=torch.int64, device=device)
    for rows, chosen in reversed(passes):
        first[rows] = chosen
    classes = first.unsqueeze(1).repeat(1, len(passes))
    for column, (rows, chosen) in enumerate(passes):
        classes[rows, column] = chosen
    return classes
