"""One colour per expression, the same in every picture, overlay and terminal strip.

Paul Tol's "bright" scheme, which readers with any common form of colour blindness can tell apart.
"""

from __future__ import annotations

COLOURS = {
    "angry": "#EE6677",
    "disgust": "#228833",
    "fear": "#AA3377",
    "happy": "#CCBB44",
    "sad": "#4477AA",
    "surprise": "#66CCEE",
    "neutral": "#BBBBBB",
    "contempt": "#EE7733",
}
SPARE = ("#009988", "#33BBEE", "#CC3311", "#882255", "#117733", "#999933", "#DDCC77", "#332288")


def colour_of(label: str) -> str:
    """The colour of an expression as "#RRGGBB"; labels beyond the usual ones get a fixed spare colour each."""
    return COLOURS.get(label) or SPARE[sum(label.encode()) % len(SPARE)]


def rgb_of(label: str) -> tuple[int, int, int]:
    """The colour of an expression as red, green and blue in [0, 255]."""
    digits = colour_of(label).lstrip("#")
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
