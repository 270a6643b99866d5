from __future__ import annotations

import pytest

from seqfer.timeline.table import segments_dataframe
from tests.timeline.examples import spans, timeline

COLUMNS = [
    *("frame", "time_s", "track_id", "x1", "y1", "x2", "y2", "detection_score", "label", "confidence"),
    *("p_angry", "p_disgust", "p_fear", "p_happy", "p_sad", "p_surprise", "p_neutral"),
]


def test_a_row_per_frame_and_face_and_one_for_a_frame_without() -> None:
    made = timeline({2: spans([("happy", 2)]), 1: spans([("", 1), ("sad", 2)])}, frames=4)
    table = made.to_dataframe()
    assert list(table.columns) == COLUMNS
    assert table.frame.tolist() == [0, 1, 1, 2, 3]
    assert table.track_id.fillna(0).tolist() == [2, 1, 2, 1, 0]
    assert table.label.fillna("").tolist() == ["happy", "sad", "happy", "sad", ""]
    assert table.confidence[0] == pytest.approx(0.88)
    assert table.p_happy[0] == pytest.approx(0.88)
    assert table.iloc[4, 2:].isna().all()
    assert table.time_s.tolist() == pytest.approx([0, 0.04, 0.04, 0.08, 0.12])


def test_a_video_without_faces_has_a_row_per_frame() -> None:
    table = timeline({}, frames=3).to_dataframe()
    assert len(table) == 3
    assert list(table.columns) == COLUMNS
    assert table.track_id.isna().all()


def test_segments_table() -> None:
    table = segments_dataframe(timeline({1: spans([("happy", 25)])}, frames=25).segments())
    assert list(table.columns) == ["track_id", "label", "start_s", "end_s", "mean_probability"]
    assert table.iloc[0].tolist() == [1, "happy", 0.0, 1.0, pytest.approx(0.88)]
    assert list(segments_dataframe([]).columns) == list(table.columns)
