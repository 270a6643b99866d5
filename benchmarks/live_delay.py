#!/usr/bin/env python
"""Whether `seqfer live` keeps real time: frames shown and dropped, and the delay from arrival to display.

    python benchmarks/live_delay.py --cores 2
    python benchmarks/live_delay.py --cores 2 --faces 3

It plays the demo's clip at 640x360 and 30 frames per second, as a camera would deliver it, reads what comes, and
draws each frame's board; only the screen is left out. Start-up is not counted: the model is loaded before. The
load of the machine stands beside each run: other programs on the same cores delay frames.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from seqfer.demo import write_demo_clip
from seqfer.faces.types import create_detector
from seqfer.live.board import Board
from seqfer.live.newest import Newest
from seqfer.live.reader import READING_THREADS, LiveReader
from seqfer.live.session import Spread, Timings, watch
from seqfer.live.sources import FileSource
from seqfer.live.types import Captured, LiveFrame
from seqfer.machine import usable_cores
from seqfer.models.bundled import load_model
from seqfer.models.inference import Predictor, choose_device, network_threads
from seqfer.video.opening import open_video
from seqfer.video.types import Frame, Image
from seqfer.video.writer import write_video

WIDTH, HEIGHT, RATE = 640, 360, Fraction(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, nargs="?", help="a clip of one's own instead of the demo's")
    parser.add_argument("--cores", type=int, help="use only so many CPU cores (Linux)")
    parser.add_argument("--faces", type=int, default=1, choices=[1, 2, 3], help="faces side by side")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--detector", default="mediapipe")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    if options.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    predictor = Predictor(load_model(options.model).model, choose_device(options.device))
    table = Table("run", "delivered", "shown", "dropped", "shown/s", "delay", "reading", "faces", "load")
    with tempfile.TemporaryDirectory() as scratch:
        video = options.video or write_clip(Path(scratch), options.faces)
        for run in range(1, options.runs + 1):
            newest, timings, faces = play(video, predictor, options.detector)
            table.add_row(
                str(run),
                *(str(count) for count in (newest.delivered, timings.shown, newest.dropped)),
                f"{timings.frames_per_s:.1f}",
                text_of(timings.delay_ms()),
                text_of(timings.reading_ms()),
                str(faces),
                f"{os.getloadavg()[0]:.1f}",
            )
    console = Console(width=100)
    precision = str(predictor.dtype).removeprefix("torch.")
    console.print(f"{video.name}, {usable_cores()} cores, {predictor.device}, {precision}, {options.detector}")
    console.print(table)
    console.print(
        "delay: from when a frame is due to its finished board; reading: detection, tracking, both networks;"
    )
    console.print("both in ms: median / 95 % within / longest. load: of the last minute, this run's own included.")


def play(video: Path, predictor: Predictor, detector_name: str) -> tuple[Newest[Captured], Timings, int]:
    """Watch a clip to its end; gives the counts, the timings, and how many faces were found."""
    timings, board = Timings(), Board(predictor.architecture.labels.names)

    def show(frame: LiveFrame) -> bool:
        cv2.cvtColor(board.draw(frame), cv2.COLOR_RGB2BGR)  # as a window does before it shows it
        return True

    with (
        closing(FileSource(video)) as source,
        network_threads(READING_THREADS),
        closing(create_detector(detector_name)) as detector,
    ):
        reader = LiveReader(predictor, detector)
        with Newest(source.frames) as newest:
            watch(newest, reader, show, lambda frame: None, timings)
    return newest, timings, reader.faces


def write_clip(folder: Path, faces: int) -> Path:
    """The demo's clip, so many times side by side, at the benchmark's size and rate."""
    path = folder / f"demo-{WIDTH}x{HEIGHT}-{float(RATE):g}fps-{faces}-faces.mp4"
    with open_video(write_demo_clip(folder / "demo.mp4")) as stream:
        write_video(path, side_by_side((frame.image for frame in stream), faces), RATE)
    return path


def side_by_side(images: Iterator[Image], faces: int) -> Iterator[Frame]:
    """Each picture's middle, so many times beside itself, as frames of the benchmark's size and rate."""
    width = WIDTH // faces
    for index, image in enumerate(images):
        scale = min(image.shape[1] / width, image.shape[0] / HEIGHT)
        centre = image.shape[1] // 2, image.shape[0] // 2
        piece = cv2.getRectSubPix(image, (round(width * scale), round(HEIGHT * scale)), centre)
        small = cv2.resize(piece, (width, HEIGHT), interpolation=cv2.INTER_AREA)
        row = np.pad(np.tile(small, (1, faces, 1)), ((0, 0), (0, WIDTH - width * faces), (0, 0)))
        yield Frame(index, float(index / RATE), row.astype(np.uint8))


def text_of(spread: Spread) -> str:
    return f"{spread.median:.0f} / {spread.p95:.0f} / {spread.longest:.0f}"


if __name__ == "__main__":
    main()
