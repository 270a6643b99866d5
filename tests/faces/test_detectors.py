"""The contract of every detector, and what each promises beyond it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from seqfer.demo import portrait_path
from seqfer.errors import OptionError
from seqfer.faces.geometry import overlap
from seqfer.faces.haar import _detection
from seqfer.faces.mediapipe import _moved, quiet_start
from seqfer.faces.types import DETECTORS, Detection, Detector, create_detector
from seqfer.video.opening import open_video
from seqfer.video.stills import read_image
from seqfer.video.types import Frame

# The portrait's face, brows to chin, as marked by hand in its 512x606 pixels.
FACE = (165.0, 135.0, 335.0, 305.0)


@pytest.fixture(params=DETECTORS)
def detector(request: pytest.FixtureRequest) -> Iterator[Detector]:
    made = create_detector(request.param)
    yield made
    made.close()


def look(detector: Detector, image: np.ndarray, index: int = 0, new_scene: bool = False) -> list[Detection]:
    frame = Frame(index, index / 25, image)
    return detector.detect(frame, detector.glance(image), new_scene)


def scaled_portrait(width: int) -> np.ndarray:
    portrait = read_image(portrait_path())
    height = round(portrait.shape[0] * width / portrait.shape[1])
    return np.asarray(cv2.resize(portrait, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def test_finds_the_portraits_face_once(detector: Detector) -> None:
    faces = look(detector, read_image(portrait_path()))
    assert len(faces) == 1
    assert overlap(faces[0].box, FACE) > 0.6
    assert faces[0].score > 0.7


@pytest.mark.parametrize("width", [256, 1024, 2048])
def test_boxes_are_in_the_frames_pixels(detector: Detector, width: int) -> None:
    faces = look(detector, scaled_portrait(width))
    scaled = [value * width / 512 for value in FACE]
    assert max(overlap(face.box, (scaled[0], scaled[1], scaled[2], scaled[3])) for face in faces) > 0.55


@pytest.mark.parametrize("image", [np.zeros((90, 120, 3), np.uint8), np.full((1, 1, 3), 200, np.uint8)])
def test_nothing_in_an_empty_frame(detector: Detector, image: np.ndarray) -> None:
    assert look(detector, image) == []


def test_two_people(detector: Detector) -> None:
    portrait = read_image(portrait_path())
    faces = look(detector, np.hstack([portrait, portrait]))
    assert len(faces) == 2
    lefts = sorted(face.box[0] for face in faces)
    assert lefts[1] - lefts[0] == pytest.approx(512, abs=20)


def test_both_detectors_draw_the_same_box() -> None:
    portrait = read_image(portrait_path())
    boxes = []
    for name in DETECTORS:
        detector = create_detector(name)
        boxes.append(look(detector, portrait)[0].box)
        detector.close()
    assert overlap(*boxes) > 0.7


def test_unknown_detector_names_the_known_ones() -> None:
    with pytest.raises(OptionError, match="unknown detector 'yolo'; known: mediapipe, haar"):
        create_detector("yolo")


def test_haar_says_when_opencv_has_no_cascades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv2.data.haarcascades", "/nowhere/")
    with pytest.raises(OptionError, match="opencv-contrib-python"):
        create_detector("haar")


class TestMediaPipe:
    @pytest.fixture
    def detector(self) -> Iterator[Detector]:
        made = create_detector("mediapipe")
        yield made
        made.close()

    def test_landmarks_lie_in_the_face(self, detector: Detector) -> None:
        face = look(detector, read_image(portrait_path()))[0]
        assert face.landmarks is not None
        left_eye, right_eye, nose, mouth, _, _ = face.landmarks
        x1, y1, x2, y2 = face.box
        assert all(x1 < x < x2 and y1 < y < y2 for x, y in (left_eye, right_eye, nose, mouth))
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_eye[1] < nose[1] < mouth[1]

    @pytest.mark.parametrize("share", [0.05, 0.08, 0.15])
    def test_small_faces_are_found_by_the_search(self, detector: Detector, share: float) -> None:
        # A face of a few percent of the frame's width, which no glance at the whole frame shows.
        small = scaled_portrait(round(share * 1280 * 512 / 170))
        image = np.full((720, 1280, 3), 110, np.uint8)
        height, width = min(small.shape[0], 700), small.shape[1]
        image[10 : 10 + height, 700 : 700 + width] = small[:height]
        faces = look(detector, image)
        assert len(faces) == 1
        assert faces[0].box[2] - faces[0].box[0] == pytest.approx(share * 1280, rel=0.35)

    def test_a_found_small_face_is_kept_between_searches(self, detector: Detector) -> None:
        small = scaled_portrait(200)
        image = np.full((720, 1280, 3), 110, np.uint8)
        image[100 : 100 + small.shape[0], 300:500] = small
        assert [len(look(detector, image, index)) for index in range(20)] == [1] * 20

    def test_starting_it_writes_nothing_to_stderr(self, capfd: pytest.CaptureFixture[str]) -> None:
        made = create_detector("mediapipe")
        look(made, scaled_portrait(400))
        made.close()
        assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("clip", "people"),
    [
        ("pyfeat/single_face.mp4", 1),
        ("GRID/lwbsza.mpg", 1),
        ("intel/asl_gestures/please.mkv", 1),  # a face of a tenth of the frame
        ("intel/preview_gif/face-demographics-walking-and-pause.gif", 3),
        ("intel/preview_gif/head-pose-face-detection-female-and-male.gif", 2),
        ("intel/preview_gif/people-detection.gif", 0),
        ("pyfeat/no_face.mp4", 0),
        ("formats/torchcodec_av1.mkv", 0),
    ],
)
def test_real_clips_have_as_many_faces_as_people(shared_videos: Path, clip: str, people: int) -> None:
    detector = create_detector("mediapipe")
    with open_video(shared_videos / clip, every=2) as video:
        counts = [len(detector.detect(frame, detector.glance(frame.image), False)) for frame in video]
    detector.close()
    assert np.mean(np.array(counts) == people) >= 0.97


def test_two_threads_that_start_at_once_leave_stderr_as_it_was() -> None:
    before = os.fstat(2)
    inside = threading.Event()

    def start() -> None:
        with quiet_start():
            inside.set()
            time.sleep(0.05)

    threads = [threading.Thread(target=start) for _ in range(2)]
    threads[0].start()
    inside.wait()
    threads[1].start()
    for thread in threads:
        thread.join()
    assert os.path.samestat(os.fstat(2), before)


def test_what_a_close_up_shows_is_brought_back_to_the_frame() -> None:
    landmarks = np.array([[12, 25]] * 6, np.float32)
    moved = _moved(Detection((10, 20, 30, 40), 0.9, landmarks), 100, 200, 2.0)
    assert np.asarray(moved.landmarks).tolist() == [[124, 250]] * 6
    assert moved.box == (120, 240, 160, 280)


def test_a_cascades_square_becomes_a_box_of_the_houses_convention() -> None:
    x1, y1, x2, y2 = _detection((100, 200, 112, 112), 5.0).box
    assert (x1, x2, y2 - y1) == pytest.approx((106, 206, 100))
    assert (y1 + y2) / 2 == pytest.approx(256 + 0.14 * 100)
