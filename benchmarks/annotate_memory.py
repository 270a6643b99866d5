#!/usr/bin/env python
"""Peak memory of `seqfer annotate` on a video of one minute and on one of ten.

    python benchmarks/annotate_memory.py ../shared/videos/pyfeat/WolfgangLanger_Pexels.mp4

Both are made by repeating the given video (the demo's clip if none is given); each is annotated in a process of
its own, whose peak resident memory the operating system tells.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import av
from rich.console import Console
from rich.table import Table

from seqfer.demo import write_demo_clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, nargs="?", help="the demo's clip if not given")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 10])
    options = parser.parse_args()
    table = Table("video", "frames", "peak memory")
    peaks = []
    with tempfile.TemporaryDirectory() as scratch:
        source = options.video or write_demo_clip(Path(scratch) / "demo.mp4")
        for minutes in options.minutes:
            video = Path(scratch) / f"{minutes:g}min.mp4"
            frames = repeat(source, video, minutes * 60)
            peaks.append(peak_mb(video, Path(scratch)))
            table.add_row(f"{minutes:g} min", str(frames), f"{peaks[-1]:.0f} MB")
    console = Console()
    console.print(table)
    console.print(f"{options.minutes[-1]:g} min over {options.minutes[0]:g} min: {peaks[-1] / peaks[0]:.3f}")


def repeat(source: Path, target: Path, seconds: float) -> int:
    """Write `source`'s picture again and again into `target`, without encoding it anew; gives the frames."""
    with av.open(str(source)) as first:
        stream = first.streams.video[0]
        packets = [(p.pts, p.dts, p.duration) for p in first.demux(stream) if p.dts is not None]
        time_base = stream.time_base
    assert time_base is not None
    length = max((pts or 0) + (duration or 0) for pts, _, duration in packets)
    times = max(1, round(seconds / float(length * time_base)))
    with av.open(str(target), "w") as output, av.open(str(source)) as template:
        copied = output.add_stream_from_template(template.streams.video[0])
        for turn in range(times):
            with av.open(str(source)) as container:
                for packet in container.demux(container.streams.video[0]):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + turn * length, packet.dts + turn * length
                    packet.stream = copied
                    output.mux(packet)
    return times * len(packets)


def peak_mb(video: Path, scratch: Path) -> float:
    """Peak resident memory of annotating a video in a new process, in MB."""
    command = [sys.executable, "-m", "seqfer.cli.main", "annotate", str(video), "-o", str(scratch / "out")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"annotating {video} failed")
    # Linux counts in kilobytes, macOS in bytes.
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
