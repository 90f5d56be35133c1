"""Checks a model at a few examples, once for each content: what was found lies in the store."""

from __future__ import annotations

from dataclasses import dataclass

from xaiexp.core.keys import ModelCheckKey
from xaiexp.engine.checks.slopes import check_gradients, check_repeatable, checked_rows
from xaiexp.engine.maps import reasons_from, reasons_to
from xaiexp.errors import MismatchError
from xaiexp.inference.passes import Handle
from xaiexp.store.objects import Store

__all__ = ["ModelCheck", "checked_model", "recalled"]

_NO_GRADIENT = "methods that need no gradients remain right, such as occlusion, feature_ablation or kernel_shap"
_UNSTABLE = "put every part of the model in eval mode, and take nothing from the other rows of a batch"


@dataclass(frozen=True)
class ModelCheck:
    """What the checks found; a text is empty where nothing is wrong.

    Args:
        unstable: why the scores of an example are not determined by it.
        gradients: why gradients do not mean anything.
    """

    unstable: str = ""
    gradients: str = ""

    @property
    def no_gradients(self) -> str:
        """Why methods that need gradients cannot be used, and what can; empty where they can."""
        if not self.gradients:
            return ""
        return f"the model cannot be explained by gradients, {self.gradients}; {_NO_GRADIENT}"

    def refuse_unstable(self) -> None:
        """Refuse a model whose scores are not determined by the input.

        Raises:
            MismatchError: they are not.
        """
        if self.unstable:
            raise MismatchError("model", self.unstable, hint=_UNSTABLE)

    def refuse_gradients(self) -> None:
        """Refuse to explain by gradients that do not mean anything.

        Raises:
            MismatchError: they do not.
        """
        if self.gradients:
            raise MismatchError("model", f"cannot be explained by gradients, {self.gradients}", hint=_NO_GRADIENT)


def checked_model(handle: Handle, gradients: bool) -> ModelCheck:
    """Check the model at a few examples of a batch.

    Args:
        handle: the batch; counts the passes.
        gradients: whether gradients are to be checked, too.
    """
    rows = checked_rows(handle.batch)
    unstable = check_repeatable(handle, rows)
    return ModelCheck(unstable, check_gradients(handle, rows) if gradients and not unstable else "")


def recalled(store: Store, key: ModelCheckKey, handle: Handle, gradients: bool) -> ModelCheck:
    """As :func:`checked_model`, from the store where it has it."""
    found = store.get(key.digest, "reasons")
    if found is not None:
        reasons = reasons_from(found["reasons"])
        return ModelCheck(reasons[0], reasons[1])
    check = checked_model(handle, gradients)
    store.put(key.digest, {"reasons": reasons_to({0: check.unstable, 1: check.gradients})}, "model checks")
    return check
