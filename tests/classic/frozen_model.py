"""A small forest on striped clips, for the tests of what is done with it."""

from __future__ import annotations

import numpy as np
import torch

from seqfer.classic.config import ClassicConfig
from seqfer.classic.features import open_encoder, read_features, with_fitted_norms
from seqfer.classic.fitting import check_clips, fit_forest
from seqfer.classic.model import ForestModel
from seqfer.datasets.packed import PackedClips
from seqfer.settings import parse_settings
from seqfer.training.config_file import DESCRIBED_IN
from tests.training.striped_clips import SIZE, SMALL, split_of

DOCUMENT: dict[str, dict] = {
    "features": {
        "encoder": "compact",
        "encoder_settings": SMALL,
        "size": SIZE,
        "channels": 1,
        "weights": "scratch",
    },
    "data": {"faces": "none"},
    "selection": {"ants": 3, "trees": 30, "iterations": 2},
    "forest": {"trees": 20},
}


def classic_config(**changes: object) -> ClassicConfig:
    """Settings for the striped clips; sections named in `changes` are added to."""
    document: dict = {name: dict(section) for name, section in DOCUMENT.items()}
    for name, section in changes.items():
        document[name] = {**document.get(name, {}), **section} if isinstance(section, dict) else section
    return parse_settings(ClassicConfig, document, "test", DESCRIBED_IN)


def fitted_model(packed: PackedClips, config: ClassicConfig) -> ForestModel:
    """A forest fitted on the split train."""
    labels = check_clips(config, packed.clips)
    clips = split_of(packed, "train")
    encoder = open_encoder(config.features, config.seed)
    if encoder.origin == "scratch":
        encoder = with_fitted_norms(encoder, packed, clips, config.seed)
    features = read_features(encoder, packed, clips, torch.device("cpu"))
    truth = np.array([labels.index(clip.label) for clip in clips])
    return fit_forest(config, labels, encoder, features, truth, {"manifest": "m.csv"})
