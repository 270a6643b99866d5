"""Frames in, tracked and aligned face crops out: two stages, so that the first can run ahead of the second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from seqfer.faces.alignment import align
from seqfer.faces.scenes import SceneCuts
from seqfer.faces.tracker import Tracker
from seqfer.faces.types import Detection, Detector, FrameFaces, TrackedFace
from seqfer.preprocess import Preprocess
from seqfer.video.types import Frame

Glance = tuple[Frame, list[Detection]]


class Extractor:
    """Follows the faces of one video's frames, given in the order of time, and cuts them out for a model."""

    def __init__(self, detector: Detector, preprocess: Preprocess) -> None:
        """
        Args:
            detector: nothing else uses it meanwhile.
            preprocess: the model's.
        """
        self._detector, self._preprocess = detector, preprocess
        self._cuts, self._tracker = SceneCuts(), Tracker()

    def extract(self, frame: Frame, seen: list[Detection]) -> FrameFaces:
        """The faces of the next frame, of which `seen` is the detector's glance."""
        new_scene = self._cuts.is_cut(frame.image)
        detections = self._detector.detect(frame, seen, new_scene)
        ids = self._tracker.update(detections, frame.time_s, new_scene)
        faces = [
            TrackedFace(track_id, detection, align(frame.image, detection, self._preprocess))
            for track_id, detection in zip(ids, detections, strict=True)
        ]
        return FrameFaces(frame.index, frame.time_s, tuple(sorted(faces, key=lambda face: face.track_id)))

    @property
    def followed(self) -> set[int]:
        """The tracks that a face of a later frame may still continue."""
        return self._tracker.followed


def glance_at(frames: Iterable[Frame], detector: Detector) -> Iterator[Glance]:
    """Each frame of a video, in the order of time, with what the detector's glance shows in it."""
    for frame in frames:
        yield frame, detector.glance(frame.image)


def extract_faces(glances: Iterable[Glance], detector: Detector, preprocess: Preprocess) -> Iterator[FrameFaces]:
    """The faces of each frame, followed through time and cut out for a model.

    Args:
        glances: of `glance_at`.
        detector: the same one; nothing else uses it meanwhile.
        preprocess: the model's.
    """
    extractor = Extractor(detector, preprocess)
    for frame, seen in glances:
        yield extractor.extract(frame, seen)
