"""Writing H.264 videos: frames at their own times, with the sound of a source beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from seqfer.errors import OutputError
from seqfer.files import write_whole
from seqfer.video.container import SET_BACK_S, open_container
from seqfer.video.types import Frame, Image

TICK = Fraction(1, 1_000_000)  # s; variable-frame-rate sources keep their times to the microsecond
COPIED_CODECS = ("aac", "mp3")  # what every player expects in an MP4; other sound is encoded anew as AAC
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)  # Hz
USUAL_RATE = 48000  # for sound whose own rate AAC does not know


@dataclass(frozen=True)
class SoundSource:
    """Where the sound of a written video comes from.

    Attributes:
        path: a media file; its first sound track is taken, none if it has none.
        start_s: the time in that file that is 0 in the written one, as `VideoInfo.start_s` says it.
    """

    path: Path
    start_s: float = 0.0


def write_video(
    path: Path,
    frames: Iterable[Frame],
    frame_rate: Fraction = Fraction(25),
    sound: SoundSource | None = None,
) -> None:
    """Write an MP4 file; it appears under its name only when it is whole.

    Args:
        path: the file.
        frames: in the order of time, all of one size; an odd width or height is padded by one pixel.
        frame_rate: average frames per second; guides the encoder, the frames' own times are what is written.
        sound: kept in sync with the frames. Sound that cannot be read ends where it breaks off.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        with write_whole(path) as partial, av.open(str(partial.absolute()), "w", format="mp4") as output:
            _write(output, frames, frame_rate, sound)
    except av.FFmpegError as error:
        raise OutputError(path, f"cannot be written ({error.strerror or error})") from error


def _write(
    output: av.container.OutputContainer,
    frames: Iterable[Frame],
    frame_rate: Fraction,
    sound: SoundSource | None,
) -> None:
    video = output.add_stream("libx264", rate=frame_rate)
    video.pix_fmt = "yuv420p"
    video.codec_context.time_base = TICK
    video.codec_context.options = {"preset": "veryfast", "crf": "20"}
    packets = _sound_packets(output, sound) if sound is not None else iter(())
    # The muxer holds packets back until every stream has come as far: sound is fed along with the pictures.
    waiting = next(packets, None)
    for frame in frames:
        image = _even(frame.image)
        if not video.codec_context.is_open:
            video.height, video.width = image.shape[:2]
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        picture.pts, picture.time_base = round(frame.time_s / TICK), TICK
        output.mux(video.encode(picture))
        while waiting is not None and waiting[0] <= frame.time_s:
            _mux_sound(output, waiting[1])
            waiting = next(packets, None)
    output.mux(video.encode(None))
    while waiting is not None:
        _mux_sound(output, waiting[1])
        waiting = next(packets, None)


def _mux_sound(output: av.container.OutputContainer, packet: av.Packet[av.AudioStream]) -> None:
    """Add a piece of sound, unless it is damaged so that the muxer refuses it."""
    with suppress(av.error.InvalidDataError):
        output.mux(packet)


def _sound_packets(
    output: av.container.OutputContainer, sound: SoundSource
) -> Iterator[tuple[float, av.Packet[av.AudioStream]]]:
    """The source's first sound track that can be read as packets for `output`, each with its time in seconds."""
    with open_container(sound.path) as container:
        track = next((track for track in container.streams.audio if track.codec_context is not None), None)
        if track is None:
            return
        try:
            if track.codec_context.codec.canonical_name in COPIED_CODECS:
                yield from _copied(output, container, track, sound.start_s)
            else:
                yield from _encoded(output, container, track, sound.start_s)
        except (av.FFmpegError, IndexError):  # as `ContainerStream` finds where a container is damaged
            return


def _copied(
    output: av.container.OutputContainer,
    container: av.container.InputContainer,
    track: av.AudioStream,
    start_s: float,
) -> Iterator[tuple[float, av.Packet[av.AudioStream]]]:
    copy = output.add_stream_from_template(track)
    times = _Onwards()
    for packet in container.demux(track):
        if packet.dts is None or packet.pts is None or packet.size == 0:
            continue
        placed = times.place(packet.dts, packet.duration or 1, packet.time_base) - round(
            start_s / packet.time_base
        )
        packet.pts, packet.dts = packet.pts - packet.dts + placed, placed
        packet.stream = copy
        yield float(packet.pts * packet.time_base), packet


def _encoded(
    output: av.container.OutputContainer,
    container: av.container.InputContainer,
    track: av.AudioStream,
    start_s: float,
) -> Iterator[tuple[float, av.Packet[av.AudioStream]]]:
    own = track.codec_context.sample_rate
    rate = own if own in AAC_RATES else USUAL_RATE
    target = output.add_stream("aac", rate=rate, layout="stereo" if track.channels > 1 else "mono")
    resampler = av.AudioResampler(format="fltp", layout=target.codec_context.layout, rate=rate)
    times = _Onwards()
    for decoded in _whole_frames(container, track):
        for frame in resampler.resample(decoded):
            if frame is not None and frame.pts is not None and frame.time_base:
                # Sound that needs no resampling still counts in its container's ticks.
                duration = max(1, round(frame.samples / (frame.sample_rate * frame.time_base)))
                frame.pts = times.place(frame.pts, duration, frame.time_base) - round(start_s / frame.time_base)
            for packet in target.encode(frame):
                yield float((packet.pts or 0) * packet.time_base), packet
    for packet in target.encode(None):
        yield float((packet.pts or 0) * packet.time_base), packet


class _Onwards:
    """Times of sound that go on where its clock is set back, as those of pictures do (`ContainerStream`)."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._after = self._shift = 0

    def place(self, ticks: int, duration: int, clock: Fraction) -> int:
        """When a piece of sound begins that lasts `duration`: later than the one before.

        All in ticks of `clock` seconds.
        """
        placed = ticks + self._shift
        if self._last is not None and placed <= self._last - SET_BACK_S / clock:
            self._shift, placed = self._after - ticks, self._after
        elif self._last is not None:
            placed = max(placed, self._last + 1)  # two of a coarse clock's times may be the same
        self._last, self._after = placed, placed + duration
        return placed


def _whole_frames(container: av.container.InputContainer, track: av.AudioStream) -> Iterator[av.AudioFrame | None]:
    """Decoded sound, damaged packets passed over, then None to flush."""
    for packet in container.demux(track):
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue
    yield None


def _even(image: Image) -> Image:
    # 4:2:0 video has whole blocks of two by two pixels.
    height, width, _ = image.shape
    if height % 2 == 0 and width % 2 == 0:
        return image
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
