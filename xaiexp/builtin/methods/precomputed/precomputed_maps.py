"""The method ``precomputed``: attributions that another tool computed, from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xaiexp.builtin.methods.precomputed.map_files import MapFile, read_map_file
from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost
from xaiexp.errors import MismatchError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["Precomputed"]

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)  # facts that are fields come first, with defaults
class Precomputed(Method):
    """Attributions from a file, judged and compared like those of any other method.

    A map has the shape of an input or of the features; NaN stands for features that an example does not have. The
    facts are those of the method that made the maps. What cannot be computed from a file, explanations of perturbed
    inputs, other networks and other targets, is undefined (NaN).

    Args:
        path: an ``.npz``, ``.safetensors`` or ``.parquet`` file; see ``docs/precomputed.md``.
        target: the class that the maps explain, if the file does not say: a class index, ``predicted`` or ``label``.
        target_specific: whether the maps depend on the explained class; otherwise no class is checked.
        signed: whether signs say if a feature supports or opposes the class.
        complete: whether the attributions sum to ``f(x) - f(reference)``, which the study measures.
        multiplied_by_inputs: True for contributions in units of the output, False for sensitivities per unit of input.
        reads_baseline: whether the maps were made with a baseline. The study must list that baseline alone.
    """

    summary = "attributions from a file, made by another tool"
    source = "the user's own file"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # makes no pass
    repeatable = False

    path: str
    target: int | Literal["predicted", "label"] | None = None
    target_specific: bool = True
    signed: bool = True
    complete: bool = False
    multiplied_by_inputs: bool = True
    reads_baseline: bool = False

    def fingerprint(self) -> str:
        """A hash of the file; empty if it cannot be read."""
        from xaiexp.store.fingerprints import file_hash

        try:
            return file_hash(Path(self.path).expanduser())
        except OSError:
            return ""

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            ResourceError: the file is missing or damaged.
            MismatchError: it lacks examples, explains other classes, or its maps have another shape.
        """
        import numpy as np
        import torch

        file = read_map_file("method.precomputed.path", Path(self.path).expanduser())
        wanted = list(zip(batch.ids, self._targets(file, model, batch), strict=True))
        missing = [example for example in wanted if example not in file.maps]
        if missing:
            raise _missing(file, missing, len(wanted))
        maps = [file.maps[example] for example in wanted]
        if all(each.shape == batch.shape for each in maps):
            return torch.from_numpy(np.stack(maps)).to(batch.inputs)
        counts = batch.features.counts.expand(len(batch)).tolist()
        rows = [
            _features(each, name, batch, count) for each, (name, _), count in zip(maps, wanted, counts, strict=True)
        ]
        return batch.features.spread(torch.from_numpy(np.stack(rows)).to(batch.inputs))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """No passes."""
        return Cost(0)

    def _targets(self, file: MapFile, model: Handle, batch: Batch) -> list[int | None]:
        """The class of each example by which the file names its maps; None where it names none.

        Raises:
            MismatchError: the maps explain other classes than the study, or nobody says which they explain.
        """
        import torch

        targets: list[int | None] = batch.targets.tolist()
        if file.has_targets:
            return targets
        if not self.target_specific:
            return [None] * len(batch)
        if self.target is None:
            raise MismatchError(
                "method.precomputed.target",
                f"{file.path} does not say which class its maps explain",
                hint="target=INDEX, target=predicted, target=label, or target_specific=false",
            )
        if self.target == "predicted":
            explained = model.logits().argmax(dim=1)
        elif self.target == "label":
            explained = torch.full_like(batch.targets, -1) if batch.labels is None else batch.labels
        else:
            explained = torch.full_like(batch.targets, self.target)
        other = [name for name, same in zip(batch.ids, (explained == batch.targets).tolist(), strict=True) if not same]
        if other:
            raise MismatchError(
                "method.precomputed.target",
                f"the study explains other classes for {len(other)} of {len(batch)} examples ({_named(other)})",
                got=self.target,
                hint="a file with an array 'targets' may hold maps of several classes",
            )
        return [None] * len(batch)


def _features(values: np.ndarray[Any, Any], name: str, batch: Batch, count: int) -> np.ndarray[Any, Any]:
    """The attributions of the features of an example, float64 ``[d]``.

    Raises:
        MismatchError: the map has neither the shape of an input nor that of the features.
    """
    import numpy as np

    features = batch.features
    flat = values.reshape(-1)
    whole = values.shape in (tuple(features.shape), (features.d,))
    # Beyond the features of an example, only NaN may follow: the padding of examples with more features.
    ragged = values.ndim == 1 and len(flat) >= count and bool(np.isnan(flat[count:]).all())
    if not (whole if not features.ragged else ragged):
        raise MismatchError(
            "method.precomputed.path",
            f"the map of example {name!r} must have the shape {list(batch.shape)} of the input, or "
            + (f"{list(features.shape)} of the features" if not features.ragged else f"[{count}], its features"),
            got=list(values.shape),
        )
    out = np.zeros(features.d)
    out[:count] = flat[:count]
    return out


def _missing(file: MapFile, missing: list[tuple[str, int | None]], count: int) -> MismatchError:
    known = {name for name, _ in file.maps}
    other = [f"{name}: class {target}" for name, target in missing if name in known]
    shown = _named(other or [name for name, _ in missing])
    return MismatchError(
        "method.precomputed.path",
        f"{file.path} has no map of {len(missing)} of {count} examples ({shown})",
        hint="" if other else f"ids in the file: {_named(sorted(known))}",
    )


def _named(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
