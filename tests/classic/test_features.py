"""A clip's features: a frozen network's last maps, flattened, the mean over its frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from seqfer.classic.config import FeatureConfig
from seqfer.classic.features import FrozenEncoder, feature_count, open_encoder, read_features, with_fitted_norms
from seqfer.datasets.packed import PackedClips
from seqfer.errors import ModelError
from seqfer.models.bundled import load_model
from tests.classic.frozen_model import classic_config
from tests.training.striped_clips import split_of, striped_clips

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (FeatureConfig(weights="scratch"), 1280 * 2 * 2),  # the paper's, at 48 pixels
        (FeatureConfig(weights="scratch", size=96), 1280 * 3 * 3),
        (FeatureConfig("resnet18", size=64, channels=1, weights="scratch"), 512 * 2 * 2),
        (FeatureConfig(weights="compact"), 0),
    ],
    ids=["mobilenet", "larger", "resnet18", "bundled"],
)
def test_the_number_of_features(config: FeatureConfig, expected: int) -> None:
    encoder = open_encoder(config, seed=0)
    count = feature_count(encoder)
    assert count == expected or (config.weights == "compact" and count > 100)
    assert repr(encoder) == f"FrozenEncoder({encoder.name!r}, {encoder.origin[:12]})"


def test_features_are_the_mean_of_flattened_maps_over_a_clips_frames() -> None:
    packed = striped_clips(train=200, validation=0, longest=3)  # more frames than are read at once
    encoder = open_encoder(classic_config().features, seed=0)
    clips = packed.clips[::-1]
    seen: list[tuple[int, int]] = []
    features = read_features(encoder, packed, clips, CPU, lambda done, total: seen.append((done, total)))
    assert features.dtype == np.float32
    assert seen[-1] == (sum(clip.length for clip in clips),) * 2
    with torch.inference_mode():
        for row, clip in zip(features, clips, strict=True):
            images = encoder.preprocess(torch.from_numpy(packed.frames_of(clip)))
            expected = encoder.maps(images).flatten(1).mean(0)
            np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)


def test_a_network_that_reads_the_middle_makes_its_features_of_the_middle() -> None:
    packed = striped_clips(train=4, validation=0, longest=1)
    settings = {"widths": [4, 8], "convolutions": [1, 1], "middle": 8}
    config = FeatureConfig("vgg", settings, size=16, channels=1, weights="scratch")
    encoder = open_encoder(config, seed=0)
    assert feature_count(encoder) == 8 * 2 * 2
    features = read_features(encoder, packed, packed.clips, CPU)
    with torch.inference_mode():
        images = encoder.preprocess(torch.from_numpy(packed.frames))
        expected = encoder.network(images)  # the mean of each last map
    np.testing.assert_allclose(features.reshape(4, 8, 4).mean(2), expected, rtol=1e-4, atol=1e-5)


def test_a_random_network_is_drawn_by_the_seed_and_standardised_over_training_frames() -> None:
    packed = striped_clips()
    clips = split_of(packed, "train")
    config = classic_config().features
    one, two, other = (open_encoder(config, seed) for seed in (0, 0, 1))
    assert all(
        torch.equal(a, b)
        for a, b in zip(one.network.state_dict().values(), two.network.state_dict().values(), strict=True)
    )
    assert not torch.equal(next(one.network.parameters()), next(other.network.parameters()))

    before = {name: tensor.clone() for name, tensor in one.network.state_dict().items()}
    fitted = with_fitted_norms(one, packed, clips, seed=0)
    for name, tensor in one.network.state_dict().items():
        assert torch.equal(tensor, before[name]), "the given network stays as it is"
    for name, weight in fitted.network.named_parameters():
        assert torch.equal(weight, before[name]), "no weight learns"
    norm = next(module for module in fitted.network.modules() if isinstance(module, _BatchNorm))
    assert norm.running_mean is not None
    assert norm.running_mean.abs().max() > 0
    assert not fitted.network.training
    # Each of the first norm's outputs is standardised over the training frames.
    seen = []
    norm.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    read_without_fusing(fitted, packed)
    values = torch.cat(seen).transpose(0, 1).flatten(1)
    np.testing.assert_allclose(values.mean(1).detach(), 0, atol=0.15)
    np.testing.assert_allclose(values.std(1).detach(), 1, atol=0.15)


def read_without_fusing(encoder: FrozenEncoder, packed: PackedClips) -> None:
    with torch.inference_mode():
        for clip in split_of(packed, "train"):
            encoder.maps(encoder.preprocess(torch.from_numpy(packed.frames_of(clip))))


def test_a_models_encoder_is_taken_with_its_way_to_read_pictures() -> None:
    encoder = open_encoder(FeatureConfig(weights="compact"), seed=0)
    given = load_model("compact")
    assert encoder.preprocess == given.model.architecture.preprocess
    assert encoder.origin == given.sha256
    assert encoder.name == "compact"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (FeatureConfig(weights="nowhere"), "unknown model 'nowhere'"),
        (FeatureConfig("compact", weights="imagenet", channels=1), "no ImageNet weights for encoder 'compact'"),
        (FeatureConfig("fernet", size=24, channels=1, weights="scratch"), "cannot read 24 pixels"),
        (FeatureConfig("compact", {"depth": 3}, weights="scratch"), "depth"),
    ],
    ids=["unknown", "no imagenet", "too small", "settings"],
)
def test_what_cannot_make_features_is_refused(config: FeatureConfig, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        open_encoder(config, seed=0)


def test_imagenet_weights_come_from_torchvision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its file in place of the download, the features are those of torchvision's own network."""
    from torchvision.models import mobilenet_v2

    torch.manual_seed(5)
    theirs = mobilenet_v2().eval()
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", lambda *_, **__: theirs.state_dict())
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: theirs.state_dict())
    encoder = open_encoder(FeatureConfig(size=64), seed=0)
    assert encoder.origin == "imagenet"
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(encoder.maps(images), theirs.features(images))


def test_an_encoder_without_maps_is_refused() -> None:
    encoder = open_encoder(classic_config().features, seed=0)
    with pytest.raises(ModelError, match="has no maps"):
        feature_count(replace(encoder, network=torch.nn.Flatten()))
