from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seqfer.errors import OptionError, OutputError, SeqferError
from seqfer.files import check_output, output_folder
from seqfer.timeline.saving import OWN_FILES, load_timeline
from seqfer.timeline.types import WHAT_IT_SAYS, SegmentOptions
from tests.timeline.examples import Faces, spans, timeline

MADE = timeline(
    {1: spans([("happy", 20), ("", 3), ("sad", 7)]), 2: spans([("", 10), ("fear", 20)])},
    frames=31,
    times=[round(k * 1001 / 24000, 9) for k in range(31)],
)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_files_by_format(tmp_path: Path) -> None:
    MADE.save(tmp_path / "a")
    assert names(tmp_path / "a") == {"frames.csv", "segments.csv", "timeline.json", "timeline.png"}
    MADE.save(tmp_path / "b", ("parquet",))
    assert names(tmp_path / "b") == {"frames.parquet", "segments.parquet", "timeline.png"}
    assert names(tmp_path) == {"a", "b"}


def test_csv_keeps_microseconds_and_leaves_what_is_missing_empty(tmp_path: Path) -> None:
    MADE.save(tmp_path / "out")
    with (tmp_path / "out" / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(MADE.to_dataframe())
    assert rows[1]["time_s"] == "0.041708"
    assert rows[0]["track_id"] == "1"
    assert rows[0]["p_happy"] == "0.88"
    last = rows[-1]
    assert last["frame"] == "30"
    assert {value for key, value in last.items() if key not in ("frame", "time_s")} == {""}


def test_parquet_holds_the_same_table(tmp_path: Path) -> None:
    MADE.save(tmp_path / "out", ("csv", "parquet"))
    table = pd.read_parquet(tmp_path / "out" / "frames.parquet")
    other = pd.read_csv(tmp_path / "out" / "frames.csv")
    assert list(table.columns) == list(other.columns)
    assert table.time_s.tolist() == other.time_s.tolist()
    assert table.p_fear.fillna(-1).tolist() == other.p_fear.fillna(-1).tolist()
    assert table.track_id.dtype == "Int64"


def test_the_document_says_everything_and_reads_back(tmp_path: Path) -> None:
    MADE.save(tmp_path / "out")
    document = json.loads((tmp_path / "out" / "timeline.json").read_text())
    assert document["note"] == WHAT_IT_SAYS
    assert document["model"]["name"] == "compact"
    assert document["segment_options"]["onset"] == 0.5
    assert document["video"]["frame_rate"] == "25"
    back = load_timeline(tmp_path / "out")
    assert back.video == MADE.video
    assert back.frame_time_s == pytest.approx(MADE.frame_time_s, abs=1e-6)
    assert (back.track_id == MADE.track_id).all()
    assert (back.face_frame == MADE.face_frame).all()
    assert back.probabilities == pytest.approx(MADE.probabilities, abs=1e-5)
    assert back.provenance == MADE.provenance
    assert [s.label for s in back.segments()] == [s.label for s in MADE.segments()]
    assert document["segments"][0]["label"] == MADE.segments()[0].label


def test_a_video_without_faces_or_segments(tmp_path: Path) -> None:
    timeline({}, frames=3).save(tmp_path / "out", ("csv", "json", "parquet"))
    assert len((tmp_path / "out" / "frames.csv").read_text().splitlines()) == 4
    assert len((tmp_path / "out" / "segments.csv").read_text().splitlines()) == 1
    assert load_timeline(tmp_path / "out").tracks() == []


def test_an_existing_folder_is_left_alone_unless_told(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    MADE.save(folder, ("csv", "parquet"))
    before = (folder / "frames.csv").read_bytes()
    with pytest.raises(OutputError, match="exists already; use --overwrite"):
        timeline({}, frames=3).save(folder)
    assert (folder / "frames.csv").read_bytes() == before
    (folder / "my notes.txt").write_text("mine")
    timeline({}, frames=3).save(folder, ("csv",), overwrite=True)
    # What the new run did not make is not left to look as if it had; what is not ours stays.
    assert names(folder) == {"frames.csv", "segments.csv", "timeline.png", "my notes.txt"}
    assert (folder / "frames.csv").read_bytes() != before


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    MADE.save(tmp_path / "out", ("json",))
    assert "timeline.json" in names(tmp_path / "out")


def test_an_error_leaves_nothing_half_written(tmp_path: Path) -> None:
    def break_off(folder: Path, overwrite: bool) -> None:
        with output_folder(folder, overwrite, OWN_FILES) as place:
            (place / "frames.csv").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off(tmp_path / "new", overwrite=False)
    assert names(tmp_path) == set()
    MADE.save(tmp_path / "old")
    before = (tmp_path / "old" / "frames.csv").read_bytes()
    with pytest.raises(RuntimeError):
        break_off(tmp_path / "old", overwrite=True)
    assert (tmp_path / "old" / "frames.csv").read_bytes() == before
    assert names(tmp_path) == {"old"}


def test_what_a_killed_run_left_does_not_hinder_the_next(tmp_path: Path) -> None:
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "frames.csv").write_text("half")
    MADE.save(tmp_path / "out", ("csv",))
    assert names(tmp_path) == {"out"}
    assert len((tmp_path / "out" / "frames.csv").read_text()) > 1000


@pytest.mark.parametrize("place", ["file", "file/out"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"is a file|cannot be written"):
        check_output(tmp_path / place, overwrite=False)


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="unknown format 'xlsx'; known: csv, json, parquet"):
        MADE.save(tmp_path / "out", ("csv", "xlsx"))
    with pytest.raises(OptionError, match="unknown format none"):
        MADE.save(tmp_path / "out", ())
    assert names(tmp_path) == set()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 9}', '{"format": 1}'])
def test_what_is_no_timeline_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "timeline.json"
    path.write_text(content)
    with pytest.raises(SeqferError, match=r"timeline\.json"):
        load_timeline(path)


def test_a_missing_timeline_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeqferError, match="cannot be read"):
        load_timeline(tmp_path / "nowhere.json")


def test_probabilities_still_sum_to_one_after_rounding(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    faces: Faces = {frame: generator.dirichlet(np.ones(7)).tolist() for frame in range(50)}
    timeline({1: faces}, frames=50).save(tmp_path / "out", ("csv",))
    table = pd.read_csv(tmp_path / "out" / "frames.csv")
    assert np.abs(table.filter(like="p_").sum(axis=1) - 1).max() < 5e-5


def test_frames_keep_their_own_numbers_and_faces_their_boxes(tmp_path: Path) -> None:
    """As with `--every 5`."""
    options = SegmentOptions(smoothing_s=0.1, max_gap_s=0.7)
    made = replace(
        timeline({1: {1: "happy", 3: "sad"}}, 4, options=options),
        frame_index=np.array([0, 5, 10, 15]),
        boxes=np.array([[1.0, 2, 30, 40], [5, 6, 70, 80]]),
    )
    made.save(tmp_path / "out")
    document = json.loads((tmp_path / "out" / "timeline.json").read_text())
    assert document["faces"]["frame"] == [5, 15]
    assert pd.read_csv(tmp_path / "out" / "frames.csv").frame.tolist() == [0, 5, 10, 15]
    back = load_timeline(tmp_path / "out")
    for name in ("frame_index", "face_frame", "boxes", "detection_score"):
        assert (getattr(back, name) == getattr(made, name)).all(), name
    assert (back.end_s, back.options) == (made.end_s, options)
