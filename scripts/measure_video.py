#!/usr/bin/env python
"""Measure what a model's temporal head does on real video, where nobody has labelled the frames.

    python scripts/measure_video.py compact recordings/*.mp4 --onset happy

Every video is read twice with the same faces: by the model, and by its reading of each frame alone. The table
shows how often the leading expression changes, per minute of face, and with --onset when one sets in: the best
upward step of its probability in the track that is seen longest. Steadier is better only if onsets stay where they
are: a head that always says the same is steadiest.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from seqfer.annotation import Annotator
from seqfer.cli.console import error_line, errors_on_one_line
from seqfer.errors import SeqferError
from seqfer.evaluation.steadiness import label_changes, onset_s
from seqfer.models.bundled import load_model
from seqfer.timeline.types import Timeline
from seqfer.training.head import frames_alone

CONSOLE = Console(width=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model or a model's folder")
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    parser.add_argument("--onset", metavar="LABEL", help="show when this expression sets in")
    options = parser.parse_args()
    checkpoint = load_model(options.model)
    label = checkpoint.model.architecture.labels.index(options.onset) if options.onset else None
    alone = replace(checkpoint, model=frames_alone(checkpoint.model))
    readers = Annotator(alone), Annotator(checkpoint)
    table = Table("video", "faces", "seconds", "changes per minute, alone", "head", "fewer")
    if options.onset:
        table.add_column(f"onset of {options.onset}, alone")
        table.add_column("head")
    totals = np.zeros((2, 2))
    for path in options.videos:
        try:
            timelines = [reader.annotate(path) for reader in readers]
        except SeqferError as error:
            error_line(error)
            continue
        found = np.array([_changes(timeline) for timeline in timelines], float)  # (reading, changes and seconds)
        totals += found
        cells = _cells(path.name, str(len(timelines[0].tracks())), found)
        if label is not None:
            cells += [_onset(timeline, label) for timeline in timelines]
        table.add_row(*cells)
    table.add_section()
    table.add_row(*_cells("all", "", totals))
    CONSOLE.print(table)


def _changes(timeline: Timeline) -> tuple[int, float]:
    """Label changes and seconds over all tracks."""
    changes, seconds = 0, 0.0
    for track in timeline.tracks():
        own = timeline.track_id == track
        more, longer = label_changes(timeline.face_time_s()[own], timeline.probabilities[own])
        changes, seconds = changes + more, seconds + longer
    return changes, seconds


def _cells(name: str, faces: str, found: NDArray[np.float64]) -> list[str]:
    (alone, seconds), (head, _) = found
    if not seconds:
        return [name, faces, "0", "–", "–", "–"]
    rates = [f"{60 * changes / seconds:.0f}" for changes in (alone, head)]
    return [name, faces, f"{seconds:.1f}", *rates, f"{alone / head:.1f} times" if head else "all"]


def _onset(timeline: Timeline, label: int) -> str:
    if not timeline.tracks():
        return "–"
    longest = max(timeline.tracks(), key=lambda track: np.count_nonzero(timeline.track_id == track))
    own = timeline.track_id == longest
    if np.count_nonzero(own) < 2:
        return "–"
    time, rise = onset_s(timeline.face_time_s()[own], timeline.probabilities[own, label])
    return f"{time:.2f} s (+{rise:.2f})"


if __name__ == "__main__":
    with errors_on_one_line():
        main()
