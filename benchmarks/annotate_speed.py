#!/usr/bin/env python
"""Frames per second of an annotation from end to end, and what each stage takes of it.

    python benchmarks/annotate_speed.py ../shared/videos/pyfeat/WolfgangLanger_Pexels.mp4 --cores 2

Without a video it takes the demo's clip. Start-up is not counted: the model is loaded and a first annotation is
thrown away. Writing is: each run ends with the CSV tables, the JSON document and the picture on disk.

As a yardstick for the machine, each run is followed by one of MediaPipe's short-range model alone, in one thread,
on the same frames: rates of two machines, or of one at two moments, compare by their ratio to it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from itertools import islice
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from seqfer.annotation import Annotator, StageSeconds
from seqfer.demo import write_demo_clip
from seqfer.faces.types import create_detector
from seqfer.machine import usable_cores
from seqfer.video.opening import open_video
from seqfer.video.types import Image

YARDSTICK_FRAMES = 200
STAGES = {
    "decode": "decode, convert to RGB",
    "glance": "detect: a look at every frame",
    "faces": "detect: searches and close-ups; track; crop",
    "encode": "classify: encoder",
    "head": "classify: temporal head",
    "write": "write tables, document, picture",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, nargs="?", help="the demo's clip if not given")
    parser.add_argument("--cores", type=int, help="use only so many CPU cores (Linux)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    if options.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    with tempfile.TemporaryDirectory() as scratch:
        video = options.video or write_demo_clip(Path(scratch) / "demo.mp4")
        annotator = Annotator(options.model, precision=options.precision)
        with open_video(video) as stream:
            images = [frame.image for frame in islice(stream, YARDSTICK_FRAMES)]
        runs, yardsticks = [], []
        for run in range(options.runs + 1):
            runs.append(time_once(annotator, video, Path(scratch) / str(run)))
            yardsticks.append(glances_per_second(images))
    del runs[0], yardsticks[0]
    console = Console()
    frames = runs[0]["frames"]
    rates = sorted(frames / run["total"] for run in runs)
    precision = str(annotator.predictor.dtype).removeprefix("torch.")
    console.print(
        f"{video.name}: {frames:.0f} frames, {usable_cores()} cores, {annotator.predictor.device}, {precision}, "
        f"{options.runs} runs"
    )
    console.print(
        f"end to end: [bold]{statistics.median(rates):.0f}[/bold] frames per second "
        f"(median; {rates[0]:.0f} to {rates[-1]:.0f})"
    )
    yardstick = statistics.median(yardsticks)
    console.print(
        f"MediaPipe's short-range model alone: {yardstick:.0f} frames per second "
        f"(median; {min(yardsticks):.0f} to {max(yardsticks):.0f}); "
        f"ratio {statistics.median(rates) / yardstick:.2f}"
    )
    table = Table("stage", "busy ms per frame", "share of all work")
    busy = {stage: statistics.median(run[stage] for run in runs) for stage in STAGES}
    for stage, text in STAGES.items():
        table.add_row(
            text, f"{1000 * busy[stage] / frames:.2f}", f"{100 * busy[stage] / sum(busy.values()):.0f} %"
        )
    console.print(table)
    console.print("Stages but the last two overlap, so their times add up to more than the whole.")


def glances_per_second(images: list[Image]) -> float:
    """How fast MediaPipe's short-range model looks at pictures, in one thread and with nothing beside it."""
    detector = create_detector("mediapipe")
    start = perf_counter()
    for image in images:
        detector.glance(image)
    seconds = perf_counter() - start
    detector.close()
    return len(images) / seconds


def time_once(annotator: Annotator, video: Path, folder: Path) -> dict[str, float]:
    """Frames and seconds of one annotation, written to `folder`."""
    stages = StageSeconds()
    start = perf_counter()
    timeline = annotator.annotate(video, seconds=stages)
    annotated = perf_counter()
    timeline.save(folder)
    end = perf_counter()
    seconds = {**vars(stages), "write": end - annotated, "total": end - start}
    return {**seconds, "frames": float(len(timeline.frame_index))}


if __name__ == "__main__":
    main()
