"""Writing H.264 videos: frames at their own times, with the sound of a source beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from seqfer.errors import OutputError
from seqfer.files import write_whole
from seqfer.video.container import open_container, video_stream
from seqfer.video.types import Frame, Image

TICK = Fraction(1, 1_000_000)  # s; variable-frame-rate sources keep their times to the microsecond
COPIED_CODECS = ("aac", "mp3")  # what every player expects in an MP4; other sound is encoded anew as AAC


def write_video(
    path: Path, frames: Iterable[Frame], frame_rate: Fraction = Fraction(25), sound_of: Path | None = None
) -> None:
    """Write an MP4 file; it appears under its name only when it is whole.

    Args:
        path: the file.
        frames: in the order of time, all of one size; an odd width or height is padded by one pixel.
        frame_rate: average frames per second; guides the encoder, the frames' own times are what is written.
        sound_of: a video whose first sound track is taken over, in sync with the frames' times, which count
            from the first frame that is shown of it. Sound that cannot be read ends where it breaks off.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        with write_whole(path) as partial, av.open(str(partial.absolute()), "w", format="mp4") as output:
            _write(output, frames, frame_rate, sound_of)
    except (OSError, av.FFmpegError) as error:
        raise OutputError(path, f"cannot be written ({error})") from error


def _write(
    output: av.container.OutputContainer, frames: Iterable[Frame], frame_rate: Fraction, sound_of: Path | None
) -> None:
    video = output.add_stream("libx264", rate=frame_rate)
    video.pix_fmt = "yuv420p"
    video.codec_context.time_base = TICK
    video.codec_context.options = {"preset": "veryfast", "crf": "20"}
    sound = _sound(output, sound_of) if sound_of is not None else iter(())
    # The muxer holds packets back until every stream has come as far: sound is fed along with the pictures.
    waiting = next(sound, None)
    for frame in frames:
        image = _even(frame.image)
        video.height, video.width = image.shape[:2]
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        picture.pts, picture.time_base = round(frame.time_s / TICK), TICK
        output.mux(video.encode(picture))
        while waiting is not None and waiting[0] <= frame.time_s:
            output.mux(waiting[1])
            waiting = next(sound, None)
    output.mux(video.encode(None))
    while waiting is not None:
        output.mux(waiting[1])
        waiting = next(sound, None)


def _sound(
    output: av.container.OutputContainer, source: Path
) -> Iterator[tuple[float, av.Packet[av.AudioStream]]]:
    """The source's first sound track as packets for `output`, each with its time in seconds."""
    with open_container(source) as container:
        if not container.streams.audio or not container.streams.video:
            return
        shift = _first_shown(container, source)
        container.seek(0, any_frame=True)
        track = container.streams.audio[0]
        try:
            if track.codec_context.name in COPIED_CODECS:
                yield from _copied(output, container, track, shift)
            else:
                yield from _encoded(output, container, track, shift)
        except av.FFmpegError:
            return


def _first_shown(container: av.container.InputContainer, source: Path) -> Fraction:
    first = next(container.decode(video_stream(container, source)), None)
    if first is None or first.pts is None or first.time_base is None:
        return Fraction(0)
    return first.pts * first.time_base


def _copied(
    output: av.container.OutputContainer,
    container: av.container.InputContainer,
    track: av.AudioStream,
    shift: Fraction,
) -> Iterator[tuple[float, av.Packet[av.AudioStream]]]:
    copy = output.add_stream_from_template(track)
    for packet in container.demux(track):
        if packet.dts is None or packet.pts is None or packet.size == 0:
            continue
        ticks = round(shift / packet.time_base)
        packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
        packet.stream = copy
        yield float(packet.pts * packet.time_base), packet


def _encoded(
    output: av.container.OutputContainer,
    container: av.container.InputContainer,
    track: av.AudioStream,
    shift: Fraction,
) -> Iterator[tuple[float, av.Packet[av.AudioStream]]]:
    rate = track.codec_context.sample_rate
    target = output.add_stream("aac", rate=rate, layout="stereo" if track.channels > 1 else "mono")
    resampler = av.AudioResampler(format="fltp", layout=target.codec_context.layout, rate=rate)
    # Resampled frames count in samples.
    for decoded in _whole_frames(container, track):
        for frame in resampler.resample(decoded):
            if frame is not None and frame.pts is not None:
                frame.pts -= round(shift * rate)
            for packet in target.encode(frame):
                yield float((packet.pts or 0) * packet.time_base), packet
    for packet in target.encode(None):
        yield float((packet.pts or 0) * packet.time_base), packet


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
