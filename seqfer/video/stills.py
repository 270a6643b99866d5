"""Pictures as videos: a still image is one frame, a folder of numbered pictures is a clip."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from seqfer.errors import NO_FILE, VideoError
from seqfer.video.types import DecodeReport, Frame, Image, VideoInfo

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
DEFAULT_RATE = Fraction(25)
SIZES_COMPARED = 16  # pictures of a folder whose headers tell whether it is one clip …
SAME_SIZE = 0.75  # … and the share of them that must have the same size
# What Pillow raises for files that it cannot read.
READING_ERRORS = (
    *(UnidentifiedImageError, Pillow.DecompressionBombError),
    *(OSError, SyntaxError, TypeError, ValueError),
)


def as_fraction(rate: Fraction | float) -> Fraction:
    """A positive rate as a fraction of numbers as small as may be: 29.97 is 2997/100."""
    return Fraction(rate).limit_denominator(1_000_000) or Fraction(rate)


class PictureStream:
    """Picture files as the frames of one clip; picture k is shown at k / rate seconds.

    A picture that is missing, cannot be read, or has another size than the first one leaves its time empty
    and is counted as lost. A single picture has no frame rate and ends where it begins.
    """

    def __init__(
        self, path: Path, files: Sequence[Path | None], frame_rate: Fraction = DEFAULT_RATE, every: int = 1
    ) -> None:
        """
        Args:
            path: what the clip is called: the picture, or the folder.
            files: the pictures in the order of time, None where one is missing; the first one is there.
            frame_rate: pictures per second.
            every: give only each so-many-th picture, the first one included.

        Raises:
            VideoError: the first picture cannot be read.
        """
        if not files or files[0] is None:
            raise ValueError("a clip of pictures begins with a picture")
        self._files, self._rate, self._every = files, frame_rate, every
        self._given = self._lost = 0
        height, width, _ = read_image(files[0]).shape
        single = len(files) == 1
        self.info = VideoInfo(
            path=path,
            width=width,
            height=height,
            frame_rate=None if single else frame_rate,
            duration_s=None if single else float(len(files) / frame_rate),
            frame_count=len(files),
        )

    def __iter__(self) -> Iterator[Frame]:
        for index in range(0, len(self._files), self._every):
            image = self._read(self._files[index])
            if image is None:
                self._lost += 1
            else:
                self._given += 1
                yield Frame(index, float(index / self._rate), image)

    def _read(self, file: Path | None) -> Image | None:
        try:
            image = read_image(file) if file else None
        except VideoError:
            return None
        return image if image is not None and image.shape[:2] == (self.info.height, self.info.width) else None

    @property
    def report(self) -> DecodeReport:
        return DecodeReport(self._given, self._lost, end_s=self.info.duration_s or 0.0)

    def __enter__(self) -> PictureStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass  # every picture is closed as soon as it is read


def read_image(path: Path) -> Image:
    """A picture as (H, W, 3) RGB uint8, upright by its EXIF orientation, its transparent parts on black.

    Raises:
        VideoError: it is missing or no readable picture.
    """
    try:
        if not path.exists():
            raise VideoError(path, NO_FILE)
        if path.stat().st_size == 0:
            raise VideoError(path, "is empty (zero bytes); copy it again")
        with Pillow.open(path) as stored:
            # Cameras put a preview or a depth map behind the picture in a JPEG, which Pillow then calls MPO.
            if getattr(stored, "n_frames", 1) > 1 and stored.format != "MPO":
                raise VideoError(path, "holds several pictures; convert it to a GIF or a video")
            picture = ImageOps.exif_transpose(stored)
            if picture.mode.startswith(("I", "F")):
                return _eight_bits(np.asarray(picture, np.float64))
            if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                layer = picture.convert("RGBA")
                picture = Pillow.alpha_composite(Pillow.new("RGBA", layer.size, (0, 0, 0, 255)), layer)
            return np.array(picture.convert("RGB"))
    except READING_ERRORS as error:
        raise VideoError(path, "is not a readable picture: another format, damaged, or cut off") from error


def numbered_pictures(folder: Path) -> list[Path | None] | None:
    """The pictures of a folder in the order of their numbers, or None if they are not one numbered clip.

    They are one clip if every picture's name ends in a number, all names are alike before it, no number
    occurs twice, at most half of the series is missing, and nearly all have one size (a folder of photos
    with numbers for names is no clip). A missing number is a None in the list; a series that counts by tens
    misses none.
    """
    pictures = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
    ]
    matches = [re.fullmatch(r"(.*?)(\d+)", file.stem) for file in pictures]
    if len(pictures) < 2 or len({match[1] if match else None for match in matches}) > 1 or not all(matches):
        return None
    by_number = {int(match[2]): file for match, file in zip(matches, pictures, strict=True) if match}
    numbers = sorted(by_number)
    if len(numbers) < len(pictures):
        return None
    step = min(later - earlier for earlier, later in pairwise(numbers))
    series = range(numbers[0], numbers[-1] + 1, step)
    too_sparse = numbers[-1] - numbers[0] >= 2 * len(numbers) * step  # len() takes no number of 20 digits
    if too_sparse or any(number not in series for number in numbers):
        return None
    sample = [by_number[number] for number in numbers[:: max(1, len(numbers) // SIZES_COMPARED)]]
    sizes = Counter(size for size in map(_stored_size, sample) if size is not None)
    if sizes and max(sizes.values()) < SAME_SIZE * sizes.total():
        return None
    return [by_number.get(number) for number in series]


def _stored_size(path: Path) -> tuple[int, int] | None:
    """Width and height from a picture's header, None where it cannot be read."""
    try:
        with Pillow.open(path) as picture:
            return picture.size
    except READING_ERRORS:
        return None


def _eight_bits(grey: NDArray[np.float64]) -> Image:
    # 16-bit scans use their whole range; floating-point pictures of [0, 1] fit the same rule.
    top = 65535.0 if grey.max(initial=0) > 255 else 255.0 if grey.max(initial=0) > 1 else 1.0
    scaled = np.clip(grey / top * 255, 0, 255).astype(np.uint8)
    return np.repeat(scaled[:, :, None], 3, axis=2)
