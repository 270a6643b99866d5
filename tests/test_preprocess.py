from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from seqfer.errors import ModelError
from seqfer.preprocess import GREY_WEIGHTS, CropGeometry, Preprocess


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


@pytest.mark.parametrize("settings", [{"size": 4}, {"channels": 2}])
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        Preprocess(**settings)


def test_impossible_geometry_is_refused() -> None:
    with pytest.raises(ModelError, match="margin"):
        CropGeometry(margin=0)
    with pytest.raises(ModelError, match="shift_up"):
        CropGeometry(shift_up=2)
