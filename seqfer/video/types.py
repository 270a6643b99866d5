"""What a video is to the rest of seqfer: facts about it, its frames in order, and what was lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3) RGB
ROUNDING_S = 5e-7  # times are to the microsecond; durations that differ by less are equal


@dataclass(frozen=True)
class VideoInfo:
    """What a container says of its video, for the upright frame.

    Attributes:
        path: the file, or the folder of frames.
        width: of the upright frame as a player shows it, in square pixels.
        height: likewise.
        frame_rate: average frames per second, None where the container does not say (a still image, or a rate that
            varies).
        duration_s: as the container says, None where it does not.
        frame_count: as the container says, None where it does not.
        rotation_deg: how far the stored frame is turned counter-clockwise to stand upright: 0, 90, 180 or 270.
        start_s: the container's own time of the first frame shown, which all times here count from.
    """

    path: Path
    width: int
    height: int
    frame_rate: Fraction | None
    duration_s: float | None
    frame_count: int | None
    rotation_deg: int = 0
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a frame has at least one pixel, not {self.width}x{self.height}")
        if self.rotation_deg not in (0, 90, 180, 270):
            raise ValueError(f"rotation must be a quarter turn, not {self.rotation_deg} degrees")

    @property
    def is_still(self) -> bool:
        """Whether it is a single picture."""
        return self.frame_count == 1 and self.frame_rate is None


@dataclass(frozen=True)
class Frame:
    """One picture of a video.

    Attributes:
        index: position among the decoded frames, from 0.
        time_s: seconds from the first frame shown.
        image: (H, W, 3) RGB uint8, upright.
    """

    index: int
    time_s: float
    image: Image

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(f"an image is (H, W, 3) uint8, not {self.image.shape} {self.image.dtype}")

    def __repr__(self) -> str:
        height, width, _ = self.image.shape
        return f"Frame({self.index}, {self.time_s:.6f} s, {width}x{height})"


@dataclass(frozen=True)
class DecodeReport:
    """What came of decoding a video to its end.

    Attributes:
        decoded: frames that came out.
        lost: frames that the container holds or promises but that did not decode.
        damaged: frames that came out with known errors in the picture.
        truncated: whether the file ends before the container says it does.
        end_s: when the last frame stops being shown, in seconds from the first frame shown.
    """

    decoded: int
    lost: int = 0
    damaged: int = 0
    truncated: bool = False
    end_s: float = 0.0


class FrameStream(Protocol):
    """The frames of one video in the order they are shown, read once, in bounded memory.

    Use it as a context manager; it holds an open file.
    """

    info: VideoInfo

    def __iter__(self) -> Iterator[Frame]:
        """The frames; times increase strictly.

        Raises:
            VideoError: not a single frame can be decoded.
        """
        ...

    @property
    def report(self) -> DecodeReport:
        """What was decoded so far; complete once the iteration has ended."""
        ...

    def __enter__(self) -> FrameStream: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
