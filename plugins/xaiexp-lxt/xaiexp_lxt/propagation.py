"""Gives every operation of a network its rule while the network runs.

A torch function mode intercepts the calls whose arguments depend on the input, so functional operations, fused
attention and normalisations that are written out have rules too, and no module is replaced. Activations that are
modules (``transformers.activations``) are treated as one operation by hooks. While it runs, parameters are frozen:
what requires a gradient depends on the input. All this is undone when the context ends, also after an exception.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from xaiexp.plugin import Unsupported
from xaiexp_lxt import operations as ops
from xaiexp_lxt.attention import dot_product_attention, multi_head_attention
from xaiexp_lxt.rules import Layer, Rules, epsilon_rule, gamma_rule, identity_rule, layer_norm, rms_norm, scale_gradient
from xaiexp_lxt.running import in_module

__all__ = ["Propagation"]

_ACTIVATION_MODULES = ("transformers.activations", "timm.layers.activations", "timm.layers.activations_me")

# The roles of tensors that depend on the input.
_ORDINARY = "an activation"
_GATE = "the output of an activation function"
_SQUARE = "a square"
_MOMENT = "a mean square"
_OPAQUE = "values without gradients"

Arguments = tuple[Any, ...]
Options = dict[str, Any]


class Propagation(TorchFunctionMode):
    """The forward pass of a network, whose backward pass propagates relevance, within a ``with`` block.

    Args:
        method: the name of the method, for messages.
        module: the network, in eval mode.
        rules: the rules to apply.
    """

    def __init__(self, method: str, module: nn.Module, rules: Rules) -> None:
        super().__init__()
        self.method, self.module, self.rules = method, module, rules
        self._roles: Any = WeakTensorKeyDictionary()
        self._inside = 0  # of activation modules
        self._undo = ExitStack()
        self._handlers: dict[str, Callable[[str, Any, Arguments, Options, list[Tensor]], Any]] = {
            **dict.fromkeys(ops.LINEAR, self._linear),
            **dict.fromkeys(ops.DIVISIONS, self._division),
            **dict.fromkeys(ops.PRODUCTS, self._product),
            **dict.fromkeys(ops.LAYERS, self._layer),
            **dict.fromkeys(ops.ACTIVATIONS, self._activation),
            **dict.fromkeys(("pow", "__pow__", "square"), self._power),
            "var": self._variance,
            "detach": self._detach,
            "where": self._where,
            "dropout": self._dropout,
            "batch_norm": self._batch_norm,
            "softmax": self._softmax,
            "layer_norm": self._normalisation,
            "rms_norm": self._normalisation,
            "scaled_dot_product_attention": self._dot_product_attention,
            "multi_head_attention_forward": self._multi_head_attention,
        }

    def __enter__(self) -> Propagation:
        with ExitStack() as undo:
            for parameter in self.module.parameters():
                if parameter.requires_grad:
                    undo.callback(parameter.requires_grad_, True)
                    parameter.requires_grad_(False)
            for child in self.module.modules():
                if type(child).__module__ in _ACTIVATION_MODULES and not any(True for _ in child.parameters()):
                    undo.callback(child.register_forward_pre_hook(self._before_activation).remove)
                    undo.callback(child.register_forward_hook(self._after_activation).remove)
            super().__enter__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        finally:
            self._undo.close()

    def start(self, leaf: Tensor) -> Tensor:
        """A copy of the input, which the network may change in place."""
        self._roles[leaf] = _ORDINARY
        return leaf.clone()

    def finish(self, scores: Tensor) -> None:
        """Check that the scores were traced back to the input.

        Raises:
            Unsupported: they do not depend on it through operations with a rule.
        """
        if self._roles.get(scores) not in (_ORDINARY, _GATE):
            raise Unsupported(f"{self.method} could not trace the network from its input to its scores")

    def __torch_function__(self, func: Any, types: Any, args: Arguments = (), kwargs: Options | None = None) -> Any:
        kwargs = kwargs or {}
        name = ops.name_of(func)
        if self._inside or name == "__get__ grad_fn":
            return func(*args, **kwargs)
        dependent = [tensor for tensor in ops.tensors_in((args, kwargs)) if self._depends(tensor)]
        if not dependent:
            return func(*args, **kwargs)
        return self._dependent_call(name, func, args, kwargs, dependent)

    def _depends(self, tensor: Tensor) -> bool:
        """Whether a tensor was computed from the input.

        Raises:
            Unsupported: it comes from an operation that is hidden from torch function modes.
        """
        if tensor in self._roles:
            return True
        if not tensor.requires_grad:
            return False
        origin = type(tensor.grad_fn).__name__.removesuffix("Backward")
        raise Unsupported(
            f"{self.method} cannot trace {origin!r}{in_module()} (a custom autograd function, a compiled or scripted "
            "module)"
        )

    def _dependent_call(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Any:
        plain = name if name.startswith("__") else name.removesuffix("_")
        if plain in ops.CONSTRUCTORS or (plain in ops.SHAPED_LIKE and not self._depends(args[0])):
            return func(*args, **kwargs)
        roles = {self._roles[tensor] for tensor in dependent}
        if roles - {_ORDINARY, _GATE}:
            return self._statistic(plain, name, func, args, kwargs, dependent)
        if kwargs.get("out") is not None:
            raise self._unsupported(name, "with out=")
        if name.startswith("__get__"):
            out = func(*args, **kwargs)
            if isinstance(out, Tensor) and name.split()[-1] not in ops.VIEWS:
                raise self._unsupported(name.split()[-1])
            return self._mark(name, out)
        if name == "__iter__":
            return iter(self._mark(name, args[0].unbind(0)))
        handler = self._handlers.get(plain)
        if handler is not None:
            return handler(name, func, args, kwargs, dependent)
        with torch.no_grad():
            out = func(*args, **kwargs)
        if any(True for _ in ops.tensors_in(out)) or name in ops.READS:
            raise self._unsupported(name)
        return out  # a shape, a type, a device

    def _unsupported(self, name: str, why: str = "") -> Unsupported:
        """The error for an operation without a rule; names the module that runs it."""
        return Unsupported(f"{self.method} has no rule for {name!r}{' ' + why if why else ''}{in_module()}")

    def _mark(self, name: str, out: Any, role: str = _ORDINARY) -> Any:
        """The same output, whose tensors depend on the input."""
        for tensor in ops.tensors_in(out):
            if not tensor.requires_grad:
                raise self._unsupported(
                    name, "where no gradients are recorded (torch.no_grad, a custom autograd function)"
                )
            self._roles[tensor] = role
        return out

    # Rules by kind of operation.

    def _linear(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Any:
        """The gradient is the rule: sums, means, rearrangements, selections by constant indices."""
        out = func(*args, **kwargs)
        self._mark(name, args[0] if name == "__setitem__" else out)
        return out

    def _division(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Any:
        numerator = args[0] if args else None
        if len(dependent) != 1 or dependent[0] is not numerator or kwargs.get("rounding_mode") is not None:
            raise self._unsupported(name, "by an activation")
        return self._mark(name, func(*args, **kwargs))

    def _where(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Any:
        if len(args) != 3 or self._is_dependent(args[0]):
            raise self._unsupported(name, "with a condition that is an activation")
        return self._mark(name, func(*args, **kwargs))

    def _detach(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Tensor:
        """A network may keep what it detaches, but not use it."""
        out: Tensor = func(*args, **kwargs)
        self._roles[out] = _OPAQUE
        return out

    def _dropout(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Any:
        if _bound(F.dropout, args, kwargs)["training"]:
            raise self._unsupported(name, "in training mode")
        return self._mark(name, func(*args, **kwargs), self._roles[dependent[0]])

    def _batch_norm(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Any:
        given = _bound(F.batch_norm, args, kwargs) if func is F.batch_norm else None
        if given is None or given["training"] or len(dependent) != 1:
            raise self._unsupported(name, "with the statistics of a batch")
        return self._mark(name, func(*args, **kwargs))

    def _layer(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Tensor:
        """A linear layer or a convolution: the epsilon or gamma rule."""
        names = ("input", "mat1", "mat2") if name == "addmm" else ("input", "weight", "bias")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        rest, options = args[3:], {key: value for key, value in kwargs.items() if key not in names}
        layer: Layer
        if name == "addmm":
            if rest or options:
                raise self._unsupported(name, "with alpha or beta")
            x, weight, bias, layer = given["mat1"], given["mat2"], given["input"], _addmm
        else:
            x, weight, bias = given["input"], given["weight"], given.get("bias")

            def layer(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
                return func(x, weight, bias, *rest, **options)  # type: ignore[no-any-return]  # a torch function

        if len(dependent) != 1 or dependent[0] is not x:
            raise self._unsupported(name, "whose weights are activations")
        if self.rules.gamma:
            out = gamma_rule(layer, x, weight, bias, self.rules.epsilon, self.rules.gamma)
        else:
            out = epsilon_rule(layer(x, weight, bias), self.rules.epsilon)
        self._mark(name, out)
        return out

    def _product(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Tensor:
        """The uniform rule for two activations; with a constant factor the product is linear."""
        if name == "baddbmm" and self._is_dependent(args[0]):
            raise self._unsupported(name, "that adds to an activation")
        if len(dependent) == 1:
            return self._mark(name, func(*args, **kwargs))  # type: ignore[no-any-return]  # a tensor
        if len(dependent) != 2:
            raise self._unsupported(name, f"of {len(dependent)} activations")
        elementwise = "mul" in name and "matmul" not in name
        if elementwise and dependent[0] is dependent[1]:
            return self._mark(name, func(*args, **kwargs), _SQUARE)  # type: ignore[no-any-return]  # a tensor
        gates = [tensor for tensor in dependent if self._roles[tensor] == _GATE]
        if elementwise and len(gates) == 1 and not self.rules.through_attention:
            args = tuple(value.detach() if value is gates[0] else value for value in args)
            kwargs = {key: value.detach() if value is gates[0] else value for key, value in kwargs.items()}
            return self._mark(name, func(*args, **kwargs))  # type: ignore[no-any-return]  # a tensor
        out = self._mark(name, func(*args, **kwargs))
        return scale_gradient(out, 0.5)

    def _activation(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Tensor:
        """The identity rule."""
        x = args[0] if args else kwargs.get("input")
        rest, options = args[1:], {key: value for key, value in kwargs.items() if key != "input"}
        if kwargs.get("inplace") or any(value is True for value in rest) or name.endswith("_"):
            raise self._unsupported(name, "in place")
        if len(dependent) != 1 or dependent[0] is not x:
            raise self._unsupported(name, "whose parameters are activations")
        return self._identity(name, lambda at: func(at, *rest, **options), dependent[0])

    def _identity(self, name: str, function: Callable[[Tensor], Tensor], x: Tensor, y: Tensor | None = None) -> Tensor:
        try:
            out = identity_rule(function, x, y)
        except ValueError as error:
            raise self._unsupported(name, f"which {error}") from None
        self._mark(name, out, _GATE)
        return out

    def _softmax(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Tensor:
        """The Taylor decomposition, which is the gradient; or a constant."""
        out: Tensor = func(*args, **kwargs)
        if not self.rules.through_attention:
            return out.detach()
        self._mark(name, out)
        return out

    def _normalisation(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Tensor:
        if len(dependent) != 1:
            raise self._unsupported(name, "whose weights are activations")
        rule = layer_norm if name == "layer_norm" else rms_norm
        given = _bound(rule, args, {key: value for key, value in kwargs.items() if key != "cudnn_enable"})
        out = rule(**given)
        self._mark(name, out)
        return out

    # Normalisations that are written out: x * rsqrt(mean(x ** 2) + eps). Their scale is a constant (proposition 3.4).

    def _power(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Tensor:
        exponent = 2 if name == "square" else kwargs.get("exponent", args[1] if len(args) > 1 else None)
        if isinstance(exponent, Tensor) or exponent != 2:
            raise self._unsupported(name, f"with exponent {exponent}")
        return self._mark(name, func(*args, **kwargs), _SQUARE)  # type: ignore[no-any-return]  # a tensor

    def _variance(self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]) -> Tensor:
        return self._mark(name, func(*args, **kwargs), _MOMENT)  # type: ignore[no-any-return]  # a tensor

    def _statistic(
        self, plain: str, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]
    ) -> Any:
        """What may happen to a square: its mean, a small number added, and the root, which is a constant."""
        role = next(role for tensor in dependent if (role := self._roles[tensor]) not in (_ORDINARY, _GATE))
        alone = len(dependent) == 1 and bool(args) and any(dependent[0] is value for value in args)
        if not name.startswith("__get__") and alone and role in (_SQUARE, _MOMENT):
            if role == _SQUARE and plain in ("mean", "sum"):
                return self._mark(name, func(*args, **kwargs), _MOMENT)
            scaled = plain in ("mul", "__mul__", "__rmul__", "clamp", "clamp_min", "to", "type", "float")
            if role == _MOMENT and (plain in ops.SUMS or plain in ops.DIVISIONS or scaled) and args[0] is dependent[0]:
                return self._mark(name, func(*args, **kwargs), _MOMENT)
            root = plain in ("sqrt", "rsqrt") or (plain in ("pow", "__pow__") and args[1] in (0.5, -0.5))
            if role == _MOMENT and root:
                return func(*args, **kwargs).detach()
        if name.startswith("__get__") or plain in ("size", "dim"):
            out = func(*args, **kwargs)
            if not isinstance(out, Tensor):
                return out
        use = "which is not part of a normalisation" if role in (_SQUARE, _MOMENT) else ""
        raise self._unsupported(name, f"of {role} {use}".strip())

    # Fused attention.

    def _dot_product_attention(
        self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]
    ) -> Tensor:
        given = _bound(_dot_product_signature, args, kwargs)
        if self._is_dependent(given["attn_mask"]):
            raise self._unsupported(name, "whose mask is an activation")
        if given["dropout_p"]:
            raise self._unsupported(name, "with dropout")
        out = dot_product_attention(
            given.pop("query"), given.pop("key"), given.pop("value"), self.rules.through_attention, **given
        )
        self._mark(name, out)
        return out

    def _multi_head_attention(
        self, name: str, func: Any, args: Arguments, kwargs: Options, dependent: list[Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        given = _bound(F.multi_head_attention_forward, args, kwargs)
        inputs = [given[key] for key in ("query", "key", "value")]
        if not all(any(tensor is value for value in inputs) for tensor in dependent):
            raise self._unsupported(name, "whose weights or masks are activations")
        try:
            out, weights = multi_head_attention(given, self.rules)
        except NotImplementedError as error:
            raise self._unsupported(name, str(error)) from None
        self._mark(name, out)
        if weights is not None:
            self._roles[weights] = _OPAQUE
        return out, weights

    # Activations that are modules.

    def _before_activation(self, child: nn.Module, args: Arguments) -> None:
        if not self._inside and not (len(args) == 1 and isinstance(args[0], Tensor)):
            raise self._unsupported(type(child).__name__, "of several arguments")
        self._inside += 1

    def _after_activation(self, child: nn.Module, args: Arguments, out: Any) -> Any:
        x = args[0]
        try:
            if self._inside > 1 or not self._depends(x):
                return None
            if self._roles[x] not in (_ORDINARY, _GATE) or not isinstance(out, Tensor) or out.shape != x.shape:
                raise self._unsupported(type(child).__name__)
            return self._identity(type(child).__name__, child.forward, x, out)
        finally:
            self._inside -= 1

    def _is_dependent(self, value: object) -> bool:
        return isinstance(value, Tensor) and self._depends(value)


def _bound(function: Callable[..., Any], args: Arguments, kwargs: Options) -> Options:
    """The arguments of a call by name, defaults included."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def _dot_product_signature(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> None:
    """The arguments of ``F.scaled_dot_product_attention``, which is not written in Python."""


def _addmm(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x @ weight if bias is None else torch.addmm(bias, x, weight)
