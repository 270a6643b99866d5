"""The timeline drawn into its video: boxes, track ids, the leading expression and a bar per expression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from seqfer.timeline.drawing import draw_faces
from seqfer.timeline.types import Timeline
from seqfer.video.opening import open_video
from seqfer.video.stills import DEFAULT_RATE
from seqfer.video.types import Frame, FrameStream
from seqfer.video.writer import SoundSource, write_video


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
    info = stream.info
    sound = SoundSource(info.path, info.start_s) if info.path.is_file() and not info.is_still else None
    write_video(path, frames, info.frame_rate or Fraction(DEFAULT_RATE), sound)


def _drawn(
    timeline: Timeline, stream: FrameStream, progress: Callable[[int, int | None], None]
) -> Iterator[Frame]:
    names = timeline.label_set.names
    for done, frame in enumerate(stream, start=1):
        progress(done, stream.info.frame_count)
        # Of frames that were not read, the last one before them that was speaks.
        row = int(np.searchsorted(timeline.frame_index, frame.index, "right")) - 1
        first, after = np.searchsorted(timeline.face_frame, [row, row + 1])
        image = frame.image.copy()
        faces = range(first, after)
        drawn = [(timeline.boxes[k].tolist(), int(timeline.track_id[k]), timeline.probabilities[k]) for k in faces]
        draw_faces(image, drawn, names)
        yield Frame(frame.index, frame.time_s, image)
