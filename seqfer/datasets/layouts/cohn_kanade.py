"""The Extended Cohn-Kanade set (Lucey et al., 2010): sequences from neutral to apex, and its 48-pixel copy."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from seqfer.datasets.layouts.found import Found, LayoutOptions, files_below
from seqfer.datasets.types import ClipRecord
from seqfer.errors import DatasetError, OptionError
from seqfer.labels import CKPLUS7
from seqfer.video.stills import IMAGE_SUFFIXES

IMAGES, EMOTIONS = "cohn-kanade-images", "Emotion"
CODES = ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")
NAME = re.compile(r"(?P<subject>S\d+)_(?P<session>\d+)_(?P<frame>\d+)")


def read_ckplus(root: Path, options: LayoutOptions) -> Found:
    """CK+: `cohn-kanade-images/S005/001/S005_001_00000011.png`, `Emotion/S005/001/*_emotion.txt`.

    A clip is the last frames of a sequence, where the expression is at its height. Sequences without an
    emotion file are not labelled, and left out.
    """
    if not (root / IMAGES).is_dir() or not (root / EMOTIONS).is_dir():
        raise DatasetError(root, f"lacks the folders {IMAGES} and {EMOTIONS} of CK+")
    found = Found()
    for folder, pictures in _sequences(root / IMAGES, found).items():
        subject, session = folder.parts[-2:]
        label = _emotion(root / EMOTIONS / subject / session)
        if isinstance(label, int):
            names = tuple(picture.name for picture in pictures)
            clip_id = f"{subject}_{session}"
            chosen = names[-options.last_frames :]
            found.records.append(ClipRecord(clip_id, folder, CODES[label], frames=chosen, subject_id=subject))
            if options.first_as_neutral and names[0] not in chosen:
                found.records.append(
                    ClipRecord(f"{clip_id}_neutral", folder, "neutral", frames=names[:1], subject_id=subject)
                )
        else:
            found.leave_out(folder, label)
    return found


def read_ckplus48(root: Path, options: LayoutOptions) -> Found:
    """CK+48: class folders of `S010_004_00000017.png`; the three pictures of a sequence are one clip."""
    found = Found()
    clips: dict[tuple[Path, str, str], list[Path]] = defaultdict(list)
    for path in files_below(root, IMAGE_SUFFIXES):
        match = NAME.fullmatch(path.stem)
        if match is None:
            found.leave_out(path, "is not named <subject>_<session>_<frame>, as S010_004_00000017")
        else:
            clips[path.parent, match["subject"], match["session"]].append(path)
    for (folder, subject, session), pictures in clips.items():
        try:
            label = CKPLUS7.names[CKPLUS7.index(folder.name)]
        except OptionError:
            for path in pictures:
                found.leave_out(path, f"lies in {folder.name!r}, which is none of {', '.join(CKPLUS7)}")
            continue
        names = tuple(sorted((picture.name for picture in pictures), key=_frame))
        found.records.append(ClipRecord(f"{subject}_{session}", folder, label, frames=names, subject_id=subject))
    return found


def _sequences(images: Path, found: Found) -> dict[Path, list[Path]]:
    """Each sequence's folder with its pictures in the order of time."""
    sequences: dict[Path, list[Path]] = defaultdict(list)
    for path in files_below(images, IMAGE_SUFFIXES):
        if NAME.fullmatch(path.stem) and len(path.relative_to(images).parts) == 3:
            sequences[path.parent].append(path)
        else:
            found.leave_out(path, "is not <subject>/<session>/<subject>_<session>_<frame>")
    return {folder: sorted(pictures, key=lambda p: _frame(p.name)) for folder, pictures in sequences.items()}


def _frame(name: str) -> int:
    match = NAME.match(name)
    assert match is not None  # only such names get here
    return int(match["frame"])


def _emotion(folder: Path) -> int | str:
    """A sequence's code from 0 to 7, or why there is none."""
    files = sorted(folder.glob("*_emotion.txt")) if folder.is_dir() else []
    if not files:
        return "has no emotion file, so no label"
    try:
        code = int(float(files[0].read_text().strip()))
    except (OSError, ValueError):
        code = -1
    return code if 0 <= code < len(CODES) else f"{files[0].name} holds no code from 0 to 7"
