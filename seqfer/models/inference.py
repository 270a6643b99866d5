"""Running a model: face crops to embeddings in batches, a track's embeddings to probabilities per frame.

Time enters here. The head reads clips at one fixed rate (`Architecture.frame_rate`); a track is resampled to
it by its timestamps, read in overlapping windows, and the logits are brought back to the track's own times.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqfer.errors import OptionError
from seqfer.models.classifier import SequenceClassifier
from seqfer.models.folding import folded
from seqfer.models.heads import SequenceOutput
from seqfer.video.types import ROUNDING_S

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16")
WINDOWS_AT_ONCE = 32
FACES_AT_ONCE = 32  # on CPUs, whose caches more of them overflow (benchmarks/encoder_speed.py)
FACES_AT_ONCE_ON_GPU = 256
LONGEST_GAP_S = 0.5  # a face unseen for longer starts a new sequence for the head

_LIMITING = threading.Lock()
_found: list[int] = []  # by each thread within `network_threads`, how many the first of them found


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        OptionError: the name is unknown, or this machine or PyTorch build lacks the device.
    """
    if name not in DEVICES:
        raise OptionError(f"unknown device {name!r}; known: {', '.join(DEVICES)}")
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if present[kind]))
    if not present[name]:
        usable = [kind for kind in present if present[kind]]
        raise OptionError(f"device {name!r} is not available here; usable: auto, {', '.join(usable)}")
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """In which numbers the encoder computes; "auto" takes bfloat16 on CPUs with instructions for it.

    There bfloat16 reads twice as many faces a second; probabilities move by less than 0.01.

    Raises:
        OptionError: the name is unknown.
    """
    if name not in PRECISIONS:
        raise OptionError(f"unknown precision {name!r}; known: {', '.join(PRECISIONS)}")
    if name != "auto":
        return torch.float32 if name == "float32" else torch.bfloat16
    # PyTorch has no public question for this; a version without these takes the exact way.
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    fast = device.type == "cpu" and any(getattr(torch.cpu, ask, bool)() for ask in asks)
    return torch.bfloat16 if fast else torch.float32


@contextmanager
def network_threads(most: int) -> Iterator[None]:
    """Let the networks compute in at most so many threads, at least one, and not in more than before.

    Where several threads are in here at once, the last one out restores what the first one found.
    """
    with _LIMITING:
        before = _found[0] if _found else torch.get_num_threads()
        _found.append(before)
        torch.set_num_threads(max(1, min(before, most)))
    try:
        yield
    finally:
        with _LIMITING:
            _found.pop()
            if not _found:
                torch.set_num_threads(before)


