from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqfer.timeline.segmentation import hysteresis, smooth
from seqfer.timeline.types import SegmentOptions
from tests.timeline.examples import Faces, spans, timeline

PLAIN = SegmentOptions(smoothing_s=0, min_duration_s=0)


def found(made: object, options: SegmentOptions | None = None) -> list[tuple[int, str, float, float]]:
    segments = made.segments(options)  # type: ignore[attr-defined]
    return [(s.track_id, s.label, round(s.start_s, 6), round(s.end_s, 6)) for s in segments]


def test_segments_are_half_open_and_end_as_the_next_frame_begins() -> None:
    made = timeline({1: spans([("happy", 10), ("sad", 15)])}, frames=25)
    assert found(made, PLAIN) == [(1, "happy", 0.0, 0.4), (1, "sad", 0.4, 1.0)]


def test_mean_probability_is_that_of_the_frames() -> None:
    made = timeline({1: spans([("happy", 10)])}, frames=10)
    assert made.segments()[0].mean_probability == pytest.approx(0.88)


def test_uneven_frames_count_by_their_times() -> None:
    made = timeline({1: spans([("happy", 3), ("sad", 2)])}, frames=5, times=[0, 0.1, 0.2, 0.9, 1.0])
    assert found(made, PLAIN) == [(1, "happy", 0.0, 0.9), (1, "sad", 0.9, 1.04)]


@pytest.mark.parametrize(
    ("stretches", "segments"),
    [
        # a flicker of two frames is neither a segment nor an interruption
        ([("happy", 25), ("sad", 2), ("happy", 25)], [("happy", 0.0, 2.08)]),
        # what is too short alone is left out
        ([("neutral", 25), ("fear", 4), ("sad", 25)], [("neutral", 0.0, 1.0), ("sad", 1.16, 2.16)]),
        # the face is away for a moment, or for long
        ([("happy", 25), ("", 5), ("happy", 25)], [("happy", 0.0, 2.2)]),
        ([("happy", 25), ("", 25), ("happy", 25)], [("happy", 0.0, 1.0), ("happy", 2.0, 3.0)]),
    ],
)
def test_short_segments_and_interruptions(
    stretches: list[tuple[str, int]], segments: list[tuple[str, float, float]]
) -> None:
    frames = sum(count for _, count in stretches)
    options = SegmentOptions(smoothing_s=0, min_duration_s=0.25)
    assert found(timeline({1: spans(stretches)}, frames), options) == [(1, *segment) for segment in segments]


@pytest.mark.parametrize("start", range(1, 200))
def test_what_lasts_exactly_the_minimum_counts_wherever_it_begins(start: int) -> None:
    made = timeline({1: spans([("neutral", start), ("happy", 5), ("sad", 10)])}, start + 15, rate=20)
    options = SegmentOptions(smoothing_s=0, min_duration_s=0.25)
    assert "happy" in {label for _, label, _, _ in found(made, options)}


def test_sparse_frames_are_no_absence() -> None:
    # Every fifteenth frame read: each stands until the next one, so the face was never away.
    made = timeline({1: spans([("happy", 10)])}, frames=10, rate=25 / 15)
    assert found(made, PLAIN) == [(1, "happy", 0.0, 6.0)]


def test_tracks_are_apart() -> None:
    made = timeline({1: spans([("happy", 20)]), 2: spans([("", 5), ("sad", 15)])}, frames=20)
    assert found(made, PLAIN) == [(1, "happy", 0.0, 0.8), (2, "sad", 0.2, 0.8)]


def test_an_unsure_stretch_has_no_segment() -> None:
    unsure = [0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1]
    made = timeline({1: {**spans([("happy", 25)]), **dict.fromkeys(range(25, 50), unsure)}}, frames=50)
    assert found(made, PLAIN) == [(1, "happy", 0.0, 1.0)]


def test_a_still_has_no_segments() -> None:
    made = timeline({1: {0: "happy"}}, frames=1, times=[0.0])
    object.__setattr__(made, "end_s", 0.0)
    assert made.segments() == []


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ([0.4, 0.55, 0.45, 0.36, 0.34, 0.45, 0.6], [-1, 0, 0, 0, -1, -1, 0]),  # on at 0.5, off below 0.35
        ([0.49, 0.49], [-1, -1]),
        ([0.5, 0.35], [0, 0]),  # the thresholds belong to it
    ],
)
def test_hysteresis(path: list[float], held: list[int]) -> None:
    values = np.zeros((len(path), 3))
    values[:, 0] = path
    assert hysteresis(values, 0.5, 0.35).tolist() == held


