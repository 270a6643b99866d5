from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from seqfer.live.session import Timings, watch
from seqfer.live.sources import FileSource
from seqfer.live.types import LiveFrame
from tests.live.virtual_time import VirtualTime, WorkingReader
from tests.media import write_clip

RATE = 25
FRAMES = 50


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", [k / RATE for k in range(FRAMES)])


def watched(clip: Path, seconds: float, ends_at: int | None = None) -> tuple[Timings, list[int], int, int]:
    """Of a session whose reader takes so long for a frame: timings, the frames read, and the counts."""
    time, timings = VirtualTime(), Timings()
    kept: list[int] = []
    with closing(FileSource(clip, time)) as source:
        newest, reader = time.newest(source), WorkingReader(time, seconds)

        def keep(frame: LiveFrame) -> None:
            kept.append(frame.frame.index)

        with newest:
            watch(newest, reader, lambda frame: frame.frame.index != ends_at, keep, timings, time)
    assert kept == reader.read_frames
    return timings, kept, newest.delivered, newest.dropped


def test_a_fast_reader_sees_every_frame_at_once(clip: Path) -> None:
    timings, frames, delivered, dropped = watched(clip, 0.010)
    assert frames == list(range(FRAMES))
    assert (delivered, dropped) == (FRAMES, 0)
    assert list(timings.delays_s) == pytest.approx([0.010] * FRAMES, abs=1e-6)
    assert timings.frames_per_s == pytest.approx(RATE)


@pytest.mark.parametrize("seconds", [0.045, 0.1, 0.33])
def test_a_slow_reader_drops_frames_and_does_not_fall_behind(clip: Path, seconds: float) -> None:
    timings, frames, delivered, dropped = watched(clip, seconds)
    assert delivered == FRAMES == timings.shown + dropped
    assert dropped == FRAMES - len(frames) > 0
    # A frame waits at most until the next one replaces it.
    assert max(timings.delays_s) <= seconds + 1 / RATE + 1e-6
    assert list(timings.readings_s) == pytest.approx([seconds] * len(frames), abs=1e-6)
    gaps = np.diff(frames[:-1])
    assert np.abs(gaps - seconds * RATE).max() <= 1
    assert frames[-1] == FRAMES - 1  # what came last is shown although nothing follows


def test_a_reader_that_takes_as_long_as_a_frame_keeps_up(clip: Path) -> None:
    timings, frames, _, dropped = watched(clip, 0.039)
    assert (frames, dropped) == (list(range(FRAMES)), 0)
    assert max(timings.delays_s) == pytest.approx(0.039, abs=1e-6)


def test_whoever_watches_may_end_it(clip: Path) -> None:
    timings, frames, delivered, dropped = watched(clip, 0.010, ends_at=7)
    assert frames == list(range(8))
    assert timings.shown == 8
    assert delivered == 8 + dropped
    assert delivered < FRAMES


@pytest.mark.parametrize(
    ("delays", "median", "p95", "longest"),
    [
        ([0.010], 10, 10, 10),
        ([0.010, 0.030], 20, 29, 30),
        ([k / 1000 for k in range(101)], 50, 95, 100),
    ],
)
def test_spreads(delays: Sequence[float], median: float, p95: float, longest: float) -> None:
    timings = Timings()
    for count, delay in enumerate(delays):
        timings.add(count, count, count + delay / 2, count + delay)
    spread = timings.delay_ms()
    assert (spread.median, spread.p95, spread.longest) == pytest.approx((median, p95, longest))
    assert timings.reading_ms().longest == pytest.approx(longest / 2)
    assert timings.delay_ms(last=1).median == pytest.approx(1000 * delays[-1])
    assert timings.frames_per_s == pytest.approx(1.0 if len(delays) > 1 else 0.0)
