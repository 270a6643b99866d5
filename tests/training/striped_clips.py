"""A small data set that trains in seconds: clips of noisy stripes whose label is the stripes' direction."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seqfer.datasets.packed import PackedClip, PackedClips
from seqfer.preprocess import Preprocess
from seqfer.training.config import TrainConfig
from seqfer.training.config_file import parse_config

SIZE = 16
LABELS = ("angry", "happy", "sad")
SMALL = {"stem_width": 8, "widths": (8, 16), "blocks": (1, 1)}


def striped_clips(train: int = 48, validation: int = 24, longest: int = 6, noise: float = 40.0) -> PackedClips:
    """Clips of 1 to `longest` frames at 25 per second."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    clips, frames, start = [], [], 0
    for number in range(train + validation):
        label = number % len(LABELS)
        length = 1 + number % longest
        angle = label * np.pi / len(LABELS)
        wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / 6 + rng.uniform(0, 6))
        pictures = 128 + 60 * wave + rng.normal(0, noise, (length, SIZE, SIZE))
        frames.append(pictures.clip(0, 255).astype(np.uint8)[..., None])
        split = "train" if number < train else "validation"
        times = tuple(k / 25 for k in range(length))
        clips.append(
            PackedClip(f"clip {number}", start, length, LABELS[label], f"S{number % 9}", split, number % 3, times)
        )
        start += length
    return PackedClips(np.concatenate(frames), tuple(clips), Preprocess(SIZE, 1), {}, "made", "f" * 64)


def small_config(**changes: object) -> TrainConfig:
    """Settings for the striped clips; `changes` by dotted name, dots as double underscores."""
    document: dict = {
        "model": {"encoder_settings": SMALL, "head": "bilstm", "head_settings": {"width": 8}, "size": SIZE},
        "augmentation": {"flip": 0.0, "rotation_deg": 4.0, "occlusion": 0.0},
        "optimizer": {"name": "adamw", "rate": 0.01},
        "epochs": 3,
        "batch_size": 8,
    }
    for name, value in changes.items():
        *sections, key = name.split("__")
        place = document
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    return parse_config(document, "test")


def split_of(packed: PackedClips, split: str) -> list[PackedClip]:
    return [clip for clip in packed.clips if clip.split == split]


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
