"""A window with the display board; q or Esc ends it, and so does closing it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import cv2

from seqfer.errors import OptionError
from seqfer.live.board import NOTE, Board
from seqfer.live.types import LiveFrame

END_KEYS = (ord("q"), ord("Q"), 27)  # 27 is Esc
REMEDY = "--headless does without a window"


def check_display() -> None:
    """Raise OptionError unless a window can be opened here.

    Without a display OpenCV does not fail: it ends the whole process. So another process tries it first.
    """
    if not sys.platform.startswith("linux"):
        return
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise OptionError(f"there is no display to open a window on; {REMEDY}")
    attempt = "import cv2, os; cv2.namedWindow('seqfer'); os._exit(0)"  # gone before the window is seen
    if subprocess.run([sys.executable, "-c", attempt], capture_output=True, check=False).returncode:
        raise OptionError(f"no window can be opened on this display; {REMEDY}")


class Window:
    """Shows live frames one after the other."""

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        """
        Args:
            name: of the source.
            labels: the K expressions.
        """
        self._title = f"{name}: {NOTE} (q ends)"
        self._board = Board(labels)
        cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        self._sized = False

    def show(self, frame: LiveFrame) -> bool:
        """Draw the frame and its board; tells whether to go on."""
        image = self._board.draw(frame)
        if not self._sized:
            cv2.resizeWindow(self._title, image.shape[1], image.shape[0])
            self._sized = True
        cv2.imshow(self._title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return self.goes_on()

    def goes_on(self) -> bool:
        """Take note of keys and buttons; tells whether to go on."""
        ended = cv2.pollKey() & 0xFF in END_KEYS
        # A window that was closed by its button is no longer visible.
        return not ended and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        cv2.destroyAllWindows()
