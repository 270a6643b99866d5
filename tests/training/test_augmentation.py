from __future__ import annotations

import math

import pytest
import torch

from seqfer.errors import OptionError
from seqfer.training.augmentation import Drawn, Strength, draw, still_noise, wander


def test_wandering_is_uniform_overall_and_smooth_in_time() -> None:
    paths = wander(100, 25.0, torch.Generator().manual_seed(0), clips=400)
    assert paths.shape == (400, 100, len(Drawn))
    values = paths[:, :, :16].flatten()
    assert values.mean() == pytest.approx(0.5, abs=0.02)
    assert torch.histc(values, 5, 0, 1).div(values.numel()).numpy() == pytest.approx(0.2, abs=0.02)
    step = (paths[:, 1:, :16] - paths[:, :-1, :16]).abs().mean()
    apart = (paths[1:, :, :16] - paths[:-1, :, :16]).abs().mean()
    assert step < 0.3 * apart
    assert (paths[:, :, 16] == paths[:, :1, 16]).all()  # mirrored throughout or not at all


def test_wandering_does_not_depend_on_the_frame_rate() -> None:
    slow = wander(50, 10.0, torch.Generator().manual_seed(0), clips=500)[:, :, :16]
    fast = wander(250, 50.0, torch.Generator().manual_seed(1), clips=500)[:, ::5, :16]
    assert (slow[:, 1:] - slow[:, :-1]).abs().mean() == pytest.approx(
        float((fast[:, 1:] - fast[:, :-1]).abs().mean()), rel=0.05
    )


@pytest.mark.parametrize("values", [{"blur": -0.1}, {"compression": 1.5}, {"turn_deg": 90.0}])
def test_impossible_strengths_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(values))):
        Strength(**values)


def test_strengths_are_the_largest_disturbances() -> None:
    limits = {"shift": 0.1, "zoom": 0.2, "stretch": 0.3, "gamma": 0.4, "shade": 0.5, "blur": 0.6, "noise": 0.7}
    strength = Strength(**limits, rotation_deg=30, occlusion=1, flip=1, turn_deg=60, compression=0.8)
    drawn = draw(strength, torch.full((1, len(Drawn)), 0.999999))
    expected = {
        **{name: limits[name] for name in ("zoom", "stretch", "gamma", "blur", "noise")},
        **{f"{name}_{axis}": limits[name] for name in ("shift", "shade") for axis in "xy"},
        "rotation": math.radians(30),
        "yaw": math.radians(60),
        "pitch": math.radians(60),
        "occluder_width": 0.5,
        "occluder_height": 0.5,
        "flip": 1,
        "compression": 0.8,
    }
    assert {name: float(getattr(drawn, name)) for name in expected} == pytest.approx(expected, abs=1e-4)


def test_as_many_are_covered_as_asked_for_whatever_their_covers_size() -> None:
    drawn = draw(Strength(occlusion=0.35), still_noise(4000, torch.Generator().manual_seed(0)))
    widths = drawn.occluder_width[drawn.occluder_width > 0]
    assert len(widths) / 4000 == pytest.approx(0.35, abs=0.03)
    assert float(widths.max()) == pytest.approx(0.5, abs=0.01)


def test_covers_lie_anywhere() -> None:
    drawn = draw(Strength(occlusion=1), still_noise(4000, torch.Generator().manual_seed(0)))
    numbers = torch.stack([drawn.occluder_x, drawn.occluder_y, drawn.occluder_width, drawn.occluder_height])
    assert torch.corrcoef(numbers).fill_diagonal_(0).abs().max() < 0.06


@pytest.mark.parametrize("name", ["blur", "noise", "compression"])
def test_half_of_all_images_keep_their_quality(name: str) -> None:
    values = getattr(
        draw(Strength(blur=1, noise=1, compression=1), still_noise(4000, torch.Generator().manual_seed(0))), name
    )
    assert float((values == 0).float().mean()) == pytest.approx(0.5, abs=0.03)
    assert float(values[values > 0].mean()) == pytest.approx(0.5, abs=0.03)
