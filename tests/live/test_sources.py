from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seqfer.errors import OptionError, VideoError
from seqfer.live.sources import CameraSource, FileSource
from tests.media import read_number, write_clip, write_clip_of_varying_rate

UNEVEN = [0.0, 0.04, 0.11, 0.15, 0.3, 0.34]


class Clock:
    """Time that passes by waiting, and by what decoding is said to cost."""

    def __init__(self, costs_s: Sequence[float] = ()) -> None:
        self.now_s = 100.0
        self._costs_s = iter(costs_s)

    def __call__(self) -> float:
        self.now_s += next(self._costs_s, 0.0)
        return self.now_s

    def wait(self, seconds: float) -> bool:
        assert seconds > 0
        self.now_s += seconds
        return False


def test_a_file_that_states_no_rate_is_no_still(tmp_path: Path) -> None:
    path = write_clip_of_varying_rate(tmp_path / "clip.mkv", UNEVEN)
    with closing(FileSource(path)) as source:
        assert source.name == "clip.mkv"


def test_frames_of_a_file_arrive_at_its_own_pace(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", UNEVEN)
    clock, moments = Clock(), []
    with closing(FileSource(path, clock)) as source:
        assert source.name == "clip.mp4"
        for number, captured in enumerate(source.frames(clock.wait)):
            assert captured.frame.index == read_number(captured.frame.image) == number
            assert captured.captured_s == pytest.approx(clock.now_s)
            moments.append(captured.captured_s - 100)
    assert moments == pytest.approx(UNEVEN, abs=1e-5)


def test_what_decodes_late_comes_late_and_counts_from_when_it_was_due(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", [k / 10 for k in range(5)])
    # The second frame takes 0.25 s to decode, so that it and the third are overdue.
    clock = Clock([0.0, 0.25, 0.0, 0.0, 0.0])
    with closing(FileSource(path, clock)) as source:
        found = [(captured.captured_s - 100, clock.now_s - 100) for captured in source.frames(clock.wait)]
    due, arrived = zip(*found, strict=True)
    assert due == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=1e-5)
    assert arrived == pytest.approx([0.0, 0.25, 0.25, 0.3, 0.4], abs=1e-5)


def test_a_file_ends_when_its_pause_says_so(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", UNEVEN)
    with closing(FileSource(path)) as source:
        assert len(list(source.frames(lambda seconds: True))) == 1


def test_a_still_image_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 48)).save(tmp_path / "picture.png")
    with pytest.raises(VideoError, match="is a still image, not a video"):
        FileSource(tmp_path / "picture.png")


class Camera:
    """What cv2.VideoCapture is to us: pictures of one grey level each in red, None for a damaged one."""

    opened = True
    released = False

    def __init__(self, number: int, levels: Sequence[int | None] = (10, 20, None, 40)) -> None:
        self.number, self._levels = number, list(levels)
        self._level: int | None = None

    def isOpened(self) -> bool:
        return self.opened

    def set(self, key: int, value: float) -> bool:
        return True

    def grab(self) -> bool:
        if not self._levels:
            return False
        self._level = self._levels.pop(0)
        return True

    def retrieve(self) -> tuple[bool, NDArray[np.uint8] | None]:
        if self._level is None:
            return False, None
        return True, np.full((48, 64, 3), (0, 0, self._level), np.uint8)

    def release(self) -> None:
        type(self).released = True


def test_frames_of_a_camera_arrive_as_they_are_grabbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr(Camera, "released", False)
    clock = Clock([0.5] * 10)
    source = CameraSource(2, clock)
    assert source.name == "camera 2"
    frames = source.frames(lambda seconds: False)
    seen = [next(frames) for _ in range(3)]
    assert [captured.captured_s for captured in seen] == [100.5, 101.0, 102.0]
    assert [captured.frame.time_s for captured in seen] == [0.0, 0.5, 1.5]
    assert [captured.frame.index for captured in seen] == [0, 1, 2]
    assert [captured.frame.image[0, 0].tolist() for captured in seen] == [[10, 0, 0], [20, 0, 0], [40, 0, 0]]
    with pytest.raises(VideoError, match=r"camera 2: gives no more pictures; was it unplugged\?"):
        next(frames)
    assert not Camera.released
    source.close()
    assert Camera.released


def test_a_camera_ends_when_all_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    assert list(CameraSource(0).frames(lambda seconds: True)) == []


def test_a_camera_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr(Camera, "opened", False)
    with pytest.raises(VideoError, match=r"camera 3: cannot be opened; .* --camera N takes another one"):
        CameraSource(3)


def test_opencv_says_nothing_of_a_camera_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    level = cv2.getLogLevel()
    with pytest.raises(VideoError, match="camera 97: cannot be opened"):
        CameraSource(97)
    assert capfd.readouterr().err == ""
    assert cv2.getLogLevel() == level


def test_cameras_are_counted_from_zero() -> None:
    with pytest.raises(OptionError, match="from 0, not -1"):
        CameraSource(-1)
