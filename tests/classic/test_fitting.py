"""From training clips to a model: SMOTE before the forest, the choice of features by real clips alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seqfer.classic import fitting
from seqfer.classic.ants import select_features
from seqfer.classic.fitting import check_clips
from seqfer.classic.forest import grow_forest
from seqfer.datasets.packed import PackedClip
from seqfer.errors import OptionError
from tests.classic.frozen_model import classic_config, fitted_model
from tests.training.striped_clips import striped_clips


def clip(label: str, split: str = "train") -> PackedClip:
    return PackedClip(f"{label} {split}", 0, 1, label, "S", split, None, (0.0,))


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([clip("happy", "test")], "there is no training clip; the manifest needs the split train"),
        ([*[clip("happy")] * 9, clip("sad", "test")], "no training clip shows sad"),
        ([*[clip("happy")] * 9, *[clip("sad")] * 5], "'sad' has 5 clips, but SMOTE by 5 neighbours"),
    ],
    ids=["none", "absent", "too few"],
)
def test_clips_that_cannot_be_learnt_from(clips: list[PackedClip], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        check_clips(classic_config(), clips)


def test_without_smote_few_clips_are_enough() -> None:
    clips = [*[clip("sad")] * 2, *[clip("happy")] * 9]
    assert check_clips(classic_config(smote={"on": False}), clips).names == ("happy", "sad")


def test_the_ants_see_real_clips_alone_and_the_forest_sees_all(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = striped_clips(train=48)
    # Two of three angry clips go, so that SMOTE has something to do.
    kept = [c for k, c in enumerate(packed.clips) if c.label != "angry" or c.split != "train" or k % 9]
    packed = replace(packed, clips=tuple(kept))
    seen: dict[str, Any] = {}

    def watched_select(features: Any, truth: Any, *rest: Any) -> Any:
        seen["selected by"] = len(features), np.bincount(truth).tolist()
        return select_features(features, truth, *rest)

    def watched_grow(features: Any, truth: Any, *rest: Any) -> Any:
        seen["grown on"] = features.shape, np.bincount(truth).tolist()
        return grow_forest(features, truth, *rest)

    monkeypatch.setattr(fitting, "select_features", watched_select)
    monkeypatch.setattr(fitting, "grow_forest", watched_grow)
    model = fitted_model(packed, classic_config())
    real = [c.label for c in packed.clips if c.split == "train"]
    counts = [real.count(name) for name in model.labels]
    assert counts[0] < counts[1] == counts[2]
    assert seen["selected by"] == (len(real), counts)
    assert seen["grown on"] == ((3 * counts[1], len(model.selected)), [counts[1]] * 3)
    assert model.training["clips"] == {"before_smote": len(real), "after_smote": 3 * counts[1]}
    assert model.training["features"] == {"all": 16 * 4 * 4, "selected": len(model.selected)}
    assert model.training["selection"]["rows"] == len(real)
    assert model.training["config"]["seed"] == 0
    assert set(model.training["versions"]) == {"seqfer", *fitting.LIBRARIES}


def test_without_selection_and_smote_the_forest_gets_what_there_is() -> None:
    model = fitted_model(striped_clips(), classic_config(smote={"on": False}, selection={"on": False}))
    assert model.selected.tolist() == list(range(256))
    assert model.training["selection"] is None
    assert model.training["clips"] == {"before_smote": 48, "after_smote": 48}


def test_the_same_of_the_same() -> None:
    one, two = (fitted_model(striped_clips(), classic_config()) for _ in range(2))
    np.testing.assert_array_equal(one.selected, two.selected)
    np.testing.assert_array_equal(one.forest.threshold, two.forest.threshold)
    np.testing.assert_array_equal(one.forest.distributions, two.forest.distributions)
    other = fitted_model(striped_clips(), classic_config(seed=1))
    assert other.forest.threshold.shape != one.forest.threshold.shape or (
        (other.forest.threshold != one.forest.threshold).any()
    )
