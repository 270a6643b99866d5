"""Where live frames come from: a camera, or a video file that is played at its own pace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from seqfer.errors import OptionError, VideoError
from seqfer.files import printable
from seqfer.live.types import Captured, Clock, Wait
from seqfer.machine import quiet_stderr
from seqfer.video.opening import open_video
from seqfer.video.types import Frame


class FileSource:
    """A video file whose frames become available at their presentation times, as a camera's do.

    A frame counts as captured when it is due, as a camera's would be. One that could not be decoded by then comes
    late, which adds to its delay, and those after it follow as fast as they decode until the pace is met again.
    """

    def __init__(self, path: Path, clock: Clock = perf_counter) -> None:
        """
        Raises:
            VideoError: the path cannot be read as a video, or is a still image.
        """
        self.name = printable(path)
        self._clock = clock
        self._stream = open_video(path)
        if self._stream.info.is_still:
            raise VideoError(path, "is a still image, not a video; `seqfer annotate` reads stills")

    def frames(self, wait: Wait) -> Iterator[Captured]:
        start_s: float | None = None
        for frame in self._stream:
            decoded_s = self._clock()
            start_s = decoded_s if start_s is None else start_s
            due_s = start_s + frame.time_s
            if due_s > decoded_s and wait(due_s - decoded_s):
                return
            yield Captured(frame, due_s)

    def close(self) -> None:
        self._stream.__exit__(None, None, None)


class CameraSource:
    """A camera by its number; a frame arrives when its driver hands it over."""

    def __init__(self, number: int = 0, clock: Clock = perf_counter) -> None:
        """
        Raises:
            OptionError: the number is negative.
            VideoError: there is no such camera, or it cannot be used.
        """
        if number < 0:
            raise OptionError(f"cameras are counted from 0, not {number}")
        self.name = f"camera {number}"
        self._clock = clock
        with quiet_stderr():  # OpenCV tells of each driver that it tries in vain
            self._camera = cv2.VideoCapture(number)
        if not self._camera.isOpened():
            raise VideoError(
                self.name,
                "cannot be opened; is it plugged in, free, and allowed to this program? "
                "--camera N takes another one",
            )
        # Frames that wait in the driver would be old when they are asked for.
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def frames(self, wait: Wait) -> Iterator[Captured]:
        first_s: float | None = None
        index = 0
        while not wait(0):
            if not self._camera.grab():
                raise VideoError(self.name, "gives no more pictures; was it unplugged?")
            captured_s = self._clock()
            whole, picture = self._camera.retrieve()
            if not whole:
                continue  # a picture that was damaged on its way
            first_s = captured_s if first_s is None else first_s
            image = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            yield Captured(Frame(index, captured_s - first_s, image), captured_s)
            index += 1

    def close(self) -> None:
        self._camera.release()
