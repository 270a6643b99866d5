"""What live use is made of: frames that arrive at their own pace, and what is read of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqfer.faces.types import Box
from seqfer.video.types import Frame

Clock = Callable[[], float]  # seconds from any moment on, which never go back
Wait = Callable[[float], bool]  # waits so many seconds, or until all is to end; tells whether it is


@dataclass(frozen=True)
class Captured:
    """A frame as it came from a source.

    Attributes:
        frame: its index counts all frames that the source delivered; its time is seconds from the first of them.
        captured_s: when it arrived, by the source's clock.
    """

    frame: Frame
    captured_s: float


@dataclass(frozen=True)
class LiveFace:
    """What is read of a face at one moment.

    Attributes:
        track_id: from 1 upwards, in the order in which faces are first shown; the same as long as one is followed.
        box: x1, y1, x2, y2 in pixels of the frame.
        score: of the detection, in [0, 1].
        probabilities: (K,) float, sum to 1.
    """

    track_id: int
    box: Box
    score: float
    probabilities: NDArray[np.floating[Any]]

    def __repr__(self) -> str:
        box = ", ".join(f"{value:.1f}" for value in self.box)
        return f"LiveFace({self.track_id}, [{box}], {self.probabilities.round(2)})"


@dataclass(frozen=True)
class LiveFrame:
    """A frame that was read.

    Attributes:
        frame: the frame.
        captured_s: when it arrived, by the source's clock.
        faces: in the order of their track ids, possibly none.
    """

    frame: Frame
    captured_s: float
    faces: tuple[LiveFace, ...]


class Source(Protocol):
    """Delivers frames as they come about: nobody can hurry it, and it waits for nobody."""

    name: str

    def frames(self, wait: Wait) -> Iterator[Captured]:
        """The frames, each as soon as it is there; once only.

        Args:
            wait: what the source pauses with.

        Raises:
            VideoError: the source broke off.
        """
        ...

    def close(self) -> None:
        """Give back what the source holds; not while frames are being taken from it."""
        ...
