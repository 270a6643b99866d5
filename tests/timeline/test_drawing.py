from __future__ import annotations

import numpy as np
import pytest

from seqfer.labels import FER7
from seqfer.timeline import drawing
from seqfer.timeline.colours import rgb_of
from seqfer.timeline.drawing import draw_bars, draw_box, draw_faces, text_width

EVEN = np.full(7, 1 / 7)


@pytest.mark.parametrize(
    "box",
    [(-80.0, -80.0, 20.0, 20.0), (600.0, 300.0, 900.0, 600.0), (10.0, 10.0, 14.0, 14.0), (-500, -500, 2000, 2000)],
)
@pytest.mark.parametrize("shape", [(360, 640, 3), (40, 30, 3), (1, 1, 3)])
def test_faces_may_reach_out_of_any_frame(box: tuple[float, ...], shape: tuple[int, int, int]) -> None:
    image = np.full(shape, 90, np.uint8)
    draw_faces(image, [(box, 3, EVEN), (box, 4, EVEN)], FER7.names)
    assert image.shape == shape


def test_a_box_alone_leaves_the_rest_of_the_picture() -> None:
    alone, with_bars = (np.full((360, 640, 3), 90, np.uint8) for _ in range(2))
    draw_box(alone, (200, 100, 300, 200), 1, EVEN, FER7.names)
    draw_faces(with_bars, [((200, 100, 300, 200), 1, EVEN)], FER7.names)
    beside = np.s_[60:260, 310:]
    assert (alone[beside] == 90).all()
    assert (with_bars[beside] != 90).any()
    assert (alone[150, 200] == rgb_of("angry")).all()  # of equals the first leads


@pytest.mark.parametrize(
    ("lefts", "expected"),
    [
        ([0, 260, 380, 490], [144, 531]),  # right of the first; the fourth's on itself, at the picture's edge
        ([0, 260, 380], [144, 524]),
        ([-20, 90, 200], [344]),  # of the three only the last has room, and no chart goes far away
        ([0, 500], [144, 427]),
    ],
)
def test_charts_lie_beside_their_faces_and_cover_no_other(
    lefts: list[int], expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    charts: list[tuple[int, int, int, int]] = []

    def noted(image: object, corner: tuple[int, int], size: tuple[int, int], *_: object) -> None:
        charts.append((*corner, corner[0] + size[0], corner[1] + size[1]))

    monkeypatch.setattr(drawing, "draw_plate", noted)
    monkeypatch.setattr(drawing, "draw_line", lambda *_: None)
    boxes = [(40 + left, 100, 140 + left, 220) for left in lefts]
    image = np.full((360, 640, 3), 90, np.uint8)
    draw_faces(image, [(box, k, EVEN) for k, box in enumerate(boxes)], FER7.names)
    assert [chart[0] for chart in charts] == expected

    def meet(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]

    for number, one in enumerate(charts):
        assert not any(meet(one, other) for other in charts[:number])
        assert sum(meet(one, box) for box in boxes) <= 1  # its own, at the picture's edge


@pytest.mark.parametrize("named", [True, False])
def test_bars_are_as_long_as_their_shares(named: bool) -> None:
    image = np.zeros((200, 400, 3), np.uint8)
    shares = np.array([0.5, 0.0, 0.0, 0.3, 0.2, 0.0, 0.0])
    draw_bars(image, (10, 20), (20, 80 if named else 0, 200), shares, FER7.names)
    for index, share in enumerate(shares):
        row = image[20 + 20 * index + 10]
        length = int((row == rgb_of(FER7.names[index])).all(1).sum())
        assert length == pytest.approx(max(1, 200 * share), abs=1)


def test_longer_texts_are_wider() -> None:
    assert 0 < text_width("sad", 20) < text_width("surprise", 20) < text_width("surprise", 40)


def test_a_box_is_named_by_track_leader_and_share(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(drawing, "draw_named_box", lambda image, box, text, colour: said.append(text))
    shares = np.full(7, 0.02)
    shares[4] = 0.88
    draw_box(np.zeros((90, 90, 3), np.uint8), (10, 10, 50, 50), 3, shares, FER7.names)
    assert said == ["3  sad 0.88"]


@pytest.mark.parametrize("left", [-60, -1, 700])
def test_a_line_is_readable_beside_a_face_that_reaches_out_of_the_frame(left: int) -> None:
    image, expected = (np.full((360, 640, 3), 90, np.uint8) for _ in range(2))
    drawing.draw_line(image, "1  happy 0.90", (left, 40), (0, 200, 0))
    width = text_width("1  happy 0.90", drawing.unit_of(image) * 0.85) + 8
    drawing.draw_line(expected, "1  happy 0.90", (0 if left < 0 else 640 - width, 40), (0, 200, 0))
    assert (image == expected).all()
    assert (image[:, :width] != 90).any() or (image[:, -width:] != 90).any()
