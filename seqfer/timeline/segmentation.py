"""From probabilities per frame to segments: smoothing, hysteresis, and a minimum duration."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from seqfer.timeline.types import Segment, SegmentOptions, Timeline
from seqfer.video.types import ROUNDING_S

NONE = -1  # where no label holds


def segment(timeline: Timeline, options: SegmentOptions) -> list[Segment]:
    """The segments of every track, by track, then time; those of a track do not overlap."""
    starts, ends = timeline.face_time_s(), timeline.frame_end_s()
    found = []
    for track in timeline.tracks():
        rows = np.flatnonzero(timeline.track_id == track)
        times, shown_until = starts[rows], ends[timeline.face_frame[rows]]
        away = np.flatnonzero(times[1:] - shown_until[:-1] > options.max_gap_s + ROUNDING_S) + 1
        for part in np.split(np.arange(len(rows)), away):
            frames = timeline.face_frame[rows[part]]
            probabilities = timeline.probabilities[rows[part]]
            smoothed = smooth(probabilities, times[part], options.smoothing_s)
            states = hysteresis(smoothed, options.onset, options.offset)
            for label, first, last in _runs(states, times[part], ends[frames], options.min_duration_s):
                found.append(
                    Segment(
                        track_id=track,
                        label=timeline.label_set.names[label],
                        start_s=float(times[part][first]),
                        end_s=float(ends[frames[last]]),
                        mean_probability=float(probabilities[first : last + 1, label].mean()),
                    )
                )
    return found


def smooth(values: NDArray[np.float64], times_s: NDArray[np.float64], width_s: float) -> NDArray[np.float64]:
    """Centred moving average over time: each row of (T, K) becomes the mean of all within `width_s` / 2 of it."""
    # So that frames at the window's very edge fall in on both sides alike.
    reach = width_s / 2 + ROUNDING_S
    first = np.searchsorted(times_s, times_s - reach, "left")
    after = np.searchsorted(times_s, times_s + reach, "right")
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray((sums[after] - sums[first]) / (after - first)[:, None], np.float64)


def hysteresis(values: NDArray[np.float64], onset: float, offset: float) -> NDArray[np.int64]:
    """The label that holds in each frame of (T, K), or -1.

    A label takes hold when it leads with at least `onset`, keeps it while it has at least `offset`, and
    yields to another that leads with at least `onset`.
    """
    leaders = values.argmax(1)
    strong = values[np.arange(len(values)), leaders] >= onset
    states = np.full(len(values), NONE)
    current = NONE
    for index, (row, leader) in enumerate(zip(values, leaders, strict=True)):
        if strong[index]:
            current = int(leader)
        elif current != NONE and row[current] < offset:
            current = NONE
        states[index] = current
    return states


def _runs(
    states: NDArray[np.int64],
    starts_s: NDArray[np.float64],
    ends_s: NDArray[np.float64],
    min_duration_s: float,
) -> Iterator[tuple[int, int, int]]:
    """Label, first and last position of each run that is long enough, after short interruptions are bridged."""
    edges = np.flatnonzero(np.diff(states)) + 1
    firsts, lasts = [0, *edges], [*(edges - 1), len(states) - 1]
    runs = [
        (int(states[first]), int(first), int(last))
        for first, last in zip(firsts, lasts, strict=True)
        if states[first] != NONE
    ]

    def is_short(before: int, after: int) -> bool:
        return bool(starts_s[after] - ends_s[before] < min_duration_s - ROUNDING_S)

    def bridged(pieces: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        joined: list[tuple[int, int, int]] = []
        for label, first, last in pieces:
            if joined and joined[-1][0] == label and is_short(joined[-1][2], first):
                joined[-1] = (label, joined[-1][1], last)
            else:
                joined.append((label, first, last))
        return joined

    # A flicker is joined before it is judged too short; what it interrupted is joined after it is gone.
    # A frame that is shown for no time, as a still image is, makes no segment.
    long_enough = [
        run for run in bridged(runs) if 0 < ends_s[run[2]] - starts_s[run[1]] >= min_duration_s - ROUNDING_S
    ]
    yield from bridged(long_enough)
