"""Video files by PyAV: FFmpeg's decoders, frame after frame, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from seqfer.errors import NO_FILE, VideoError
from seqfer.machine import usable_cores
from seqfer.video.types import DecodeReport, Frame, Image, VideoInfo

# More decoding threads than this hold many large frames in memory and gain little.
MOST_THREADS = 8
FALLBACK_RATE = Fraction(25)
MOST_FAILURES = 20  # in a row, until a damaged container is given up
SET_BACK_S = Fraction(1, 2)  # a time that lies so far before the last one is no mere repeat
LEAP_S = 10  # a frame that is so far ahead of those before and after it has a damaged time
MICROSECOND = Fraction(1, 1_000_000)
SHORTFALL_S = 0.5  # containers state the end of their video roughly; less than this is nothing


class ContainerStream:
    """A video file's frames: upright, in square pixels, at the container's own times.

    A frame that does not decode is passed over and counted. A frame without a time, or with one that its
    neighbours know nothing of, gets the one that is an average frame after its predecessor's, a frame that repeats
    a time the next microsecond. Where the clock is set back, as where recordings were joined, time goes on from
    the frame before.
    """

    def __init__(self, path: Path, every: int = 1) -> None:
        """
        Args:
            path: the file.
            every: give only each so-many-th decoded frame, the first one included.

        Raises:
            VideoError: the file is not a video that FFmpeg reads.
        """
        self._path = path
        self._every = every
        self._decoded = self._damaged = self._errors = self._broken = self._packets = self._hidden = 0
        self._end_s = 0.0
        self._ended = False
        # One reformatter without threads of its own: at 640x360 they cost more than the conversion.
        self._reformatter = VideoReformatter()
        self._container = open_container(path)
        try:
            self._stream = video_stream(self._container, path)
            self._stream.thread_type = "AUTO"
            self._stream.thread_count = min(MOST_THREADS, usable_cores())
            # Where the rate varies and is not stated, FFmpeg guesses anything up to the clock's own.
            self._rate = Fraction(self._stream.average_rate or FALLBACK_RATE)
            # Only a decoded picture tells how it is turned, so the first one is fetched ahead.
            pictures = self._decode()
            first = next(pictures, None)
            if first is None:
                raise VideoError(path, "not a single frame of it can be decoded; is the file whole?")
            self.info = _read_info(self._container, self._stream, first, path)
            self._pictures = chain([first], pictures)
            # What the container promises is noted now: once it is closed there is nothing left to ask.
            self._samples = _listed_samples(self._container, self._stream)
            self._stated_end_s = _stated_end_s(self._container, self._stream, self.info.start_s)
        except BaseException:
            self._container.close()
            raise

    def __iter__(self) -> Iterator[Frame]:
        step = 1 / self._rate
        first: Fraction | None = None
        last: Fraction | None = None
        joined = Fraction(0)  # what the clock was set back by so far
        for picture, following in pairwise(chain(self._pictures, [None])):
            assert picture is not None
            time = _time_of(picture, joined)
            if _is_stray(time, last, _time_of(following, joined)):
                time = None
                self._damaged += not picture.is_corrupt
            if time is None:
                time = Fraction(0) if last is None else last + step
            elif last is not None and time <= last - SET_BACK_S:
                joined += last + step - time
                time = last + step
            elif last is not None and time <= last:
                time = last + MICROSECOND
            first = time if first is None else first
            last = time
            index = self._decoded
            self._decoded += 1
            self._damaged += bool(picture.is_corrupt)
            duration = Fraction(picture.duration or 0) * Fraction(picture.time_base or 0) or step
            self._end_s = float(time - first + duration)
            if index % self._every == 0:
                yield Frame(index, float(time - first), self._upright(picture))
        self._ended = True

    def _decode(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._stream)
        failures = 0
        while True:
            try:
                packet = next(packets, None)
                failures = 0
            except (av.FFmpegError, IndexError):
                # Damage to the container itself, in which PyAV may see packets of streams that are not there: what
                # lies behind it may be whole.
                self._broken += 1
                failures += 1
                if failures < MOST_FAILURES:
                    packets = self._container.demux(self._stream)
                    continue
                packet = None
            if packet is not None:
                self._packets += packet.size > 0
                self._hidden += bool(packet.is_discard)
            try:
                # No packet flushes what the decoder still holds.
                yield from self._stream.decode(packet)
            except av.EOFError:
                return
            except av.FFmpegError:
                self._errors += 1
            if packet is None:
                return

    @property
    def report(self) -> DecodeReport:
        lost, truncated = self._errors, False
        if self._ended and self._samples is not None:
            lost = max(0, self._samples - self._hidden - self._decoded)
            truncated = self._packets < self._samples
        elif self._ended:
            missing = self._missing_frames()
            lost += missing
            truncated = missing > 0 or self._broken > 0
        return DecodeReport(self._decoded, lost, self._damaged, truncated, self._end_s)

    def _missing_frames(self) -> int:
        """How many frames fit between the last one and the end that the container states, if it states one."""
        if self._stated_end_s is None:
            return 0
        missing_s = self._stated_end_s - self._end_s
        return round(missing_s * self._rate) if missing_s > max(SHORTFALL_S, float(3 / self._rate)) else 0

    def _upright(self, picture: av.VideoFrame) -> Image:
        width, height = self.info.width, self.info.height
        if self.info.rotation_deg in (90, 270):
            width, height = height, width
        rgb = self._reformatter.reformat(picture, width, height, "rgb24", threads=1).to_ndarray()
        return turn(np.asarray(rgb, np.uint8), self.info.rotation_deg)

    def __enter__(self) -> ContainerStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()


def open_container(path: Path) -> av.container.InputContainer:
    """An opened media file.

    Raises:
        VideoError: it is missing, empty, or nothing that FFmpeg reads.
    """
    try:
        if not path.exists():
            raise VideoError(path, NO_FILE)
        if not path.is_file():
            raise VideoError(path, "is no file, but a pipe or a device; save as a file what comes through it")
        if path.stat().st_size == 0:
            raise VideoError(path, "is empty (zero bytes); copy or record it again")
        # FFmpeg would take a relative name with a colon for an address.
        # Titles are in whatever code page their writer's machine had.
        return av.open(str(path.absolute()), metadata_errors="replace")
    except PermissionError as error:
        raise VideoError(path, "may not be read; check its permissions") from error
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            path, "is not a video that FFmpeg can read: another format, damaged, or cut off"
        ) from error


def video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The first video stream of a container that can be decoded and is not a cover picture.

    Raises:
        VideoError: there is none.
    """
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        raise VideoError(path, "holds no video (audio only?)")
    # PyAV lets a stream without a decoder be decoded, which ends the whole process.
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise VideoError(path, "is coded in a way that this FFmpeg does not know; convert it to H.264")
    return known[0]


