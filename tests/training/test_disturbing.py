from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from seqfer.training.augmentation import (
    NOTHING,
    Disturbance,
    Strength,
    draw,
    repeated,
    still_noise,
)
from seqfer.training.disturbing import _within_border, disturb


def pictures(count: int) -> torch.Tensor:
    """Smooth pictures with a bright spot in the upper left."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 48), torch.linspace(0, 1, 48), indexing="ij")
    spot = torch.exp(-((x - 0.3) ** 2 + (y - 0.3) ** 2) / 0.01)
    return (0.2 + 0.6 * spot)[None, None].repeat(count, 1, 1, 1)


def only(**values: float) -> Disturbance:
    """A single disturbance, all else left alone."""
    none = {field.name: torch.zeros(1) for field in fields(Disturbance)}
    return Disturbance(**{**none, **{name: torch.tensor([value]) for name, value in values.items()}})


def apply(disturbance: Disturbance) -> torch.Tensor:
    return disturb(pictures(1), disturbance, torch.Generator().manual_seed(0))[0, 0]


def spot(image: torch.Tensor) -> tuple[float, float]:
    index = int(image.argmax())
    return (index % 48 + 0.5) / 48, (index // 48 + 0.5) / 48


def test_no_strength_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    images = pictures(5)
    assert torch.allclose(disturb(images, draw(NOTHING, still_noise(5, generator)), generator), images, atol=1e-4)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"shift_x": 0.2}, (0.5, 0.3)),
        ({"shift_y": -0.1}, (0.3, 0.2)),
        ({"flip": 1.0}, (0.7, 0.3)),
        ({"rotation": torch.pi / 2}, (0.3, 0.7)),
        ({"zoom": 0.405}, (0.2, 0.2)),  # half as large again: twice 0.15 from the middle becomes 0.3
    ],
)
def test_the_face_moves_as_said(values: dict[str, float], place: tuple[float, float]) -> None:
    assert spot(apply(only(**values))) == pytest.approx(place, abs=0.03)


def test_without_a_border_mode_what_lies_outside_is_the_border_too() -> None:
    generator = torch.Generator().manual_seed(0)
    planes = torch.rand(2, 1, 12, 20, generator=generator)
    grid = torch.rand(2, 12, 20, 2, generator=generator) * 4 - 2
    expected = F.grid_sample(planes, grid, padding_mode="border", align_corners=False)
    found = F.grid_sample(planes, _within_border(grid, 12, 20), align_corners=False)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_light_blur_noise_and_cover() -> None:
    plain = apply(only())
    assert apply(only(gamma=0.5)).mean() < plain.mean() < apply(only(gamma=-0.5)).mean()
    shaded = apply(only(shade_x=0.4)) - plain
    assert shaded[:, 40:].mean() > 0.1 > -0.1 > shaded[:, :8].mean()
    assert apply(only(blur=0.9)).max() < 0.8 * plain.max()
    assert (apply(only(noise=0.1)) - plain).std() == pytest.approx(0.1, rel=0.15)
    covered = apply(
        only(occluder_x=0.5, occluder_y=0.5, occluder_width=0.25, occluder_height=0.5, occluder_grey=0.9)
    )
    assert (covered == 0.9).sum() == 12 * 24


@pytest.mark.parametrize("angle", [-0.6, -0.2, 0.3])
def test_a_head_that_turns_shows_one_side_wider_and_stays_in_the_middle(angle: float) -> None:
    x = (torch.arange(48) + 0.5) / 48 * 2 - 1
    stripes = (0.5 + 0.4 * torch.cos(4 * torch.pi * x)).repeat(48, 1)[None, None]
    for turn, side in (("yaw", stripes), ("pitch", stripes.transpose(2, 3))):
        turned = disturb(side, only(**{turn: angle}), torch.Generator())[0, 0]
        row = turned[24] if turn == "yaw" else turned[:, 24]
        # Where the head turns away its surface is seen at a slant, so that more of it fits into as many pixels.
        changes = (row[1:] - row[:-1]).abs()
        left, right = changes[:24].sum(), changes[24:].sum()
        assert bool(right > left) is (angle < 0)
        assert float(row[23:25].mean()) == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize(("compression", "quality"), [(0.125, 50), (0.25, 25), (0.5, 13), (1.0, 6)])
def test_compression_loses_what_jpeg_loses(compression: float, quality: int) -> None:
    generator = torch.Generator().manual_seed(1)
    image = pictures(1) + 0.1 * torch.randn(1, 1, 48, 48, generator=generator)
    image = ((image.clamp(0, 1) * 255).round()) / 255
    ours = disturb(image, only(compression=compression), torch.Generator())[0, 0] * 255
    pixels = (image[0, 0] * 255).to(torch.uint8).numpy()
    _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    theirs = torch.from_numpy(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE).astype(np.float32))
    lost = (theirs - image[0, 0] * 255).square().mean().sqrt()
    assert (ours - theirs).square().mean().sqrt() < 0.35 * lost
    assert (ours - image[0, 0] * 255).square().mean().sqrt() == pytest.approx(float(lost), rel=0.15)


def test_compression_keeps_what_jpeg_keeps_of_strong_edges() -> None:
    checks = (torch.arange(48)[:, None] // 2 + torch.arange(48) // 2) % 2
    ours = disturb(checks[None, None].float(), only(compression=1.0), torch.Generator())[0, 0]
    _, coded = cv2.imencode(".jpg", (checks * 255).to(torch.uint8).numpy(), [cv2.IMWRITE_JPEG_QUALITY, 6])
    theirs = torch.from_numpy(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE).astype(np.float32)) / 255
    assert (theirs - checks).square().mean().sqrt() < 0.15
    assert (ours - checks).square().mean().sqrt() < 0.15  # 0.16 if steps went beyond white


def test_any_size_is_compressed_and_only_what_is_to_be() -> None:
    images = torch.rand(2, 2, 13, 21, generator=torch.Generator().manual_seed(0))
    none = {field.name: torch.zeros(2) for field in fields(Disturbance)}
    plain = disturb(images, Disturbance(**none), torch.Generator())
    found = disturb(images, Disturbance(**{**none, "compression": torch.tensor([0.0, 0.5])}), torch.Generator())
    assert torch.equal(found[0], plain[0])
    assert not torch.allclose(found[1], plain[1], atol=0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 20))
def test_images_stay_in_range_and_apart(seed: int, count: int) -> None:
    strength = replace(Strength(), noise=0.0, turn_deg=40.0, compression=0.5)
    images = torch.rand(count, 1, 48, 48, generator=torch.Generator().manual_seed(seed))
    noise = still_noise(count, torch.Generator().manual_seed(seed))
    together = disturb(images, draw(strength, noise), torch.Generator())
    assert together.min() >= 0
    assert together.max() <= 1
    last = disturb(images[-1:], draw(strength, noise[-1:]), torch.Generator())
    assert torch.allclose(together[-1], last[0], atol=1e-5)


def test_the_same_seed_gives_the_same_images() -> None:
    def once() -> torch.Tensor:
        generator = torch.Generator().manual_seed(7)
        return disturb(pictures(4), draw(Strength(), still_noise(4, generator)), generator)

    assert torch.equal(once(), once())


def test_all_frames_of_a_clip_are_disturbed_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([3, 1, 2])
    drawn = draw(Strength(noise=0.0), still_noise(3, generator))
    frames = repeated(drawn, lengths, torch.device("cpu"))
    assert len(frames) == 6
    for name, values in vars(frames).items():
        assert values.tolist() == getattr(drawn, name)[[0, 0, 0, 1, 2, 2]].tolist(), name
    images = disturb(pictures(6), frames, generator)
    for clip in (images[:3], images[4:]):
        assert torch.allclose(clip, clip[:1].expand_as(clip), atol=1e-6)
    assert not torch.allclose(images[0], images[3], atol=0.05)


def test_stretching_widens_and_shade_falls_from_edge_to_edge() -> None:
    wide = apply(only(stretch=0.405))  # 1.22 times as wide, 0.82 times as high
    assert spot(wide) == pytest.approx((0.5 - 0.2 * 1.224, 0.5 - 0.2 / 1.224), abs=0.02)
    shade = apply(only(shade_y=0.4)) - apply(only())
    assert shade[40:].mean() > 0.1 > -0.1 > shade[:8].mean()
