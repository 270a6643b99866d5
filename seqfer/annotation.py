"""Video to timeline: the streaming pipeline, the one place that wires the stages together.

Decoding, glancing for faces, following them and reading them overlap: each runs in a thread of its own, a
bounded number of items ahead of the next, and does its work outside Python's interpreter lock. Memory holds a
few frames, a batch of crops, and what is kept of each face: its place and its embedding.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqfer import __version__
from seqfer.faces.extraction import extract_faces, glance_at
from seqfer.faces.tracker import lasting_tracks
from seqfer.faces.types import FrameFaces, check_detector, create_detector
from seqfer.machine import installed_version, usable_cores
from seqfer.models.bundled import DEFAULT_MODEL, load_model
from seqfer.models.checkpoint import Checkpoint
from seqfer.models.inference import Predictor, choose_device, network_threads
from seqfer.prefetch import Prefetch
from seqfer.timeline.types import SegmentOptions, Timeline
from seqfer.video.digest import digest_of
from seqfer.video.opening import check_reading, open_video
from seqfer.video.stills import DEFAULT_RATE
from seqfer.video.types import DecodeReport, VideoInfo

FRAMES_AHEAD = 8  # decoded frames that wait for each of the next two stages: 50 MB at full HD
FACES_AHEAD = 64  # frames' faces that wait for the model
BATCH = 32  # face crops that go through the network at once; larger ones are no faster on a CPU, and overlap less
BATCH_GPU = 256
FACES_AT_FIRST = 4096  # for which there is room; it doubles when it is full

Progress = Callable[[VideoInfo, int], None]


@dataclass
class StageSeconds:
    """Wall time that each stage of an annotation was busy; they overlap, so the sum exceeds the whole."""

    decode: float = 0.0
    glance: float = 0.0
    faces: float = 0.0
    encode: float = 0.0
    head: float = 0.0
    total: float = 0.0


@dataclass
class Annotator:
    """Annotates videos one after another with one model.

    Attributes:
        model: a bundled model's name, a model's folder, or a loaded checkpoint.
        detector: a name of `seqfer.faces.types.DETECTORS`.
        device: a name of `seqfer.models.inference.DEVICES`.
        precision: a name of `seqfer.models.inference.PRECISIONS`.
        every: read each so-many-th frame only.
        picture_rate: pictures per second of folders of pictures.
        options: how segments are made.
    """

    model: str | Path | Checkpoint = DEFAULT_MODEL
    detector: str = "mediapipe"
    device: str = "auto"
    precision: str = "auto"
    every: int = 1
    picture_rate: float = float(DEFAULT_RATE)
    options: SegmentOptions = field(default_factory=SegmentOptions)

    def __post_init__(self) -> None:
        check_detector(self.detector)
        check_reading(self.every, self.picture_rate)
        self.checkpoint = self.model if isinstance(self.model, Checkpoint) else load_model(self.model)
        self.predictor = Predictor(self.checkpoint.model, choose_device(self.device), self.precision)

    def annotate(
        self,
        path: str | Path,
        progress: Progress | None = None,
        seconds: StageSeconds | None = None,
    ) -> Timeline:
        """The timeline of one video.

        Args:
            path: a video file, a still image, or a folder of numbered pictures.
            progress: called after each frame with the video's facts and the number of frames read so far.
            seconds: filled with the stages' times.

        Raises:
            VideoError: the path cannot be read as a video.
        """
        path = Path(path)
        start = perf_counter()
        seconds = seconds or StageSeconds()
        collected = _Collected(self.predictor)
        detector = create_detector(self.detector)
        try:
            with (
                # The other half is for decoding and detection, which run beside the network.
                network_threads(usable_cores() // 2),
                open_video(path, self.every, self.picture_rate) as stream,
                _hashing(path) as digest,
                Prefetch(stream, FRAMES_AHEAD) as frames,
                Prefetch(glance_at(frames, detector), FRAMES_AHEAD) as glances,
                Prefetch(
                    extract_faces(glances, detector, self.predictor.architecture.preprocess), FACES_AHEAD
                ) as faces,
            ):
                for count, frame in enumerate(faces, start=1):
                    collected.add(frame)
                    if progress is not None:
                        progress(stream.info, count)
                collected.flush()
                info, report = stream.info, stream.report
                sha256 = digest.result()
        finally:
            detector.close()
        # A stage is busy while it makes items, but not while it waits for those of the stage before.
        seconds.decode = frames.busy_s
        seconds.glance = glances.busy_s - frames.waited_s
        seconds.faces = faces.busy_s - glances.waited_s
        seconds.encode = collected.seconds
        timeline = collected.timeline(info, report, self.options, self._provenance(report, sha256), seconds)
        seconds.total = perf_counter() - start
        return timeline

    def _provenance(self, report: DecodeReport, sha256: str) -> dict[str, Any]:
        packages = ("av", "mediapipe", "numpy", "opencv-contrib-python", "torch")
        return {
            "video_sha256": sha256,
            "decoding": asdict(report),
            "model": {"name": self.checkpoint.name, "sha256": self.checkpoint.sha256},
            "options": {
                "detector": self.detector,
                "every": self.every,
                "picture_rate": self.picture_rate,
                "device": str(self.predictor.device),
                "precision": str(self.predictor.dtype).removeprefix("torch."),
            },
            "versions": {
                "seqfer": __version__,
                "python": platform.python_version(),
                **{package: installed_version(package) for package in packages},
            },
        }


def annotate(
    path: str | Path,
    model: str | Path | Checkpoint = DEFAULT_MODEL,
    *,
    detector: str = "mediapipe",
    device: str = "auto",
    every: int = 1,
    options: SegmentOptions | None = None,
) -> Timeline:
    """The expression timeline of a video: every frame, every face in it, and the probability of each expression.

    To annotate several videos, make one `seqfer.Annotator`, which loads the model once.

    Args:
        path: a video file, a still image, or a folder of numbered pictures.
        model: a bundled model's name, a model's folder, or a loaded checkpoint.
        detector: "mediapipe" or "haar".
        device: "auto", "cpu", "cuda" or "mps".
        every: read each so-many-th frame only.
        options: how segments are made.

    Raises:
        SeqferError: a child of it names what is wrong with the video, the model or an option.
    """
    annotator = Annotator(model, detector, device, every=every, options=options or SegmentOptions())
    return annotator.annotate(path)


class _Collected:
    """What is kept while a video streams by; crops wait here until a batch of them is full."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._batch = BATCH if predictor.device.type == "cpu" else BATCH_GPU
        self._frame_index: list[int] = []
        self._frame_time_s: list[float] = []
        self._face_frame: list[int] = []
        self._track_id: list[int] = []
        self._boxes: list[tuple[float, float, float, float]] = []
        self._scores: list[float] = []
        self._waiting: list[NDArray[np.uint8]] = []
        # A growing array: results kept one by one would stand between the network's large ones in memory, which
        # could then never be given back.
        self._embeddings = np.zeros((FACES_AT_FIRST, predictor.embedding_dim), np.float16)
        self._encoded = 0
        self.seconds = 0.0

    def add(self, frame: FrameFaces) -> None:
        for face in frame.faces:
            self._face_frame.append(len(self._frame_index))
            self._track_id.append(face.track_id)
            self._boxes.append(face.detection.box)
            self._scores.append(face.detection.score)
            self._waiting.append(face.crop)
        self._frame_index.append(frame.index)
        self._frame_time_s.append(frame.time_s)
        while len(self._waiting) >= self._batch:
            self._encode(self._batch)

    def flush(self) -> None:
        if self._waiting:
            self._encode(len(self._waiting))

    def _encode(self, count: int) -> None:
        start = perf_counter()
        while self._encoded + count > len(self._embeddings):
            self._embeddings = np.concatenate([self._embeddings, np.zeros_like(self._embeddings)])
        place = slice(self._encoded, self._encoded + count)
        self._embeddings[place] = self._predictor.encode(np.stack(self._waiting[:count]))
        self._encoded += count
        del self._waiting[:count]
        self.seconds += perf_counter() - start

    def timeline(
        self,
        info: VideoInfo,
        report: DecodeReport,
        options: SegmentOptions,
        provenance: dict[str, Any],
        seconds: StageSeconds,
    ) -> Timeline:
        start = perf_counter()
        faces = len(self._face_frame)
        ids = np.array(self._track_id, np.int64)
        scores = np.array(self._scores, np.float64)
        times = np.array(self._frame_time_s, np.float64)
        face_frame = np.array(self._face_frame, np.int64)
        shown_s = np.append(times[1:], report.end_s)[: len(times)] - times
        renumbered = lasting_tracks(ids, scores, shown_s[face_frame], len(times))
        labels = self._predictor.architecture.labels
        probabilities = np.zeros((faces, len(labels)))
        for track in renumbered:
            rows = np.flatnonzero(ids == track)
            probabilities[rows] = self._predictor.read_track(self._embeddings[rows], times[face_frame[rows]])
        kept = np.isin(ids, list(renumbered))
        seconds.head = perf_counter() - start
        return Timeline(
            video=info,
            label_set=labels,
            frame_index=np.array(self._frame_index, np.int64),
            frame_time_s=times,
            end_s=report.end_s,
            face_frame=face_frame[kept],
            track_id=np.array([renumbered[int(track)] for track in ids[kept]], np.int64),
            boxes=np.array(self._boxes, np.float64).reshape(-1, 4)[kept],
            detection_score=scores[kept],
            probabilities=probabilities[kept],
            options=options,
            provenance=provenance,
        )


@contextmanager
def _hashing(path: Path) -> Iterator[Future[str]]:
    """The digest of a video, made beside other work.

    Leaving the block ends the work, done or not: nobody should wait for the rest of a large file after an error.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(1) as background:
        try:
            yield background.submit(digest_of, path, stop)
        finally:
            stop.set()
