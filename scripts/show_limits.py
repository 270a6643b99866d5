#!/usr/bin/env python
"""Draw how a model reads one face that is ever harder to see: dark, turned, covered, blurred, far away.

    python scripts/show_limits.py compact -o limits.png

The face is the demo's: a public-domain portrait that is warped into four expressions. Each row shows one of
them, found and cut out as `annotate` does it; each column what disturbs it. Below each crop stands the leading
expression and its probability. It is one person, and a warped one: it shows kinds of failure, and measures none.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seqfer.cli.console import errors_on_one_line
from seqfer.demo import write_demo_clip
from seqfer.errors import OptionError
from seqfer.faces.alignment import align
from seqfer.faces.types import Detector, create_detector
from seqfer.files import check_file, write_whole
from seqfer.labels import LabelSet
from seqfer.models.bundled import load_model
from seqfer.models.inference import Predictor, read_crops
from seqfer.preprocess import Preprocess
from seqfer.training.augmentation import Disturbance
from seqfer.training.disturbing import disturb
from seqfer.video.opening import open_video

SHOWN_S = {"neutral": 0.4, "happy": 2.4, "surprise": 5.4, "sad": 8.8}  # when the demo's clip is at which apex
# Angles in radians, light and noise as shares of white, places and sizes as shares of the crop's side.
COLUMNS: dict[str, dict[str, float]] = {
    "as it is": {},
    "dark": {"gamma": 1.2, "noise": 0.06},
    "lit from the side": {"shade_x": 1.2},
    "half the resolution": {"blur": 1 / 3},
    "a quarter": {"blur": 2 / 3},
    "an eighth": {"blur": 1.0},
    "noise": {"noise": 0.15},
    "compressed": {"compression": 0.7},
    "turned by 25°": {"yaw": 25 * np.pi / 180},
    "by 45°": {"yaw": 45 * np.pi / 180},
    "tipped by 35°": {"pitch": 35 * np.pi / 180},
    "tilted by 30°": {"rotation": 30 * np.pi / 180},
    "dark glasses": {"occluder_y": 0.36, "occluder_width": 0.8, "occluder_height": 0.17, "occluder_grey": 0.08},
    "mouth covered": {"occluder_y": 0.78, "occluder_width": 0.6, "occluder_height": 0.3, "occluder_grey": 0.55},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model or a model's folder")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.png")
    parser.add_argument("--detector", default="mediapipe")
    options = parser.parse_args()
    check_file(options.output, overwrite=True)
    checkpoint = load_model(options.model)
    with closing(create_detector(options.detector)) as detector:
        crops = apexes(detector, checkpoint.model.architecture.preprocess)
    rows = [disturbed(crop) for crop in crops]
    predictor = Predictor(checkpoint.model, torch.device("cpu"))
    read = [read_crops(predictor, row) for row in rows]
    with write_whole(options.output) as place:
        sheet(rows, read, checkpoint.model.architecture.labels).savefig(place, format="png")


def apexes(detector: Detector, preprocess: Preprocess) -> list[NDArray[np.uint8]]:
    """(S, S, C) crops of the demo's face at its expressions."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_video(write_demo_clip(Path(scratch) / "demo.mp4")) as video,
    ):
        wanted = sorted(SHOWN_S.values())
        frames = {}
        for frame in video:
            while wanted and frame.time_s >= wanted[0]:
                frames[wanted.pop(0)] = frame
    found = {}
    for time_s, frame in frames.items():
        faces = detector.detect(frame, detector.glance(frame.image), True)
        if not faces:
            raise OptionError(f"--detector: finds no face {time_s:g} s into the demo's clip; take another one")
        face = max(faces, key=lambda detection: detection.score)
        found[time_s] = align(frame.image, face, preprocess)
    return [found[time_s] for time_s in SHOWN_S.values()]


def disturbed(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, S, S, C): a crop (S, S, C) as each column shows it."""
    usual = {"occluder_x": 0.5}
    columns = [{**usual, **column} for column in COLUMNS.values()]
    values = {
        field.name: torch.tensor([column.get(field.name, 0.0) for column in columns])
        for field in fields(Disturbance)
    }
    planes = torch.from_numpy(crop).permute(2, 0, 1)[None].float().div(255).repeat(len(columns), 1, 1, 1)
    shown = disturb(planes, Disturbance(**values), torch.Generator().manual_seed(0))
    return (shown * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def sheet(rows: list[NDArray[np.uint8]], read: list[NDArray[np.float32]], labels: LabelSet) -> Figure:
    """Crops (N, S, S, C) of each expression, with what is read (N, K) below them."""
    figure = Figure(figsize=(1.05 * len(COLUMNS) + 0.6, 1.35 * len(rows) + 0.3), dpi=120, layout="constrained")
    panels = figure.subplots(len(rows), len(COLUMNS), squeeze=False)
    for own, crops, probabilities, name in zip(panels, rows, read, SHOWN_S, strict=True):
        for axes, crop, shares in zip(own, crops, probabilities, strict=True):
            axes.imshow(crop[..., 0] if crop.shape[2] == 1 else crop, cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            best = int(shares.argmax())
            right = labels.names[best] == name
            axes.set_xlabel(
                f"{labels.names[best]} {shares[best]:.2f}", fontsize=7, color="black" if right else "#B2182B"
            )
        own[0].set_ylabel(name, fontsize=8)
    for axes, title in zip(panels[0], COLUMNS, strict=True):
        axes.set_title(title, fontsize=7)
    return figure


if __name__ == "__main__":
    with errors_on_one_line():
        main()
