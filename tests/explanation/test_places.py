"""Where faces are explained: those that an annotation finds, under the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqfer.annotation import annotate
from seqfer.demo import portrait_path
from seqfer.errors import OptionError, VideoError
from seqfer.explanation.places import find_places
from seqfer.faces.alignment import align
from seqfer.faces.types import create_detector
from seqfer.preprocess import Preprocess
from seqfer.video.stills import read_image
from seqfer.video.types import Frame
from tests.media import write_clip


@pytest.mark.parametrize("detector", ["mediapipe", "haar"])
def test_faces_are_those_of_an_annotation(demo_clip: Path, detector: str) -> None:
    calls = []
    places = find_places(
        demo_clip, Preprocess(), detector, every=25, progress=lambda done, total: calls.append((done, total))
    )
    timeline = annotate(demo_clip, detector=detector, every=25)
    assert list(places) == timeline.frame_index.tolist() == list(range(0, 275, 25))
    found = [place for frame in places.values() for place in frame]
    assert [place.track_id for place in found] == timeline.track_id.tolist()
    np.testing.assert_allclose([place.box for place in found], timeline.boxes)
    assert calls[-1] == (11, 11)


def test_a_place_cuts_out_what_the_model_is_given() -> None:
    image, preprocess = read_image(portrait_path()), Preprocess(size=64)
    (place,) = find_places(portrait_path(), preprocess)[0]
    detector = create_detector("mediapipe")
    (detection,) = detector.detect(Frame(0, 0.0, image), detector.glance(image), False)
    detector.close()
    assert (place.crop(image, 64) == align(image, detection, preprocess)).all()


def test_several_faces_of_a_still(tmp_path: Path) -> None:
    portrait = read_image(portrait_path())
    Image.fromarray(np.hstack([portrait, portrait])).save(tmp_path / "two.png")
    places = find_places(tmp_path / "two.png", Preprocess())[0]
    assert [place.track_id for place in places] == [1, 2]
    assert abs(places[0].box[0] - places[1].box[0]) == pytest.approx(512, abs=20)


def test_pictures_taken_whole(tmp_path: Path) -> None:
    images = [np.random.default_rng(k).integers(0, 256, (48, 48, 3)).astype(np.uint8) for k in range(3)]
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    places = find_places(tmp_path, Preprocess(), "none", every=2)
    assert list(places) == [0, 2]
    assert (places[2][0].crop(images[2], 48) == images[2]).all()
    # Of a picture that is no square, the middle.
    Image.fromarray(np.zeros((40, 100, 3), np.uint8)).save(tmp_path / "wide.png")
    (place,) = find_places(tmp_path / "wide.png", Preprocess(), "none")[0]
    assert place.box == pytest.approx((30, 0, 70, 40))
    assert place.square.centre == pytest.approx((50, 20))


def test_what_shows_no_face_and_unknown_detectors(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [k / 25 for k in range(5)])
    with pytest.raises(VideoError, match="shows no face that could be explained"):
        find_places(clip, Preprocess())
    with pytest.raises(OptionError, match="unknown faces 'yolo'; known: mediapipe, haar, none"):
        find_places(clip, Preprocess(), "yolo")
    with pytest.raises(OptionError, match="every must be at least 1"):
        find_places(clip, Preprocess(), every=0)
