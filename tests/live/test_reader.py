from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seqfer.faces.alignment import align
from seqfer.faces.types import Box, Detection
from seqfer.live.reader import LiveReader
from seqfer.live.types import Captured, LiveFrame
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.heads import BiLSTMHead
from seqfer.models.inference import Predictor
from seqfer.video.types import Frame, Image

WINDOW_S = 1.0
LEFT, RIGHT = (20.0, 20.0, 60.0, 60.0), (100.0, 20.0, 140.0, 60.0)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A small model whose head says much of its window of one second."""
    torch.manual_seed(0)
    small = {"stem_width": 8, "widths": (8, 16), "blocks": (1, 1)}
    model = SequenceClassifier(
        Architecture(encoder_settings=small, head_settings={"width": 16}, window_s=WINDOW_S)
    )
    assert isinstance(model.head, BiLSTMHead)
    torch.nn.init.normal_(model.head.context.weight, std=1.5)
    return Predictor(model, torch.device("cpu"), "float32")


class Detector:
    """Finds the faces that it is told of: for each frame, by its index, boxes and scores."""

    def __init__(self, faces: Mapping[int, Sequence[tuple[Box, float]]]) -> None:
        self._faces = faces

    def glance(self, image: Image) -> list[Detection]:
        return []

    def detect(self, frame: Frame, seen: list[Detection], new_scene: bool) -> list[Detection]:
        return [Detection(box, score) for box, score in self._faces.get(frame.index, ())]

    def close(self) -> None:
        pass


def picture(index: int) -> Image:
    """Noise, another in each frame, on a ground that stays, so that no frame begins a new scene."""
    ground = np.random.default_rng(0).integers(0, 180, (80, 160, 3))
    noise = np.random.default_rng(index + 1).integers(0, 60, (80, 160, 3))
    return (ground + noise).astype(np.uint8)


def captured(times_s: NDArray[np.float64]) -> list[Captured]:
    return [Captured(Frame(k, float(time), picture(k)), 50 + float(time)) for k, time in enumerate(times_s)]


def read(
    predictor: Predictor, times_s: NDArray[np.float64], faces: Mapping[int, Sequence[tuple[Box, float]]]
) -> list[LiveFrame]:
    reader = LiveReader(predictor, Detector(faces))
    return [reader.read(frame) for frame in captured(times_s)]


def numbers(frames: Sequence[LiveFrame]) -> list[list[int]]:
    return [[face.track_id for face in frame.faces] for frame in frames]


steady = np.arange(75) / 25


@pytest.mark.parametrize(
    "times_s",
    [
        pytest.param(steady, id="the head's own rate"),
        pytest.param(np.arange(150) / 60, id="fast"),
        pytest.param(np.arange(20) / 7, id="slow"),
        pytest.param(np.sort(np.random.default_rng(1).choice(np.arange(90) / 30, 50, False)), id="frames dropped"),
        pytest.param(np.concatenate([steady[:40], steady[:40] + 2.3]), id="a gap"),
    ],
)
def test_the_newest_frame_is_read_with_a_window_of_its_past(
    predictor: Predictor, times_s: NDArray[np.float64]
) -> None:
    frames = read(predictor, times_s, {k: [(LEFT, 0.9)] for k in range(len(times_s))})
    preprocess = predictor.architecture.preprocess
    crops = [align(picture(k), Detection(LEFT, 0.9), preprocess) for k in range(len(times_s))]
    embeddings = np.concatenate([predictor.encode(crop[None]) for crop in crops])
    shown = 0
    for k, frame in enumerate(frames):
        assert frame.captured_s == 50 + times_s[k]
        # A window of 25 steps reaches over 24 steps of time.
        past = np.flatnonzero((times_s <= times_s[k]) & (times_s > times_s[k] - 24.01 / 25))
        expected = predictor.read_track(embeddings[past], times_s[past])[-1]
        for face in frame.faces:
            shown += 1
            assert face.probabilities == pytest.approx(expected, abs=2e-3)
    assert shown >= len(times_s) - 4
    # The past matters: alone the last frame reads otherwise.
    alone = predictor.read_stills(embeddings[-1:])[0]
    assert np.abs(frames[-1].faces[0].probabilities - alone).max() > 0.02


def test_memory_and_work_stay_bounded(predictor: Predictor) -> None:
    steps: list[tuple[int, ...]] = []
    reader = LiveReader(predictor, Detector({k: [(LEFT, 0.9), (RIGHT, 0.9)] for k in range(300)}))
    hook = predictor._head.register_forward_hook(lambda module, given, result: steps.append(given[0].shape))
    kept = []
    for frame in captured(np.arange(300) / 60):
        steps.clear()
        reader.read(frame)
        kept.append([len(track.embeddings) for track in reader._tracks.values()])
        assert len(steps) <= 2  # a face each
        assert all(batch == 1 and length <= predictor.window for batch, length, _ in steps)
    hook.remove()
    assert max(map(max, kept)) <= WINDOW_S * 60
    assert kept[-1] == kept[100]


def test_tracks_that_left_are_forgotten(predictor: Predictor) -> None:
    present = {k: [(LEFT, 0.9)] for k in range(10)} | {k: [(RIGHT, 0.9)] for k in range(5, 60)}
    reader = LiveReader(predictor, Detector(present))
    remembered = []
    for frame in captured(np.arange(120) / 25):
        reader.read(frame)
        remembered.append(len(reader._tracks))
    assert remembered[9] == 2
    assert remembered[30] == 2  # a face may come back for a second …
    assert remembered[40] == 1  # … but not longer
    assert remembered[-1] == 0


@pytest.mark.parametrize(
    ("scores", "first_shown"),
    [
        pytest.param([0.9] * 8, 2, id="sure at once: from its third frame on"),
        pytest.param([0.6, 0.6, 0.6, 0.6, 0.9, 0.6, 0.6], 4, id="doubtful: once it has been beyond doubt"),
        pytest.param([0.69] * 8, None, id="never beyond doubt"),
        pytest.param([0.9, 0.9], None, id="a glimpse"),
    ],
)
def test_a_face_is_shown_once_it_is_sure(
    predictor: Predictor, scores: list[float], first_shown: int | None
) -> None:
    frames = read(predictor, np.arange(12) / 25, {k: [(LEFT, score)] for k, score in enumerate(scores)})
    expected = [[1] if first_shown is not None and first_shown <= k < len(scores) else [] for k in range(12)]
    assert numbers(frames) == expected


def test_glimpses_take_no_numbers(predictor: Predictor) -> None:
    faces = {0: [(LEFT, 0.9)], **{k: [(RIGHT, 0.9)] for k in range(2, 12)}, 12: [(LEFT, 0.9)]}
    faces |= {k: [(RIGHT, 0.9), ((20.0, 60.0, 50.0, 90.0), 0.9)] for k in range(13, 20)}
    reader = LiveReader(predictor, Detector(faces))
    frames = [reader.read(frame) for frame in captured(np.arange(20) / 25)]
    assert numbers(frames)[3:5] == [[], [1]]
    assert numbers(frames)[-1] == [1, 2]
    assert reader.faces == 2


def test_a_frame_says_where_its_faces_are(predictor: Predictor) -> None:
    frames = read(predictor, np.arange(6) / 25, {k: [(RIGHT, 0.8), (LEFT, 0.9)] for k in range(6)})
    boxes = {face.track_id: (face.box, face.score) for face in frames[-1].faces}
    assert boxes == {1: (RIGHT, 0.8), 2: (LEFT, 0.9)}
    assert "LiveFace(1, [100.0, 20.0, 140.0, 60.0]" in repr(frames[-1].faces[0])


def test_a_slow_cameras_faces_appear_by_their_time_not_their_number(predictor: Predictor) -> None:
    frames = read(predictor, np.arange(3) / 1.5, {k: [(LEFT, 0.9)] for k in range(3)})
    assert numbers(frames) == [[], [1], [1]]
