"""The timeline drawn into its video: boxes, track ids, the leading expression and a bar per expression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.timeline.colours import rgb_of
from seqfer.timeline.types import Timeline
from seqfer.video.opening import open_video
from seqfer.video.stills import DEFAULT_RATE
from seqfer.video.types import Frame, FrameStream, Image
from seqfer.video.writer import SoundSource, write_video

FONT = cv2.FONT_HERSHEY_SIMPLEX
DARK, LIGHT = (20, 20, 20), (245, 245, 245)


def write_overlay(
    timeline: Timeline,
    path: Path,
    picture_rate: float = float(DEFAULT_RATE),
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> None:
    """Write the timeline's video with its faces drawn in, as H.264 with the source's sound and timing.

    Args:
        timeline: of a video that still lies where it was read.
        path: the MP4 file to write.
        picture_rate: pictures per second, as the timeline was made with.
        progress: called after each frame with the frames done and their number, None while it is not known.

    Raises:
        VideoError: the video cannot be read any more.
        OutputError: the file cannot be written.
    """
    with open_video(timeline.video.path, picture_rate=picture_rate) as stream:
        write_like(stream, path, _drawn(timeline, stream, progress))


def write_like(stream: FrameStream, path: Path, frames: Iterable[Frame]) -> None:
    """Write frames as an MP4 file with the average rate and the sound of the stream that they come from."""
    source, rate = stream.info.path, stream.info.frame_rate
    sound = SoundSource(source, stream.info.start_s) if source.is_file() and rate is not None else None
    write_video(path, frames, rate or Fraction(DEFAULT_RATE), sound)


def _drawn(
    timeline: Timeline, stream: FrameStream, progress: Callable[[int, int | None], None]
) -> Iterator[Frame]:
    for done, frame in enumerate(stream, start=1):
        progress(done, stream.info.frame_count)
        # Of frames that were not read, the last one before them that was speaks.
        row = int(np.searchsorted(timeline.frame_index, frame.index, "right")) - 1
        first, after = np.searchsorted(timeline.face_frame, [row, row + 1])
        image = frame.image.copy()
        for face in range(first, after):
            draw_face(
                image, timeline.boxes[face], int(timeline.track_id[face]), timeline.probabilities[face], timeline
            )
        yield Frame(frame.index, frame.time_s, image)


def draw_face(
    image: Image, box: NDArray[np.float64], track_id: int, probabilities: NDArray[np.float64], timeline: Timeline
) -> None:
    """Draw one face into an image (H, W, 3), in place.

    Args:
        image: what to draw into.
        box: (4,) x1, y1, x2, y2.
        track_id: shown beside the label.
        probabilities: (K,) of the timeline's labels.
        timeline: names the labels.
    """
    names = timeline.label_set.names
    leader = names[int(probabilities.argmax())]
    draw_box(image, box, f"{track_id}  {leader} {probabilities.max():.2f}", rgb_of(leader))
    _bars(image, box, probabilities, names)


def draw_box(
    image: Image, box: NDArray[np.float64] | Sequence[float], text: str, colour: tuple[int, int, int]
) -> None:
    """Draw a box with a text on a plate above it into an image (H, W, 3), in place."""
    unit = text_height(image)
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    cv2.rectangle(image, (x1, y1), (x2, y2), colour, max(1, unit // 8) + 1, cv2.LINE_AA)
    draw_plate(image, text, (x1, max(0, y1 - unit - 4)), colour)


def draw_plate(image: Image, text: str, corner: tuple[int, int], colour: tuple[int, int, int]) -> None:
    """Draw a line of text on a coloured plate whose upper left corner is given into an image, in place."""
    unit = text_height(image)
    width = cv2.getTextSize(text, FONT, *_scale_of(unit * 0.85))[0][0]
    _plate(image, corner, (width + 8, unit + 4), colour, 1.0)
    _text(image, text, (corner[0] + 4, corner[1] + unit), unit * 0.85, DARK)


def text_height(image: Image) -> int:
    """Height of a line of text in pixels: readable in small frames, not huge in large ones."""
    return max(9, round(min(image.shape[:2]) / 30))


def _bars(
    image: Image, box: NDArray[np.float64], probabilities: NDArray[np.float64], names: tuple[str, ...]
) -> None:
    unit = text_height(image)
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    row, name_width, bar_width = unit, round(4.4 * unit), 4 * unit
    named = y2 - y1 >= row * len(names) * 0.6
    if not named:
        # Beside a small face a full chart would hide its neighbours: the colours must do.
        row, name_width, bar_width = max(2, (y2 - y1) // len(names)), 2, max(8, round(0.6 * (x2 - x1)))
    width, height = name_width + bar_width + 8, row * len(names) + 6
    # Beside the face where there is room: right, else left, else over its right edge.
    left = x2 + 4 if x2 + 4 + width <= image.shape[1] else x1 - 4 - width
    left = left if left >= 0 else max(0, image.shape[1] - width)
    top = min(max(0, y1), max(0, image.shape[0] - height))
    _plate(image, (left, top), (width, height), DARK, 0.55)
    for index, (name, share) in enumerate(zip(names, probabilities, strict=True)):
        base = top + 3 + (index + 1) * row
        if named:
            _text(image, name, (left + 4, base - row // 4), unit * 0.7, LIGHT)
        start = left + name_width
        end = start + max(1, round(bar_width * float(share)))
        gap = min(2, row // 4)
        cv2.rectangle(image, (start, base - row + gap), (end, base - gap), rgb_of(name), cv2.FILLED)


def _plate(
    image: Image, corner: tuple[int, int], size: tuple[float, float], colour: tuple[int, int, int], opacity: float
) -> None:
    x, y = max(0, corner[0]), max(0, corner[1])
    part = image[y : y + round(size[1]), x : x + round(size[0])]
    part[:] = (part * (1 - opacity) + np.array(colour) * opacity).astype(np.uint8)


def _text(image: Image, text: str, origin: tuple[int, int], height: float, colour: tuple[int, int, int]) -> None:
    scale, thickness = _scale_of(height)
    cv2.putText(image, text, origin, FONT, scale, colour, thickness, cv2.LINE_AA)


def _scale_of(height: float) -> tuple[float, int]:
    """The font's scale and thickness for lines of some height."""
    # The font's capitals are 22 pixels high at scale 1.
    return height / 22 * 0.72, max(1, round(height / 12))
