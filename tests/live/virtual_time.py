"""A clock for a source's thread and a reader: nobody sleeps, and every run comes out the same.

Time passes while the reader works, and while it waits for a frame; in both cases as far as the source is due.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from seqfer.live.newest import Newest
from seqfer.live.types import Captured, LiveFrame, Source, Wait


class VirtualTime:
    def __init__(self) -> None:
        self.now_s = 0.0
        self._changed = threading.Condition()
        self._source_due_s: float | None = None  # None while the source is at work
        self._source_ended = False
        self._reader_waits = False

    def __call__(self) -> float:
        return self.now_s

    def newest(self, source: Source) -> Newest[Captured]:
        """The source's newest frames, in this time."""

        def frames(wait: Wait) -> Iterator[Captured]:
            yield from source.frames(lambda seconds: self._source_waits(seconds, wait))
            with self._changed:
                self._source_ended = True
                self._changed.notify_all()

        newest = Newest(frames)
        newest._changed = _Watched(self)
        return newest

    def work(self, seconds: float) -> None:
        """The reader is at work for so long; what falls due meanwhile is delivered."""
        until_s = self.now_s + seconds
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._source_ended or self._is_source_due(), 5)
                if self._source_due_s is None or self._source_due_s > until_s:
                    self.now_s = until_s
                    return
                self._release_source()

    def set_reader_waits(self, waits: bool) -> None:
        with self._changed:
            self._reader_waits = waits
            self._changed.notify_all()

    def _source_waits(self, seconds: float, wait: Wait) -> bool:
        with self._changed:
            self._source_due_s = self.now_s + seconds
            self._changed.notify_all()
            while self._is_source_due():
                if wait(0):
                    return True
                if self._reader_waits:
                    self._release_source()
                else:
                    self._changed.wait(0.01)
        return False

    def _is_source_due(self) -> bool:
        return self._source_due_s is not None

    def _release_source(self) -> None:
        assert self._source_due_s is not None
        self.now_s = max(self.now_s, self._source_due_s)
        self._source_due_s = None
        self._changed.notify_all()


class _Watched(threading.Condition):
    """Tells the time when the reader begins to wait for a frame, and when it has got one."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time

    def wait(self, timeout: float | None = None) -> bool:
        self._time.set_reader_waits(True)
        return super().wait(timeout)

    def notify(self, n: int = 1) -> None:
        self._time.set_reader_waits(False)
        super().notify(n)


class WorkingReader:
    """Sees no face in any frame, and takes its time."""

    def __init__(self, time: VirtualTime, seconds: float) -> None:
        self._time, self._seconds = time, seconds
        self.read_frames: list[int] = []

    def read(self, captured: Captured) -> LiveFrame:
        self._time.work(self._seconds)
        self.read_frames.append(captured.frame.index)
        return LiveFrame(captured.frame, captured.captured_s, ())
