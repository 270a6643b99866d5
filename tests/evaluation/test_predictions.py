from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from seqfer.datasets.crops import CropSettings
from seqfer.datasets.packed import PackedClips
from seqfer.datasets.prepare import prepare
from seqfer.datasets.types import ClipRecord, Manifest
from seqfer.errors import OptionError
from seqfer.evaluation import predictions as module
from seqfer.evaluation.predictions import Predictions, pooled, predict, units_of
from seqfer.labels import LabelSet
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.heads import BiLSTMHead
from seqfer.models.inference import Predictor
from seqfer.preprocess import Preprocess
from tests.evaluation.examples import predictions

SMALL: dict[str, Any] = {"stem_width": 8, "widths": (8, 16), "blocks": (1, 1)}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedClips:
    """Four stills and two sequences of five pictures."""
    folder = tmp_path_factory.mktemp("set")
    rng = np.random.default_rng(0)
    records = []
    for number in range(6):
        names = tuple(f"{number}_{k}.png" for k in range(5 if number >= 4 else 1))
        for name in names:
            Image.fromarray(rng.integers(0, 256, (48, 48), np.uint8)).save(folder / name)
        label = ("happy", "sad")[number % 2]
        records.append(ClipRecord(str(number), folder, label, frames=names, subject_id=f"S{number // 2}"))
    return prepare(Manifest(tuple(records)), folder / "cache", CropSettings(faces="none"), workers=1)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    model = SequenceClassifier(Architecture(encoder_settings=SMALL, head="bilstm", head_settings={"width": 8}))
    assert isinstance(model.head, BiLSTMHead)
    torch.nn.init.normal_(model.head.context.weight)
    return Predictor(model, torch.device("cpu"), "float32")


def test_clips_and_their_frames_are_read(packed: PackedClips, predictor: Predictor) -> None:
    seen: list[tuple[int, int]] = []
    found = predict(predictor, packed, packed.clips, lambda done, total: seen.append((done, total)))
    assert found.clip_ids == tuple("012345")
    assert [found.labels.names[k] for k in found.truth] == ["happy", "sad"] * 3
    assert found.probabilities.sum(1) == pytest.approx(np.ones(6))
    assert [rows.shape for rows in found.frame_probabilities] == [(1, 7)] * 4 + [(5, 7)] * 2
    assert seen[-1] == (6, 6)
    stills = predictor.read_stills(predictor.encode(np.array(packed.frames[:4])))
    assert found.probabilities[:4] == pytest.approx(stills, abs=1e-5)
    assert found.frame_probabilities[0] == pytest.approx(stills[:1], abs=1e-5)


def test_how_clips_are_batched_does_not_matter(
    packed: PackedClips, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predict(predictor, packed, packed.clips)
    monkeypatch.setattr(module, "FRAMES_AT_ONCE", 3)
    parted = predict(predictor, packed, packed.clips)
    assert parted.probabilities == pytest.approx(whole.probabilities, abs=1e-4)


def test_stills_are_read_as_clips_of_one_frame(packed: PackedClips, predictor: Predictor) -> None:
    stills = [clip for clip in packed.clips if clip.length == 1]
    found = predict(predictor, packed, stills)
    for clip, frames, whole in zip(stills, found.frame_probabilities, found.probabilities, strict=True):
        embeddings = predictor.encode(np.array(packed.frames_of(clip)))
        by_frame, as_clip = predictor.read_clip(embeddings, np.array(clip.times_s))
        assert frames.shape == by_frame.shape == (1, 7)
        assert frames == pytest.approx(by_frame, abs=1e-4)
        assert whole == pytest.approx(as_clip, abs=1e-4)


def test_what_does_not_fit_is_refused(packed: PackedClips, predictor: Predictor) -> None:
    with pytest.raises(OptionError, match="there is no clip to evaluate"):
        predict(predictor, packed, [])
    with pytest.raises(OptionError, match="unknown label 'bored'; known: angry"):
        predict(predictor, packed, [replace(packed.clips[0], label="bored")])
    with pytest.raises(OptionError, match="the cache holds crops made by"):
        predict(predictor, replace(packed, preprocess=Preprocess(48, 3)), packed.clips)


def test_clips_of_a_subject_belong_together() -> None:
    units, kind = units_of(["S0", "S1", "S2", "S3"] * 3)
    assert kind == "subjects"
    assert units.tolist() == [0, 1, 2, 3] * 3
    units, kind = units_of(["S0", "S1", "", "S1", ""])
    assert (kind, units.tolist()) == ("subjects and single clips", [0, 1, 2, 1, 3])
    units, kind = units_of(["", ""])
    assert (kind, units.tolist()) == ("clips", [0, 1])


def test_fields_of_different_lengths_are_refused() -> None:
    made: Predictions = predictions(count=5)
    with pytest.raises(ValueError, match="shapes do not fit"):
        replace(made, clip_ids=made.clip_ids[:4])
    with pytest.raises(ValueError, match="shapes do not fit"):
        replace(made, probabilities=made.probabilities[:, :2])


def test_predictions_for_different_clips_are_counted_together() -> None:
    parts = [predictions(count=5, seed=1), predictions(count=3, seed=2), predictions(count=1, seed=3)]
    whole = pooled(parts)
    assert (len(whole), whole.labels) == (9, parts[0].labels)
    assert (whole.matrix() == sum(part.matrix() for part in parts)).all()
    first = 0
    for part in parts:
        own = slice(first, first + len(part))
        first += len(part)
        for name in ("clip_ids", "subject_ids", "frame_times_s"):
            assert getattr(whole, name)[own] == getattr(part, name)
        assert (whole.truth[own] == part.truth).all()
        assert (whole.probabilities[own] == part.probabilities).all()
        for rows, wanted in zip(whole.frame_probabilities[own], part.frame_probabilities, strict=True):
            assert (rows == wanted).all()


def test_predictions_of_different_labels_are_not_counted_together() -> None:
    others = LabelSet(("angry", "sad", "happy"))  # the same ones in another order
    with pytest.raises(OptionError, match="predictions of different label sets cannot be counted together"):
        pooled([predictions(count=5), predictions(count=5, labels=others)])


def test_a_clips_own_times_count(packed: PackedClips, predictor: Predictor) -> None:
    slow = [replace(clip, times_s=tuple(5 * time for time in clip.times_s)) for clip in packed.clips]
    found, even = (predict(predictor, packed, clips) for clips in (slow, packed.clips))
    clip = slow[4]
    frames, whole = predictor.read_clip(predictor.encode(np.array(packed.frames_of(clip))), np.array(clip.times_s))
    assert found.frame_probabilities[4] == pytest.approx(frames, abs=1e-4)
    assert found.probabilities[4] == pytest.approx(whole, abs=1e-4)
    assert np.abs(found.frame_probabilities[4] - even.frame_probabilities[4]).max() > 1e-3
