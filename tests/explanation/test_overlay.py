"""Videos under maps: the right place, time and sound."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seqfer.explanation.maps import Explainer, Explanation
from seqfer.explanation.overlay import FRAMES_AT_ONCE, write_explained
from seqfer.explanation.places import FRAMES_AHEAD, Place
from seqfer.faces.geometry import Square
from seqfer.labels import FER7
from seqfer.timeline.colours import rgb_of
from seqfer.video import opening
from seqfer.video.container import ContainerStream
from seqfer.video.opening import open_video
from seqfer.video.types import Frame
from tests.explanation.models import model_of
from tests.media import write_clip

UNEVEN = [0.0, 0.04, 0.11, 0.15, 0.3, 0.34, 0.38, 0.5, 0.6, 0.61]
SIZE = (320, 200)


class RightHalf(Explainer):
    """Explains every face by the right half of its crop."""

    def __init__(self, methods: tuple[str, ...] = ("gradcam",)) -> None:
        super().__init__(model_of(), torch.device("cpu"), methods)

    def explain(self, crops: NDArray[np.uint8]) -> Explanation:
        count = len(crops)
        maps = np.zeros((count, 48, 48), np.float32)
        maps[:, :, 24:] = 1
        shares = np.tile(np.array([0.04, 0.04, 0.04, 0.76, 0.04, 0.04, 0.04], np.float32), (count, 1))
        return Explanation(FER7, shares, np.full(count, 3), dict.fromkeys(self.methods, maps))


def grey_clip(path: Path, audio: bool = False) -> Path:
    grey = [np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)] * len(UNEVEN)
    return write_clip(path, UNEVEN, size=SIZE, images=grey, audio=audio)


def place(track_id: int, centre: tuple[float, float], side: float, angle_rad: float = 0.0) -> Place:
    half = side / 2 + 4
    box = (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
    return Place(track_id, box, Square(centre, side, angle_rad))


def is_hot(image: NDArray[np.uint8], x: float, y: float) -> bool:
    red, green, blue = (int(value) for value in image[round(y), round(x)])
    return red > 150 and green > 150 and blue < 190


def test_heat_lies_where_the_crop_was_cut_out(tmp_path: Path) -> None:
    source = grey_clip(tmp_path / "clip.mp4")
    turned = math.radians(90)  # right in the crop is down in the frame
    places = {index: [place(1, (80, 100), 60), place(2, (230, 110), 80, turned)] for index in range(len(UNEVEN))}
    write_explained(source, tmp_path / "out.mp4", RightHalf(), places)
    with open_video(tmp_path / "out.mp4") as video:
        for frame in video:
            assert frame.image.shape == (SIZE[1], SIZE[0], 3)
            assert is_hot(frame.image, 95, 100)
            assert not is_hot(frame.image, 65, 100)
            assert is_hot(frame.image, 230, 130)
            assert not is_hot(frame.image, 230, 90)
            assert abs(frame.image[20, 160].astype(int) - 90).max() < 12


def test_timing_sound_and_progress(tmp_path: Path) -> None:
    source, calls = grey_clip(tmp_path / "clip.mp4", audio=True), []
    places = {index: [place(1, (80, 100), 60)] for index in range(len(UNEVEN))}
    report = write_explained(
        source, tmp_path / "out.mp4", RightHalf(), places, progress=lambda done, total: calls.append((done, total))
    )
    assert report.decoded == len(UNEVEN)
    assert calls[-1] == (len(UNEVEN), len(UNEVEN))
    with open_video(tmp_path / "out.mp4") as video:
        assert [frame.time_s for frame in video] == pytest.approx(UNEVEN, abs=2e-5)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert len(container.streams.audio) == 1


def test_frames_that_were_not_read_keep_the_last_map(tmp_path: Path) -> None:
    source = grey_clip(tmp_path / "clip.mp4")
    places = {0: [], 3: [place(1, (80, 100), 60)], 6: [], 9: [place(1, (80, 100), 60)]}
    write_explained(source, tmp_path / "out.mp4", RightHalf(), places)
    with open_video(tmp_path / "out.mp4") as video:
        hot = [is_hot(frame.image, 95, 100) for frame in video]
    assert hot == [False] * 3 + [True] * 3 + [False] * 3 + [True]


def test_two_methods_stand_side_by_side(tmp_path: Path) -> None:
    source = grey_clip(tmp_path / "clip.mp4")
    places = {index: [place(1, (80, 100), 60)] for index in range(len(UNEVEN))}
    write_explained(source, tmp_path / "out.mp4", RightHalf(("saliency", "gradcam")), places)
    with open_video(tmp_path / "out.mp4") as video:
        image = next(iter(video)).image
    assert image.shape == (SIZE[1], 2 * SIZE[0], 3)
    assert is_hot(image, 95, 100)
    assert is_hot(image, 320 + 95, 100)
    # Each has the face's box in its expression's colour, and its name at the bottom.
    for left in (0, 320):
        edge = image[100, left + 44 : left + 50].astype(int)
        assert np.abs(edge - np.array(rgb_of("happy"))).sum(1).min() < 60
        assert image[-6, left + 2].min() > 200


@pytest.mark.parametrize("faces", [0, 1, 40])
def test_any_number_of_faces_anywhere(tmp_path: Path, faces: int) -> None:
    source = grey_clip(tmp_path / "clip.mp4")
    draw = np.random.default_rng(0)
    places = {
        index: [
            place(k + 1, tuple(draw.uniform(-100, 400, 2)), draw.uniform(5, 500), draw.uniform(-1, 1))
            for k in range(faces)
        ]
        for index in range(len(UNEVEN))
    }
    report = write_explained(source, tmp_path / "out.mp4", RightHalf(), places)
    assert report.decoded == len(UNEVEN)


def test_few_frames_are_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_clip(tmp_path / "clip.mp4", [k / 25 for k in range(120)])
    written, decoded, ahead = [0], [0], []

    class Counted(ContainerStream):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                decoded[0] += 1
                ahead.append(decoded[0] - written[0])
                yield frame

    monkeypatch.setattr(opening, "ContainerStream", Counted)
    places = {index: [place(1, (40, 30), 20)] for index in range(120)}
    write_explained(
        source,
        tmp_path / "out.mp4",
        RightHalf(),
        places,
        progress=lambda done, total: written.__setitem__(0, done),
    )
    assert len(ahead) == 120
    assert max(ahead) <= FRAMES_AT_ONCE + 2 * FRAMES_AHEAD + 4
