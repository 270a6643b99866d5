"""Cross-validation: every fold is once what is measured, by a model that has seen nothing of it."""

from __future__ import annotations

from collections.abc import Sequence

from seqfer.datasets.packed import PackedClip
from seqfer.errors import OptionError

FEWEST = 3  # folds: one to measure, one to choose the epoch, one to learn from


def folds_of(clips: Sequence[PackedClip]) -> list[int]:
    """The folds of a data set, in order.

    Raises:
        OptionError: a clip is in no fold, or there are fewer than three.
    """
    folds = sorted({clip.fold for clip in clips if clip.fold is not None})
    if any(clip.fold is None for clip in clips) or len(folds) < FEWEST:
        raise OptionError(
            f"cross-validation needs every clip in one of at least {FEWEST} folds; make them: seqfer manifest … "
            "--split kfold:10"
        )
    return folds


def parts_of_fold(
    clips: Sequence[PackedClip], fold: int
) -> tuple[list[PackedClip], list[PackedClip], list[PackedClip]]:
    """Clips to learn from, to choose the epoch by, and to measure: the given fold, the one after it, the others.

    Args:
        clips: of all folds.
        fold: that is measured.

    Returns:
        Training, validation and test clips.
    """
    folds = folds_of(clips)
    chooses = folds[(folds.index(fold) + 1) % len(folds)]
    return (
        [clip for clip in clips if clip.fold not in (fold, chooses)],
        [clip for clip in clips if clip.fold == chooses],
        [clip for clip in clips if clip.fold == fold],
    )
