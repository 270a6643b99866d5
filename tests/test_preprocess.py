from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from seqfer.edges import canny
from seqfer.errors import ModelError
from seqfer.preprocess import GREY_WEIGHTS, GREYS, CropGeometry, Preprocess, equalized


def crops(count: int = 3, size: int = 48, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, size, size, channels), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(("channels", "stored"), [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_shape_and_standardisation(channels: int, stored: int) -> None:
    images = Preprocess(channels=channels)(crops(channels=stored))
    assert images.shape == (3, channels, 48, 48)
    assert images.dtype == torch.float32
    assert images.mean((2, 3)).abs().max() < 1e-5
    assert (images.std((2, 3), unbiased=False) - 1).abs().max() < 1e-5


def test_grey_is_bt601_luma() -> None:
    rgb = crops(1)
    expected = (rgb[0].numpy().astype(np.float64) / 255) @ np.array(GREY_WEIGHTS)
    assert np.allclose(Preprocess().planes(rgb)[0, 0].numpy(), expected, atol=1e-6)


def test_exposure_and_contrast_do_not_count() -> None:
    image = crops(1, channels=1) // 2
    brighter = image + 60
    assert torch.allclose(Preprocess()(image), Preprocess()(brighter), atol=1e-4)


def test_a_flat_image_stays_flat() -> None:
    flat = torch.full((1, 48, 48, 3), 77, dtype=torch.uint8)
    assert Preprocess()(flat).abs().max() < 1e-3


def test_images_do_not_influence_each_other() -> None:
    batch = crops(4)
    assert torch.equal(Preprocess()(batch)[2], Preprocess()(batch[2:3])[0])


@pytest.mark.parametrize("shape", [(48, 48, 3), (1, 47, 48, 3), (1, 48, 48, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="crops must be"):
        Preprocess()(torch.zeros(shape, dtype=torch.uint8))


@pytest.mark.parametrize(
    "settings",
    [
        {"size": 4},
        {"channels": 2},
        {"grey": "hsv"},
        {"scaling": "minmax"},
        {"channels": 3, "equalize": True},
        {"channels": 3, "edges": True},
        {"channels": 3, "grey": "rgb2gray"},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        Preprocess(**settings)


def test_impossible_geometry_is_refused() -> None:
    with pytest.raises(ModelError, match="margin"):
        CropGeometry(margin=0)
    with pytest.raises(ModelError, match="shift_up"):
        CropGeometry(shift_up=2)


def test_matlabs_grey_is_its_own() -> None:
    rgb = crops(1)
    expected = (rgb[0].numpy().astype(np.float64) / 255) @ np.array([0.2989, 0.5870, 0.1140])
    assert np.allclose(Preprocess(grey="rgb2gray").planes(rgb)[0, 0].numpy(), expected, atol=1e-6)
    assert set(GREYS) == {"bt601", "rgb2gray"}


def pictures() -> np.ndarray:
    """Grey images (N, 48, 48) of every contrast, flat ones and one of two levels among them."""
    rng = np.random.default_rng(0)
    noisy = [rng.normal(120, deviation, (48, 48)).clip(0, 255) for deviation in (0, 0.5, 3, 20, 90, 400)]
    flat = [np.full((48, 48), level) for level in (0, 7, 255)]
    halves = np.repeat([10.0, 200.0], 24)[:, None].repeat(48, 1)
    return np.stack([*noisy, *flat, halves]).astype(np.uint8)


def test_equalisation_is_opencvs() -> None:
    images = pictures()
    expected = np.stack([cv2.equalizeHist(image) for image in images])
    found = equalized(torch.from_numpy(images)[:, None].float() / 255)
    assert np.array_equal((found[:, 0] * 255).round().numpy(), expected)


def test_edges_are_a_plane_of_their_own_found_after_equalisation() -> None:
    images = pictures()
    preprocess = Preprocess(equalize=True, edges=True, scaling="unit")
    found = preprocess(torch.from_numpy(images)[..., None])
    assert found.shape == (len(images), preprocess.input_planes, 48, 48)
    assert preprocess.input_planes == 2
    spread = np.stack([cv2.equalizeHist(image) for image in images])
    assert np.allclose(found[:, 0].numpy() * 255, spread, atol=1e-4)
    assert np.array_equal(found[:, 1].numpy(), canny(spread).astype(np.float32))


def test_unit_scaling_leaves_values_as_they_are() -> None:
    stored = crops(2, channels=1)
    assert torch.equal(Preprocess(scaling="unit")(stored), stored.permute(0, 3, 1, 2).float() / 255)


def test_models_that_read_the_same_crops_share_them() -> None:
    plain, papers = Preprocess(), Preprocess(equalize=True, edges=True, scaling="unit")
    assert papers.of_crops("mediapipe") == plain == plain.of_crops("mediapipe")
    assert Preprocess(grey="rgb2gray").of_crops("none") != plain
    assert Preprocess(size=64, equalize=True).of_crops("none") == Preprocess(size=64)
    framed = Preprocess(geometry=CropGeometry(margin=1.5))
    assert framed.of_crops("haar") == framed
    assert framed.of_crops("none") == plain  # nothing is cut out
