"""Overlapping the stages of a pipeline: an iterator that runs ahead of its consumer in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Generic, TypeVar

T = TypeVar("T")
_END = object()


class Prefetch(Generic[T]):
    """The items of `source`, produced in a thread at most `depth` items ahead of whoever takes them.

    An error of the source is raised where the items are taken, after the items before it. Leaving the `with`
    block ends the thread, also in the middle.

    Attributes:
        busy_s: seconds that the source has spent on producing items so far.
        waited_s: seconds that the consumer has waited for items so far.
    """

    def __init__(self, source: Iterable[T], depth: int) -> None:
        self.busy_s = self.waited_s = 0.0
        self._source = source
        self._queue: queue.Queue[object] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._produce, daemon=True)

    def __enter__(self) -> Prefetch[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        while self._thread.is_alive():
            # A producer that waits for room must get it once more to see that it is to stop.
            try:
                self._queue.get_nowait()
            except queue.Empty:
                self._thread.join(0.01)

    def __iter__(self) -> Iterator[T]:
        while True:
            start = perf_counter()
            item = self._queue.get()
            self.waited_s += perf_counter() - start
            if item is _END:
                if self._error is not None:
                    raise self._error
                return
            yield item  # type: ignore[misc]

    def _produce(self) -> None:
        try:
            iterator = iter(self._source)
            while not self._stopped.is_set():
                start = perf_counter()
                item = next(iterator, _END)
                self.busy_s += perf_counter() - start
                if item is _END:
                    break
                self._queue.put(item)
        except BaseException as error:
            self._error = error
        self._queue.put(_END)
