"""A checkpoint is a folder: `model.safetensors` (weights) and `model.json` (all else). No pickle is loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from seqfer.errors import ModelError, OptionError, one_line
from seqfer.files import sha256_of, write_whole
from seqfer.models.classifier import Architecture, SequenceClassifier

T = TypeVar("T")

FORMAT = 1  # of model.json; raised when an older reader would misread a newer file
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from and how good it is.

    Attributes:
        training: recipe, seed, data with its hash, versions.
        metrics: figures by split, each naming how it was chosen or measured.
    """

    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """A model as loaded from its folder.

    Attributes:
        name: the bundled model's name, or the folder's.
        model: in eval mode, float32, on the CPU.
        sha256: of the weights file.
        provenance: where it comes from.
    """

    name: str
    model: SequenceClassifier
    sha256: str
    provenance: Provenance

    def __repr__(self) -> str:
        return f"Checkpoint({self.name!r}, sha256={self.sha256[:12]}…)"


def save_checkpoint(
    folder: Path, model: SequenceClassifier, provenance: Provenance, dtype: torch.dtype = torch.float32
) -> None:
    """Write a model's folder; what stood there is replaced only when the new files are whole.

    The two files are renamed one right after the other. Should the process be killed in between, loading refuses
    the folder.

    Args:
        folder: made if it is missing.
        model: its weights are stored from whatever device they are on.
        provenance: stored beside them.
        dtype: of the stored floating-point weights; float16 halves the file and costs no measurable accuracy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
    }
    with write_whole(folder / WEIGHTS) as weights, write_whole(folder / DESCRIPTION) as description:
        weights.write_bytes(save(tensors))  # save_file would make a file that only its owner may read
        document = {
            "format": FORMAT,
            "weights_sha256": sha256_of(weights),
            "architecture": asdict(model.architecture),
            **asdict(provenance),
        }
        description.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def load_checkpoint(folder: str | Path, name: str | None = None) -> Checkpoint:
    """Read a model's folder.

    Args:
        folder: holds `model.safetensors` and `model.json`.
        name: how to call the model; the folder's name if not given, with the run's for `best` and `last` of a run.

    Raises:
        ModelError: a file is missing, malformed, or does not fit the other.
    """
    folder = Path(folder)
    description = folder / DESCRIPTION
    digests = digests_of(folder, (DESCRIPTION, WEIGHTS), f"a model folder holds {DESCRIPTION} and {WEIGHTS}")
    document = read_description(folder)
    architecture = _architecture(document, description)
    sha256 = digests[WEIGHTS]
    if sha256 != document.get("weights_sha256"):
        raise ModelError(
            f"{folder / WEIGHTS}: is not the file that {DESCRIPTION} describes (SHA-256 differs); "
            "copy both files again"
        )
    try:
        model = SequenceClassifier(architecture)
    except ModelError as error:
        raise ModelError(f"{folder / DESCRIPTION}: {error}") from error
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (SafetensorError, RuntimeError) as error:
        raise ModelError(f"{folder / WEIGHTS}: does not fit {DESCRIPTION}: {one_line(error)}") from error
    model.eval()
    provenance = validated(Provenance, {key: document.get(key) for key in ("training", "metrics")}, description)
    return Checkpoint(name or _name_of(folder.resolve()), model, sha256, provenance)


def digests_of(folder: Path, files: Sequence[str], whole: str) -> dict[str, str]:
    """SHA-256 of a model folder's files by their names.

    Args:
        folder: of the model.
        files: that must be there.
        whole: what such a folder holds, for the error.

    Raises:
        ModelError: a file is missing or cannot be read.
    """
    try:
        if not folder.is_dir():
            raise ModelError(f"{folder}: no such model folder")
        for file in files:
            if not (folder / file).is_file():
                raise ModelError(f"{folder / file}: missing; {whole}")
        return {file: sha256_of(folder / file) for file in files}
    except OSError as error:
        raise ModelError(f"{error.filename or folder}: cannot be read ({error.strerror})") from error


def read_description(folder: Path) -> dict[str, Any]:
    """The content of a model folder's `model.json`.

    Raises:
        ModelError: it is missing or malformed.
    """
    return read_document(folder / DESCRIPTION, FORMAT)


def read_document(path: Path, form: int) -> dict[str, Any]:
    """The content of a JSON file that names its format.

    Raises:
        ModelError: it is missing, malformed or of another format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path}: is not JSON ({error})") from error
    if not isinstance(document, dict) or document.get("format") != form:
        raise ModelError(f"{path}: is not a model description of format {form}")
    return document


def _name_of(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}" if folder.name in ("best", "last") else folder.name


def _architecture(document: dict[str, Any], path: Path) -> Architecture:
    architecture = validated(Architecture, document.get("architecture"), path, "architecture")
    return replace(
        architecture,
        encoder_settings=with_tuples(architecture.encoder_settings),
        head_settings=with_tuples(architecture.head_settings),
    )


def validated(kind: type[T], value: Any, path: Path, *place: str) -> T:
    """A dataclass from its entries in a description, every key and type checked.

    Args:
        kind: the dataclass.
        value: its entries, as JSON holds them.
        path: of the description, for an error.
        place: keys under which the entries stand there.

    Raises:
        ModelError: a key or a value is not what it should be.
    """
    try:
        # As JSON, whose lists become the dataclasses' tuples even under strict types.
        return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in (*place, *first["loc"]))
        raise ModelError(f"{path}: {where}: {first['msg']}") from error
    except (ModelError, OptionError) as error:
        raise ModelError(f"{path}: {error}") from error


def with_tuples(value: Any) -> Any:
    """JSON's lists as tuples, at any depth: settings of layers hold those."""
    if isinstance(value, dict):
        return {key: with_tuples(entry) for key, entry in value.items()}
    return tuple(with_tuples(entry) for entry in value) if isinstance(value, list) else value
