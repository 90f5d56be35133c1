"""Sequence classifiers of transformers, from a local folder or the hub."""

from __future__ import annotations

import contextlib
import logging
import socket
import urllib.request
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlparse

from xaiexp.contract import Model
from xaiexp.errors import MismatchError, ResourceError
from xaiexp.parameters import Range
from xaiexp.types import LoadContext, Network

__all__ = ["Transformers"]

_WHERE = "model.path"


@dataclass(frozen=True)
class Transformers(Model):
    """A sequence classifier of transformers over token embeddings ``[N, T, D]``.

    The tokenizer's texts become word embeddings once; gradients, paths and perturbations live there. No code
    from the model's repository is run, and no pickle is executed.

    Args:
        path: a local folder with the model and its tokenizer, or the id of a model on the hub. Of the latter the
            copy in the local cache is used where there is one.
        max_length: texts are cut after so many tokens, special ones included; never more than the model takes.
    """

    summary = "a text classifier of transformers, from a local folder or the hub"
    source = "Wolf et al. 2020 (transformers); gradients by embeddings as in Sundararajan et al. 2017, section 6.5"
    modality = "text"
    offers = frozenset({"gradients", "modules"})

    path: str
    max_length: Annotated[int, Range(3)] = 128

    def fingerprint(self) -> str:
        """Sizes and times of the files of a local folder; of a model on the hub only its name is known."""
        folder = Path(self.path).expanduser()
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        told = [f"{f.name} {f.stat().st_size} {f.stat().st_mtime_ns}" for f in files if f.is_file()]
        return "; ".join(told)

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            ResourceError: no such folder, files that are missing or damaged, a hub that cannot be reached.
            MismatchError: no sequence classifier, or one that cannot be driven by embeddings.
        """
        from xaiexp.builtin.models.embeddings import FromEmbeddings, Reader, check_faithful
        from xaiexp.builtin.models.randomness import own_randomness

        with _quiet(), own_randomness(0):
            place, cached = self._place()
            config = self._read("AutoConfig", place, cached)
            model = self._model(place, cached, config)
            tokenizer = self._tokenizer(place, cached, model)
        longest = min(
            self.max_length, int(tokenizer.model_max_length), int(getattr(config, "max_position_embeddings", 1 << 30))
        )
        reader = Reader(tokenizer, model, longest)
        module = FromEmbeddings(model).float().eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        with _quiet():
            check_faithful(_WHERE, reader, module)
        names = tuple(str(config.id2label.get(i, i)) for i in range(config.num_labels))
        return Network(
            module,
            reader.encode,
            self.modality,
            classes=config.num_labels,
            class_names=() if all(name.startswith("LABEL_") for name in names) else names,
            special=reader.special(),
            identity=reader.identity(),
            facts={"weights": self.path, "architecture": type(model).__name__, "max_length": longest},
        )

    def _place(self) -> tuple[str, bool]:
        """The folder or hub id, and whether everything is on this machine already."""
        folder = Path(self.path).expanduser()
        if folder.is_dir():
            return str(folder), True
        parts = self.path.split("/")
        if not self.path or len(parts) > 2 or self.path[0] in "./~" or self.path.endswith("/"):
            raise ResourceError(_WHERE, "no such folder", got=self.path)
        with contextlib.suppress(OSError, ValueError):
            from transformers import AutoConfig

            AutoConfig.from_pretrained(self.path, local_files_only=True, trust_remote_code=False)
            return self.path, True
        reason = _unreachable()
        if reason:
            raise ResourceError(
                _WHERE,
                f"no such folder, not in the local cache of the hub, and {reason}",
                got=self.path,
                hint="give a local folder with the model and its tokenizer",
            )
        return self.path, False

    def _read(self, kind: str, place: str, cached: bool, **options: Any) -> Any:
        """Call ``from_pretrained`` of one of transformers' automatic classes; its errors in one clause."""
        import transformers

        what = {"AutoConfig": "configuration", "AutoTokenizer": "tokenizer"}.get(kind, "model")
        try:
            return getattr(transformers, kind).from_pretrained(
                place, local_files_only=cached, trust_remote_code=False, **options
            )
        except Exception as broken:  # of transformers, the hub, safetensors, torch: whatever is wrong with the files
            lines = [line.strip() for line in str(broken).splitlines() if line.strip()]
            reason = lines[0][:200] if lines else type(broken).__name__
            raise ResourceError(
                _WHERE,
                f"{self.path} has no readable {what}: {reason}",
                hint="save it there with save_pretrained" if Path(place).is_dir() else "",
            ) from None

    def _model(self, place: str, cached: bool, config: Any) -> Any:
        from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING as CLASSIFIERS

        wrong = f"{self.path} is no sequence classifier"
        if type(config) not in CLASSIFIERS:
            raise MismatchError(_WHERE, f"{wrong}: its type is {config.model_type!r}")
        model, told = self._read(
            "AutoModelForSequenceClassification",
            place,
            cached,
            config=config,
            attn_implementation="eager",
            dtype="float32",
            output_loading_info=True,
        )
        missing = sorted(told["missing_keys"])
        if missing:
            raise MismatchError(
                _WHERE,
                f"{wrong}: its weights lack {', '.join(missing[:3])}",
                got=", ".join(config.architectures or []) or None,
                hint="fine-tune it for classification first",
            )
        return model

    def _tokenizer(self, place: str, cached: bool, model: Any) -> Any:
        tokenizer = self._read("AutoTokenizer", place, cached)
        # Without a vocabulary transformers makes an empty tokenizer instead of an error.
        if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
            raise ResourceError(
                _WHERE,
                f"{self.path} has no readable tokenizer: no vocabulary",
                hint="save it there with save_pretrained",
            )
        size = model.get_input_embeddings().weight.shape[0]
        if len(tokenizer) > size:
            raise MismatchError(_WHERE, f"the tokenizer knows {len(tokenizer)} tokens, the model {size}", got=self.path)
        if tokenizer.pad_token_id is None:
            raise MismatchError(
                _WHERE, "the tokenizer has no padding token, so texts cannot share a batch", got=self.path
            )
        return tokenizer


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
def _quiet() -> Iterator[None]:
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
