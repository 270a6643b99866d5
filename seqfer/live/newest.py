"""A slot that holds only the newest item of a source: what nobody took in time is dropped, not queued."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from seqfer.live.types import Wait

T = TypeVar("T")
CHECK_S = 0.1  # how soon `stop` is noticed while no item comes


class Newest(Generic[T]):
    """The newest item of a source that runs in a thread of its own, whenever one is asked for.

    Iterating waits for the next item if there is none; the last one is given also after the source has ended. An
    error of the source is raised after the items before it. Leaving the `with` block ends the source.

    Attributes:
        delivered: items that came from the source so far.
        dropped: those of them that newer ones replaced, or that were left when the block was.
    """

    def __init__(self, source: Callable[[Wait], Iterator[T]], goes_on: Callable[[], bool] = lambda: True) -> None:
        """
        Args:
            source: makes the iterator; it is given what to pause with, which ends at once when all is to end.
            goes_on: asked every moment while no item comes, in the thread that waits for one, whether to wait on.
        """
        self._goes_on = goes_on
        self.delivered = self.dropped = 0
        self._source = source
        self._item: T | None = None
        self._changed = threading.Condition()
        self._ended = self._stop_wanted = False
        self._leaving = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._deliver, daemon=True)

    def __enter__(self) -> Newest[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join()
        self.dropped += self._item is not None
        self._item = None

    def __iter__(self) -> Iterator[T]:
        while (item := self._take()) is not None:
            yield item

    def stop(self) -> None:
        """End the iteration as soon as an item or a moment has passed; safe in a signal handler."""
        self._stop_wanted = True

    def _take(self) -> T | None:
        with self._changed:
            while self._item is None and not self._ended and not self._stop_wanted:
                if not self._changed.wait(CHECK_S) and not self._goes_on():
                    self.stop()
            if self._stop_wanted:
                return None
            item, self._item = self._item, None
        if item is None and self._error is not None:
            raise self._error
        return item

    def _deliver(self) -> None:
        try:
            for item in self._source(self._leaving.wait):
                if self._leaving.is_set():
                    break
                with self._changed:
                    self.delivered += 1
                    self.dropped += self._item is not None
                    self._item = item
                    self._changed.notify()
        except BaseException as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify()
