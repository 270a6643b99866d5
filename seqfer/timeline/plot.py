"""The timeline as a picture: for each track its probabilities over time, and its segments as a strip below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from seqfer.files import printable
from seqfer.timeline.colours import colour_of
from seqfer.timeline.types import WHAT_IT_SAYS, Segment, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TRACKS = 12  # the ones with most faces; more panels cannot be read
MOST_POINTS = 1500  # along the time axis; longer tracks are drawn as means over bins of time
SHORTEST_S = 1e-3  # the time axis of a still, which has none
WIDTH_IN, PANEL_IN, STRIP_IN = 11.0, 1.5, 0.32


def plot(timeline: Timeline) -> Figure:
    """A figure with two axes per track; without a face, one that says so."""
    counts = dict(zip(*np.unique(timeline.track_id, return_counts=True), strict=True))
    shown = sorted(sorted(timeline.tracks(), key=lambda track: -counts[track])[:MOST_TRACKS])
    rows = max(1, len(shown))
    head_in, foot_in = 0.95, 0.85
    height = head_in + rows * (PANEL_IN + STRIP_IN + 0.3) + foot_in
    figure = Figure(figsize=(WIDTH_IN, height), dpi=120)
    left_out = len(timeline.tracks()) - len(shown)
    title = f"{printable(timeline.video.path)}: expression timeline"
    # A name may hold what matplotlib would take for mathematics.
    figure.suptitle(
        title, parse_math=False, x=0.07, y=1 - 0.2 / height, ha="left", va="top", fontsize=13, fontweight="bold"
    )
    names = list(timeline.label_set)
    figure.legend(
        handles=[Patch(color=colour_of(name), label=name) for name in names],
        loc="upper left",
        bbox_to_anchor=(0.066, 1 - 0.42 / height),
        ncols=len(names),
        frameon=False,
        fontsize=9,
        handlelength=1.2,
        columnspacing=1.4,
        borderpad=0,
    )
    notes = WHAT_IT_SAYS + (f" {left_out} shorter tracks are not shown." if left_out else "")
    figure.text(0.07, 0.12 / height, notes, fontsize=8, color="#555555", va="bottom")
    grid = figure.add_gridspec(
        2 * rows,
        1,
        height_ratios=[PANEL_IN, STRIP_IN] * rows,
        left=0.07,
        right=0.985,
        top=1 - head_in / height,
        bottom=foot_in / height,
        hspace=0.22,
    )
    end_s = timeline.end_s if timeline.end_s > 0 else SHORTEST_S
    segments = timeline.segments()
    for row in range(rows):
        panel = figure.add_subplot(grid[2 * row])
        strip = figure.add_subplot(grid[2 * row + 1], sharex=panel)
        if shown:
            track = shown[row]
            if timeline.end_s > 0:
                _draw_probabilities(panel, timeline, track)
            else:
                _draw_still(panel, timeline, track)
            _draw_segments(strip, [s for s in segments if s.track_id == track], end_s)
            panel.set_ylabel(f"track {track}", fontsize=10)
        else:
            panel.text(0.5, 0.5, "no face found", transform=panel.transAxes, ha="center", va="center")
        panel.set(xlim=(0, end_s), ylim=(0, 1), yticks=[0, 0.5, 1])
        strip.set(ylim=(0, 1), yticks=[])
        panel.tick_params(labelbottom=False, labelsize=8)
        strip.tick_params(labelbottom=row == rows - 1, labelsize=8)
        for axes in (panel, strip):
            for side in ("top", "right", "left"):
                axes.spines[side].set_visible(side == "left" and axes is panel)
        if timeline.end_s == 0:
            strip.set_visible(False)
            panel.set_xticks([])
        if row == rows - 1:
            strip.set_xlabel("time (s)", fontsize=9)
    return figure


def _draw_probabilities(axes: Axes, timeline: Timeline, track: int) -> None:
    rows = np.flatnonzero(timeline.track_id == track)
    starts = timeline.face_time_s()[rows]
    ends = timeline.frame_end_s()[timeline.face_frame[rows]]
    drawn = _frame_by_frame if len(rows) <= MOST_POINTS else _in_bins
    times, values = drawn(starts, ends, timeline.probabilities[rows])
    colours = [colour_of(name) for name in timeline.label_set]
    # Few frames are drawn as the steps that they are, and so are bins.
    step = "post" if len(times) < 40 or drawn is _in_bins else None
    axes.stackplot(times, values.T, colors=colours, linewidth=0, step=step)


def _draw_still(axes: Axes, timeline: Timeline, track: int) -> None:
    """A still has no time: its probabilities stand side by side over the panel's width."""
    probabilities = timeline.probabilities[np.flatnonzero(timeline.track_id == track)[0]]
    width = SHORTEST_S / len(probabilities)
    for index, (name, share) in enumerate(zip(timeline.label_set, probabilities, strict=True)):
        middle = (index + 0.5) * width
        axes.bar(middle, share, 0.8 * width, color=colour_of(name))
        axes.text(middle, min(share + 0.03, 0.88), f"{name} {share:.2f}", ha="center", fontsize=8)


def _draw_segments(axes: Axes, segments: list[Segment], end_s: float) -> None:
    for segment in segments:
        axes.barh(
            0.5,
            segment.duration_s,
            left=segment.start_s,
            height=1,
            color=colour_of(segment.label),
            edgecolor="white",
            linewidth=0.8,
        )
        share = segment.duration_s / end_s
        if share > 0.0085 * len(segment.label) + 0.005:  # else the word would run over the bar's ends
            middle = (segment.start_s + segment.end_s) / 2
            axes.text(middle, 0.46, segment.label, ha="center", va="center", fontsize=8, clip_on=True)


def _frame_by_frame(
    starts: NDArray[np.float64], ends: NDArray[np.float64], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (P,) and values (P, K) to draw; where the face is away they are NaN.

    Each frame's last moment before a gap is drawn as its first.
    """
    last = np.append(np.flatnonzero(starts[1:] - ends[:-1] > 1e-6), len(starts) - 1)
    times = np.insert(starts, np.repeat(last + 1, 2), np.repeat(ends[last], 2))
    held = probabilities[last].repeat(2, axis=0)
    held[1::2] = np.nan
    return times, np.insert(probabilities, np.repeat(last + 1, 2), held, axis=0)


def _in_bins(
    starts: NDArray[np.float64], ends: NDArray[np.float64], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same as means over `MOST_POINTS` bins; one in which no frame begins shows the frame that goes on."""
    edges = np.linspace(starts[0], ends[-1], MOST_POINTS + 1)
    bins = np.searchsorted(edges, starts, "right") - 1
    counts = np.bincount(bins, minlength=MOST_POINTS)[:, None]
    sums = np.stack([np.bincount(bins, column, MOST_POINTS) for column in probabilities.T], 1)
    before = np.searchsorted(starts, edges[:-1], "right") - 1
    goes_on = ends[before] > edges[:-1]
    values = np.where(goes_on[:, None], probabilities[before], np.nan)
    np.divide(sums, counts, out=values, where=counts > 0)
    return edges, np.vstack([values, values[-1:]])
