"""Class folders: a folder per expression, with videos, pictures or folders of numbered pictures in it.

With folders for the official splits above them (`train/happy/…`), or a subject's folder anywhere between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from seqfer.datasets.layouts.found import Found, LayoutOptions, files_below
from seqfer.datasets.types import ClipRecord
from seqfer.labels import canonical
from seqfer.video.opening import VIDEO_SUFFIXES
from seqfer.video.stills import IMAGE_SUFFIXES, numbered_pictures

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


def read_folder(root: Path, options: LayoutOptions) -> Found:
    """`ROOT/[SPLIT/]CLASS/…`: the first folder below the root (and the split) is the expression."""
    found = Found()
    for path in _clips(root):
        below = path.relative_to(root)
        split = SPLIT_FOLDERS.get(below.parts[0].lower(), "")
        classes = below.parts[1 if split else 0 : -1]
        if not classes:
            found.leave_out(path, "lies in no class folder")
            continue
        match = re.search(options.subject, below.as_posix()) if options.subject else None
        if options.subject and not (match and match["subject"]):
            found.leave_out(path, f"does not match --subject {options.subject}")
            continue
        found.records.append(
            ClipRecord(
                clip_id=below.as_posix(),
                path=path,
                label=canonical(classes[0]),
                subject_id=match["subject"] if match else "",
                split=split,
            )
        )
    return found


def _clips(root: Path) -> Iterator[Path]:
    """Videos, folders of numbered pictures, and pictures that are in no such folder.

    The pictures of a class folder itself are stills, however they are numbered: only a folder inside one is a
    clip.
    """
    is_clip: dict[Path, bool] = {}
    for path in files_below(root, VIDEO_SUFFIXES | IMAGE_SUFFIXES):
        folder = path.parent
        if path.suffix.lower() in VIDEO_SUFFIXES:
            yield path
            continue
        if folder not in is_clip:
            is_clip[folder] = not _is_class_folder(folder, root) and numbered_pictures(folder) is not None
            if is_clip[folder]:
                yield folder
        if not is_clip[folder]:
            yield path


def _is_class_folder(folder: Path, root: Path) -> bool:
    parts = folder.relative_to(root).parts
    return len(parts) < 2 or (len(parts) == 2 and parts[0].lower() in SPLIT_FOLDERS)
