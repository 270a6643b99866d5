"""A fitted forest as a folder: `forest.safetensors`, `encoder.safetensors`, `forest.json`. No pickle is loaded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save as save_arrays
from safetensors.torch import load_file as load_weights
from safetensors.torch import save as save_weights

from seqfer.classic.features import FrozenEncoder, feature_count
from seqfer.classic.forest import Forest
from seqfer.errors import ModelError, one_line
from seqfer.files import sha256_of, write_whole
from seqfer.labels import LabelSet
from seqfer.models.checkpoint import digests_of, read_document, validated, with_tuples
from seqfer.models.encoders import build_encoder
from seqfer.preprocess import Preprocess

FORMAT = 1  # of forest.json; raised when an older reader would misread a newer file
FOREST, ENCODER, DESCRIPTION = "forest.safetensors", "encoder.safetensors", "forest.json"
OWN_FILES = (FOREST, ENCODER, DESCRIPTION)


@dataclass(frozen=True)
class ForestModel:
    """A forest on selected features of a frozen network.

    Attributes:
        labels: the expressions, in the order of the forest's classes.
        encoder: whose flattened maps are the features.
        selected: (M,) int64, which of the features the forest gets.
        forest: tells expressions apart.
        training: settings, data with their hashes, counts, the search, versions.
    """

    labels: LabelSet
    encoder: FrozenEncoder
    selected: NDArray[np.int64]
    forest: Forest
    training: dict[str, Any]

    def __post_init__(self) -> None:
        features = feature_count(self.encoder)
        if not len(self.selected) or self.selected.min() < 0 or self.selected.max() >= features:
            raise ModelError(f"the selected features are not among the encoder's {features}")
        if self.forest.feature.max() >= len(self.selected):
            raise ModelError(f"the forest looks at more features than the {len(self.selected)} selected ones")
        if self.forest.distributions.shape[1] != len(self.labels):
            raise ModelError(
                f"the forest tells {self.forest.distributions.shape[1]} classes apart, not {len(self.labels)}"
            )

    def __repr__(self) -> str:
        return f"ForestModel({self.forest!r}, {len(self.selected)} features of {self.encoder!r})"


def save_forest(folder: Path, model: ForestModel) -> None:
    """Write a model's folder; what stood there is replaced only when the new files are whole."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {entry.name: getattr(model.forest, entry.name) for entry in fields(Forest)}
    weights = {name: tensor.contiguous() for name, tensor in model.encoder.network.state_dict().items()}
    with (
        write_whole(folder / FOREST) as forest,
        write_whole(folder / ENCODER) as encoder,
        write_whole(folder / DESCRIPTION) as description,
    ):
        forest.write_bytes(save_arrays({**arrays, "selected": model.selected}))
        encoder.write_bytes(save_weights(weights))
        document = {
            "format": FORMAT,
            "forest_sha256": sha256_of(forest),
            "encoder_sha256": sha256_of(encoder),
            "labels": asdict(model.labels),
            "encoder": {key: getattr(model.encoder, key) for key in ("name", "settings", "origin")},
            "preprocess": asdict(model.encoder.preprocess),
            "training": model.training,
        }
        description.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def load_forest(folder: str | Path) -> tuple[ForestModel, str]:
    """Read a model's folder.

    Returns:
        The model, and the SHA-256 of its forest.

    Raises:
        ModelError: a file is missing, malformed, or does not fit the others.
    """
    folder = Path(folder)
    digests = digests_of(folder, OWN_FILES, f"what `seqfer classic fit` makes is {', '.join(OWN_FILES)}")
    path = folder / DESCRIPTION
    document = read_document(path, FORMAT)
    for file in (FOREST, ENCODER):
        if digests[file] != document.get(f"{Path(file).stem}_sha256"):
            raise ModelError(
                f"{folder / file}: is not the file that {DESCRIPTION} describes (SHA-256 differs); copy all files "
                "again"
            )
    entries = {entry.name: document.get(entry.name) for entry in fields(_Description)}
    described = validated(_Description, entries, path)
    settings = with_tuples(described.encoder.settings)
    try:
        network = build_encoder(described.encoder.name, described.preprocess.input_planes, settings).eval()
        network.load_state_dict(load_weights(folder / ENCODER))
        encoder = FrozenEncoder(
            described.encoder.name, settings, described.preprocess, described.encoder.origin, network
        )
        arrays = load_arrays(folder / FOREST)
        selected = arrays.pop("selected")
        model = ForestModel(described.labels, encoder, selected, Forest(**arrays), described.training)
    except (ModelError, SafetensorError, RuntimeError, KeyError, TypeError) as error:
        reason = one_line(error)
        raise ModelError(f"{folder}: its files do not fit {DESCRIPTION}: {reason}") from error
    return model, digests[FOREST]


@dataclass(frozen=True)
class _Encoder:
    name: str
    settings: dict[str, Any]
    origin: str


@dataclass(frozen=True)
class _Description:
    labels: LabelSet
    encoder: _Encoder
    preprocess: Preprocess
    training: dict[str, Any]
