"""Checkpoints of transformers, in a local folder or on the Hugging Face hub, read without remote code or pickles."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from xaiexp.core.vocabulary import Task
from xaiexp.errors import MismatchError, ResourceError

__all__ = ["WHERE", "Checkpoint", "quiet", "read_settings", "task_of"]

WHERE = "model.path"

_FILE_KINDS = {
    "AutoConfig": "configuration",
    "AutoTokenizer": "tokenizer",
    "PreTrainedTokenizerFast": "tokenizer",
    "AutoImageProcessor": "preprocessing",
}


_TASKS: Mapping[str, Task] = {
    "single_label_classification": "multiclass",
    "multi_label_classification": "multilabel",
    "regression": "regression",
}


def task_of(config: Any) -> Task:
    """The task of a classification head of transformers.

    ``problem_type`` says it; without one, transformers trains a single number as a regression and several as a softmax.
    """
    stated = _TASKS.get(getattr(config, "problem_type", None) or "")
    if stated is None or (stated == "multiclass" and config.num_labels == 1):
        return "regression" if config.num_labels == 1 else "multiclass"
    return stated


def read_settings(path: str, name: str) -> Mapping[str, Any]:
    """The content of a JSON file of a checkpoint, read without transformers or torch; empty if it cannot be read.

    Args:
        path: a local folder, or the id of a model on the hub whose copy in the local cache is read.
        name: of the file, such as ``config.json``.
    """
    folder = Path(path).expanduser()
    file: object = folder / name if path else None
    if path and not folder.is_dir():
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            file = try_to_load_from_cache(path, name)
        except HFValidationError:  # not an id of a repository
            return {}
    if not isinstance(file, str | Path):
        return {}
    try:
        settings = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


@dataclass(frozen=True)
class Checkpoint:
    """The location of a checkpoint, and how to read its parts; to be used within :func:`quiet`.

    Args:
        path: a local folder, or the id of a model on the hub, whose copy in the local cache is preferred.
    """

    path: str

    @cached_property
    def location(self) -> tuple[str, bool]:
        """The folder or hub id, and whether all files are on this machine.

        Raises:
            ResourceError: there is no such folder, or the hub cannot be reached.
        """
        folder = Path(self.path).expanduser()
        if self.path and folder.is_dir():
            return str(folder), True
        parts = self.path.split("/")
        if not self.path or len(parts) > 2 or self.path[0] in "./~" or self.path.endswith("/"):
            raise ResourceError(WHERE, "no such folder", got=self.path)
        with contextlib.suppress(OSError, ValueError):
            from transformers import AutoConfig

            AutoConfig.from_pretrained(self.path, local_files_only=True, trust_remote_code=False)
            return self.path, True
        reason = _unreachable()
        if reason:
            raise ResourceError(
                WHERE,
                f"no such folder, no such model in the local cache of the hub, and {reason}",
                got=self.path,
                hint="give a local folder that contains the model and its tokenizer or preprocessing",
            )
        return self.path, False

    def read(self, kind: str, **options: Any) -> Any:
        """Call ``from_pretrained`` of an auto class of transformers.

        Args:
            kind: name of the auto class, ``AutoConfig``.
            options: keyword arguments for it.

        Raises:
            ResourceError: it raised; the message has the first line of its error.
        """
        import transformers

        location, cached = self.location
        try:
            return getattr(transformers, kind).from_pretrained(
                location, local_files_only=cached, trust_remote_code=False, **options
            )
        except Exception as broken:  # transformers, the hub, safetensors and torch raise errors of many types
            lines = [line.strip() for line in str(broken).splitlines() if line.strip()]
            reason = lines[0][:200] if lines else type(broken).__name__
            raise ResourceError(
                WHERE,
                f"{self.path} has no readable {_FILE_KINDS.get(kind, 'model')}: {reason}",
                hint="save it there with save_pretrained" if Path(location).is_dir() else "",
            ) from None

    def classifier(self, kind: str, config: Any, supported: Any, description: str) -> Any:
        """The classifier with all its weights in float32, with torch's fused attention where the model supports it.

        Args:
            kind: name of the auto class of transformers.
            config: configuration of the model.
            supported: the types of configuration that the class supports.
            description: the kind of classifier, for messages.

        Raises:
            ResourceError: files are missing or damaged.
            MismatchError: the checkpoint is another kind of model, or lacks some of the weights.
        """
        mismatch = f"{self.path} is not {description}"
        if type(config) not in supported:
            raise MismatchError(WHERE, f"{mismatch}: its type is {config.model_type!r}")
        model, loading_info = self.read(kind, config=config, dtype="float32", output_loading_info=True)
        missing = sorted(loading_info["missing_keys"])
        if missing:
            raise MismatchError(
                WHERE,
                f"{mismatch}: its weights lack {', '.join(missing[:3])}",
                got=", ".join(config.architectures or []) or None,
                hint="fine-tune it for classification first",
            )
        return model

    def fingerprint(self) -> str:
        """Sizes and modification times of the files of a local folder; empty for a model on the hub."""
        folder = Path(self.path).expanduser()
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        stamps = [f"{f.name} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files if f.is_file()]
        return "; ".join(stamps)


def _unreachable() -> str:
    """Why the hub cannot be reached; empty if it can. The client of the hub would take half a minute to find out."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    address = urlparse(constants.ENDPOINT)
    host = address.hostname or ""
    if urllib.request.getproxies():
        return ""  # a direct connection says nothing about the proxy
    try:
        socket.create_connection((host, address.port or (80 if address.scheme == "http" else 443)), timeout=5).close()
    except OSError as broken:
        return f"{host} cannot be reached ({broken})"
    return ""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence progress bars, log messages and warnings of transformers and the hub within the block."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging as transformers_logging

    hub = logging.getLogger("huggingface_hub")
    bars, hub_bars = transformers_logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    level, hub_level = transformers_logging.get_verbosity(), hub.level
    transformers_logging.disable_progress_bar()
    disable_progress_bars()
    transformers_logging.set_verbosity_error()
    hub.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(level)
        hub.setLevel(hub_level)
        if hub_bars:
            enable_progress_bars()
        if bars:
            transformers_logging.enable_progress_bar()
