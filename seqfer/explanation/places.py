"""Where the faces are whose readings are explained: a first pass over a video that keeps places, no pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqfer.errors import VideoError
from seqfer.faces.alignment import square_of
from seqfer.faces.extraction import extract_faces, glance_at
from seqfer.faces.geometry import Square, cut_square, middle_square
from seqfer.faces.tracker import lasting_tracks
from seqfer.faces.types import Box, check_faces, create_detector
from seqfer.prefetch import Prefetch
from seqfer.preprocess import Preprocess
from seqfer.video.opening import open_video
from seqfer.video.types import FrameStream, Image

FRAMES_AHEAD = 8  # decoded frames that wait for each of the next two stages

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Place:
    """Where one face is in one frame.

    Attributes:
        track_id: whose, as `seqfer.annotate` numbers them.
        box: x1, y1, x2, y2 in pixels of the upright frame.
        square: the part of the frame that the model reads.
    """

    track_id: int
    box: Box
    square: Square

    def crop(self, image: Image, size: int) -> Image:
        """The part of the frame that the model reads, (`size`, `size`, 3)."""
        return cut_square(image, self.square.centre, self.square.side, size, self.square.angle_rad)


def find_places(
    path: Path,
    preprocess: Preprocess,
    faces: str = "mediapipe",
    every: int = 1,
    picture_rate: float = 25.0,
    progress: Progress = lambda done, total: None,
) -> dict[int, list[Place]]:
    """Where the faces are in each frame that was read, by the frame's index.

    Args:
        path: a video file, a still image, or a folder of numbered pictures.
        preprocess: the model's.
        faces: a detector's name, or "none" for pictures that show a face alone, which are taken whole.
        every: read each so-many-th frame only.
        picture_rate: pictures per second of folders of pictures.
        progress: called after each frame with the frames done and their number, None while it is not known.

    Raises:
        OptionError: an argument cannot be used.
        VideoError: the path cannot be read, or no face is found.
    """
    check_faces(faces)
    with open_video(path, every, picture_rate) as stream:
        count = stream.info.frame_count
        total = None if count is None else -(-count // every)
        if faces == "none":
            places = _whole_frames(stream, lambda done: progress(done, total))
        else:
            places = _tracked_faces(stream, preprocess, faces, lambda done: progress(done, total))
        if not any(places.values()):
            raise VideoError(path, "shows no face that could be explained")
        return places


def _whole_frames(stream: FrameStream, progress: Callable[[int], None]) -> dict[int, list[Place]]:
    """The middle square of every frame."""
    square = middle_square(stream.info.width, stream.info.height)
    (x, y), half = square.centre, square.side / 2
    whole = Place(1, (x - half, y - half, x + half, y + half), square)
    places = {}
    for done, frame in enumerate(stream, start=1):
        places[frame.index] = [whole]
        progress(done)
    return places


def _tracked_faces(
    stream: FrameStream, preprocess: Preprocess, faces: str, progress: Callable[[int], None]
) -> dict[int, list[Place]]:
    """The faces of those tracks that an annotation of the video would keep, under the same ids."""
    indices: list[int] = []
    times: list[float] = []
    found: list[tuple[int, int, float, Box, Square]] = []  # row of the frame, track, score, box, square
    detector = create_detector(faces)
    try:
        with (
            Prefetch(stream, FRAMES_AHEAD) as frames,
            Prefetch(glance_at(frames, detector), FRAMES_AHEAD) as glances,
        ):
            for frame in extract_faces(glances, detector, preprocess):
                for face in frame.faces:
                    detection = face.detection
                    square = square_of(detection, preprocess.geometry)
                    found.append((len(indices), face.track_id, detection.score, detection.box, square))
                indices.append(frame.index)
                times.append(frame.time_s)
                progress(len(indices))
    finally:
        detector.close()
    shown_s = np.diff(np.array([*times, stream.report.end_s]))
    rows = np.array([face[0] for face in found], np.int64)
    ids = np.array([face[1] for face in found], np.int64)
    lasting = lasting_tracks(ids, np.array([face[2] for face in found]), shown_s[rows], len(indices))
    places: dict[int, list[Place]] = {index: [] for index in indices}
    for row, track, _, box, square in found:
        if track in lasting:
            places[indices[row]].append(Place(lasting[track], box, square))
    return places
