"""The user's own network, from a function that the study names and the user trusts."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network
from xaiexp.core.vocabulary import Modality
from xaiexp.errors import MismatchError, ParameterError, ResourceError, UserError, nearest

__all__ = ["Factory"]


@dataclass(frozen=True, kw_only=True)  # else `modality`, declared by Model, would have to stand first
class Factory(Model):
    """Whatever a function of the user's own returns: a ``torch.nn.Module``, or an ``xaiexp.core.samples.Network``.

    Nothing is imported unless the module stands under a prefix of the study's ``trust``, in whole words between
    the dots; the function itself must be defined there too.

    Args:
        target: ``package.module:function``; found where Python finds modules, and in the working folder.
        kwargs: keyword arguments of the function.
        modality: what the network takes.
        classes: how many outputs, where known.
        mean, std: the normalisation of the inputs, one number or one for each channel (column); empty for none.
        gradients: whether the network can be differentiated with respect to its inputs.
    """

    summary = "the user's own function that returns a network; its module must be trusted"
    source = "the user's own"

    target: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    modality: Modality = "image"
    classes: Annotated[int, Range(1)] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    gradients: bool = True

    @property
    def offers(self) -> frozenset[str]:
        """Everything that a module may have; what it lacks is found when a method looks for it."""
        parts = {"gradients", "modules", "attention"} if self.gradients else {"modules", "attention"}
        return frozenset(parts | {"convolutions"} if self.modality == "image" else parts)

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            ParameterError: not trusted, no such function, arguments that it does not take.
            UserError: the function raised.
            MismatchError: it returned something else.
        """
        made = self._call(_function(self.target, context.trust))
        if isinstance(made, Network):
            if made.modality != self.modality:
                raise MismatchError(
                    "model.modality", f"{self.target} returned a network for {made.modality}", got=self.modality
                )
            return made
        return self._network(made)

    def _call(self, function: Callable[..., Any]) -> Any:
        with contextlib.suppress(ValueError, TypeError):  # a builtin may have no signature
            signature = inspect.signature(function)
            try:
                signature.bind(**self.kwargs)
            except TypeError as unfit:
                raise ParameterError(
                    "model.kwargs", f"{self.target}{signature}: {unfit}", got=dict(self.kwargs)
                ) from None
        try:
            return function(**self.kwargs)
        except UserError:
            raise
        except Exception as broken:
            raise UserError("model.target", f"{self.target} raised {type(broken).__name__}: {broken}") from broken

    def _network(self, made: Any) -> Network:
        import torch

        from xaiexp.builtin.models.encoding import tensor_encoder

        if not isinstance(made, torch.nn.Module):
            raise MismatchError(
                "model.target",
                f"{self.target} must return a torch.nn.Module or an xaiexp.core.samples.Network",
                got=type(made).__name__,
            )
        if self.modality == "text":
            raise MismatchError(
                "model.target",
                f"{self.target} must return an xaiexp.core.samples.Network: only it knows how its texts become embeddings",
                got=type(made).__name__,
            )
        made.to("cpu", torch.float32).eval()
        for parameter in made.parameters():
            parameter.requires_grad_(False)
        axes = {"image": 2, "series": 1, "table": 0}[self.modality]
        mean = torch.tensor(self.mean or (0.0,)).view(-1, *[1] * axes)
        std = torch.tensor(self.std or (1.0,)).view(-1, *[1] * axes)
        picture = self.modality == "image"
        return Network(
            made,
            tensor_encoder(None, mean, std),
            self.modality,
            classes=self.classes,
            mean=mean,
            std=std,
            low=0.0 if picture else None,
            high=1.0 if picture else None,
            identity=f"{self.target} {sorted(self.kwargs.items())!r}",
            facts={"weights": self.target},
        )


def _function(target: str, trust: tuple[str, ...]) -> Callable[..., Any]:
    """The function that ``target`` names; nothing is imported unless its module is trusted."""
    module, _, name = target.partition(":")
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ParameterError("model.target", "must be package.module:function", got=target)
    _trusted(module, trust, target)
    try:
        with _working_folder():
            found = importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise ResourceError(
            "model.target", f"cannot import {module}: {missing}", hint="run where it can be found, or install it"
        ) from None
    except Exception as broken:
        raise UserError("model.target", f"importing {module} raised {type(broken).__name__}: {broken}") from broken
    function = getattr(found, name, None)
    if not callable(function):
        known = [key for key, value in vars(found).items() if callable(value) and not key.startswith("_")]
        raise ParameterError("model.target", f"{module} has no function {name!r}", nearest=nearest(name, known))
    # Else `trusted.module:system` would reach whatever the module happens to import.
    _trusted(getattr(function, "__module__", None) or "builtins", trust, target)
    return function  # type: ignore[no-any-return]  # callable, as just seen


def _trusted(module: str, trust: tuple[str, ...], target: str) -> None:
    if not any(module == prefix or module.startswith(f"{prefix}.") for prefix in trust if prefix):
        raise ParameterError(
            "model.target",
            f"module {module} is not trusted, so nothing of it is run",
            got=target,
            hint=f"if it is your own: 'trust=[{', '.join([*trust, module])}]'",
        )


@contextlib.contextmanager
def _working_folder() -> Iterator[None]:
    """The working folder is where Python looks last, as ``python -m`` does first."""
    folder = os.getcwd()  # noqa: PTH109  # entries of sys.path are strings
    added = folder not in sys.path and "" not in sys.path
    if added:
        sys.path.append(folder)
    try:
        yield
    finally:
        if added:
            sys.path.remove(folder)
