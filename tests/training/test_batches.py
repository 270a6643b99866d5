"""Batches: every clip in its turn, decided by seed, epoch and step alone, its frames at the rate asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seqfer.datasets.packed import PackedClip, PackedClips
from seqfer.preprocess import Preprocess
from seqfer.training.batches import Batch, Batches, frames_at_rate
from seqfer.training.config import DataConfig

RATE = 25.0
WHOLE = DataConfig()
VARIED = DataConfig(speed=1.3, longest_s=0.5)


def cache(times: Sequence[Sequence[float]]) -> PackedClips:
    """Clips with frames at these times; each frame is its own number in the cache."""
    clips, start = [], 0
    for number, own in enumerate(times):
        clips.append(PackedClip(str(number), start, len(own), "happy", "", "train", None, tuple(own)))
        start += len(own)
    frames = np.arange(start, dtype=np.uint16).view(np.uint8).reshape(start, 1, 1, 2)
    return PackedClips(frames, tuple(clips), Preprocess(), {}, "made", "")


def even(*lengths: int, rate: float = RATE) -> PackedClips:
    return cache([[k / rate for k in range(length)] for length in lengths])


def batches(
    packed: PackedClips,
    labels: Sequence[int] | None = None,
    batch_size: int = 4,
    seed: int = 0,
    share: tuple[int, int] = (0, 1),
    data: DataConfig = WHOLE,
) -> Batches:
    truth = np.zeros(len(packed), np.int64) if labels is None else np.array(labels, np.int64)
    return Batches(packed, packed.clips, truth, data, RATE, batch_size, seed, share)


def frames_of(batch: Batch) -> list[NDArray[np.uint16]]:
    """Numbers of the frames that are seen of each clip."""
    numbers = batch.crops.numpy().view(np.uint16).ravel()
    return np.split(numbers, np.cumsum(batch.lengths.numpy())[:-1])


def clips_of(packed: PackedClips, batch: Batch) -> list[int]:
    """Which clips a batch holds, by its frames."""
    ends = np.cumsum([clip.length for clip in packed.clips])
    return [int(np.searchsorted(ends, frames[0], side="right")) for frames in frames_of(batch)]


def epoch_of(packed: PackedClips, made: Batches, number: int = 0) -> list[int]:
    return [clip for batch in made.epoch(number) for clip in clips_of(packed, batch)]


def assert_same(one: Batch, other: Batch) -> None:
    for name in ("crops", "lengths", "labels", "noise"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert one.seed == other.seed


@pytest.mark.parametrize(
    ("clips", "batch_size", "sizes"),
    [
        (12, 4, [4, 4, 4]),
        (13, 4, [4, 3, 3, 3]),
        (5, 8, [5]),
        (9, 8, [5, 4]),
        (3, 1, [1, 1, 1]),
        (5, 2, [3, 2]),
        (1, 2, [1]),
    ],
)
def test_every_clip_comes_once_in_an_epoch_in_batches_of_like_size(
    clips: int, batch_size: int, sizes: list[int]
) -> None:
    packed = even(*range(1, clips + 1))
    made = batches(packed, labels=range(clips), batch_size=batch_size)
    assert made.steps == len(sizes)
    epoch = list(made.epoch(0))
    assert [len(batch.lengths) for batch in epoch] == sizes
    assert sorted(epoch_of(packed, made)) == list(range(clips))
    for batch in epoch:
        assert batch.labels.tolist() == clips_of(packed, batch)
        assert batch.lengths.tolist() == [clip + 1 for clip in batch.labels.tolist()]  # short clips are seen whole
        assert len(batch.crops) == batch.lengths.sum()
        assert batch.noise.shape == (len(batch.lengths), 20)


@pytest.mark.parametrize("sizes", [(10, 3, 1), (6, 3, 2, 2), (20, 1), (3, 2, 1, 1, 1), (4, 4, 4)])
def test_balanced_classes_come_equally_often(sizes: tuple[int, ...]) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    packed = even(*[1] * len(labels))
    made = batches(packed, labels=labels.tolist(), data=DataConfig(balanced=True))
    for epoch in range(3):
        drawn = Counter(epoch_of(packed, made, epoch))
        assert drawn.total() == len(labels)
        by_class = [sum(drawn[clip] for clip in np.flatnonzero(labels == k)) for k in range(len(sizes))]
        assert max(by_class) - min(by_class) <= 1
        for k in range(len(sizes)):
            times = [drawn[clip] for clip in np.flatnonzero(labels == k)]
            assert max(times) - min(times) <= 1


@pytest.mark.parametrize("balanced", [False, True])
def test_an_epoch_is_decided_by_its_number_and_can_begin_anywhere(balanced: bool) -> None:
    packed = even(*[40] * 6, *[3] * 7)
    labels = [0] * 6 + [1] * 7

    def made(seed: int = 0) -> Batches:
        return batches(packed, labels, seed=seed, data=replace(VARIED, balanced=balanced))

    whole = list(made().epoch(2))
    again = made()
    list(again.epoch(1))  # what was asked before does not matter
    for first in range(made().steps + 1):
        rest = list(again.epoch(2, first))
        assert len(rest) == len(whole) - first
        for one, other in zip(whole[first:], rest, strict=True):
            assert_same(one, other)
    order = epoch_of(packed, made(), 2)
    assert epoch_of(packed, made(), 3) != order
    assert epoch_of(packed, made(seed=1), 2) != order
    assert not whole[0].noise.equal(next(made().epoch(3)).noise)


@pytest.mark.parametrize("processes", [2, 3])
def test_the_shares_of_all_processes_are_the_whole_batch(processes: int) -> None:
    packed = even(*[40] * 6, *range(1, 8))
    whole = batches(packed, range(13), 7, data=VARIED).epoch(1)
    shares = [batches(packed, range(13), 7, 0, (k, processes), VARIED).epoch(1) for k in range(processes)]
    for batch, *parts in zip(whole, *shares, strict=True):
        for rank, part in enumerate(parts):
            mine = slice(rank, None, processes)
            assert torch.equal(part.lengths, batch.lengths[mine])
            assert torch.equal(part.labels, batch.labels[mine])
            assert torch.equal(part.noise, batch.noise[mine])
            assert part.seed == batch.seed
            for frames, wanted in zip(frames_of(part), frames_of(batch)[mine], strict=True):
                assert (frames == wanted).all()


def test_of_a_long_clip_ever_other_parts_are_seen() -> None:
    made = batches(even(250), batch_size=1, data=DataConfig(longest_s=1.0))
    starts = []
    for epoch in range(20):
        (seen,) = frames_of(next(made.epoch(epoch)))
        assert (np.diff(seen) == 1).all()
        assert len(seen) == 25
        starts.append(int(seen[0]))
    assert len(set(starts)) > 15
    assert min(starts) < 50
    assert max(starts) > 175


def test_clips_are_read_faster_and_slower_within_the_limits() -> None:
    made = batches(even(101), batch_size=1, data=DataConfig(longest_s=100.0, speed=1.25))
    lengths = [len(next(made.epoch(epoch)).crops) for epoch in range(60)]
    assert 81 <= min(lengths) < 85
    assert 119 < max(lengths) <= 126


def test_a_gap_is_never_read_over() -> None:
    packed = cache([[k / RATE for k in range(30)] + [5 + k / RATE for k in range(10)]])
    made = batches(packed, batch_size=1)
    sides: Counter[int] = Counter()
    for epoch in range(60):
        (seen,) = frames_of(next(made.epoch(epoch)))
        assert seen.tolist() in (list(range(30)), list(range(30, 40)))
        sides[len(seen)] += 1
    assert sides[30] > sides[10] > 0  # the longer a stretch, the likelier it is drawn
    near = cache([[0.0, 0.5, 1.0]])  # half a second is no gap yet
    assert {len(next(batches(near).epoch(epoch)).crops) for epoch in range(5)} == {26}


@pytest.mark.parametrize("seed", [2**31 - 1, 2**32 - 1])
def test_a_large_seed_is_a_seed_too(seed: int) -> None:
    first = next(batches(even(3, 4, 5), seed=seed).epoch(1000))
    assert_same(first, next(batches(even(3, 4, 5), seed=seed).epoch(1000)))


@pytest.mark.parametrize(
    ("times", "rate", "longest", "speed", "start", "positions"),
    [
        # At the clip's own rate: itself, wherever the draw falls.
        (np.arange(6) / 25, 25, 4, 1, 0, [0, 1, 2, 3, 4, 5]),
        (np.arange(6) / 25, 25, 4, 1, 0.99, [0, 1, 2, 3, 4, 5]),
        (7 + np.arange(6) / 25, 25, 4, 1, 0, [0, 1, 2, 3, 4, 5]),
        # At half the rate every other frame, beginning with the first or the second.
        (np.arange(6) / 25, 12.5, 4, 1, 0, [0, 2, 4]),
        (np.arange(6) / 25, 12.5, 4, 1, 0.9, [1, 3, 5]),
        # At twice the speed too; much slower, each frame twice.
        (np.arange(6) / 25, 25, 4, 2, 0, [0, 2, 4]),
        (np.arange(3) / 25, 25, 4, 0.4, 0, [0, 0, 1, 1, 2, 2]),
        # A part of a long clip: as early and as late as can be.
        (np.arange(10) / 10, 10, 0.4, 1, 0, [0, 1, 2, 3]),
        (np.arange(10) / 10, 10, 0.4, 1, 0.999, [6, 7, 8, 9]),
        (np.arange(10) / 10, 10, 0.4, 2, 0, [0, 2, 4, 6]),
        (np.arange(10) / 10, 10, 0.4, 2, 0.999, [3, 5, 7, 9]),
        # Shorter than a frame's time, and shorter than what is asked for.
        (np.arange(10) / 10, 10, 0.01, 1, 0, [0]),
        (np.arange(2) / 25, 5, 4, 1, 0, [0]),
        (np.arange(2) / 25, 5, 4, 1, 0.9, [1]),
        # A single frame.
        (np.zeros(1), 25, 4, 1, 0.5, [0]),
        # The nearest frame where times are uneven.
        (np.array([0, 0.11, 0.14, 0.21, 0.4]), 10, 4, 1, 0, [0, 1, 3, 3, 4]),
    ],
)
def test_frames_at_a_rate(
    times: NDArray[np.float64], rate: float, longest: float, speed: float, start: float, positions: list[int]
) -> None:
    assert frames_at_rate(times, rate, longest, speed, start).tolist() == positions


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(st.floats(1e-3, 0.5), max_size=60),
    rate=st.floats(1, 120),
    longest=st.floats(1e-3, 10),
    speed=st.floats(0.5, 2),
    start=st.floats(0, 1, exclude_max=True),
)
def test_frames_are_in_order_and_in_range_for_no_longer_than_asked(
    steps: list[float], rate: float, longest: float, speed: float, start: float
) -> None:
    times = np.cumsum([0.0, *steps])
    found = frames_at_rate(times, rate, longest, speed, start)
    assert 1 <= len(found) <= max(1.0, longest * rate + 1e-3)
    assert found.min() >= 0
    assert found.max() < len(times)
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("rate", [25.0, 12.5, 5.0])
@pytest.mark.parametrize("frames", [3, 60, 101, 150])
def test_every_frame_of_a_clip_can_be_drawn(frames: int, rate: float) -> None:
    times = np.arange(frames) / 25
    seen = {int(k) for start in np.linspace(0, 0.999, 400) for k in frames_at_rate(times, rate, 4.0, 1.0, start)}
    assert seen == set(range(frames))
