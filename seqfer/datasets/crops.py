"""From a clip on disk to its face crops: the main face's track, or whole pictures where they are crops already."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.datasets.pictures import PictureReader, is_video
from seqfer.datasets.types import ClipRecord
from seqfer.errors import DatasetError, OptionError
from seqfer.faces.extraction import extract_faces, glance_at
from seqfer.faces.geometry import cut_square, middle_square
from seqfer.faces.tracker import lasting_tracks
from seqfer.faces.types import Detector, FrameFaces, check_faces, create_detector
from seqfer.preprocess import GREYS, Preprocess
from seqfer.video.opening import open_video
from seqfer.video.stills import DEFAULT_RATE, as_fraction
from seqfer.video.types import Frame


@dataclass(frozen=True)
class CropSettings:
    """How clips become crops.

    Attributes:
        preprocess: size, channels and framing of the crops.
        faces: a detector's name, or "none" for pictures that show a face alone, which are taken whole.
        picture_rate: pictures per second of clips that are made of pictures.
    """

    preprocess: Preprocess = field(default_factory=Preprocess)
    faces: str = "mediapipe"
    picture_rate: float = float(DEFAULT_RATE)

    def __post_init__(self) -> None:
        check_faces(self.faces)
        if not 0 < self.picture_rate < 10_000:
            raise OptionError(f"picture_rate must lie in (0, 10000), not {self.picture_rate}")


class Cropper:
    """Cuts clips out. What clips share it keeps: the detector, and the video that several are parts of.

    Parts of one video are cut out in one go if they come in the order of their beginnings and do not overlap.
    """

    def __init__(self, settings: CropSettings) -> None:
        """
        Args:
            settings: how.
        """
        self._settings = settings
        self._reader = PictureReader()
        self._detector: Detector | None = None
        self._video: _Video | None = None

    def crops_of(self, record: ClipRecord) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
        """The crops (T, S, S, C) of a clip and their times, in seconds from the first frame of its file.

        Frames in which the face is not found are left out; their time passes all the same.

        Raises:
            VideoError: the clip cannot be read.
            DatasetError: the clip has no frame, its frames are no numbers, or no face is found in it.
        """
        frames, preprocess = _at_least_one(self._frames(record), record.path), self._settings.preprocess
        if self._settings.faces == "none":
            found = [(frame.time_s, _channels(_whole(frame, preprocess), preprocess)) for frame in frames]
        else:
            self._detector = self._detector or create_detector(self._settings.faces)
            faces = extract_faces(glance_at(frames, self._detector), self._detector, preprocess)
            found = _main_face([_with_channels(frame, preprocess) for frame in faces])
            if not found:
                raise DatasetError(record.path, "no face was found in it")
        crops = np.stack([crop for _, crop in found])
        return crops, tuple(time for time, _ in found)

    def _frames(self, record: ClipRecord) -> Iterator[Frame]:
        if not is_video(record):
            rate = as_fraction(self._settings.picture_rate)
            for index, picture in self._reader.read(record):
                image = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
                yield Frame(index, float(index / rate), image)
            return
        if not all(name.isdecimal() for name in record.frames):
            raise DatasetError(record.path, f"frames of a video are numbers, not {' '.join(record.frames)!r}")
        wanted = {int(name) for name in record.frames}
        first, last = min(wanted, default=0), max(wanted, default=sys.maxsize)
        end_s = float("inf") if record.end_s is None else record.end_s
        if self._video is None or self._video.path != record.path or self._video.is_past(first, record.start_s):
            self._close_video()
            self._video = _Video(record.path)
        for frame in self._video.until(last, end_s):
            if frame.time_s >= record.start_s and (not wanted or frame.index in wanted):
                yield frame

    def _close_video(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None

    def __enter__(self) -> Cropper:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_video()
        if self._detector is not None:
            self._detector.close()
            self._detector = None


class _Video:
    """A video that is being read on and on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = open_video(path)
        self._frames = iter(self._stream)
        self._next = next(self._frames, None)  # the first that nobody has asked for
        self._passed = (-1, -1.0)  # index and time of the frame before it

    def is_past(self, first: int, start_s: float) -> bool:
        """Whether a frame has gone by that has at least this index and time."""
        index, time_s = self._passed
        return index >= first and time_s >= start_s

    def until(self, last: int, end_s: float) -> Iterator[Frame]:
        """The frames from here on that have at most this index, and an earlier time."""
        while self._next is not None and self._next.index <= last and self._next.time_s < end_s:
            frame, self._next = self._next, next(self._frames, None)
            self._passed = frame.index, frame.time_s
            yield frame

    def close(self) -> None:
        self._stream.__exit__(None, None, None)


def _at_least_one(frames: Iterator[Frame], path: Path) -> Iterator[Frame]:
    first = next(frames, None)
    if first is None:
        raise DatasetError(path, "has no frame between the clip's bounds")
    yield first
    yield from frames


def _main_face(frames: list[FrameFaces]) -> list[tuple[float, NDArray[np.uint8]]]:
    """Times and crops of the track that takes most room: the sum of its boxes' sides over all frames."""
    faces = [(position, face) for position, frame in enumerate(frames) for face in frame.faces]
    ids = np.array([face.track_id for _, face in faces], np.int64)
    scores = np.array([face.detection.score for _, face in faces], np.float64)
    times = np.array([frame.time_s for frame in frames], np.float64)
    shown_s = np.diff(times, append=times[-1:])[[position for position, _ in faces]] if faces else scores
    lasting = lasting_tracks(ids, scores, shown_s, len(frames))
    room: dict[int, float] = defaultdict(float)
    for _, face in faces:
        if face.track_id in lasting:
            x1, _, x2, _ = face.detection.box
            room[face.track_id] += x2 - x1
    main = max(room, key=lambda track: room[track], default=None)
    return [(frames[position].time_s, face.crop) for position, face in faces if face.track_id == main]


def _whole(frame: Frame, preprocess: Preprocess) -> NDArray[np.uint8]:
    """The picture's middle square; a picture of the right size stays as it is."""
    height, width, _ = frame.image.shape
    if (height, width) == (preprocess.size, preprocess.size):
        return frame.image
    square = middle_square(width, height)
    return cut_square(frame.image, square.centre, square.side, preprocess.size)


def _with_channels(frame: FrameFaces, preprocess: Preprocess) -> FrameFaces:
    """A frame's faces as they are kept: of a long clip, in three colours they would take thrice the memory."""
    faces = tuple(replace(face, crop=_channels(face.crop, preprocess)) for face in frame.faces)
    return replace(frame, faces=faces)


def _channels(crop: NDArray[np.uint8], preprocess: Preprocess) -> NDArray[np.uint8]:
    if preprocess.channels == 3:
        return crop
    if (crop[..., 0] == crop[..., 1]).all() and (crop[..., 0] == crop[..., 2]).all():
        return crop[..., :1]  # grey already: no rounding
    if preprocess.grey == "bt601":
        return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
    grey = crop @ np.array(GREYS[preprocess.grey])  # (S, S)
    return np.asarray(grey.round(), np.uint8)[..., None]
