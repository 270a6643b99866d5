"""The timeline as a table: a row per frame and face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seqfer.timeline.types import Segment, Timeline

if TYPE_CHECKING:
    import pandas as pd

BOX = ("x1", "y1", "x2", "y2")


def to_dataframe(timeline: Timeline) -> pd.DataFrame:
    """One row per frame and face, one for a frame without a face, by frame, then track.

    Columns: `frame`, `time_s`, `track_id`, `x1`, `y1`, `x2`, `y2`, `detection_score`, `label`, `confidence`,
    and `p_<label>` for each label. In a row without a face all but the first two are missing.
    """
    import pandas as pd

    faces = pd.DataFrame(
        {
            "row": timeline.face_frame,
            "track_id": pd.array(timeline.track_id, dtype="Int64"),
            **dict(zip(BOX, timeline.boxes.T, strict=True)),
            "detection_score": timeline.detection_score,
            "label": pd.array(timeline.labels(), dtype="string"),
            "confidence": timeline.probabilities.max(1, initial=0.0),
            **{f"p_{name}": timeline.probabilities[:, k] for k, name in enumerate(timeline.label_set)},
        }
    )
    frames = pd.DataFrame(
        {
            "row": np.arange(len(timeline.frame_index)),
            "frame": timeline.frame_index,
            "time_s": timeline.frame_time_s,
        }
    )
    table = frames.merge(faces, on="row", how="left", sort=False)
    return table.sort_values(["row", "track_id"], kind="stable").drop(columns="row").reset_index(drop=True)


def segments_dataframe(segments: list[Segment]) -> pd.DataFrame:
    """One row per segment: `track_id`, `label`, `start_s`, `end_s`, `mean_probability`."""
    import pandas as pd

    names = ["track_id", "label", "start_s", "end_s", "mean_probability"]
    return pd.DataFrame([[getattr(s, name) for name in names] for s in segments], columns=names)
