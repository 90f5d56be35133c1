"""Language models and their tokenizers from files: safetensors, GGUF, or the Hugging Face hub.

Importing this module imports no torch.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xaiexp.builtin.models.checkpoints import WHERE, Checkpoint, read_settings
from xaiexp.errors import MismatchError, ResourceError

__all__ = ["LanguageFiles"]

_GGUF = ".gguf"
_CLASSES = {
    "causal": ("AutoModelForCausalLM", "MODEL_FOR_CAUSAL_LM_MAPPING", "a decoder-only language model", "seq2seq_lm"),
    "seq2seq": (
        "AutoModelForSeq2SeqLM",
        "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
        "a language model with encoder and decoder",
        "causal_lm",
    ),
}
_BYTES = {"float32": 4, "bfloat16": 2}
_ACTIVATIONS = 1.5  # of the weights: what a pass needs beside them, at the least


@dataclass(frozen=True)
class LanguageFiles:
    """Where a language model lies.

    Args:
        path: a folder, a GGUF file or the id of a model on the hub.
        architecture: ``causal`` or ``seq2seq``.
        dtype: of the weights.
        device_map: how transformers places the layers: ``auto`` on all GPUs; None on the CPU.
    """

    path: str
    architecture: str
    dtype: str = "float32"
    device_map: str | None = None

    def fingerprint(self) -> str:
        """Sizes and modification times of the files; empty for a model on the hub."""
        folder, file = self._parts()
        if not file:
            return Checkpoint(folder).fingerprint()
        stat = (Path(folder) / file).stat()
        return f"{file} {stat.st_size} {stat.st_mtime_ns}"

    def load(self) -> tuple[Any, Any]:
        """The model in eval mode, on the CPU or where ``device_map`` puts it, and its tokenizer.

        Raises:
            ResourceError, MismatchError: as :meth:`xaiexp.builtin.models.causal.causal_lm.CausalLm.load`.
        """
        import transformers

        folder, file = self._parts()
        kind, mapping, described, other = _CLASSES[self.architecture]
        checkpoint, options = Checkpoint(folder), {}
        if self.device_map is not None:
            _require_accelerate(self.device_map)
        if file:
            _require_gguf(self.path)
            options = {"gguf_file": file}
        config = checkpoint.read("AutoConfig", **options)
        if type(config) not in getattr(transformers, mapping) or self._encodes(config) != (
            self.architecture == "seq2seq"
        ):
            raise MismatchError(
                WHERE,
                f"{self.path} is not {described}: its type is {config.model_type!r}",
                got=", ".join(config.architectures or []) or None,
                hint=f"model={other}" if self._fits_other(config) else "model=transformers explains classifiers",
            )
        self._check_memory(folder, file)
        from torch import nn

        tokenizer = checkpoint.read("AutoTokenizer", **options)
        if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
            raise ResourceError(WHERE, f"{self.path} has no readable tokenizer: no vocabulary")
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar that nothing turns off
            placing = {} if self.device_map is None else {"device_map": self.device_map}
            model, loading = checkpoint.read(kind, dtype=self.dtype, output_loading_info=True, **placing, **options)
        missing = sorted(loading["missing_keys"])
        if missing:
            raise MismatchError(WHERE, f"{self.path} is not {described}: its weights lack {', '.join(missing[:3])}")
        self._check_placement(model)
        table = model.get_input_embeddings()
        if not isinstance(table, nn.Embedding):
            raise MismatchError(WHERE, f"{type(model).__name__} has no table of token embeddings", got=self.path)
        if len(tokenizer) > table.weight.shape[0]:
            size = table.weight.shape[0]
            raise MismatchError(WHERE, f"the tokenizer has {len(tokenizer)} tokens and the model {size}", got=self.path)
        return model.eval(), tokenizer

    @staticmethod
    def positions(model: Any) -> int:
        """The largest number of tokens that the model has positions for; large where it has no limit."""
        config = model.config.get_text_config()
        stated = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
        return int(stated) if isinstance(stated, int) and stated > 0 else 1 << 30

    @staticmethod
    def _encodes(config: Any) -> bool:
        return bool(getattr(config, "is_encoder_decoder", False))

    def _fits_other(self, config: Any) -> bool:
        import transformers

        other = "causal" if self.architecture == "seq2seq" else "seq2seq"
        return type(config) in getattr(transformers, _CLASSES[other][1])

    def _parts(self) -> tuple[str, str]:
        """Folder or hub id, and the name of a GGUF file in it; empty for none."""
        path = Path(self.path).expanduser()
        if path.suffix == _GGUF:
            if not path.is_file():
                raise ResourceError(WHERE, "no such file", got=self.path)
            return str(path.parent), path.name
        if not self.path or not path.is_dir() or read_settings(self.path, "config.json"):
            return self.path, ""
        found = sorted(file.name for file in path.glob(f"*{_GGUF}"))
        if len(found) > 1:
            raise ResourceError(
                WHERE, f"has {len(found)} GGUF files", got=self.path, hint=f"name one: {path / found[0]}"
            )
        return str(path), found[0] if found else ""

    def _check_placement(self, model: Any) -> None:
        """Refuse a model of which a part has no place on the devices: it would be loaded anew in each pass."""
        outside = sum(parameter.is_meta for parameter in model.parameters())
        if outside:
            raise ResourceError(
                "model.device_map",
                f"{self.path} does not fit on the devices here: {outside} of its parameters would stay outside of them",
                got=self.device_map,
                hint="use a smaller model"
                + ("; model.dtype=bfloat16 halves its memory" if self.dtype == "float32" else ""),
            )

    def _check_memory(self, folder: str, file: str) -> None:
        """Refuse a model that does not fit, before its weights are read."""
        parameters = self._parameters(folder, file)
        available = _available_memory() if self.device_map is None else _memory_of_devices()
        needed = int(parameters * _BYTES[self.dtype] * _ACTIVATIONS)
        if parameters and available is not None and needed > available:
            smaller = "; model.dtype=bfloat16 halves it" if self.dtype == "float32" else ""
            raise ResourceError(
                WHERE,
                f"{self.path} has {parameters / 1e9:.2g} billion parameters and needs about {needed / 2**30:.1f} GiB "
                f"in {self.dtype}; {available / 2**30:.1f} GiB are free",
                got=self.path,
                hint=f"use a smaller model or a larger machine{smaller}",
            )

    def _parameters(self, folder: str, file: str) -> int:
        """The number of parameters, from the headers of the files; 0 where these are not on this machine."""
        place = Path(folder).expanduser()
        if file:
            from gguf import GGUFReader

            return sum(int(tensor.n_elements) for tensor in GGUFReader(str(place / file)).tensors)
        if not place.is_dir():
            return 0
        from safetensors import SafetensorError, safe_open

        count = 0
        for each in place.glob("*.safetensors"):
            try:
                with safe_open(str(each), "numpy") as content:
                    for name in content.keys():  # noqa: SIM118  # no mapping
                        size = 1
                        for side in content.get_slice(name).get_shape():
                            size *= side
                        count += size
            except (SafetensorError, OSError):
                return 0
        return count


def _require_gguf(path: str) -> None:
    """Raise unless the packages that read GGUF files are installed."""
    lacking = [name for name in ("gguf", "accelerate") if importlib.util.find_spec(name) is None]
    if lacking:
        raise ResourceError(
            WHERE,
            f"{path} is a GGUF file, and reading it needs {' and '.join(lacking)}",
            hint="pip install 'xaiexp[gguf]'",
        )


def _require_accelerate(device_map: str) -> None:
    """Raise unless the package that places the layers of a model is installed."""
    if importlib.util.find_spec("accelerate") is None:
        raise ResourceError(
            "model.device_map",
            "the package that places the layers is missing: accelerate",
            got=device_map,
            hint="pip install accelerate, or leave device_map out",
        )


def _memory_of_devices() -> int | None:
    """Bytes of memory that are free on all GPUs together; that of the machine where there are none."""
    import torch

    if not torch.cuda.is_available():
        return _available_memory()
    return sum(torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count()))


def _available_memory() -> int | None:
    """Bytes of memory that are free, as the operating system says; None where it does not."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = next((line for line in lines if line.startswith("MemAvailable:")), "")
    return int(free.split()[1]) * 1024 if free else None