def test_a_stronger_label_takes_over() -> None:
    values = np.array([[0.6, 0.2], [0.45, 0.55], [0.48, 0.4]])
    assert hysteresis(values, 0.5, 0.35).tolist() == [0, 1, 1]


def test_smoothing_is_the_mean_within_reach() -> None:
    times = np.arange(11) / 10
    values = np.random.default_rng(0).random((11, 2))
    smoothed = smooth(values, times, 0.4)
    assert smoothed[5] == pytest.approx(values[3:8].mean(0))
    assert smoothed[0] == pytest.approx(values[:3].mean(0))
    assert smooth(values, times, 0.0) == pytest.approx(values)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 120), st.floats(0, 1), st.floats(0, 0.6))
def test_segments_never_overlap_and_are_long_enough(seed: int, frames: int, gaps: float, shortest: float) -> None:
    generator = np.random.default_rng(seed)
    faces: Faces = {
        frame: generator.dirichlet(np.full(7, 0.3)).tolist()
        for frame in range(frames)
        if generator.random() >= gaps
    }
    times = np.cumsum(generator.uniform(0.01, 0.15, frames))
    made = timeline({1: faces}, frames, times=list(times - times[0]))
    options = SegmentOptions(smoothing_s=0.1, min_duration_s=shortest)
    segments = made.segments(options)
    for segment in segments:
        assert segment.duration_s >= shortest
        assert 0 <= segment.mean_probability <= 1
    for earlier, later in itertools.pairwise(segments):
        assert earlier.end_s <= later.start_s


def shown(happy: float) -> list[float]:
    """Probabilities of a face that is happy by so much; the rest is shared evenly."""
    rest = (1 - happy) / 6
    return [rest] * 3 + [happy] + [rest] * 3


def test_the_mean_probability_is_that_of_the_frames_themselves() -> None:
    shares = [0.6, 0.9, 0.6, 0.9, 1.0]
    made = timeline({1: {k: shown(share) for k, share in enumerate(shares)}}, 5, rate=5)
    (segment,) = made.segments(SegmentOptions(smoothing_s=0.5, min_duration_s=0))
    assert segment.mean_probability == pytest.approx(np.mean(shares))


def test_a_face_may_be_away_for_as_long_as_asked_for() -> None:
    made = timeline({1: spans([("happy", 25), ("", 10), ("happy", 25)])}, 60)  # away for 0.4 s
    options = SegmentOptions(smoothing_s=0, min_duration_s=0.25, max_gap_s=0.5)
    assert found(made, options) == [(1, "happy", 0.0, 2.4)]
    parted = found(made, replace(options, max_gap_s=0.3))
    assert parted == [(1, "happy", 0.0, 1.0), (1, "happy", 1.4, 2.4)]


@pytest.mark.parametrize("start", [0, 11, 700, 5000, 90_001])
def test_an_absence_of_exactly_the_longest_is_bridged_wherever_it_begins(start: int) -> None:
    """Times in files are rounded to the microsecond: what is read again must not part where the first did not."""
    made = timeline({1: spans([("", start), ("happy", 30), ("", 15), ("happy", 30)])}, start + 75, rate=30)
    options = SegmentOptions(smoothing_s=0, min_duration_s=0.25, max_gap_s=0.5)
    assert len(found(made, options)) == 1


def test_smoothing_steadies_what_flickers() -> None:
    made = timeline({1: {k: shown(0.9 if k % 2 else 0.3) for k in range(20)}}, 20)
    assert len(found(made, SegmentOptions(smoothing_s=0.4, min_duration_s=0))) == 1
    assert len(found(made, SegmentOptions(smoothing_s=0, min_duration_s=0))) == 10


def test_a_long_unsure_stretch_is_not_bridged() -> None:
    unsure = dict.fromkeys(range(25, 50), (0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1))
    made = timeline({1: {**spans([("happy", 25)]), **unsure, **spans([("happy", 25)], 50)}}, 75)
    assert found(made, SegmentOptions(smoothing_s=0)) == [(1, "happy", 0.0, 1.0), (1, "happy", 2.0, 3.0)]
