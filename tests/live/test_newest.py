from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from seqfer.live.newest import Newest
from seqfer.live.types import Wait


def until(met: threading.Event) -> None:
    assert met.wait(5)


def test_only_the_newest_item_is_held() -> None:
    done = threading.Event()

    def source(wait: Wait) -> Iterator[int]:
        yield from range(10)
        done.set()

    with Newest(source) as newest:
        until(done)
        assert list(newest) == [9]
    assert (newest.delivered, newest.dropped) == (10, 9)


def test_nothing_is_dropped_while_each_item_is_taken() -> None:
    taken = threading.Semaphore()

    def source(wait: Wait) -> Iterator[int]:
        for number in range(20):
            assert taken.acquire(timeout=5)
            yield number

    with Newest(source) as newest:
        seen = []
        for number in newest:
            seen.append(number)
            taken.release()
    assert seen == list(range(20))
    assert (newest.delivered, newest.dropped) == (20, 0)


def test_what_is_left_at_the_end_counts_as_dropped() -> None:
    done = threading.Event()

    def source(wait: Wait) -> Iterator[int]:
        yield from range(3)
        done.set()

    with Newest(source) as newest:
        until(done)
    assert (newest.delivered, newest.dropped) == (3, 3)


def test_an_error_comes_after_the_item_before_it() -> None:
    def source(wait: Wait) -> Iterator[int]:
        yield 1
        raise OSError("lost")

    with Newest(source) as newest:
        iterator = iter(newest)
        assert next(iterator) == 1
        with pytest.raises(OSError, match="lost"):
            next(iterator)


def test_a_source_without_items_ends_at_once() -> None:
    with Newest(lambda wait: iter(())) as newest:
        assert list(newest) == []


def test_leaving_ends_the_pauses_of_the_source_and_its_thread() -> None:
    before = threading.active_count()

    def slow(wait: Wait) -> Iterator[int]:
        yield 0
        assert wait(60)

    start = time.perf_counter()
    with Newest(slow) as newest:
        assert next(iter(newest)) == 0
    assert time.perf_counter() - start < 5
    assert threading.active_count() == before


def test_it_can_be_stopped_while_nothing_comes() -> None:
    def silent(wait: Wait) -> Iterator[int]:
        wait(60)
        yield from ()

    with Newest(silent) as newest:
        threading.Timer(0.05, newest.stop).start()
        assert list(newest) == []


def test_what_comes_after_a_stop_is_not_given() -> None:
    with Newest(lambda wait: iter(range(3))) as newest:
        newest.stop()
        assert list(newest) == []


def test_while_no_item_comes_it_asks_whether_to_wait_on() -> None:
    leave = threading.Event()
    asked: list[int] = []

    def source(wait: Wait) -> Iterator[int]:
        yield 1
        leave.wait(20)

    def goes_on() -> bool:
        asked.append(len(asked))
        return len(asked) < 3

    began = time.perf_counter()
    with Newest(source, goes_on) as newest:
        assert list(newest) == [1]
        leave.set()
    assert asked == [0, 1, 2]
    assert time.perf_counter() - began < 5
