"""Drawing what was read of a face into a picture: its box, its leading expression, a bar per expression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.timeline.colours import rgb_of
from seqfer.video.types import Image

Colour = tuple[int, int, int]  # red, green, blue
Shares = NDArray[np.floating[Any]]  # (K,) in [0, 1]
Rectangle = tuple[int, int, int, int]  # x1, y1, x2, y2

FONT = cv2.FONT_HERSHEY_SIMPLEX
DARK, LIGHT = (20, 20, 20), (245, 245, 245)


def draw_faces(image: Image, faces: Sequence[tuple[Sequence[float], int, Shares]], names: Sequence[str]) -> None:
    """Draw the faces of a frame into its image (H, W, 3), in place: `draw_box`, and a chart beside each.

    A chart that would cover another face, or its chart, is left out.

    Args:
        image: what to draw into.
        faces: of each its box x1, y1, x2, y2 in pixels of the image, its track, and (K,) the probability of each
            expression.
        names: of the K expressions.
    """
    boxes = [_whole(box) for box, _, _ in faces]
    charts: list[Rectangle] = []
    for place, (box, track_id, shares) in enumerate(faces):
        draw_box(image, box, track_id, shares, names)
        placed = _chart(image, boxes[place], len(names), [*boxes[:place], *boxes[place + 1 :], *charts])
        if placed is not None:
            chart, sizes = placed
            charts.append(chart)
            left, top, right, bottom = chart
            draw_plate(image, (left, top), (right - left, bottom - top), DARK, 0.55)
            draw_bars(image, (left + 2, top + 3), sizes, shares, names)


def _chart(
    image: Image, box: Rectangle, count: int, taken: Sequence[Rectangle]
) -> tuple[Rectangle, tuple[int, int, int]] | None:
    """Where the chart of a face goes, and the sizes that `draw_bars` takes; None where there is no room."""
    x1, y1, x2, y2 = box
    row = unit_of(image)
    name_width, bar_width = round(4.4 * row), 4 * row
    if y2 - y1 < row * count * 0.6:
        # Beside a small face a full chart would hide its neighbours: the colours must do.
        row, name_width, bar_width = max(2, (y2 - y1) // count), 0, max(8, round(0.6 * (x2 - x1)))
    width, height = max(2, name_width) + bar_width + 8, row * count + 6
    top = min(max(0, y1), max(0, image.shape[0] - height))
    # Beside the face where there is room: right, else left, else over its right edge.
    for left in (x2 + 4, x1 - 4 - width, max(0, image.shape[1] - width)):
        chart = left, top, left + width, top + height
        inside = left >= 0 and (chart[2] <= image.shape[1] or left == 0)
        near = x1 - 4 <= chart[2] and left <= x2 + 4  # farther away it would be taken for another face's
        if inside and near and not any(_meet(chart, other) for other in taken):
            return chart, (row, name_width, bar_width)
    return None


def _meet(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def draw_box(image: Image, box: Sequence[float], track_id: int, shares: Shares, names: Sequence[str]) -> None:
    """Draw a face's box into an image, in place, with its track and leading expression above; as `draw_faces`."""
    leader = int(shares.argmax())
    draw_named_box(image, box, f"{track_id}  {names[leader]} {shares[leader]:.2f}", rgb_of(names[leader]))


def draw_named_box(image: Image, box: Sequence[float], text: str, colour: Colour) -> None:
    """Draw a box into an image (H, W, 3), in place, with a text on a plate above it."""
    unit = unit_of(image)
    x1, y1, x2, y2 = _whole(box)
    cv2.rectangle(image, (x1, y1), (x2, y2), colour, max(1, unit // 8) + 1, cv2.LINE_AA)
    draw_line(image, text, (x1, max(0, y1 - unit - 4)), colour)


def draw_line(image: Image, text: str, corner: tuple[int, int], colour: Colour) -> None:
    """Draw a line of text on a coloured plate, whose upper left corner is given, into an image, in place.

    It stays within the image where there is room, also beside a face that does not.
    """
    unit = unit_of(image)
    width = text_width(text, unit * 0.85) + 8
    left = max(0, min(corner[0], image.shape[1] - width))
    draw_plate(image, (left, corner[1]), (width, unit + 4), colour, 1.0)
    draw_text(image, text, (left + 4, corner[1] + unit), unit * 0.85, DARK)


def draw_bars(
    image: Image, corner: tuple[int, int], size: tuple[int, int, int], shares: Shares, names: Sequence[str]
) -> None:
    """Draw a row for each expression into an image, in place: its name, and a bar as long as its probability.

    Args:
        image: what to draw into.
        corner: x and y of the first row's upper left.
        size: a row's height, the width of the names (0 for bars without names), and that of a full bar.
        shares: (K,) the probabilities.
        names: of the K expressions.
    """
    left, top = corner
    row, name_width, bar_width = size
    gap = min(2, row // 4)
    for index, (name, share) in enumerate(zip(names, shares, strict=True)):
        base = top + (index + 1) * row
        if name_width:
            draw_text(image, name, (left + 2, base - row // 4), row * 0.7, LIGHT)
        start = left + max(0, name_width - 2)
        end = start + max(1, round(bar_width * float(share)))
        cv2.rectangle(image, (start, base - row + gap), (end, base - gap), rgb_of(name), cv2.FILLED)


def draw_plate(
    image: Image, corner: tuple[int, int], size: tuple[float, float], colour: Colour, opacity: float
) -> None:
    """Cover a rectangle of an image, in place, with a colour of some opacity in [0, 1]."""
    x, y = max(0, corner[0]), max(0, corner[1])
    part = image[y : y + round(size[1]), x : x + round(size[0])]
    part[:] = (part * (1 - opacity) + np.array(colour) * opacity).astype(np.uint8)


def draw_text(image: Image, text: str, origin: tuple[int, int], height: float, colour: Colour) -> None:
    """Write a line of text into an image, in place; `origin` is the lower left of its first letter."""
    scale, thickness = _pen(height)
    cv2.putText(image, text, origin, FONT, scale, colour, thickness, cv2.LINE_AA)


def text_width(text: str, height: float) -> int:
    """How wide `draw_text` writes a line, in pixels."""
    return int(cv2.getTextSize(text, FONT, *_pen(height))[0][0])


def _pen(height: float) -> tuple[float, int]:
    """Scale and thickness of the font, whose capitals are 22 pixels high at scale 1."""
    return height / 22 * 0.72, max(1, round(height / 14))


def unit_of(image: Image) -> int:
    """The height of a line of text in pixels: readable in small frames, not huge in large ones."""
    return max(9, round(min(image.shape[:2]) / 30))


def _whole(box: Sequence[float]) -> Rectangle:
    """A box in whole pixels."""
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    return x1, y1, x2, y2
