"""The display board: the picture with its faces, and beside it the leading expression of each, large.

A face that is missed for a moment keeps its card, dimmed, so that the board does not flicker.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from seqfer.live.types import LiveFace, LiveFrame
from seqfer.timeline.colours import rgb_of
from seqfer.timeline.drawing import DARK, LIGHT, draw_bars, draw_box, draw_plate, draw_text, text_width
from seqfer.video.types import Image

NOTE = "a classifier's reading, not feelings"
# The picture is enlarged or shrunk into these bounds, in pixels, so that the board beside it can be read.
LEAST_HEIGHT, MOST_HEIGHT, MOST_WIDTH = 540, 720, 1280
HELD_S = 0.5  # how long a face out of sight keeps its card
GREY = (150, 150, 150)
GROUND = DARK[0]  # a level instead of a colour: to fill an image with a colour takes 3 ms
# In units, of which the board is 30 high.
WIDTH = 18.0
MARGIN = 0.6
FOOTER = 1.8
LARGEST_HEADING, SMALLEST_HEADING = 5.5, 2.6
LARGEST_ROW, SMALLEST_ROW, SMALLEST_NAMED_ROW = 2.2, 0.25, 0.75


class Board:
    """Draws live frames one after the other."""

    def __init__(self, names: Sequence[str]) -> None:
        """
        Args:
            names: of the K expressions.
        """
        self._names = names
        self._held: dict[int, tuple[LiveFace, float]] = {}  # and when each was last seen

    def draw(self, frame: LiveFrame) -> Image:
        """The frame's picture with its faces, and the board at its right: (H', W', 3) RGB."""
        picture = self._picture(frame)
        height = max(LEAST_HEIGHT, picture.shape[0])
        panel = self._panel(frame, height)
        whole = np.full((height, picture.shape[1] + panel.shape[1], 3), GROUND, np.uint8)
        top = (height - picture.shape[0]) // 2
        whole[top : top + picture.shape[0], : picture.shape[1]] = picture
        whole[:, picture.shape[1] :] = panel
        return whole

    def _picture(self, frame: LiveFrame) -> Image:
        image = frame.frame.image
        height, width, _ = image.shape
        scale = min(max(1.0, LEAST_HEIGHT / height), MOST_HEIGHT / height, MOST_WIDTH / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        how = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR  # four times slower, and better from there on
        picture = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
        for face in frame.faces:
            draw_box(picture, [edge * scale for edge in face.box], face.track_id, face.probabilities, self._names)
        return picture

    def _panel(self, frame: LiveFrame, height: int) -> Image:
        unit = height / 30
        panel = np.full((height, round(WIDTH * unit), 3), GROUND, np.uint8)
        draw_text(panel, NOTE, (round(MARGIN * unit), round(height - 0.6 * unit)), 0.8 * unit, GREY)
        now_s = frame.frame.time_s
        self._held.update({face.track_id: (face, now_s) for face in frame.faces})
        self._held = {key: held for key, held in self._held.items() if now_s - held[1] <= HELD_S}
        if self._held:
            self._draw_cards(panel[: round(height - FOOTER * unit)], now_s, unit)
        else:
            text, size = "no face in sight", 1.4 * unit
            left = (panel.shape[1] - text_width(text, size)) // 2
            draw_text(panel, text, (left, height // 2), size, GREY)
        return panel

    def _draw_cards(self, panel: Image, now_s: float, unit: float) -> None:
        """A card for each face that is held; where they are too many, for some, and how many more there are."""
        places = int(panel.shape[0] / (SMALLEST_HEADING * unit))
        height = panel.shape[0] // min(places, len(self._held))
        drawn = sorted(self._held)[: places if len(self._held) <= places else places - 1]
        for place, track_id in enumerate(drawn):
            face, seen_s = self._held[track_id]
            card = panel[place * height : (place + 1) * height]
            self._draw_card(card, face, unit)
            if seen_s < now_s:
                draw_plate(card, (0, 0), (card.shape[1], card.shape[0]), DARK, 0.6)
        if len(drawn) < len(self._held):
            base = round(len(drawn) * height + 1.6 * unit)
            text = f"and {len(self._held) - len(drawn)} more"
            draw_text(panel, text, (round(MARGIN * unit), base), 1.3 * unit, LIGHT)

    def _draw_card(self, card: Image, face: LiveFace, unit: float) -> None:
        """A heading with the leading expression; below it bars for all, as far as there is room."""
        height, width, _ = card.shape
        leader = int(face.probabilities.argmax())
        name, colour = self._names[leader], rgb_of(self._names[leader])
        rows = len(self._names)
        row = min(LARGEST_ROW, (height / unit - SMALLEST_HEADING - MARGIN) / rows)
        heading = min(LARGEST_HEADING, height / unit - MARGIN - rows * row)
        row, heading = int(row * unit), round(heading * unit)
        margin = round(MARGIN * unit)
        cv2.rectangle(card, (0, margin // 2), (margin // 2, height - margin // 2), colour, cv2.FILLED)
        base = round(0.72 * heading)
        number, share = str(face.track_id), f"{100 * float(face.probabilities[leader]):.0f} %"
        small = min(1.3 * unit, 0.45 * heading)
        draw_text(card, number, (margin, base), small, LIGHT)
        share_left = width - margin - text_width(share, small)
        draw_text(card, share, (share_left, base), small, LIGHT)
        left = 2 * margin + text_width(number, small)
        # A long name is written as large as it fits.
        large = 0.75 * heading
        large *= min(1.0, (share_left - margin - left) / text_width(name, large))
        draw_text(card, name, (left, base), large, colour)
        if row >= SMALLEST_ROW * unit:
            names_width = 0
            if row >= SMALLEST_NAMED_ROW * unit:
                names_width = margin + max(text_width(name, 0.7 * row) for name in self._names)
            bar_width = width - 2 * margin - names_width
            draw_bars(card, (margin, heading), (row, names_width, bar_width), face.probabilities, self._names)
