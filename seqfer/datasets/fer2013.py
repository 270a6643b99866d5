"""FER-2013 (Goodfellow et al., 2013): 35,887 grey 48x48 faces with seven expressions and an official split.

Read as users have it: Kaggle's `fer2013.csv`, class folders under `train/`, `validation/` and `test/`, or a
zip of those folders.
"""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from seqfer.datasets.packed import PackedClips
from seqfer.datasets.types import SPLITS
from seqfer.errors import NO_FILE, DatasetError, OptionError
from seqfer.labels import FER7

SIZE = 48
# The contest's names for them, in the same order.
USAGES = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}


@dataclass(frozen=True)
class StillSet:
    """Labelled grey stills of one split.

    Attributes:
        images: (N, 48, 48) uint8.
        labels: (N,) int64, positions in `seqfer.labels.FER7`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.images.ndim != 3 or self.images.shape[1:] != (SIZE, SIZE) or self.images.dtype != np.uint8:
            raise ValueError(f"images must be (N, 48, 48) uint8, not {self.images.shape} {self.images.dtype}")
        if self.labels.shape != self.images.shape[:1]:
            raise ValueError(f"{len(self.images)} images but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"StillSet(n={len(self)})"

    def keys(self) -> NDArray[np.str_]:
        """(N,) digest of each image's pixels; equal images have equal keys."""
        return np.array([hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest() for image in self.images])

    def sha256(self) -> str:
        """Digest of all pixels and labels in order: names the data that a model was trained on."""
        digest = hashlib.sha256(self.images.tobytes())
        digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()


def load_fer2013(path: str | Path) -> dict[str, StillSet]:
    """All stills by split ("train", "validation", "test"), in a fixed order within each.

    Args:
        path: `fer2013.csv`, the folder that holds the split folders, or a zip of it.

    Raises:
        DatasetError: the path has none of these layouts, or an image in it cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(path, f"{NO_FILE}; give fer2013.csv, a folder with train/, or a zip of it")
    if path.is_dir():
        rows = _read_folder(path)
    elif path.suffix.lower() == ".zip":
        rows = _read_zip(path)
    elif path.suffix.lower() == ".csv":
        rows = _read_csv(path)
    else:
        raise DatasetError(path, "is neither a .csv, a .zip nor a folder")
    images: dict[str, list[NDArray[np.uint8]]] = {split: [] for split in SPLITS}
    labels: dict[str, list[int]] = {split: [] for split in SPLITS}
    for split, label, image in rows:
        images[split].append(image)
        labels[split].append(label)
    for split in SPLITS:
        if not images[split]:
            raise DatasetError(path, f"holds no {split} images; FER-2013 has train/, validation/ and test/")
    return {split: StillSet(np.stack(images[split]), np.array(labels[split], np.int64)) for split in SPLITS}


def stills_of(packed: PackedClips, split: str) -> StillSet:
    """The stills of a split of a cache whose clips are FER-2013's: those that a manifest has left of them.

    Raises:
        OptionError: a label is not one of FER-2013's.
    """
    clips = [clip for clip in packed.clips if clip.split == split]
    images = packed.frames[[clip.start for clip in clips], :, :, 0]
    return StillSet(images, np.array([FER7.index(clip.label) for clip in clips], np.int64))


def _read_folder(root: Path) -> Iterator[tuple[str, int, NDArray[np.uint8]]]:
    for file in sorted(root.glob("*/*/*")):
        place = split_and_label(file.relative_to(root))
        if place:
            yield *place, _decode(file.read_bytes(), file)


def _read_zip(path: Path) -> Iterator[tuple[str, int, NDArray[np.uint8]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                place = split_and_label(PurePosixPath(name))
                if place:
                    yield *place, _decode(archive.read(name), path / name)
    except zipfile.BadZipFile as error:
        raise DatasetError(path, "is not a readable zip file") from error


def _read_csv(path: Path) -> Iterator[tuple[str, int, NDArray[np.uint8]]]:
    for number, row in enumerate(csv_rows(path), start=2):
        try:
            label, split = emotion_of(row["emotion"]), USAGES[row["Usage"]]
            image = np.array(row["pixels"].split(), np.uint8).reshape(SIZE, SIZE)
        except (KeyError, ValueError, OverflowError) as error:
            raise DatasetError(path, f"line {number} is malformed ({error})") from error
        yield split, label, image


def csv_rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of `fer2013.csv`, with its columns emotion, pixels and Usage.

    Raises:
        DatasetError: a column is missing, or it is no CSV file.
    """
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            if not {"emotion", "pixels", "Usage"} <= set(reader.fieldnames or ()):
                raise DatasetError(path, "lacks the columns emotion, pixels and Usage")
            yield from reader
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(path, f"is no CSV file ({error})") from error


def emotion_of(code: str) -> int:
    """Position in FER7 of the CSV file's emotion code, whose order is the same; ValueError if it is none."""
    label = int(code)
    if not 0 <= label < len(FER7):
        raise ValueError(f"emotion {label} is not in 0 to {len(FER7) - 1}")
    return label


def split_and_label(path: PurePath) -> tuple[str, int] | None:
    """Where an image of a class-folder layout belongs, or None for a file that is no such image."""
    if len(path.parts) < 3 or path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        return None
    folder, expression, name = path.parts[-3:]
    # Some copies merge both test splits under test/; the file's own prefix then tells them apart.
    split = USAGES.get(name.split("_")[0], folder)
    if split not in SPLITS:
        return None
    try:
        return split, FER7.index(expression)
    except OptionError:
        return None


def _decode(data: bytes, path: Path) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if image is None:
        raise DatasetError(path, "is not a readable image")
    if image.shape != (SIZE, SIZE):
        raise DatasetError(path, f"is {image.shape[1]}x{image.shape[0]}, not 48x48 pixels")
    return np.asarray(image, np.uint8)
