"""Results of a live session as a table that grows frame by frame and is whole however the session ends."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import perf_counter

from seqfer.errors import OutputError
from seqfer.files import partial_of, write_whole
from seqfer.live.types import Clock, LiveFrame
from seqfer.timeline.saving import BOX_DIGITS, SHARE_DIGITS, TIME_DIGITS
from seqfer.timeline.table import BOX

Cell = int | float | str


class Recording:
    """Rows as in `frames.csv` of an annotation: one per frame and face, one for a frame without a face.

    Attributes:
        frames: how many were recorded.
        began: the time of day of the rows' time 0, in UTC; None before the first frame.
    """

    def __init__(self, path: Path, file: io.FileIO, names: Sequence[str], clock: Clock) -> None:
        self.frames = 0
        self.began: datetime | None = None
        self._path, self._file, self._names, self._clock = path, file, names, clock
        self._whole = 0  # bytes that are whole rows
        shares = [f"p_{name}" for name in names]
        self._write([["frame", "time_s", "track_id", *BOX, "detection_score", "label", "confidence", *shares]])

    def add(self, frame: LiveFrame) -> None:
        """Append a frame's rows.

        Raises:
            OutputError: they cannot be written; those of the frames before stay.
        """
        if self.began is None:
            since = self._clock() - frame.captured_s + frame.frame.time_s
            self.began = datetime.now(timezone.utc) - timedelta(seconds=since)
        self._write(self._rows(frame))
        self.frames += 1

    def _rows(self, frame: LiveFrame) -> list[list[Cell]]:
        start: list[Cell] = [frame.frame.index, round(frame.frame.time_s, TIME_DIGITS)]
        rows = []
        for face in frame.faces:
            shares = [round(float(share), SHARE_DIGITS) for share in face.probabilities]
            box = [round(float(edge), BOX_DIGITS) for edge in face.box]
            leader = self._names[int(face.probabilities.argmax())]
            score = round(float(face.score), SHARE_DIGITS)
            rows.append([*start, face.track_id, *box, score, leader, max(shares), *shares])
        return rows or [[*start, *[""] * (len(BOX) + 4 + len(self._names))]]

    def _write(self, rows: list[list[Cell]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        left = memoryview(text.getvalue().encode())
        size = len(left)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._file.truncate(self._whole)
            raise OutputError(self._path, f"cannot be written any further ({error.strerror})") from error
        self._whole += size


@contextmanager
def recording(path: Path, names: Sequence[str], clock: Clock = perf_counter) -> Iterator[Recording]:
    """A recording that appears at `path` when the block ends, also by an error: its rows are whole all the same.

    Until then its rows lie beside `path`, under a hidden name.

    Args:
        path: the CSV file.
        names: of the expressions.
        clock: the source's.

    Raises:
        OutputError: the file cannot be written, or the rows of a recording that was killed would be lost.
    """
    failure: BaseException | None = None
    left = partial_of(path)
    if left.exists():
        problem = f"{left.name} holds the rows of a recording that was killed, or still runs; move it first"
        raise OutputError(path, problem)
    with write_whole(path) as partial, partial.open("wb", buffering=0) as file:
        table = Recording(path, file, names, clock)
        try:
            yield table
        except BaseException as error:
            failure = error
    if failure is not None:
        raise failure
