"""The live loop: take the newest frame, read it, show it, keep it; and how long all that took."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

import numpy as np

from seqfer.live.newest import Newest
from seqfer.live.types import Captured, Clock, LiveFrame


class Reader(Protocol):
    """What reads frames; in earnest a `LiveReader`."""

    def read(self, captured: Captured) -> LiveFrame:
        """What the next frame shows."""
        ...


@dataclass(frozen=True)
class Spread:
    """Of many durations, in milliseconds: the median, what 95 % of them do not exceed, and the longest."""

    median: float
    p95: float
    longest: float


@dataclass
class Timings:
    """How long each frame that was shown took; a few bytes a frame.

    Attributes:
        delays_s: from a frame's capture until it was shown.
        readings_s: from when it was taken up until it was read; what one frame costs.
        first_s: when the first one was captured.
        last_s: when the last one was.
    """

    delays_s: array[float] = field(default_factory=lambda: array("d"))
    readings_s: array[float] = field(default_factory=lambda: array("d"))
    first_s: float = 0.0
    last_s: float = 0.0

    def add(self, captured_s: float, taken_s: float, read_s: float, shown_s: float) -> None:
        """Count one more frame, by the moments at which it came through."""
        self.first_s = self.first_s if self.delays_s else captured_s
        self.last_s = captured_s
        self.delays_s.append(shown_s - captured_s)
        self.readings_s.append(read_s - taken_s)

    @property
    def shown(self) -> int:
        """How many frames were shown."""
        return len(self.delays_s)

    @property
    def frames_per_s(self) -> float:
        """How many frames were shown in a second; 0 while there are fewer than two."""
        return (self.shown - 1) / (self.last_s - self.first_s) if self.shown > 1 else 0.0

    def delay_ms(self, last: int | None = None) -> Spread:
        """Of all frames that were shown, at least one, or of the last so many."""
        return _spread(self.delays_s, last)

    def reading_ms(self) -> Spread:
        """Of all frames that were shown, at least one."""
        return _spread(self.readings_s, None)


def watch(
    newest: Newest[Captured],
    reader: Reader,
    show: Callable[[LiveFrame], bool],
    keep: Callable[[LiveFrame], None],
    timings: Timings,
    clock: Clock = perf_counter,
) -> None:
    """Read and show the newest frame, again and again, until the source or whoever watches ends it.

    Args:
        newest: the source's frames.
        reader: reads each.
        show: shows a frame to whoever watches, and tells whether they want more.
        keep: is given each frame once it has been shown; its time counts as no one's delay but the next frame's.
        timings: filled on the way.
        clock: the source's.
    """
    for captured in newest:
        taken_s = clock()
        frame = reader.read(captured)
        read_s = clock()
        goes_on = show(frame)
        timings.add(captured.captured_s, taken_s, read_s, clock())
        keep(frame)
        if not goes_on:
            break


def _spread(seconds: array[float], last: int | None) -> Spread:
    values = 1000 * np.frombuffer(seconds, np.float64)[-(last or 0) :]
    return Spread(float(np.median(values)), float(np.percentile(values, 95)), float(values.max()))
