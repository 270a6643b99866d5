"""What a forest says of clips, and of synthetic ones where they are asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from seqfer.classic.model import ForestModel
from seqfer.classic.predicting import predict
from seqfer.datasets.packed import PackedClips
from seqfer.errors import OptionError, SeqferError
from tests.classic.frozen_model import classic_config, fitted_model
from tests.training.striped_clips import split_of, striped_clips

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def packed() -> PackedClips:
    return striped_clips(train=90, validation=45)


@pytest.fixture(scope="module")
def model(packed: PackedClips) -> ForestModel:
    return fitted_model(packed, classic_config(forest={"trees": 60}))


def test_stripes_are_told_apart(model: ForestModel, packed: PackedClips) -> None:
    clips = split_of(packed, "validation")
    found = predict(model, packed, clips, CPU)
    assert found.clip_ids == tuple(clip.clip_id for clip in clips)
    assert found.subject_ids == tuple(clip.subject_id for clip in clips)
    assert [found.labels.names[k] for k in found.truth] == [clip.label for clip in clips]
    np.testing.assert_allclose(found.probabilities.sum(1), 1)
    assert (found.predicted == found.truth).mean() > 0.7
    assert all(times == (0.0,) for times in found.frame_times_s)


def test_resampled_clips_come_after_the_real_ones(model: ForestModel, packed: PackedClips) -> None:
    clips = [clip for k, clip in enumerate(split_of(packed, "validation")) if clip.label != "sad" or k % 2]
    real = predict(model, packed, clips, CPU)
    found = predict(model, packed, clips, CPU, resample=True)
    added = len(found) - len(real)
    assert added == 8
    np.testing.assert_array_equal(found.probabilities[: len(real)], real.probabilities)
    assert np.bincount(found.truth).tolist() == [15, 15, 15]
    *names, last = found.clip_ids[len(real) :]
    assert last.startswith("synthetic ")
    assert last.endswith(" 8")
    fewer = predict(model, packed, clips[:-1], CPU, resample=True)
    assert not {*names, last} & {*fewer.clip_ids}  # other points are no clips that both were measured on
    assert set(found.subject_ids[len(real) :]) == {""}
    again = predict(model, packed, clips, CPU, resample=True)
    np.testing.assert_array_equal(found.probabilities, again.probabilities)


def test_nothing_to_read(model: ForestModel, packed: PackedClips) -> None:
    with pytest.raises(OptionError, match="there is no clip to evaluate"):
        predict(model, packed, [], CPU)


def test_too_few_clips_to_resample(model: ForestModel, packed: PackedClips) -> None:
    clips = [clip for clip in split_of(packed, "validation") if clip.label != "sad"]
    sad = [clip for clip in split_of(packed, "validation") if clip.label == "sad"]
    with pytest.raises(OptionError, match=r"'sad' has 2 clips, but SMOTE.* leave out --resample-test"):
        predict(model, packed, [*clips, *sad[:2]], CPU, resample=True)


def test_a_label_that_the_forest_does_not_know(model: ForestModel, packed: PackedClips) -> None:
    with pytest.raises(SeqferError, match="bored"):
        predict(model, packed, [replace(packed.clips[0], label="bored")], CPU)
