from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from seqfer.prefetch import Prefetch


def test_items_come_in_order_and_all() -> None:
    with Prefetch(range(1000), 4) as items:
        assert list(items) == list(range(1000))


def test_it_runs_ahead_but_only_so_far() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    with Prefetch(source(), 3) as items:
        iterator = iter(items)
        assert next(iterator) == 0
        deadline = time.monotonic() + 5
        while len(made) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        # One taken, three waiting, one that waits for room.
        assert len(made) == 5


def test_an_error_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("lost")

    with Prefetch(source(), 4) as items:
        iterator = iter(items)
        assert next(iterator) == 1
        with pytest.raises(OSError, match="lost"):
            next(iterator)


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()

    def endless() -> Iterator[int]:
        while True:
            yield 0

    with Prefetch(endless(), 2) as items:
        next(iter(items))
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_stages_overlap() -> None:
    def slow() -> Iterator[int]:
        for number in range(10):
            time.sleep(0.02)
            yield number

    start = time.perf_counter()
    with Prefetch(slow(), 4) as items:
        for _ in items:
            time.sleep(0.02)
        elapsed = time.perf_counter() - start
        assert items.busy_s >= 0.2
        assert items.waited_s < items.busy_s
    assert elapsed < 0.36  # one after the other they would take 0.4 s
