"""The model ``mlflow``: a network of MLflow's model registry."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from xaiexp.builtin.models.factory import Factory
from xaiexp.contract.kinds import Model
from xaiexp.core.parameters import Range
from xaiexp.core.samples import LoadContext, Network
from xaiexp.core.vocabulary import Modality, Task
from xaiexp.errors import MismatchError, ParameterError, ResourceError, without_passwords

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Mlflow"]

_EXPORT = "log it again: mlflow.pytorch.log_model(..., input_example=TWO_ROWS, serialization_format='pt2')"


@dataclass(frozen=True, kw_only=True)  # otherwise the field `modality`, declared by Model, would have to come first
class Mlflow(Model):
    """A network of MLflow's model registry, or of a run, that was logged by ``mlflow.pytorch`` in the format ``pt2``.

    ``pt2``, MLflow's default, is the graph of ``torch.export`` with its weights. A pickled model, or one that brings
    code, is refused, because loading it can run any code. A graph has no layers that methods could read.

    A network for images gets images ``[N, C, H, W]`` of the dataset's size, in 0..1 before the normalisation.

    Args:
        uri: ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``, ``models:/MODEL_ID`` or ``runs:/RUN/PATH``.
        registry: address of the MLflow server or database that has it, without a password; by default the store of this
            project.
        modality: kind of the inputs.
        classes: number of outputs, if known.
        mean, std: normalisation of the inputs, equally many numbers: one, or one per channel (column). Of images, in
            0..1; ``mean=[0] std=[1]`` for no normalisation. Of tables and series empty for none.
        channels: channels of images; null keeps those of the dataset (three for pictures in colour).
        task: what the numbers are that the network returns; null where the data or the numbers tell it.
    """

    summary = "a network of MLflow's model registry, exported by torch.export (format pt2)"
    source = "the user's own"
    offers = frozenset({"gradients"})

    uri: str
    registry: str = "sqlite:///outputs/mlflow.db"
    modality: Modality = "image"
    classes: Annotated[int, Range(1)] | None = None
    mean: tuple[float, ...] = ()
    std: Annotated[tuple[float, ...], Range(0, exclusive=True)] = ()
    channels: Annotated[int, Range(1)] | None = None
    task: Task | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.uri.startswith(("models:/", "runs:/")):
            hint = "models:/NAME/VERSION, models:/NAME@ALIAS or runs:/RUN/PATH"
            raise ParameterError("model.uri", "names no model of MLflow", got=self.uri, hint=hint)
        if without_passwords(self.registry) != self.registry:
            raise ParameterError("model.registry", "has a password, which would be written into the record")

    def fingerprint(self) -> str:
        """The address; what an alias names is known only once it is loaded, and the weights are part of all keys."""
        return self.uri

    def load(self, context: LoadContext) -> Network:
        """The network.

        Raises:
            ResourceError: the registry does not answer, or has no such model.
            MismatchError: it is not in the format ``pt2``, or takes batches of one size only.
            ParameterError: the normalisation of images is missing or does not fit the network.
        """
        with tempfile.TemporaryDirectory() as folder:
            path, version = self._downloaded(Path(folder))
            module = self._graph(path)
        fields = {name: getattr(self, name) for name in ("modality", "classes", "mean", "std", "channels", "task")}
        network = Factory(target=self.uri, **fields).wrapped(module)
        return replace(network, identity=f"mlflow {self.uri}", facts={**network.facts, **version})

    def _downloaded(self, folder: Path) -> tuple[Path, dict[str, object]]:
        """The files of the model, and which version it is."""
        # A bar for files that are copied from the disk; MLflow reads it when it copies.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        from mlflow import MlflowClient
        from mlflow.artifacts import download_artifacts

        address = self.registry
        _reach(address)
        version: dict[str, object] = {"weights": self.uri}
        try:
            client = MlflowClient(tracking_uri=address, registry_uri=address)
            named, found = self.uri, self._version(client)
            if found is not None:
                version["registered_model"] = f"models:/{found.name}/{found.version}"
                version["model_run"] = found.run_id
                named = client.get_model_version_download_uri(found.name, found.version)
            if named.startswith("models:/"):  # a logged model; MLflow would look for it in a store of its own choice
                named = client.get_logged_model(named.removeprefix("models:/")).artifact_location
            path = download_artifacts(artifact_uri=named, dst_path=str(folder), tracking_uri=address)
        except Exception as error:  # of MLflow, SQLAlchemy or the network
            line = without_passwords((str(error).splitlines() or [""])[0])[:200]
            hint = "model.registry=ADDRESS of the MLflow server or database that has it"
            raise ResourceError("model.uri", f"cannot be had from {address}: {line}", got=self.uri, hint=hint) from None
        return Path(path), version

    def _version(self, client: Any) -> Any:
        """The registered version that the address names; None for a run or a logged model."""
        name, _, version = self.uri.removeprefix("models:/").partition("/")
        if not self.uri.startswith("models:/"):
            return None
        if "@" in name:
            return client.get_model_version_by_alias(*name.split("@", 1))
        return client.get_model_version(name, version) if version else None

    def _graph(self, path: Path) -> nn.Module:
        """The network of the files."""
        from mlflow.models import Model as Logged

        try:
            flavors: Mapping[str, Any] = Logged.load(str(path)).flavors
        except Exception as broken:  # a file that MLflow cannot read may raise anything
            raise ResourceError("model.uri", f"is no logged model ({broken})", got=self.uri) from None
        flavor = flavors.get("pytorch")
        if flavor is None:
            others = ", ".join(name for name in flavors if name != "python_function") or "none that is known"
            hints = {
                "transformers": "download it, then: model=transformers model.path=FOLDER/model",
                "onnx": "download it, then with the plugin xaiexp-onnx: model=onnx model.path=FOLDER/model.onnx",
                "sklearn": "download it, then with the plugin xaiexp-sklearn: model=sklearn",
            }
            hint = next((hints[name] for name in flavors if name in hints), "")
            raise MismatchError("model.uri", f"is a model of {others}, not of pytorch", got=self.uri, hint=hint)
        if flavor.get("code"):
            raise MismatchError("model.uri", "brings code, which is not run", got=self.uri, hint=_EXPORT)
        file = path / str(flavor.get("model_data", "data")) / "model.pt2"
        if not file.is_file():
            raise MismatchError("model.uri", "is pickled, and loading it can run any code", got=self.uri, hint=_EXPORT)
        return _exported(file, self.uri)


def _reach(address: str) -> None:
    """Raise ResourceError where the database is missing, which MLflow would create, or the server does not answer."""
    from urllib.parse import urlsplit

    if address.startswith("sqlite:///"):
        file = Path(address.removeprefix("sqlite:///"))
        if not file.is_file():
            raise ResourceError(
                "model.registry", "no such database", got=address, hint="an address, as http://HOST:5000"
            )
    elif address.startswith(("http://", "https://")):
        parts = urlsplit(address)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            socket.create_connection((parts.hostname or "", port), timeout=10).close()
        except (OSError, ValueError) as away:  # MLflow itself would try for minutes
            raise ResourceError("model.registry", f"does not answer: {away}", got=address) from None


def _exported(file: Path, uri: str) -> nn.Module:
    """The network of an archive of ``torch.export``, which is searched for pickles first."""
    import torch
    from mlflow.exceptions import MlflowException
    from mlflow.pytorch import _validate_pt2_archive_is_pickle_free

    from xaiexp.builtin.models.registered.exported import Exported, takes_any_batch

    try:
        _validate_pt2_archive_is_pickle_free(str(file))
    except MlflowException as refused:
        raise MismatchError("model.uri", str(refused).splitlines()[0], got=uri, hint=_EXPORT) from None
    try:
        program = torch.export.load(file)
        module = Exported(program.module())
    except Exception as broken:  # a damaged archive, or one of another version of torch
        line = (str(broken).splitlines() or [""])[0]
        raise ResourceError("model.uri", f"cannot be read by torch {torch.__version__}: {line}", got=uri) from None
    if not takes_any_batch(program):
        raise MismatchError("model.uri", "was exported for batches of one size", got=uri, hint=_EXPORT)
    return module
