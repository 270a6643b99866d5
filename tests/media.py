"""Small deterministic clips for the tests; each frame carries its own number in its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

RATE = 90_000  # ticks per second of the generated containers
BITS = 8
SOUND_RATE = 48_000  # what every encoder takes


def numbered_image(number: int, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """(H, W, 3): the number's bits as black and white bars from left to right, above a red left half.

    Red below and only on the left: every wrong turn or mirroring is seen by `read_number`.
    """
    image = np.full((height, width, 3), 90, np.uint8)
    for bit in range(BITS):
        left, right = bit * width // BITS, (bit + 1) * width // BITS
        image[: height // 2, left:right] = 255 if number >> bit & 1 else 0
    image[height // 2 :, : width // 2] = (200, 30, 30)
    return image


def read_number(image: NDArray[np.uint8]) -> int:
    """The number that an upright `numbered_image` carries, also after compression and scaling."""
    height, width, _ = image.shape
    red = image[height * 5 // 8 : height * 7 // 8].astype(int)
    redness = red[:, :, 0] - red[:, :, 1]
    assert redness[:, : width // 4].mean() > 80, "the image is not upright: no red at the bottom left"
    assert redness[:, width * 3 // 4 :].mean() < 40, "the image is not upright: red at the bottom right"
    number = 0
    for bit in range(BITS):
        centre = (2 * bit + 1) * width // (2 * BITS)
        number |= int(image[: height * 3 // 8, centre].mean() > 128) << bit
    return number


def write_clip(
    path: Path,
    times_s: Sequence[float],
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    rotation_deg: int = 0,
    b_frames: int = 0,
    start_s: float = 0.0,
    audio: bool | str = False,
    images: Sequence[NDArray[np.uint8]] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Write a clip whose frame k is `numbered_image(k)` (or `images[k]`), shown from `times_s[k]` on.

    Args:
        path: the file; its suffix names the container.
        times_s: increasing seconds.
        size: width and height of the upright picture.
        codec: FFmpeg's name of the encoder.
        rotation_deg: turn the stored pictures by this much clockwise and write metadata that turns them back.
        b_frames: how many B-frames may stand between two others.
        start_s: the container's time of the first frame.
        audio: add a tone of the same length, starting with the video, as AAC or by the encoder named.
        images: pictures instead of the numbered ones.
        aspect: width over height of a pixel, written as metadata.
    """
    pictures = images if images is not None else [numbered_image(k, *size) for k in range(len(times_s))]
    with av.open(str(path), "w") as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=25))
        stored = [np.ascontiguousarray(np.rot90(picture, -rotation_deg // 90)) for picture in pictures]
        stream.height, stream.width = stored[0].shape[:2]
        even = stream.height % 2 == 0 and stream.width % 2 == 0
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p" if even else "yuv444p")
        # MPEG-4 in AVI counts whole frames.
        ticks = 25 if codec == "mpeg4" else RATE
        stream.codec_context.time_base = Fraction(1, ticks)
        if codec == "libx264":
            stream.codec_context.options = {"bf": str(b_frames), "crf": "12", "g": "12"}
        if aspect:
            stream.sample_aspect_ratio = aspect
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        kind = audio if isinstance(audio, str) else "aac"
        tone = cast(av.AudioStream, container.add_stream(kind, rate=SOUND_RATE, layout="mono")) if audio else None
        for time, picture in zip(times_s, stored, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round((start_s + time) * ticks), Fraction(1, ticks)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone is not None:
            _mux_tone(container, tone, start_s, times_s[-1] + times_s[1] - times_s[0])
    return path


def write_clip_of_varying_rate(path: Path, times_s: Sequence[float], audio: bool | str = False) -> Path:
    """As `write_clip`, but Matroska that says nothing of a frame rate, as browsers record it."""
    content = write_clip(path, times_s, audio=audio).read_bytes()
    rate = content.index(b"\x23\xe3\x83\x84")  # DefaultDuration, a number of 4 bytes
    path.write_bytes(content[:rate] + b"\xec\x86" + bytes(6) + content[rate + 8 :])  # Void, 6 bytes
    return path


def _mux_tone(
    container: av.container.OutputContainer, stream: av.AudioStream, start_s: float, duration_s: float
) -> None:
    rate, block = SOUND_RATE, stream.codec_context.frame_size or 1024
    for first in range(0, round(duration_s * rate), block):
        wave = np.sin(2 * np.pi * 440 * np.arange(first, first + block) / rate)
        samples = (wave * 8000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, first + round(start_s * rate)
        frame.time_base = Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
