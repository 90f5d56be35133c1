"""The model ``factory``: a network returned by a trusted function of the user."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network
from xaiexp.core.vocabulary import Modality, Task
from xaiexp.errors import MismatchError, ParameterError, ResourceError, UserError, nearest

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Factory"]


@dataclass(frozen=True, kw_only=True)  # otherwise the field `modality`, declared by Model, would have to come first
class Factory(Model):
    """A network returned by a function: a ``torch.nn.Module`` or an :class:`xaiexp.core.samples.Network`.

    The module is imported only if its dotted name equals an entry of the study's ``trust`` or lies below one; the
    function must be defined in such a module too.

    A module for images gets images ``[N, C, H, W]`` of the dataset's size, in 0..1 before the normalisation, so
    ``mean`` and ``std`` must be given. Pictures are converted to the number of channels that the module takes: to
    greyscale (ITU-R 601-2 luma) for one, to RGB for three.

    Args:
        target: ``package.module:function``, on Python's module path or in the working folder.
        kwargs: keyword arguments of the function.
        modality: kind of the inputs.
        classes: number of outputs, if known.
        mean, std: normalisation of the inputs, equally many numbers: one, or one per channel (column). Of images, in
            0..1; ``mean=[0] std=[1]`` for no normalisation. Of tables and series empty for none.
        channels: channels of images; null reads them from the first convolution or batch normalisation, and where
            there is none keeps those of the dataset (three for pictures in colour).
        weights: a file for the module: safetensors or a state dict that loads with ``weights_only``, also within a
            training checkpoint or with the prefixes of ``DataParallel`` and ``torch.compile``; all names and shapes
            must match. Null keeps the weights that the function gave it.
        inputs: the parameter of the module's ``forward`` that the explained input is passed to, for a module with
            several inputs; the others are those of the dataset (``dataset.context``), by name. Empty for the first.
        gradients: whether the network can be differentiated with respect to its inputs.
        task: what the numbers are that the network returns; null where the data or the numbers tell it.
    """

    summary = "a network returned by a function of the user, whose module must be trusted"
    source = "the user's own"

    target: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    modality: Modality = "image"
    classes: Annotated[int, Range(1)] | None = None
    mean: tuple[float, ...] = ()
    std: Annotated[tuple[float, ...], Range(0, exclusive=True)] = ()
    channels: Annotated[int, Range(1)] | None = None
    weights: str | None = None
    inputs: str = ""
    gradients: bool = True
    task: Task | None = None

    @property
    def offers(self) -> frozenset[str]:
        """Everything that a module of this modality may have; a method that finds it missing raises ``Unsupported``."""
        capabilities = {"gradients", "modules", "attention"} if self.gradients else {"modules", "attention"}
        return frozenset(capabilities | {"convolutions"} if self.modality == "image" else capabilities)

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            ParameterError: the module is not trusted, there is no such function, or it does not accept the arguments;
                the normalisation of images is missing or does not fit the network.
            UserError: the function raised.
            ResourceError: the file of weights is missing or damaged.
            MismatchError: it returned neither a module nor a network of this modality, or a module of other weights.
        """
        result = self._call(_trusted_function(self.target, context.trust))
        if isinstance(result, Network):
            return self._checked(result)
        return self.wrapped(result)

    def _checked(self, network: Network) -> Network:
        """A network that the function returned, with the weights of the file if there is one."""
        if network.modality != self.modality:
            raise MismatchError(
                "model.modality", f"{self.target} returned a network for {network.modality}", got=self.modality
            )
        for name in ("mean", "std", "channels", "inputs"):
            if getattr(self, name):
                raise ParameterError(
                    f"model.{name}",
                    f"must not be given: {self.target} returned a Network, which encodes its inputs itself",
                    got=getattr(self, name),
                )
        facts = {**network.facts, **self._load_weights(network.module)}
        return replace(network, facts=facts, task=self.task or network.task)

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

    def wrapped(self, module: Any) -> Network:
        """The network of a bare module.

        Raises:
            MismatchError: it is no module, has other numbers than real ones, or is for texts.
            ParameterError: the normalisation of images is missing or does not fit the network.
        """
        import torch

        from xaiexp.builtin.models.image_encoding import image_encoder
        from xaiexp.builtin.models.input_channels import input_channels
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
        _check_numbers(self.target, module)
        module.to("cpu", torch.float32).eval()
        facts = {"weights": self.target, **self._load_weights(module)}
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        is_image = self.modality == "image"
        if self.mean and self.std and len(self.mean) != len(self.std):
            raise ParameterError(
                "model.std",
                f"must have as many numbers as model.mean, {len(self.mean)}",
                got=list(self.std),
                hint="one number, or one per channel (column)",
            )
        if is_image:
            channels = self.channels or input_channels(module)
            mean, std = self._image_normalisation(channels)
            encode = image_encoder(
                _unchanged, channels, mean, std, "images for a factory are not resized: give images of one size"
            )
            facts |= {"input_channels": channels} if channels else {}
        else:
            axes = {"series": 1, "table": 0}[self.modality]
            mean = torch.tensor(self.mean or (0.0,)).view(-1, *[1] * axes)
            std = torch.tensor(self.std or (1.0,)).view(-1, *[1] * axes)
            encode = tensor_encoder(None, mean, std)
        return Network(
            self._named(module),
            encode,
            self.modality,
            classes=self.classes,
            mean=mean,
            std=std,
            low=0.0 if is_image else None,
            high=1.0 if is_image else None,
            identity=f"{self.target} {sorted(self.kwargs.items())!r}",
            facts=facts,
            task=self.task,
        )

    def _named(self, module: nn.Module) -> nn.Module:
        """The module as a function of the input that is explained.

        Raises:
            ParameterError: its ``forward`` has no parameter of this name.
        """
        if not self.inputs:
            return module
        from xaiexp.builtin.models.named_input import NamedInput

        parameters = inspect.signature(module.forward).parameters
        if self.inputs not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            raise ParameterError(
                "model.inputs",
                f"forward of the network of {self.target} has no such parameter",
                got=self.inputs,
                nearest=nearest(self.inputs, parameters),
                hint=f"parameters: {', '.join(parameters)}",
            )
        return NamedInput(module, self.inputs).eval()

    def _image_normalisation(self, channels: int | None) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation ``[C, 1, 1]`` of images in 0..1.

        Raises:
            ParameterError: one of them is missing, out of range or does not fit the channels.
        """
        from xaiexp.builtin.models.image_encoding import per_channel

        example = "'model.mean=[0.485,0.456,0.406]' 'model.std=[0.229,0.224,0.225]'"
        if channels == 1:
            example = "'model.mean=[0.1307]' 'model.std=[0.3081]'"
        for name in ("mean", "std"):
            values = getattr(self, name)
            if not values:
                raise ParameterError(
                    f"model.{name}",
                    f"must be given: the normalisation that {self.target} was trained with, of images in 0..1",
                    hint=f"for example {example}; none: 'model.mean=[0]' 'model.std=[1]'",
                )
            if not 0 <= min(values) <= max(values) <= 1:
                raise ParameterError(
                    f"model.{name}",
                    "must be between 0 and 1, because images are in 0..1",
                    got=list(values),
                    hint="divide a mean and std of images in 0..255 by 255",
                )
        return per_channel("model.mean", self.mean, channels), per_channel("model.std", self.std, channels)

    def _load_weights(self, module: Any) -> dict[str, object]:
        """Load the file of weights, if there is one; facts about it for ``record.json``."""
        if self.weights is None:
            return {}
        from torch import nn

        from xaiexp.builtin.models.weight_files import load_state_dict, read_state_dict

        if not isinstance(module, nn.Module):
            raise MismatchError(
                "model.weights", f"{self.target} returned no torch.nn.Module to load them into", got=self.weights
            )
        state = read_state_dict("model.weights", Path(self.weights).expanduser())
        note = load_state_dict("model.weights", module, state, f"the network of {self.target}")
        return {"weights": self.weights, **({"note": note} if note else {})}


def _check_numbers(target: str, module: nn.Module) -> None:
    """Raise MismatchError unless the parameters are real floating-point numbers, and no buffer is complex."""
    from torch import nn

    for name, values in (*module.named_parameters(), *module.named_buffers()):
        is_weight = isinstance(values, nn.Parameter)
        if values.is_complex() or (is_weight and not values.is_floating_point()):
            raise MismatchError(
                "model.target",
                f"{target} returned a network with weights of type {str(values.dtype).removeprefix('torch.')}",
                got=name,
                hint="networks run in real floating-point numbers: return it before quantisation",
            )


def _unchanged(image: Any, mask: bool = False) -> Tensor:  # noqa: ARG001  # as ImagePreprocessing
    """An image as a float tensor in 0..1, or a mask, of the same size."""
    from torch import Tensor
    from torchvision.transforms.functional import pil_to_tensor

    return image if isinstance(image, Tensor) else pil_to_tensor(image).float() / 255


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
