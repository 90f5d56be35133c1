"""Where an archive lies: a folder, or the artifacts of a run of MLflow."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from xaiexp.errors import ResourceError, without_passwords
from xaiexp.store.files import ensure_writable, write_atomically

__all__ = ["FolderPlace", "MlflowPlace", "Place", "place_of"]

EXPERIMENT = "xaiexp-archive"
TAG = "xaiexp.archive"


class Place(Protocol):
    """Files by name, such as ``entries/v1.json``. A file is written once and never changed."""

    where: str
    """The place, for messages; without passwords."""

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted."""

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""

    def read(self, name: str) -> bytes:
        """Its content."""

    def write(self, name: str, content: bytes) -> None:
        """Add a file."""


def place_of(text: str, create: bool) -> Place:
    """The place that a command line names: a folder, or ``URI[#NAME]`` of a tracking server or database of MLflow.

    Args:
        text: as ``archive``, ``http://127.0.0.1:5000#credit`` or ``sqlite:///outputs/mlflow.db``.
        create: whether it is made where it does not exist.

    Raises:
        ResourceError: there is no archive, or it cannot be written.
    """
    if "://" in text:
        uri, _, name = text.partition("#")
        return MlflowPlace(uri, name or "archive", create)
    return FolderPlace(Path(text), create)


class FolderPlace:
    """An archive in a folder."""

    def __init__(self, folder: Path, create: bool) -> None:
        self.where, self._folder = str(folder), folder
        if create:
            known = folder / "entries"
            if folder.is_dir() and any(folder.iterdir()) and not known.is_dir():
                raise ResourceError("archive --to", "contains files, and no archive", got=str(folder))
            ensure_writable(folder, "archive --to")
        elif not (folder / "entries").is_dir():
            hint = "xaiexp archive add DIR --to FOLDER makes one"
            raise ResourceError("archive", "contains no archive", got=str(folder), hint=hint)

    def names(self, folder: str) -> list[str]:
        """As :meth:`Place.names`."""
        return sorted(f"{folder}/{file.name}" for file in (self._folder / folder).glob("*") if file.is_file())

    def has(self, name: str) -> bool:
        """As :meth:`Place.has`."""
        return (self._folder / name).is_file()

    def read(self, name: str) -> bytes:
        """As :meth:`Place.read`.

        Raises:
            ResourceError: the file cannot be read.
        """
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise ResourceError(f"{self.where}/{name}", f"cannot be read ({error.strerror})") from None

    def write(self, name: str, content: bytes) -> None:
        """As :meth:`Place.write`."""
        write_atomically(self._folder / name, content)


class MlflowPlace:
    """An archive in the artifacts of a run of MLflow, of the experiment :data:`EXPERIMENT`.

    Args:
        uri: of the tracking server or database.
        name: of the archive.
        create: whether experiment and run are made where they do not exist.
    """

    def __init__(self, uri: str, name: str, create: bool) -> None:
        self.where = f"{without_passwords(uri)}#{name}"
        if not create and uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
            raise self._missing()  # MLflow would make the database
        from mlflow import MlflowClient

        try:
            self._client = MlflowClient(tracking_uri=uri)
            self._uri, self._run = uri, self._run_of(name, create)
        except ResourceError:
            raise
        except Exception as error:  # of MLflow, SQLAlchemy or the network
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> ResourceError:
        line = without_passwords((str(error).splitlines() or [type(error).__name__])[0])[:200]
        return ResourceError("archive", f"MLflow does not answer ({line})", got=self.where)

    def _missing(self) -> ResourceError:
        hint = "xaiexp archive add DIR --to URI#NAME makes one"
        return ResourceError("archive", "has no archive of this name", got=self.where, hint=hint)

    def _run_of(self, name: str, create: bool) -> str:
        client = self._client
        experiment = client.get_experiment_by_name(EXPERIMENT)
        found: Any = []
        if experiment is not None:
            quoted = name.replace("'", "")
            found = client.search_runs([experiment.experiment_id], f"tags.`{TAG}` = '{quoted}'")
        if found:
            return str(found[0].info.run_id)
        if not create:
            raise self._missing()
        number = client.create_experiment(EXPERIMENT) if experiment is None else experiment.experiment_id
        run = client.create_run(number, tags={TAG: name.replace("'", "")}, run_name=f"archive {name}")
        client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def names(self, folder: str) -> list[str]:
        """As :meth:`Place.names`."""
        try:
            return sorted(f.path for f in self._client.list_artifacts(self._run, folder) if not f.is_dir)
        except Exception as error:  # as above
            raise self._failed(error) from None

    def has(self, name: str) -> bool:
        """As :meth:`Place.has`."""
        return name in self.names(str(PurePosixPath(name).parent))

    def read(self, name: str) -> bytes:
        """As :meth:`Place.read`.

        Raises:
            ResourceError: MLflow does not have it, or does not answer.
        """
        try:
            with tempfile.TemporaryDirectory() as folder:
                return Path(self._client.download_artifacts(self._run, name, folder)).read_bytes()
        except Exception as error:  # as above
            raise self._failed(error) from None

    def write(self, name: str, content: bytes) -> None:
        """As :meth:`Place.write`."""
        place = PurePosixPath(name)
        try:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / place.name
                file.write_bytes(content)
                self._client.log_artifact(self._run, str(file), str(place.parent))
        except Exception as error:  # as above
            raise self._failed(error) from None
