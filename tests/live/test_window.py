from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from seqfer.errors import OptionError
from seqfer.labels import FER7
from seqfer.live.types import LiveFrame
from seqfer.live.window import Window, check_display
from seqfer.video.types import Frame

RED = np.full((360, 640, 3), (200, 0, 0), np.uint8)


class Screen:
    """What OpenCV's windows are to us."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.titles: list[str] = []
        self.shown: list[NDArray[np.uint8]] = []
        self.key, self.visible = -1, 1.0
        monkeypatch.setattr(cv2, "namedWindow", lambda title, flags: self.titles.append(title))
        monkeypatch.setattr(cv2, "resizeWindow", lambda title, width, height: None)
        monkeypatch.setattr(cv2, "imshow", lambda title, image: self.shown.append(image))
        monkeypatch.setattr(cv2, "pollKey", lambda: self.key)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda title, key: self.visible)
        monkeypatch.setattr(cv2, "destroyAllWindows", self.titles.clear)


@pytest.mark.parametrize(
    ("key", "visible", "goes_on"),
    [(-1, 1.0, True), (ord("x"), 1.0, True), (ord("q"), 1.0, False), (27, 1.0, False), (-1, 0.0, False)],
    ids=["no key", "another key", "q", "Esc", "closed"],
)
def test_a_window_shows_frames_until_it_is_ended(
    monkeypatch: pytest.MonkeyPatch, key: int, visible: float, goes_on: bool
) -> None:
    screen = Screen(monkeypatch)
    window = Window("clip.mp4", FER7.names)
    assert "clip.mp4: a classifier's reading, not feelings" in screen.titles[0]
    screen.key, screen.visible = key, visible
    assert window.show(LiveFrame(Frame(0, 0.0, RED), 0.0, ())) is goes_on
    assert window.goes_on() is goes_on
    assert screen.shown[0][100, 100].tolist() == [0, 0, 200]  # OpenCV's windows take blue first
    window.close()
    assert screen.titles == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
@pytest.mark.parametrize(
    ("display", "message"), [("", "there is no display"), (":9876", "no window can be opened on this display")]
)
def test_without_a_display_there_is_no_window(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], display: str, message: str
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(OptionError, match=f"{message}.*--headless does without"):
        check_display()
    assert capfd.readouterr().err == ""