class Predictor:
    """A model made ready to read faces on one device.

    Batch norms are folded into the convolutions before them; the model given is left as it was. The head
    always computes in float32.

    Attributes:
        window: steps of a track that the head reads at once.
    """

    def __init__(
        self, model: SequenceClassifier, device: torch.device | None = None, precision: str = "auto"
    ) -> None:
        """
        Args:
            model: in any mode; read in eval mode.
            device: where to compute; `choose_device()` if not given.
            precision: of the encoder, one of `PRECISIONS`.
        """
        self.device = device or choose_device()
        self.dtype = choose_precision(precision, self.device)
        model = copy.deepcopy(model).eval().float().cpu()
        self.architecture = model.architecture
        self.embedding_dim = model.embedding_dim
        self.window = max(2, round(self.architecture.window_s * self.architecture.frame_rate))
        encoder = folded(model.encoder)
        encoder.to(memory_format=torch.channels_last)
        self._encoder = encoder.to(self.device, self.dtype)
        self._head = model.head.to(self.device)

    @torch.inference_mode()
    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Embeddings of face crops.

        Args:
            crops: (N, H, W, C) uint8, RGB or grey, as `Preprocess` takes them.

        Returns:
            (N, D) float16: half the memory of an hour's faces, at a rounding of 0.05 %.
        """
        at_once = FACES_AT_ONCE if self.device.type == "cpu" else FACES_AT_ONCE_ON_GPU
        return np.concatenate([self._encoded(part) for part in torch.split(torch.from_numpy(crops), at_once)])

    def _encoded(self, crops: torch.Tensor) -> NDArray[np.float16]:
        images = self.architecture.preprocess(crops.to(self.device))
        return _array(self._encoder(images.to(self.dtype, memory_format=torch.channels_last)).half())

    @torch.inference_mode()
    def read_stills(self, embeddings: NDArray[np.float16]) -> NDArray[np.float32]:
        """Probabilities of unrelated stills, each a clip of its own: (N, D) to (N, K)."""
        clips = torch.from_numpy(embeddings).to(self.device).float()[:, None]
        output: SequenceOutput = self._head(clips, torch.ones(len(clips), dtype=torch.int64))
        return _array(output.frame_logits[:, 0].softmax(1))

    @torch.inference_mode()
    def read_track(self, embeddings: NDArray[np.float16], times_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Probabilities along one track.

        Args:
            embeddings: (T, D) in the order of time, T >= 1.
            times_s: (T,) strictly increasing seconds; a gap of more than half a second parts the track.

        Returns:
            (T, K), each row sums to 1.
        """
        return self.read_clip(embeddings, times_s)[0]

    @torch.inference_mode()
    def read_clip(
        self, embeddings: NDArray[np.float16], times_s: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities of each frame of a clip, (T, K), and of the clip as a whole, (K,).

        Args:
            embeddings: (T, D) in the order of time, T >= 1.
            times_s: (T,) strictly increasing seconds; a gap of more than half a second parts the clip.

        A clip that has gaps or is longer than a window is the mean of what its windows say, each weighted by its
        length.
        """
        if len(embeddings) != len(times_s) or len(times_s) == 0:
            raise ValueError(f"{len(embeddings)} embeddings but {len(times_s)} times")
        if np.any(np.diff(times_s) <= 0):
            raise ValueError("times must increase strictly")
        frames, windows, lengths = [], [], []
        for part in parts_of(times_s):
            of_frames, of_windows, length = self._read_sequence(embeddings[part], times_s[part])
            frames.append(of_frames)
            windows.append(of_windows)
            lengths += [length] * len(of_windows)
        by_frame, by_window = (torch.from_numpy(np.concatenate(logits)).softmax(1) for logits in (frames, windows))
        return by_frame.numpy(), np.average(by_window.numpy(), axis=0, weights=lengths).astype(np.float32)

    def _read_sequence(
        self, embeddings: NDArray[np.float16], times_s: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
        """A sequence without large gaps: logits of its frames (T, K) and windows (W, K), and a window's steps."""
        rate = self.architecture.frame_rate
        # Up to the step nearest to the last frame, of two the later one; rounding errors do not decide.
        last = int(np.floor(np.round((times_s[-1] - times_s[0]) * rate, 6) + 0.5))
        grid = times_s[0] + np.arange(last + 1) / rate
        # Every window is equally long: a short sequence is a single one.
        windows = overlapping_windows(len(grid), self.window, self.window // 2)
        steps = windows[0].stop
        of_frames, of_windows = [], []
        for first in range(0, len(windows), WINDOWS_AT_ONCE):
            some = windows[first : first + WINDOWS_AT_ONCE]
            clips = np.stack([resample(embeddings, times_s, grid[window], 1 / rate) for window in some])
            output: SequenceOutput = self._head(
                torch.from_numpy(clips).to(self.device), torch.full((len(clips),), steps)
            )
            of_frames.append(_array(output.frame_logits))
            of_windows.append(_array(output.clip_logits))
        on_grid = stitch(np.concatenate(of_frames), windows)
        return interpolate(on_grid, grid, times_s), np.concatenate(of_windows), steps


def read_crops(predictor: Predictor, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities (N, K) of face crops (N, S, S, C), N >= 1, each read alone."""
    return predictor.read_stills(predictor.encode(crops))


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


def interpolate(
    values: NDArray[np.floating[Any]], times_s: NDArray[np.float64], at_s: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Values (T, X) at `times_s` (T,), read linearly at `at_s` (U,): (U, X); the ends hold beyond them."""
    if len(times_s) == 1:
        return np.repeat(values, len(at_s), axis=0).astype(np.float32)
    after = np.clip(np.searchsorted(times_s, at_s), 1, len(times_s) - 1)
    span = times_s[after] - times_s[after - 1]
    weight = np.clip((at_s - times_s[after - 1]) / span, 0, 1).astype(np.float32)[:, None]
    return np.asarray(values[after - 1] * (1 - weight) + values[after] * weight, np.float32)


def resample(
    values: NDArray[np.floating[Any]], times_s: NDArray[np.float64], grid_s: NDArray[np.float64], step: float
) -> NDArray[np.float32]:
    """Values (T, X) at `times_s` (T,), brought to a part of an even grid (U,) of some `step`: (U, X).

    A grid step that holds several values takes their mean, so that no frame of a fast video is passed over;
    one that holds one or none reads between its neighbours. A value halfway between two steps counts half in each.
    """
    # Of a long track, what the grid's part can touch.
    first = max(0, np.searchsorted(times_s, grid_s[0] - step) - 1)
    after = np.searchsorted(times_s, grid_s[-1] + step, side="right") + 1
    values, times_s = values[first:after], times_s[first:after]
    result = interpolate(values, times_s, grid_s)
    places = np.round((times_s - grid_s[0]) / step, 6)  # so that rounding errors do not decide what is halfway
    nearest = np.concatenate((np.ceil(places - 0.5), np.floor(places + 0.5))).astype(int)
    inside = (nearest >= 0) & (nearest < len(grid_s))
    halves = np.bincount(nearest[inside], minlength=len(grid_s))
    several = halves > 2
    if several.any():
        sums = np.zeros_like(result)
        np.add.at(sums, nearest[inside], np.concatenate((values, values))[inside].astype(np.float32))
        result[several] = sums[several] / halves[several, None]
    return result


def parts_of(times_s: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """The positions of each stretch of times without a gap that the head must not reach over."""
    gaps = np.diff(times_s) > LONGEST_GAP_S + ROUNDING_S
    return np.split(np.arange(len(times_s)), np.flatnonzero(gaps) + 1)


def overlapping_windows(count: int, window: int, hop: int) -> list[slice]:
    """Windows of `window` steps that cover [0, `count`), each `hop` after the last; the last one is full."""
    if count <= window:
        return [slice(0, count)]
    starts = [*range(0, count - window, hop), count - window]
    return [slice(start, start + window) for start in starts]


def stitch(values: NDArray[np.float32], windows: list[slice]) -> NDArray[np.float32]:
    """One sequence (U, X) of what overlapping windows (B, T, X) say: means in which a window's middle counts most.

    A window knows least at its ends, where it has not seen what comes before or after.
    """
    length = values.shape[1]
    ramp = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1))[:, None].astype(np.float64)
    total = np.zeros((windows[-1].stop, values.shape[2]))
    weights = np.zeros((windows[-1].stop, 1))
    for value, window in zip(values, windows, strict=True):
        total[window] += value * ramp
        weights[window] += ramp
    return (total / weights).astype(np.float32)
