from __future__ import annotations

import numpy as np
import pytest

from seqfer.labels import FER7
from seqfer.live import board
from seqfer.live.board import HELD_S, Board
from seqfer.live.types import LiveFace, LiveFrame
from seqfer.timeline.colours import rgb_of
from seqfer.video.types import Frame, Image


def face(track_id: int, leader: str = "happy") -> LiveFace:
    shares = np.full(7, 0.05)
    shares[FER7.index(leader)] = 0.7
    left = 30.0 + 40 * track_id
    return LiveFace(track_id, (left, 80.0, left + 40, 120.0), 0.9, shares)


def frame(*faces: LiveFace, time_s: float = 0.0, size: tuple[int, int] = (640, 360)) -> LiveFrame:
    return LiveFrame(Frame(0, time_s, np.full((size[1], size[0], 3), 90, np.uint8)), 0.0, faces)


def panel_of(board: Image) -> Image:
    return board[:, board.shape[1] - round(18 * board.shape[0] / 30) :]


def amount(image: Image, label: str) -> int:
    """How many pixels have a label's own colour."""
    return int((image == rgb_of(label)).all(2).sum())


@pytest.mark.parametrize(
    ("size", "height", "picture_width"),
    [
        ((640, 360), 540, 960),  # enlarged, so that the board can be read
        ((1280, 720), 720, 1280),
        ((1920, 1080), 720, 1280),
        ((720, 1280), 720, 405),
        ((1280, 160), 540, 1280),  # between bars
        ((96, 64), 540, 810),
        ((1, 1), 540, 540),
    ],
)
@pytest.mark.parametrize("faces", [0, 1, 3])
def test_any_picture_gets_a_board_beside_it(
    size: tuple[int, int], height: int, picture_width: int, faces: int
) -> None:
    shown = frame(*[face(k + 1) for k in range(faces)], size=size)
    board = Board(FER7.names).draw(shown)
    assert board.shape == (height, picture_width + 18 * height // 30, 3)
    assert board.dtype == np.uint8
    assert (shown.frame.image == 90).all(), "the frame itself is left alone"


def test_the_leading_expression_is_what_one_sees_first() -> None:
    panel = panel_of(Board(FER7.names).draw(frame(face(1, "happy"))))
    # 0.7 of the probability, and the large name.
    assert amount(panel, "happy") > 3 * amount(panel, "sad")
    heading = panel[: panel.shape[0] // 6]
    assert amount(heading, "happy") > 500
    assert amount(heading, "sad") == 0


def test_each_face_has_its_card() -> None:
    panel = panel_of(Board(FER7.names).draw(frame(face(1, "happy"), face(2, "sad"), face(3, "angry"))))
    third = panel.shape[0] // 3
    for place, label in enumerate(("happy", "sad", "angry")):
        card = panel[place * third : place * third + third // 2]
        leading = {name: amount(card, name) for name in FER7}
        assert max(leading, key=lambda name: leading[name]) == label


def test_the_box_follows_the_scale() -> None:
    board = Board(FER7.names).draw(frame(face(1, "surprise")))
    # x from 70 to 110, y from 80 to 120, enlarged by one and a half; the label stands above.
    beside = board[125:240, :900]
    assert amount(beside[:, 100:110], "surprise") > 100
    assert amount(beside[:, 160:170], "surprise") > 100
    assert amount(beside[:, :100], "surprise") == amount(beside[:50, 110:160], "surprise") == 0
    assert amount(beside[:, 170:], "surprise") == amount(board[190:, :900], "surprise") == 0


def test_no_face_is_said_so() -> None:
    board = Board(FER7.names)
    nobody = panel_of(board.draw(frame()))
    assert not any(amount(nobody, label) for label in FER7)
    middle = nobody[nobody.shape[0] // 2 - 30 : nobody.shape[0] // 2 + 10]
    assert middle.max() > 100


def test_a_face_missed_for_a_moment_keeps_its_card_dimmed() -> None:
    board = Board(FER7.names)
    bright = panel_of(board.draw(frame(face(1), time_s=1.0)))
    dimmed = panel_of(board.draw(frame(time_s=1.0 + HELD_S - 0.01)))
    gone = panel_of(board.draw(frame(time_s=1.0 + HELD_S + 0.02)))
    assert bright.mean() > dimmed.mean() > gone.mean()
    assert amount(dimmed, "happy") == 0
    assert (panel_of(board.draw(frame(time_s=9.0))) == gone).all()


@pytest.mark.parametrize(("faces", "cards"), [(9, 9), (10, 10), (11, 9), (40, 9)])
def test_more_faces_than_fit_are_counted(faces: int, cards: int) -> None:
    panel = panel_of(Board(FER7.names).draw(frame(*[face(k + 1) for k in range(faces)])))
    marks = (panel[:, 2] == rgb_of("happy")).all(1)  # the coloured edge of each card
    assert int((np.diff(marks.astype(int)) == 1).sum()) + int(marks[0]) == cards


def test_long_and_many_names_fit() -> None:
    names = tuple(f"{'very ' * k}long name {k}" for k in range(20))
    shares = np.full(20, 0.05)
    for leader in range(20):
        shown = LiveFace(1, (10.0, 10.0, 60.0, 60.0), 0.9, np.roll(shares + np.eye(20)[0], leader))
        board = Board(names).draw(frame(shown, shown))
        assert board.shape == (540, 1284, 3)


def test_the_leaders_share_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(board, "draw_text", lambda image, text, *rest: written.append(text))
    Board(FER7.names).draw(frame(face(1, "happy")))
    assert "70 %" in written
