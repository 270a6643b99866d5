"""The pictures of clips that are made of pictures: files, folders of them, and rows of FER-2013's CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqfer.datasets.fer2013 import SIZE
from seqfer.datasets.types import ClipRecord
from seqfer.errors import NO_FILE, DatasetError, VideoError
from seqfer.video.opening import VIDEO_SUFFIXES
from seqfer.video.stills import numbered_pictures, read_image


def is_video(record: ClipRecord) -> bool:
    """Whether a clip has to be decoded by FFmpeg, unlike pictures."""
    return record.path.suffix.lower() in VIDEO_SUFFIXES


class PictureReader:
    """Reads clips of pictures; keeps the rows of one CSV file at a time."""

    def __init__(self) -> None:
        self._rows: tuple[Path, list[str]] | None = None

    def read(self, record: ClipRecord) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """The pictures of a clip, each with its place in time: (H, W, 3) RGB, or (48, 48) grey from a CSV file.

        The places of numbered pictures that are missing are passed over.

        Raises:
            VideoError: a picture is missing or cannot be read.
            DatasetError: a row of a CSV file is missing or malformed.
        """
        if record.path.suffix.lower() == ".csv":
            yield from ((place, self._row(record.path, name)) for place, name in enumerate(record.frames))
        else:
            files = enumerate(picture_files(record))
            yield from ((place, read_image(path)) for place, path in files if path is not None)

    def _row(self, path: Path, name: str) -> NDArray[np.uint8]:
        if self._rows is None or self._rows[0] != path:
            try:
                with path.open(newline="") as file:
                    self._rows = path, [row.get("pixels") or "" for row in csv.DictReader(file)]
            except FileNotFoundError as error:
                raise DatasetError(path, NO_FILE) from error
            except OSError as error:
                raise DatasetError(path, f"cannot be read ({error.strerror})") from error
            except (UnicodeDecodeError, csv.Error) as error:
                raise DatasetError(path, f"is no CSV file ({error})") from error
        try:
            if not name.isdecimal():  # -1 would be the last row
                raise ValueError(name)
            return np.array(self._rows[1][int(name)].split(), np.uint8).reshape(SIZE, SIZE)
        except (ValueError, IndexError, OverflowError) as error:
            raise DatasetError(path, f"row {name} holds no picture of 48x48 pixels") from error


def picture_files(record: ClipRecord) -> Sequence[Path | None]:
    """The files of a clip of pictures, in the order of time; None where a numbered one is missing.

    Raises:
        VideoError: the path is a folder, but not of numbered pictures, and the clip names none.
    """
    if record.frames:
        return [record.path / name for name in record.frames]
    if not record.path.is_dir():
        return [record.path]
    numbered = numbered_pictures(record.path)
    if numbered is None:
        raise VideoError(record.path, "is no folder of numbered pictures")
    return numbered
