"""FER-2013 as a manifest: from Kaggle's CSV file or from class folders, with its official splits."""

from __future__ import annotations

from pathlib import Path

from seqfer.datasets.fer2013 import USAGES, csv_rows, emotion_of, split_and_label
from seqfer.datasets.layouts.found import Found, LayoutOptions, files_below
from seqfer.datasets.types import ClipRecord
from seqfer.labels import FER7
from seqfer.video.stills import IMAGE_SUFFIXES


def read_fer2013(root: Path, options: LayoutOptions) -> Found:
    """`fer2013.csv`, or a folder with `train/`, `validation/` and `test/` (or with `fer2013.csv` in it)."""
    if root.is_file():
        return _read_csv(root)
    if (root / "fer2013.csv").is_file():
        return _read_csv(root / "fer2013.csv")
    found = Found()
    for path in files_below(root, IMAGE_SUFFIXES):
        below = path.relative_to(root)
        place = split_and_label(below)
        if place is None:
            found.leave_out(path, "lies in no class folder of train/, validation/ or test/")
        else:
            split, label = place
            found.records.append(ClipRecord(below.as_posix(), path, FER7.names[label], split=split))
    return found


def _read_csv(path: Path) -> Found:
    found = Found()
    for row, cells in enumerate(csv_rows(path)):
        try:
            label, split = FER7.names[emotion_of(cells["emotion"])], USAGES[cells["Usage"]]
        except (KeyError, ValueError):
            found.leave_out(path, f"row {row} has no known emotion and Usage")
        else:
            record = ClipRecord(f"{cells['Usage']}_{row:05d}", path, label, frames=(str(row),), split=split)
            found.records.append(record)
    return found
