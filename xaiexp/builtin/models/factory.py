"""The model ``factory``: a network returned by a trusted function of the user."""

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


@dataclass(frozen=True, kw_only=True)  # otherwise the field `modality`, declared by Model, would have to come first
class Factory(Model):
    """A network returned by a function: a ``torch.nn.Module`` or an :class:`xaiexp.core.samples.Network`.

    The module is imported only if its dotted name equals an entry of the study's ``trust`` or lies below one; the
    function must be defined in such a module too.

    Args:
        target: ``package.module:function``, on Python's module path or in the working folder.
        kwargs: keyword arguments of the function.
        modality: kind of the inputs.
        classes: number of outputs, if known.
        mean, std: normalisation of the inputs, one number or one per channel (column); empty for none.
        gradients: whether the network can be differentiated with respect to its inputs.
    """

    summary = "a network returned by a function of the user, whose module must be trusted"
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
        """Everything that a module of this modality may have; a method that finds it missing raises ``Unsupported``."""
        capabilities = {"gradients", "modules", "attention"} if self.gradients else {"modules", "attention"}
        return frozenset(capabilities | {"convolutions"} if self.modality == "image" else capabilities)

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            ParameterError: the module is not trusted, there is no such function, or it does not accept the arguments.
            UserError: the function raised.
            MismatchError: it returned neither a module nor a network of this modality.
        """
        result = self._call(_trusted_function(self.target, context.trust))
        if isinstance(result, Network):
            if result.modality != self.modality:
                raise MismatchError(
                    "model.modality", f"{self.target} returned a network for {result.modality}", got=self.modality
                )
            return result
        return self._network(result)

    def _call(self, function: Callable[..., Any]) -> Any:
        """The result of the function, with errors in its arguments reported before it is called."""
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

    def _network(self, module: Any) -> Network:
        """The network of a bare module."""
        import torch

        from xaiexp.builtin.models.tensor_encoding import tensor_encoder

        if not isinstance(module, torch.nn.Module):
            raise MismatchError(
                "model.target",
                f"{self.target} must return a torch.nn.Module or an xaiexp.core.samples.Network",
                got=type(module).__name__,
            )
        if self.modality == "text":
            raise MismatchError(
                "model.target",
                f"{self.target} must return an xaiexp.core.samples.Network, which defines how texts become embeddings",
                got=type(module).__name__,
            )
        module.to("cpu", torch.float32).eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        axes = {"image": 2, "series": 1, "table": 0}[self.modality]
        mean = torch.tensor(self.mean or (0.0,)).view(-1, *[1] * axes)
        std = torch.tensor(self.std or (1.0,)).view(-1, *[1] * axes)
        is_image = self.modality == "image"
        return Network(
            module,
            tensor_encoder(None, mean, std),
            self.modality,
            classes=self.classes,
            mean=mean,
            std=std,
            low=0.0 if is_image else None,
            high=1.0 if is_image else None,
            identity=f"{self.target} {sorted(self.kwargs.items())!r}",
            facts={"weights": self.target},
        )


def _trusted_function(target: str, trust: tuple[str, ...]) -> Callable[..., Any]:
    """The function named by ``target``; its module is imported only if it is trusted."""
    module, _, name = target.partition(":")
    if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ParameterError("model.target", "must be package.module:function", got=target)
    _check_trusted(module, trust, target)
    try:
        with _working_folder():
            imported = importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise ResourceError(
            "model.target",
            f"cannot import {module}: {missing}",
            hint="run in the folder that contains it, or install it",
        ) from None
    except Exception as broken:
        raise UserError("model.target", f"importing {module} raised {type(broken).__name__}: {broken}") from broken
    function = getattr(imported, name, None)
    if not callable(function):
        known = [key for key, value in vars(imported).items() if callable(value) and not key.startswith("_")]
        raise ParameterError("model.target", f"{module} has no function {name!r}", nearest=nearest(name, known))
    # Otherwise `trusted.module:system` would give access to everything that the module imports.
    _check_trusted(getattr(function, "__module__", None) or "builtins", trust, target)
    return function  # type: ignore[no-any-return]  # callable, as checked above


def _check_trusted(module: str, trust: tuple[str, ...], target: str) -> None:
    """Raise ParameterError unless the module equals a trusted prefix or lies below one."""
    if not any(module == prefix or module.startswith(f"{prefix}.") for prefix in trust if prefix):
        raise ParameterError(
            "model.target",
            f"module {module} is not trusted, and its code is not run",
            got=target,
            hint=f"to trust it: 'trust=[{', '.join([*trust, module])}]'",
        )


@contextlib.contextmanager
def _working_folder() -> Iterator[None]:
    """Append the working folder to Python's module path within the block."""
    folder = os.getcwd()  # noqa: PTH109  # entries of sys.path are strings
    added = folder not in sys.path and "" not in sys.path
    if added:
        sys.path.append(folder)
    try:
        yield
    finally:
        if added:
            sys.path.remove(folder)
