"""Cross-validation: every clip is measured once, by a model that has seen nothing of its fold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from seqfer.datasets.packed import PackedClip
from seqfer.errors import OptionError
from seqfer.training.config import TrainConfig
from seqfer.training.crossval import check_folds, folds_of, parts_of_fold


def clips(*folds: int | None) -> list[PackedClip]:
    return [PackedClip(str(k), k, 1, "happy", "", "", fold, (0.0,)) for k, fold in enumerate(folds)]


@pytest.mark.parametrize(
    "made", [clips(0, 1, 2), clips(2, 0, 1, 1, 0, 2, 2), clips(7, 3, 5, 3), clips(*range(10), *range(10))]
)
def test_every_clip_is_measured_once_and_chooses_once(made: list[PackedClip]) -> None:
    folds = folds_of(made)
    assert folds == sorted({clip.fold for clip in made if clip.fold is not None})
    measured: Counter[str] = Counter()
    chose: Counter[str] = Counter()
    for fold in folds:
        train, validation, test = parts_of_fold(TrainConfig(), made, fold)
        assert sorted([*train, *validation, *test], key=made.index) == made  # each clip in one of the three
        parts = [{clip.fold for clip in part} for part in (train, validation, test)]
        assert parts[2] == {fold}
        assert len(parts[1]) == 1
        assert parts[0] == set(folds) - parts[1] - parts[2] != set()
        measured.update(clip.clip_id for clip in test)
        chose.update(clip.clip_id for clip in validation)
    assert measured == chose == Counter(clip.clip_id for clip in made)


def test_the_fold_after_the_measured_one_chooses() -> None:
    made = clips(0, 1, 4)
    assert [parts_of_fold(TrainConfig(), made, fold)[1][0].fold for fold in (0, 1, 4)] == [1, 4, 0]


def test_where_no_epoch_is_chosen_all_other_folds_are_learnt_from() -> None:
    made = clips(0, 1, 1, 4)
    train, validation, test = parts_of_fold(TrainConfig(select="last"), made, 1)
    assert ([clip.fold for clip in train], validation, [clip.fold for clip in test]) == ([0, 4], [], [1, 1])


@pytest.mark.parametrize("made", [clips(0, 1), clips(None, None, None), clips(0, 1, 2, None), []])
def test_too_few_folds_or_clips_without_one_are_refused(made: list[PackedClip]) -> None:
    for ask in (lambda: folds_of(made), lambda: parts_of_fold(TrainConfig(), made, 0)):
        with pytest.raises(OptionError) as error:
            ask()
        assert str(error.value) == (
            "cross-validation needs every clip in one of at least 3 folds; make them: seqfer manifest … "
            "--split kfold:10"
        )


def test_a_fold_that_cannot_be_learnt_is_named_before_any_is() -> None:
    made = [replace(clip, label=("happy", "sad")[k % 2]) for k, clip in enumerate(clips(0, 0, 1, 1, 2, 2, 3, 3))]
    assert check_folds(TrainConfig(), made) == [0, 1, 2, 3]
    made.append(replace(made[4], clip_id="more", label="fear"))  # in fold 2, which chooses when 1 is measured
    with pytest.raises(OptionError, match="fold 1: no training clip shows fear"):
        check_folds(TrainConfig(), made)


def test_clips_that_are_kept_for_a_test_are_not_used_up() -> None:
    made = clips(0, 1, 2)
    made[1] = replace(made[1], split="test")
    with pytest.raises(OptionError, match="keeps clips for a test split"):
        folds_of(made)
