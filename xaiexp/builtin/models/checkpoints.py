"""Models saved by transformers: a local folder, or a repository of the hub. No remote code, no pickles."""

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

from xaiexp.errors import MismatchError, ResourceError

__all__ = ["WHERE", "Checkpoint", "quiet", "settings_in"]

WHERE = "model.path"

_WHAT = {"AutoConfig": "configuration", "AutoTokenizer": "tokenizer", "AutoImageProcessor": "preprocessing"}


def settings_in(path: str, name: str) -> Mapping[str, Any]:
    """A JSON file of a model, without importing transformers or torch; empty where it cannot be read.

    Args:
        path: a local folder, or the id of a model on the hub, of which the copy in the local cache is read.
        name: of the file, ``config.json``.
    """
    folder = Path(path).expanduser()
    place: object = folder / name if path else None
    if path and not folder.is_dir():
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            place = try_to_load_from_cache(path, name)
        except HFValidationError:  # no id of a repository
            return {}
    if not isinstance(place, str | Path):
        return {}
    try:
        found = json.loads(Path(place).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Checkpoint:
    """Where a model lies, and how to read its parts; use inside :func:`quiet`.

    Args:
        path: a local folder, or the id of a model on the hub. Of the latter the copy in the local cache is used
            where there is one.
    """

    path: str

    @cached_property
    def place(self) -> tuple[str, bool]:
        """The folder or hub id, and whether everything is on this machine already.

        Raises:
            ResourceError: no such folder, a hub that cannot be reached.
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
                f"no such folder, not in the local cache of the hub, and {reason}",
                got=self.path,
                hint="give a local folder with the model and its tokenizer or preprocessing",
            )
        return self.path, False

    def read(self, kind: str, **options: Any) -> Any:
        """Call ``from_pretrained`` of one of transformers' automatic classes.

        Raises:
            ResourceError: whatever it raised, in one clause.
        """
        import transformers

        place, cached = self.place
        try:
            return getattr(transformers, kind).from_pretrained(
                place, local_files_only=cached, trust_remote_code=False, **options
            )
        except Exception as broken:  # of transformers, the hub, safetensors, torch: whatever is wrong with the files
            lines = [line.strip() for line in str(broken).splitlines() if line.strip()]
            reason = lines[0][:200] if lines else type(broken).__name__
            raise ResourceError(
                WHERE,
                f"{self.path} has no readable {_WHAT.get(kind, 'model')}: {reason}",
                hint="save it there with save_pretrained" if Path(place).is_dir() else "",
            ) from None

    def classifier(self, kind: str, config: Any, known: Any, what: str) -> Any:
        """The model with all its weights, float32, with torch's fused attention where it has one.

        Args:
            kind: transformers' automatic class.
            config: of the model.
            known: the types of configuration that the class takes.
            what: it is called in a message.

        Raises:
            ResourceError: files that are missing or damaged.
            MismatchError: another kind of model, or a part of the weights alone.
        """
        wrong = f"{self.path} is no {what}"
        if type(config) not in known:
            raise MismatchError(WHERE, f"{wrong}: its type is {config.model_type!r}")
        model, told = self.read(kind, config=config, dtype="float32", output_loading_info=True)
        missing = sorted(told["missing_keys"])
        if missing:
            raise MismatchError(
                WHERE,
                f"{wrong}: its weights lack {', '.join(missing[:3])}",
                got=", ".join(config.architectures or []) or None,
                hint="fine-tune it for classification first",
            )
        return model

    def fingerprint(self) -> str:
        """Sizes and times of the files of a local folder; of a model on the hub only its name is known."""
        folder = Path(self.path).expanduser()
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        told = [f"{f.name} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files if f.is_file()]
        return "; ".join(told)


def _unreachable() -> str:
    """Why the hub cannot be reached; empty where it can. Its own client would try for half a minute."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    address = urlparse(constants.ENDPOINT)
    host = address.hostname or ""
    if urllib.request.getproxies():
        return ""  # the proxy knows
    try:
        socket.create_connection((host, address.port or (80 if address.scheme == "http" else 443)), timeout=5).close()
    except OSError as broken:
        return f"{host} cannot be reached ({broken})"
    return ""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, reports and warnings of transformers and the hub; as before afterwards."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging as own

    hub = logging.getLogger("huggingface_hub")
    bars, hub_bars = own.is_progress_bar_enabled(), not are_progress_bars_disabled()
    level, hub_level = own.get_verbosity(), hub.level
    own.disable_progress_bar()
    disable_progress_bars()
    own.set_verbosity_error()
    hub.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        own.set_verbosity(level)
        hub.setLevel(hub_level)
        if hub_bars:
            enable_progress_bars()
        if bars:
            own.enable_progress_bar()