def _read_info(
    container: av.container.InputContainer, stream: av.VideoStream, first: av.VideoFrame, path: Path
) -> VideoInfo:
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width, height = max(1, round(first.width * aspect)), first.height
    # FFmpeg counts the turn that the display matrix makes, counter-clockwise, in (-180, 180].
    rotation = round(first.rotation / 90) * 90 % 360
    if rotation in (90, 270):
        width, height = height, width
    start_s = float((first.pts or 0) * (first.time_base or Fraction(1)))
    duration_s = _stated_end_s(container, stream, start_s)
    if duration_s is None:
        duration_s = _length_s(stream)
    if duration_s is None and container.duration is not None:
        duration_s = container.duration / av.time_base
    rate, count = stream.average_rate, stream.frames or None
    return VideoInfo(path, width, height, rate, duration_s, count, rotation, start_s)


def _length_s(stream: av.VideoStream) -> float | None:
    """How long a stream is as its header says, if it does."""
    return (
        None if stream.duration is None or stream.time_base is None else float(stream.duration * stream.time_base)
    )


def _listed_samples(container: av.container.InputContainer, stream: av.VideoStream) -> int | None:
    """How many packets a container lists; None where it keeps no list that can be relied on."""
    if not container.format.name.startswith("mov") or not stream.frames:
        return None
    # Of the samples that an edit list cuts away, FFmpeg indexes only those that others are decoded from.
    return len(stream.index_entries)


def _stated_end_s(container: av.container.InputContainer, stream: av.VideoStream, start_s: float) -> float | None:
    """When the video ends as its container says, from the first frame shown; None where it does not say."""
    name = container.format.name
    if not name.startswith(("matroska", "avi", "flv", "mov")):
        return None  # other formats have no such header: FFmpeg estimates from what the file holds
    end_s = _length_s(stream)
    if end_s is not None:
        return end_s
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if tag:
        end_s = int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    elif len(container.streams) == 1 and container.duration is not None:
        end_s = container.duration / av.time_base
    # Matroska counts from zero, whenever its first frame is shown.
    return end_s - start_s if end_s is not None and name.startswith("matroska") else end_s


def _time_of(picture: av.VideoFrame | None, joined: Fraction) -> Fraction | None:
    """When a frame is shown, in the container's seconds and `joined` more; None if it does not say."""
    if picture is None or picture.pts is None:
        return None
    return picture.pts * Fraction(picture.time_base or 1) + joined


def _is_stray(time: Fraction | None, last: Fraction | None, following: Fraction | None) -> bool:
    """Whether a frame's time is far from those of the frames before and after it, which follow each other."""
    if time is None or last is None or following is None or not last <= following <= last + LEAP_S:
        return False
    return time > last + LEAP_S or time <= last - SET_BACK_S


def turn(image: Image, degrees: int) -> Image:
    """The image turned counter-clockwise by a multiple of 90 degrees, contiguous in memory."""
    return np.ascontiguousarray(np.rot90(image, degrees // 90)) if degrees else image
