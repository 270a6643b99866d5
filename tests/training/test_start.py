"""What a run begins with: labels that can be learnt, and weights from nowhere or from another model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seqfer.datasets.packed import PackedClip
from seqfer.errors import ModelError, OptionError
from seqfer.labels import CKPLUS7, EKMAN6, FER7, LabelSet
from seqfer.models.bundled import load_model
from seqfer.models.checkpoint import Provenance, save_checkpoint
from seqfer.training.config import ModelConfig, StartConfig, TrainConfig
from seqfer.training.config_file import read_config
from seqfer.training.start import label_set, not_shown, starting_model
from tests.training.striped_clips import small_config

BUNDLED = load_model("compact")
LIKE_BUNDLED = ModelConfig(
    encoder_settings=BUNDLED.model.architecture.encoder_settings,
    head_settings=BUNDLED.model.architecture.head_settings,
)


def clips(**labels: str) -> list[PackedClip]:
    """Clips of each split with labels named like `train="happy sad"`."""
    return [
        PackedClip(f"{split} {k}", 0, 1, label, "", split, None, (0.0,))
        for split, names in labels.items()
        for k, label in enumerate(names.split())
    ]


def labels_of(config: TrainConfig, made: list[PackedClip]) -> LabelSet:
    train, validation = ([clip for clip in made if clip.split == split] for split in ("train", "validation"))
    return label_set(config, made, train, validation)


def of_labels(*names: str) -> TrainConfig:
    return TrainConfig(model=ModelConfig(labels=names))


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("config", "made", "names"),
    [
        (TrainConfig(), clips(train="sad happy angry", validation="happy"), "angry happy sad"),
        (TrainConfig(), clips(train="neutral bored sad", validation="sad"), "sad neutral bored"),
        (TrainConfig(), clips(train="sad happy", validation="sad", test="happy"), "happy sad"),
        (of_labels("sad", "happy"), clips(train="sad happy", validation="sad"), "sad happy"),
    ],
)
def test_labels_are_those_of_all_clips_in_their_usual_order_or_as_asked(
    config: TrainConfig, made: list[PackedClip], names: str
) -> None:
    assert " ".join(labels_of(config, made)) == names


@pytest.mark.parametrize(
    ("config", "made", "message"),
    [
        (
            TrainConfig(),
            clips(validation="happy sad"),
            "there is no training clip; the manifest needs the splits train and validation, as --split "
            "subject:70/15/15 makes them; without validation nothing can be chosen: set select to last",
        ),
        (
            TrainConfig(),
            clips(train="happy sad", test="sad"),
            "there is no validation clip; the manifest needs the splits train and validation, as --split "
            "subject:70/15/15 makes them; without validation nothing can be chosen: set select to last",
        ),
        (
            TrainConfig(),
            clips(train="happy sad", validation="fear sad", test="angry"),
            "no training clip shows angry, fear, so it cannot be learnt; split otherwise, leave its clips out of "
            "the manifest, or name all labels in model.labels if it is to count as never recognised",
        ),
        (
            of_labels("happy", "sad"),
            clips(train="happy sad", validation="happy", test="fear"),
            "clip 'test 0' is labelled 'fear', which is not in model.labels (happy, sad); add it there, or leave "
            "the clip out of the manifest",
        ),
        (
            TrainConfig(),
            clips(train="happy", validation="happy"),
            "two labels or more can be told apart, but here is only happy",
        ),
    ],
    ids=["no training", "no validation", "not learnt", "not asked for", "one"],
)
def test_labels_that_cannot_be_learnt_are_refused(
    config: TrainConfig, made: list[PackedClip], message: str
) -> None:
    with pytest.raises(OptionError) as error:
        labels_of(config, made)
    assert str(error.value) == message


def test_labels_that_are_named_need_not_all_be_shown() -> None:
    config = of_labels("happy", "sad", "fear")
    made = clips(train="happy sad", validation="sad", test="fear")
    assert labels_of(config, made).names == ("happy", "sad", "fear")
    assert not_shown(labels_of(config, made), [clip for clip in made if clip.split == "train"]) == ["fear"]


def test_where_nothing_is_chosen_no_validation_is_needed() -> None:
    config = replace(TrainConfig(), select="last")
    assert labels_of(config, clips(train="happy sad", test="sad")).names == ("happy", "sad")


def test_from_scratch_the_seed_decides() -> None:
    torch.manual_seed(5)
    first, origin, _ = starting_model(small_config(seed=1), EKMAN6)
    torch.manual_seed(6)
    again = starting_model(small_config(seed=1), EKMAN6).model
    other = starting_model(small_config(seed=2), EKMAN6).model
    assert origin == "scratch"
    assert_same(first.state_dict(), again.state_dict())
    assert not first.state_dict()["head.frame.weight"].equal(other.state_dict()["head.frame.weight"])
    assert first.architecture.labels == EKMAN6
    assert first.architecture.preprocess.size == 16


@pytest.mark.parametrize(
    ("labels", "head", "head_taken"),
    [
        (FER7, {}, True),
        (CKPLUS7, {}, False),  # as many, but others
        (LabelSet(tuple(reversed(FER7.names))), {}, False),
        (EKMAN6, {}, False),
        (FER7, {"head_settings": {"width": 32}}, False),
        (FER7, {"head": "mean", "head_settings": {}}, False),
        (FER7, {"size": 64, "frame_rate": 12.5}, True),
    ],
    ids=["same", "others", "order", "fewer", "settings", "kind", "reading"],
)
def test_the_bundled_models_encoder_is_taken_and_its_head_where_it_fits(
    labels: LabelSet, head: dict[str, Any], head_taken: bool
) -> None:
    config = TrainConfig(model=replace(LIKE_BUNDLED, **head), start=StartConfig("compact"))
    model, origin, new_head = starting_model(config, labels)
    assert (origin, new_head) == (BUNDLED.sha256, not head_taken)
    assert_same(model.encoder.state_dict(), BUNDLED.model.encoder.state_dict())
    scratch = starting_model(replace(config, start=StartConfig("scratch")), labels).model
    assert_same(model.head.state_dict(), (BUNDLED.model if head_taken else scratch).head.state_dict())
    assert model.architecture.labels == labels
    assert model.architecture.preprocess.size == config.model.size


def test_the_shipped_settings_for_ones_own_clips_begin_with_the_bundled_model() -> None:
    model, origin, new_head = starting_model(read_config("compact-bilstm"), EKMAN6)
    assert (origin, new_head) == (BUNDLED.sha256, True)
    assert_same(model.encoder.state_dict(), BUNDLED.model.encoder.state_dict())
    assert not starting_model(read_config("compact-bilstm"), FER7).new_head


def test_a_trained_models_folder_is_a_start_too(tmp_path: Path) -> None:
    given = starting_model(small_config(seed=1), EKMAN6).model
    save_checkpoint(tmp_path / "best", given, Provenance())
    model, origin, _ = starting_model(small_config(seed=2, start__weights=str(tmp_path / "best")), EKMAN6)
    assert_same(model.state_dict(), given.state_dict())
    assert len(origin) == 64


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        (
            {"encoder": "vgg", "encoder_settings": {}},
            "compact",
            "start.weights: the model 'compact' has encoder compact, but model.encoder is vgg",
        ),
        ({"encoder_settings": {}}, "compact", "but model.encoder_settings is {}"),
        (
            {"channels": 3},
            "compact",
            "start.weights: the model 'compact' has channels 1, but model.channels is 3",
        ),
        ({}, "compct", "unknown model 'compct'; did you mean 'compact'?"),
        ({}, "runs/gone", "runs/gone: no such model folder"),
        ({}, "imagenet", "there are no ImageNet weights for encoder 'compact'"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(model: dict[str, Any], weights: str, message: str) -> None:
    config = TrainConfig(model=replace(LIKE_BUNDLED, **model), start=StartConfig(weights))
    with pytest.raises(ModelError) as error:
        starting_model(config, FER7)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
