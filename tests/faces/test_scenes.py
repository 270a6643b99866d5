from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqfer.faces.scenes import SceneCuts
from seqfer.video.opening import open_video


def scene(seed: int, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def cuts_in(frames: list[np.ndarray]) -> list[int]:
    """Where new scenes begin after the first one."""
    cuts = SceneCuts()
    first, *others = (index for index, frame in enumerate(frames) if cuts.is_cut(frame))
    assert first == 0
    return others


def test_a_cut_is_found() -> None:
    assert cuts_in([scene(1), scene(1), scene(2), scene(2), scene(3)]) == [2, 4]


def test_motion_is_no_cut() -> None:
    wide = scene(4, (120, 400))
    assert cuts_in([wide[:, shift : shift + 160] for shift in range(0, 200, 8)]) == []


def test_a_flash_is_no_cut() -> None:
    calm = scene(5) // 3
    assert cuts_in([calm, calm, np.clip(calm.astype(int) * 2 + 60, 0, 255).astype(np.uint8), calm]) == []


def test_noise_in_the_dark_is_no_cut() -> None:
    generator = np.random.default_rng(0)
    assert cuts_in([generator.integers(0, 6, (90, 90, 3), dtype=np.uint8) for _ in range(20)]) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (5, 3, 3)])
def test_tiny_frames(shape: tuple[int, int, int]) -> None:
    assert cuts_in([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)]) in ([], [1])


@pytest.mark.parametrize(
    ("clip", "cuts"),
    [
        ("pyfeat/face_noface.mov", [72, 73]),  # to black, and on to the cartoon
        ("pyfeat/WolfgangLanger_Pexels.mp4", []),
        ("moviepy/chaplin.mp4", []),
        ("intel/preview_gif/head-pose-face-detection-female-and-male.gif", []),
    ],
)
def test_real_clips(shared_videos: Path, clip: str, cuts: list[int]) -> None:
    with open_video(shared_videos / clip) as video:
        assert cuts_in([frame.image for frame in video]) == cuts
