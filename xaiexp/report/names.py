"""Models and data sets as people call them: ``mobilenet_v2`` on ``photos``, not ``torchvision`` on ``image_folder``."""

from __future__ import annotations

from pathlib import PurePosixPath

from xaiexp.core.record import ComponentFacts

__all__ = ["shown_name"]

_ARCHITECTURES = ("arch", "architecture")
_PLACES = ("path", "root", "uri", "weights", "file")
_ENDINGS = {
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".npz",
    ".npy",
    ".parquet",
    ".txt",
    ".pth",
    ".pt",
    ".onnx",
    ".safetensors",
}


def shown_name(facts: ComponentFacts, label: str) -> str:
    """The architecture of a model, or the last part of the path that a component reads; otherwise its own name.

    Args:
        facts: of the component, with its parameters.
        label: its name.

    >>> shown_name(ComponentFacts("torchvision", parameters={"arch": "resnet18", "weights": "a/b.pth"}), "torchvision")
    'resnet18'
    >>> shown_name(ComponentFacts("csv", parameters={"path": "data/titanic.csv"}), "csv")
    'titanic'
    """
    for name in _ARCHITECTURES:
        if isinstance(value := facts.parameters.get(name), str) and value:
            return value
    for name in _PLACES:
        value = facts.parameters.get(name)
        if isinstance(value, str) and (last := PurePosixPath(value.replace("\\", "/").rstrip("/")).name):
            stem, dot, ending = last.rpartition(".")
            return stem if stem and f"{dot}{ending}".lower() in _ENDINGS else last
    return label
