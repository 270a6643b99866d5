#!/usr/bin/env python
"""How much later a temporal head follows a change of expression when it cannot look ahead.

    python scripts/measure_delay.py compact --fer2013 fer2013.zip

Clips are made from PublicTest's stills and pass from one expression to another; the moment of a change is the
middle of its passage. `annotate` reads each clip as a whole; `live` has only what came before each frame. Shown
is when the head first names the new expression, from half a second ahead of the change on, for those changes that
it follows in both ways before the next one. Nothing is chosen by what this prints.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from seqfer.cli.console import errors_on_one_line
from seqfer.datasets.fer2013 import load_fer2013
from seqfer.models.bundled import load_model
from seqfer.models.heads import BiLSTMHead, SequenceOutput
from seqfer.models.inference import Predictor
from seqfer.training.clip_figures import validation_clips
from seqfer.training.clips import ClipStyle

CLIP_FRAMES = 100
AHEAD_S = 0.5
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model or a model's folder, with a temporal head")
    parser.add_argument("--fer2013", type=Path, required=True, help="fer2013.csv, class folders, or a zip of them")
    parser.add_argument("--count", type=int, default=400, help="clips to make")
    options = parser.parse_args()
    model = load_model(options.model).model
    if not isinstance(model.head, BiLSTMHead):
        parser.error(f"{options.model} reads each frame alone, and so without delay")
    rate = model.architecture.frame_rate
    style = ClipStyle(frame_rate=rate, changes=1.0)
    stills = load_fer2013(options.fer2013)["validation"]
    clips = validation_clips(Predictor(model, CPU, "auto"), stills, options.count, CLIP_FRAMES, style)
    truth = clips.targets.argmax(2).numpy()
    whole, live = (read(model.head, clips.embeddings).numpy() for read in (as_a_whole, as_it_comes))
    delays = np.array(list(changes(truth, whole, live, round(AHEAD_S * rate)))).reshape(-1, 2)
    followed = delays[(delays < truth.shape[1]).all(1)] / rate

    table = Table("reading", "median delay, s", "10th to 90th percentile, s")
    for name, column in zip(("whole clips (annotate)", "as they come (live)"), followed.T, strict=True):
        low, middle, high = np.percentile(column, (10, 50, 90)) if len(column) else [np.nan] * 3
        table.add_row(name, f"{middle:.2f}", f"{low:.2f} to {high:.2f}")
    console = Console(width=100)
    console.print(table)
    console.print(
        f"{len(delays)} changes in {len(truth)} clips of PublicTest's stills; {len(followed)} seen both ways"
    )


@torch.inference_mode()
def as_a_whole(head: BiLSTMHead, embeddings: Tensor) -> Tensor:
    """The leading label (B, T) of each frame of clips (B, T, D)."""
    output: SequenceOutput = head(embeddings, torch.full((len(embeddings),), embeddings.shape[1]))
    return output.frame_logits.argmax(2)


@torch.inference_mode()
def as_it_comes(head: BiLSTMHead, embeddings: Tensor) -> Tensor:
    """The same when each frame is the last one that is known."""
    return torch.stack([as_a_whole(head, embeddings[:, : t + 1])[:, t] for t in range(embeddings.shape[1])], 1)


def changes(
    truth: NDArray[np.int64], whole: NDArray[np.int64], live: NDArray[np.int64], ahead: int
) -> Iterator[tuple[int, int]]:
    """For each change in `truth` (B, T) how many frames later both readings follow it; T where one does not.

    A reading follows where it turns to the new label, from `ahead` frames before the change on, but after the one
    before, until the next. One that still shows that label from a time before has not followed.
    """
    for shown, *readings in zip(truth, whole, live, strict=True):
        moments = [0, *(np.flatnonzero(shown[1:] != shown[:-1]) + 1), len(shown)]
        for before, now, after in zip(moments, moments[1:], moments[2:], strict=False):
            first = max(before, now - ahead)
            found = (turns_to(shown[now], reading, first, after) for reading in readings)
            one, other = (int(at[0] - now) if len(at) else len(shown) for at in found)
            yield one, other


def turns_to(label: np.int64, reading: NDArray[np.int64], first: int, after: int) -> NDArray[np.int64]:
    """The frames in [first, after) that a reading (T,) calls by a label, and the frame before them not."""
    turns = np.flatnonzero((reading[1:] == label) & (reading[:-1] != label)) + 1
    return turns[(turns >= first) & (turns < after)]


if __name__ == "__main__":
    with errors_on_one_line():
        main()
