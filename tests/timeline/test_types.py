from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seqfer.errors import OptionError
from seqfer.timeline.types import Segment, SegmentOptions
from tests.timeline.examples import spans, timeline


def test_what_it_tells_of_itself() -> None:
    made = timeline({2: spans([("happy", 3)]), 1: spans([("", 1), ("sad", 2)])}, frames=5)
    assert made.tracks() == [1, 2]
    assert made.labels() == ["happy", "sad", "happy", "sad", "happy"]
    assert made.face_time_s() == pytest.approx([0, 0.04, 0.04, 0.08, 0.08])
    assert made.frame_end_s() == pytest.approx([0.04, 0.08, 0.12, 0.16, 0.2])
    assert repr(made) == "Timeline('clip.mp4', 5 frames, 0.200 s, 2 tracks, 5 faces)"


GOOD = timeline({1: spans([("happy", 4)])}, frames=4)


@pytest.mark.parametrize(
    "change",
    [
        {"frame_time_s": np.array([0.0, 0.1, 0.1, 0.2])},
        {"frame_index": np.array([0, 1, 1, 2])},
        {"face_frame": np.array([0, 1, 2, 9])},
        {"face_frame": np.array([3, 2, 1, 0])},
        {"track_id": np.array([1, 1, 1])},
        {"boxes": np.zeros((4, 3))},
        {"probabilities": np.full((4, 7), 0.5)},
        {"detection_score": np.zeros(3)},
    ],
)
def test_inconsistent_columns_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|points at"):
        replace(GOOD, **change)


@pytest.mark.parametrize(
    "options",
    [{"onset": 0.3, "offset": 0.5}, {"onset": 1.5}, {"smoothing_s": -1}, {"min_duration_s": float("nan")}],
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        SegmentOptions(**options)


def test_segments_have_a_length() -> None:
    assert Segment(1, "happy", 1.0, 2.5, 0.8).duration_s == 1.5
    with pytest.raises(ValueError, match="ends after"):
        Segment(1, "happy", 1.0, 1.0, 0.8)
