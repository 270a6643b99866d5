"""Data sets of short videos in which a face moves: the demo's portrait, made into many subjects."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.demo import SCRIPT
from seqfer.video.opening import open_video
from tests.media import write_clip

RATE = 25


def onsets(clip: Path, side: int) -> dict[str, list[NDArray[np.uint8]]]:
    """For each expression of the demo's clip its passage from neutral to the apex: square pictures of the face."""
    with open_video(clip) as stream:
        frames = [frame.image for frame in stream]
    passages = {}
    for name, (onset, apex, _, _) in SCRIPT.items():
        first, last = round((onset - 0.1) * RATE), round((apex + 0.1) * RATE)
        # The middle of the picture, where the demo shows the face.
        passages[name] = [
            cv2.resize(image[40:440, 120:520], (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)
            for image in frames[first : last + 1]
        ]
    return passages


def as_subject(images: list[NDArray[np.uint8]], subject: int, take: int = 0) -> list[NDArray[np.uint8]]:
    """The pictures as those of another person: other proportions, tone and side, and a little camera shake."""
    who, shot = np.random.default_rng(subject), np.random.default_rng((subject, take))
    stretch, zoom, angle = who.uniform(-0.1, 0.1), who.uniform(-0.1, 0.15), who.uniform(-8, 8)
    gamma, mirrored = np.exp(who.uniform(-0.5, 0.5)), subject % 2
    side = images[0].shape[0]
    made = []
    for image in images:
        x, y = shot.normal(0, 0.004, 2) * side
        matrix = np.array(cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1 + zoom), np.float64)
        matrix[0] *= 1 + stretch
        matrix[:, 2] += (x - stretch * side / 2, y)
        turned = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
        toned = (255 * (turned / 255) ** gamma).astype(np.uint8)
        made.append(np.ascontiguousarray(toned[:, ::-1] if mirrored else toned))
    return made


def write_order_set(folder: Path, clip: Path, subjects: int) -> Path:
    """Class folders of onsets and offsets: an offset is an onset shown backwards, so only the order tells."""
    for label in ("onset", "offset"):
        (folder / label).mkdir(parents=True)
    side = 96
    passages = list(onsets(clip, side).values())
    for subject in range(subjects):
        for number, images in enumerate(passages):
            shown = as_subject(images, subject, number)
            times = [k / RATE for k in range(len(shown))]
            name = f"S{subject:02d}_{number}.mp4"
            write_clip(folder / "onset" / name, times, size=(side, side), images=shown)
            write_clip(folder / "offset" / name, times, size=(side, side), images=shown[::-1])
    return folder


def write_liris_set(root: Path, clip: Path, subjects: int) -> Path:
    """Videos in LIRIS-CSE's layout, irregular names among them; each child shows each expression twice."""
    folder = root / "videos_208"
    folder.mkdir(parents=True)
    side = 160
    passages = onsets(clip, side)
    for subject in range(1, subjects + 1):
        for name, images in passages.items():
            for take in (1, 2):
                shown = as_subject(images, subject, take)[-6:]
                times = [k / RATE for k in range(len(shown))]
                path = folder / f"S{subject}_{name}_{take}.mp4"
                write_clip(path, times, size=(side, side), images=shown)
    shown = as_subject(passages["happy"], 3)[-6:]
    for name in ("S8_confusing.mp4", "S2_happy_surprise_1.mp4"):
        write_clip(folder / name, [k / RATE for k in range(6)], size=(side, side), images=shown)
    return root
