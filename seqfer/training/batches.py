"""From a cache of clips to batches: which clips a step learns from, and which of their frames it sees.

Everything random in a step is decided by the seed, the epoch and the step alone, so that a run can go on in the
middle of an epoch, and several processes draw the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqfer.datasets.packed import PackedClip, PackedClips
from seqfer.models.inference import parts_of
from seqfer.training.augmentation import still_noise
from seqfer.training.config import DataConfig


@dataclass(frozen=True)
class Batch:
    """Clips of different length, their frames one after the other.

    Attributes:
        crops: (N, S, S, C) uint8, the frames of all clips.
        lengths: (B,) int64, frames of each clip; they sum to N.
        labels: (B,) int64.
        chosen: (B,) int64, positions of the clips among those that are learnt from.
        noise: (B, len(Drawn)) uniform numbers for each clip's disturbance.
        seed: of whatever else is random in the step.
    """

    crops: Tensor
    lengths: Tensor
    labels: Tensor
    chosen: Tensor
    noise: Tensor
    seed: int

    def __repr__(self) -> str:
        return f"Batch({len(self.lengths)} clips, crops {tuple(self.crops.shape)})"


class Batches:
    """The batches of every epoch of a run."""

    def __init__(
        self,
        packed: PackedClips,
        clips: Sequence[PackedClip],
        labels: NDArray[np.int64],
        data: DataConfig,
        frame_rate: float,
        batch_size: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """
        Args:
            packed: the cache that holds the clips.
            clips: to learn from, at least one.
            labels: (len(clips),) their class indices.
            data: how clips are drawn.
            frame_rate: frames per second that the model reads.
            batch_size: clips in a step, over all processes.
            seed: of the run.
            share: this process's number and how many there are; each gets its part of every batch.
        """
        self._packed, self._clips, self._labels, self._data = packed, clips, labels, data
        self._frame_rate, self._seed, self._share = frame_rate, seed, share
        self._times = [np.array(clip.times_s) for clip in clips]
        self._parts = [parts_of(times) for times in self._times]
        # Equal batches: no clip is left out, and none ends up alone with the batch norms; for that, batches of two
        # may hold a third.
        self.steps = -(-len(clips) // batch_size)
        if batch_size > 1:
            self.steps = max(1, min(self.steps, len(clips) // 2))

    def epoch(self, number: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (counted from 0), from a step of it on."""
        order = np.array_split(self._order(number), self.steps)
        for step in range(first_step, self.steps):
            # Far below what PyTorch's generators take, since others are made of it.
            seed = ((self._seed * 100_003 + number) * 1_000_003 + step) % 2**48
            yield self._batch(order[step], seed)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        rng = np.random.default_rng((self._seed, epoch))
        count = len(self._clips)
        if not self._data.balanced:
            return rng.permutation(count)
        # Each class in turns, its clips in ever new orders: equally often, and none twice before all once.
        classes = rng.permutation(np.unique(self._labels))
        own = {k: np.flatnonzero(self._labels == k) for k in classes}
        drawn = []
        for place, k in enumerate(classes):
            turns = count // len(classes) + (place < count % len(classes))
            rounds = [rng.permutation(own[k]) for _ in range(max(1, -(-turns // len(own[k]))))]
            drawn.append(np.concatenate(rounds)[:turns])
        return rng.permutation(np.concatenate(drawn))

    def _batch(self, chosen: NDArray[np.int64], seed: int) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        noise = still_noise(len(chosen), generator)
        draws = torch.rand(len(chosen), 3, generator=generator, dtype=torch.float64).numpy()
        rank, processes = self._share
        mine = slice(rank, None, processes)
        places = [self._frames(int(k), *draw) for k, draw in zip(chosen[mine], draws[mine], strict=True)]
        return Batch(
            crops=torch.from_numpy(self._packed.frames[np.concatenate(places)]),
            lengths=torch.tensor([len(place) for place in places]),
            labels=torch.from_numpy(self._labels[chosen[mine]]),
            chosen=torch.from_numpy(chosen[mine]),
            noise=noise[mine],
            seed=seed,
        )

    def _frames(self, clip: int, part: float, speed: float, start: float) -> NDArray[np.int64]:
        """Positions in the cache of the frames that are seen of a clip, by three uniform numbers."""
        parts = self._parts[clip]
        # A face out of sight for long begins anew: one stretch is drawn, the longer the likelier.
        ends = np.cumsum([len(positions) for positions in parts])
        positions = parts[int(np.searchsorted(ends, part * ends[-1], side="right"))]
        factor = self._data.speed ** (2 * speed - 1)
        seen = frames_at_rate(self._times[clip][positions], self._frame_rate, self._data.longest_s, factor, start)
        return self._clips[clip].start + positions[seen]


def frames_at_rate(
    times_s: NDArray[np.float64], frame_rate: float, longest_s: float, speed: float, start: float
) -> NDArray[np.int64]:
    """Which frames show a clip at a rate.

    Args:
        times_s: (T,) increasing seconds of the clip's frames.
        frame_rate: frames per second that are wanted.
        longest_s: most seconds that are to be shown.
        speed: how much faster than in reality the clip is to pass.
        start: in [0, 1), where the shown part begins: 0 is as early, 1 as late as can be.

    Returns:
        Positions (U,) in `times_s`, U >= 1, each the frame nearest to its moment.
    """
    duration = times_s[-1] - times_s[0]
    step = speed / frame_rate
    if not duration:
        return np.zeros(1, np.int64)
    # Of a clip that is shown whole, the beginning moves by what lies between two frames that are seen.
    slack = max(duration + step - longest_s * speed, step - float(np.diff(times_s).min()), 0.0)
    first = times_s[0] + start * min(slack, duration)
    count = 1 + int(min(times_s[-1] - first, longest_s * speed - step) / step + 1e-6)
    moments = first + step * np.arange(max(1, count))
    after = np.clip(np.searchsorted(times_s, moments), 1, len(times_s) - 1)
    nearer = moments - times_s[after - 1] < times_s[after] - moments
    return np.asarray(after - nearer, np.int64)
