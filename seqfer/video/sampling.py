"""Chosen moments of a short clip: by decord where it can be trusted, else by PyAV.

decord seeks to the frames that are wanted and decodes only what they need. It reads ahead without bound, so
it is meant for clips of seconds, not for films, and is always told the size that is wanted.

It is trusted only where its idea of the frames was seen to be right. In MPEG program streams it gives frames
that lie half a second off, and where an edit list cuts frames away it gives others than it is asked for. So
it is used for the containers below, and only if its list of times equals the one that PyAV reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.video.container import ContainerStream, open_container, video_stream
from seqfer.video.types import Frame

DECORD_FORMATS = ("mov", "matroska", "avi")  # beginnings of FFmpeg's names; MP4 is "mov,mp4,…"
DECORD_TOLERANCE_S = 2e-3  # decord's times are float32, and Matroska's are whole milliseconds
ROUNDING_S = 1e-6  # a moment that was printed with six digits still means the frame that begins there


def sample_clip(path: str | Path, times_s: Sequence[float], size: tuple[int, int] | None = None) -> list[Frame]:
    """The frames that are shown at given moments.

    Args:
        path: a video file.
        times_s: seconds from the first frame shown, in any order, repeats allowed; a moment before the first
            or after the last frame gets that frame.
        size: width and height in pixels that the upright frames are scaled to; their own if not given.

    Returns:
        One frame per moment, in the order asked for. Its index and time are its own, not the moment's.

    Raises:
        VideoError: the file is not a video that can be read.
    """
    path = Path(path)
    if not all(np.isfinite(times_s)):
        raise ValueError(f"moments must be finite: {list(times_s)}")
    if len(times_s) == 0:
        return []
    with ContainerStream(path) as stream:
        size = size or (stream.info.width, stream.info.height)
    frames = sample_by_decord(path, times_s, size)
    return sample_by_pyav(path, times_s, size) if frames is None else frames


def sample_by_pyav(path: Path, times_s: Sequence[float], size: tuple[int, int]) -> list[Frame]:
    """As `sample_clip`, decoding from the start to the last moment."""
    moments = sorted(set(times_s))
    found: dict[float, Frame] = {}
    with ContainerStream(path) as stream:
        shown: Frame | None = None
        for frame in stream:
            # Whatever is asked for before this frame begins is still its predecessor's.
            while shown is not None and moments and moments[0] < frame.time_s - ROUNDING_S:
                found[moments.pop(0)] = shown
            if not moments:
                break
            shown = frame
    assert shown is not None  # a stream that opens has a frame
    found.update(dict.fromkeys(moments, shown))
    scaled = {frame.index: _scaled(frame, size) for frame in found.values()}
    return [scaled[found[time].index] for time in times_s]


def sample_by_decord(path: Path, times_s: Sequence[float], size: tuple[int, int]) -> list[Frame] | None:
    """As `sample_clip`, or None where decord has no wheel for this machine or cannot be trusted with the file."""
    try:
        import decord
    except ImportError:
        return None
    times = _shown_times(path)
    if times is None:
        return None
    try:
        reader = decord.VideoReader(str(path), decord.cpu(0), width=size[0], height=size[1], num_threads=1)
        starts = reader.get_frame_timestamp(range(len(reader)))[:, 0]
        if len(starts) != len(times) or np.abs(starts - starts[0] - times).max() > DECORD_TOLERANCE_S:
            return None
        wanted = np.searchsorted(times, np.asarray(times_s) + ROUNDING_S, "right") - 1
        unique, order = np.unique(wanted.clip(0), return_inverse=True)
        images = reader.get_batch(unique).asnumpy()
    except (decord.DECORDError, RuntimeError):
        return None
    frames = [Frame(int(i), float(times[i]), image) for i, image in zip(unique, images, strict=True)]
    return [frames[position] for position in order]


def _shown_times(path: Path) -> NDArray[np.float64] | None:
    """When each frame is shown, from the first one on, or None where the packets do not tell or decord errs."""
    shown: list[Fraction] = []
    with open_container(path) as container:
        if not container.format.name.startswith(DECORD_FORMATS):
            return None
        try:
            for packet in container.demux(video_stream(container, path)):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.pts is None or packet.time_base is None or packet.is_corrupt:
                    return None
                shown.append(packet.pts * packet.time_base)
        except av.FFmpegError:
            return None
    shown.sort()
    return np.array([float(time - shown[0]) for time in shown]) if shown else None


def _scaled(frame: Frame, size: tuple[int, int]) -> Frame:
    height, width, _ = frame.image.shape
    if (width, height) == size:
        return frame
    image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
    return Frame(frame.index, frame.time_s, np.asarray(image, np.uint8))
