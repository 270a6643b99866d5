"""Cross-validation: every fold is once what is measured, by a model that has seen nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from seqfer.datasets.packed import PackedClip
from seqfer.datasets.types import ClipRecord
from seqfer.errors import OptionError
from seqfer.training.config import TrainConfig
from seqfer.training.run import check_settings
from seqfer.training.start import Clip, label_set

T = TypeVar("T", bound=PackedClip | ClipRecord)

FEWEST = 3  # folds: one to measure, one to choose the epoch, one to learn from


def check_folds(config: TrainConfig, clips: Sequence[Clip]) -> list[int]:
    """The folds of a data set, each of which can be learnt.

    Raises:
        OptionError: there are no folds, or in one of them the others do not show every expression.
        ModelError: no model can be made by the settings.
    """
    folds = folds_of(clips)
    for fold in folds:
        train, validation, _ = parts_of_fold(config, clips, fold)
        try:
            labels = label_set(config, clips, train, validation)
        except OptionError as error:
            raise OptionError(f"fold {fold}: {error}") from error
    check_settings(config, labels)
    return folds


def folds_of(clips: Sequence[Clip]) -> list[int]:
    """The folds of a data set, in order.

    Raises:
        OptionError: a clip is in no fold or in a test split, or there are fewer than three folds.
    """
    if any(clip.split == "test" for clip in clips):
        raise OptionError(
            "the manifest keeps clips for a test split, which cross-validation would use; take them out, or make "
            "folds of all: seqfer manifest … --split kfold:5"
        )
    folds = sorted({clip.fold for clip in clips if clip.fold is not None})
    if any(clip.fold is None for clip in clips) or len(folds) < FEWEST:
        raise OptionError(
            f"cross-validation needs every clip in one of at least {FEWEST} folds; make them: seqfer manifest … "
            "--split kfold:10"
        )
    return folds


def parts_of_fold(config: TrainConfig, clips: Sequence[T], fold: int) -> tuple[list[T], list[T], list[T]]:
    """Clips to learn from, to choose the epoch by, and to measure: the given fold, the one after it, the others.

    Where the settings choose no epoch, all other folds are learnt from.

    Args:
        config: the settings.
        clips: of all folds.
        fold: that is measured.

    Returns:
        Training, validation and test clips.
    """
    folds = folds_of(clips)
    chooses = None if config.select == "last" else folds[(folds.index(fold) + 1) % len(folds)]
    return (
        [clip for clip in clips if clip.fold not in (fold, chooses)],
        [clip for clip in clips if clip.fold == chooses],
        [clip for clip in clips if clip.fold == fold],
    )
