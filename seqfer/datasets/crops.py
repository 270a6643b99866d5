"""From a clip on disk to its face crops: the main face's track, or whole pictures where they are crops already."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.datasets.pictures import PictureReader, is_video
from seqfer.datasets.types import ClipRecord
from seqfer.errors import DatasetError, OptionError
from seqfer.faces.extraction import extract_faces, glance_at
from seqfer.faces.geometry import cut_square
from seqfer.faces.tracker import lasting_tracks
from seqfer.faces.types import DETECTORS, FrameFaces, create_detector
from seqfer.preprocess import GREYS, Preprocess
from seqfer.video.opening import open_video
from seqfer.video.stills import DEFAULT_RATE
from seqfer.video.types import Frame

FACES = (*DETECTORS, "none")


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
        if self.faces not in FACES:
            raise OptionError(f"unknown faces {self.faces!r}; known: {', '.join(FACES)}")
        if not 0 < self.picture_rate < 10_000:
            raise OptionError(f"picture_rate must lie in (0, 10000), not {self.picture_rate}")


def crops_of(
    record: ClipRecord, settings: CropSettings, reader: PictureReader
) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """The crops (T, S, S, C) of a clip and their times in seconds, the first at 0.

    Frames in which the face is not found are left out; their time passes all the same.

    Args:
        record: the clip.
        settings: how.
        reader: of pictures, shared by clips that lie in one file.

    Raises:
        VideoError: the clip cannot be read.
        DatasetError: the clip has no frame, or no face is found in it.
    """
    frames = _frames(record, settings, reader)
    if settings.faces == "none":
        found = [(frame.time_s, _whole(frame, settings.preprocess)) for frame in frames]
    else:
        found = _main_face(list(_faces(frames, settings)))
        if not found:
            raise DatasetError(record.path, "no face was found in it")
    if not found:
        raise DatasetError(record.path, "has no frame between the clip's bounds")
    crops = np.stack([_channels(crop, settings.preprocess) for _, crop in found])
    return crops, tuple(time - found[0][0] for time, _ in found)


def _frames(record: ClipRecord, settings: CropSettings, reader: PictureReader) -> Iterator[Frame]:
    if not is_video(record):
        rate = Fraction(settings.picture_rate).limit_denominator(1_000_000)
        for index, picture in enumerate(reader.read(record)):
            image = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
            yield Frame(index, float(index / rate), image)
        return
    wanted = {int(name) for name in record.frames}
    last = max(wanted, default=sys.maxsize)
    end_s = float("inf") if record.end_s is None else record.end_s
    with open_video(record.path) as stream:
        for frame in stream:
            if frame.time_s >= end_s or frame.index > last:
                break
            if frame.time_s >= record.start_s and (not wanted or frame.index in wanted):
                yield frame


def _faces(frames: Iterator[Frame], settings: CropSettings) -> Iterator[FrameFaces]:
    detector = create_detector(settings.faces)
    try:
        yield from extract_faces(glance_at(frames, detector), detector, settings.preprocess)
    finally:
        detector.close()


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
    return cut_square(frame.image, (width / 2, height / 2), min(height, width), preprocess.size)


def _channels(crop: NDArray[np.uint8], preprocess: Preprocess) -> NDArray[np.uint8]:
    if preprocess.channels == 3:
        return crop
    if (crop[..., 0] == crop[..., 1]).all() and (crop[..., 0] == crop[..., 2]).all():
        return crop[..., :1]  # grey already: no rounding
    if preprocess.grey == "bt601":
        return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
    grey = crop @ np.array(GREYS[preprocess.grey])  # (S, S)
    return np.asarray(grey.round(), np.uint8)[..., None]
