from __future__ import annotations

import errno
import io
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seqfer.errors import OutputError, VideoError
from seqfer.labels import FER7
from seqfer.live.recording import Recording, recording
from seqfer.live.types import LiveFace, LiveFrame
from seqfer.timeline.table import to_dataframe
from seqfer.video.types import Frame
from tests.timeline.examples import timeline

SHARES = np.array([0.05, 0.0, 0.1, 0.7, 0.05, 0.05, 0.05])


def frame(index: int, *faces: int) -> LiveFrame:
    image = np.zeros((36, 64, 3), np.uint8)
    found = tuple(LiveFace(k, (10.04 * k, 5.0, 10.0 * k + 60, 65.0), 0.9, SHARES) for k in faces)
    return LiveFrame(Frame(index, index / 30, image), 7.0 + index / 30, found)


def test_rows_are_those_of_an_annotation(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with recording(path, FER7.names) as table:
        for shown in (frame(0), frame(3, 1, 2), frame(4, 2)):
            table.add(shown)
        assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]
    rows = pd.read_csv(path)
    assert list(rows.columns) == list(to_dataframe(timeline({}, frames=1)).columns)
    assert rows.frame.tolist() == [0, 3, 3, 4]
    assert rows.time_s.tolist() == [0.0, 0.1, 0.1, 0.133333]
    assert rows.track_id.fillna(0).tolist() == [0, 1, 2, 2]
    assert rows.iloc[0, 2:].isna().all()
    face = rows.iloc[1]
    assert face[["x1", "y1", "x2", "y2"]].tolist() == [10.0, 5.0, 70.0, 65.0]
    assert (face.label, face.confidence, face.detection_score) == ("happy", 0.7, 0.9)
    assert face[[f"p_{name}" for name in FER7]].tolist() == SHARES.tolist()
    assert table.frames == 3


def test_a_session_without_frames_leaves_a_table_without_rows(tmp_path: Path) -> None:
    with recording(tmp_path / "out.csv", FER7.names) as table:
        pass
    assert (table.frames, table.began) == (0, None)
    assert len(pd.read_csv(tmp_path / "out.csv")) == 0


def test_it_says_at_what_time_of_day_its_time_began(tmp_path: Path) -> None:
    # The first frame that is shown was captured 2 s after the first that came, and half a second ago.
    with recording(tmp_path / "out.csv", FER7.names, clock=lambda: 9.5) as table:
        table.add(frame(60))
        assert table.began is not None
        since = datetime.now(timezone.utc) - table.began
    assert since == pytest.approx(timedelta(seconds=2.5), abs=timedelta(seconds=0.5))


@pytest.mark.parametrize("error", [VideoError("camera 0", "was unplugged"), KeyboardInterrupt(), ValueError("?")])
def test_rows_stay_when_the_session_ends_in_an_error(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "out.csv"

    def end_badly() -> None:
        with recording(path, FER7.names) as table:
            table.add(frame(0, 1))
            raise error

    with pytest.raises(type(error)):
        end_badly()
    assert len(pd.read_csv(path)) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_rows_of_a_recording_that_was_killed_are_not_lost(tmp_path: Path) -> None:
    left = tmp_path / ".out.partial.csv"
    left.write_text("rows")
    with (
        pytest.raises(OutputError, match=r"\.out\.partial\.csv holds the rows"),
        recording(tmp_path / "out.csv", FER7.names),
    ):
        pass
    assert left.read_text() == "rows"


class FullDisk(io.FileIO):
    """Takes a few bytes at a time, and none beyond a limit."""

    room = 500

    def write(self, data: object) -> int:
        piece = bytes(data)[: min(100, self.room)]  # type: ignore[call-overload]
        if not piece:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(piece)
        return super().write(piece)


def test_a_full_disk_leaves_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with FullDisk(path, "w") as file:
        table = Recording(path, file, FER7.names, lambda: 0.0)
        for index in range(3):
            table.add(frame(index, 1))
        with pytest.raises(OutputError, match=r"out.csv: cannot be written any further \(No space left"):
            table.add(frame(3, *range(1, 20)))
    rows = pd.read_csv(path)
    assert len(rows) == table.frames == 3
    assert rows.p_neutral.tolist() == [0.05] * len(rows)
    assert path.read_bytes().endswith(b"0.05\n")


@pytest.mark.parametrize("name", ["missing/out.csv", "folder"])
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"), recording(tmp_path / name, FER7.names) as table:
        table.add(frame(0, 1))
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]
