"""Settings check themselves where they are made, before anything is prepared or trained."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

import pytest
import torch

from seqfer.errors import OptionError, SeqferError
from seqfer.labels import EKMAN6
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.preprocess import CropGeometry, Preprocess
from seqfer.training.augmentation import Strength
from seqfer.training.config import (
    DataConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
    StartConfig,
    TrainConfig,
    WindowConfig,
)
from seqfer.training.config_file import known_configs, read_config
from seqfer.training.optimizers import stage_rates


@pytest.mark.parametrize("name", known_configs())
def test_every_shipped_setting_makes_a_model_whose_stages_its_rates_fit(name: str) -> None:
    config = read_config(name)
    with torch.device("meta"):
        model = SequenceClassifier(
            Architecture(
                encoder=config.model.encoder,
                encoder_settings=config.model.encoder_settings,
                head=config.model.head,
                head_settings=config.model.head_settings,
                labels=EKMAN6,
                preprocess=config.model.preprocess,
                frame_rate=config.model.frame_rate,
            )
        )
    assert len(stage_rates(model, config.start.stage_rates)) >= 3


def test_preprocess_is_that_of_the_model() -> None:
    geometry = CropGeometry(margin=1.5, align=False)
    assert ModelConfig(size=96, channels=3, geometry=geometry).preprocess == Preprocess(96, 3, geometry)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ModelConfig, {"encoder": "alexnet"}),
        (ModelConfig, {"head": "gru"}),
        (ModelConfig, {"size": 8}),
        (ModelConfig, {"channels": 2}),
        (ModelConfig, {"frame_rate": 0.0}),
        (ModelConfig, {"labels": ("happy",)}),
        (ModelConfig, {"labels": ("happy", "happy")}),
        (ModelConfig, {"labels": ("happiness", "sad")}),
        (StartConfig, {"stage_rates": ()}),
        (StartConfig, {"stage_rates": (1.0, -0.1)}),
        (StartConfig, {"stage_rates": (nan,)}),
        (DataConfig, {"picture_rate": 0.0}),
        (DataConfig, {"longest_s": 0.0}),
        (DataConfig, {"longest_s": nan}),
        (DataConfig, {"speed": 0.9}),
        (LossConfig, {"clip": -1.0}),
        (LossConfig, {"frame": -1.0}),
        (LossConfig, {"clip": 0.0, "frame": 0.0}),
        (LossConfig, {"clip": nan}),
        (LossConfig, {"label_smoothing": 1.0}),
        (LossConfig, {"label_smoothing": -0.1}),
        (LossConfig, {"mixup": -0.1}),
        (WindowConfig, {"side": -1, "share": 0.5}),
        (WindowConfig, {"side": 40}),
        (WindowConfig, {"share": 0.5}),
        (WindowConfig, {"side": 40, "share": 1}),
        (WindowConfig, {"side": 40, "share": -0.5}),
        (TrainConfig, {"window": WindowConfig(49, 0.5)}),
        (OptimizerConfig, {"rate": 0.0}),
        (OptimizerConfig, {"rate": nan}),
        (OptimizerConfig, {"momentum": 1.0}),
        (OptimizerConfig, {"momentum": -0.1}),
        (OptimizerConfig, {"weight_decay": -0.1}),
        (OptimizerConfig, {"weight_decay": nan}),
        (OptimizerConfig, {"clip_norm": -1.0}),
        (OptimizerConfig, {"ema": 1.0}),
        (OptimizerConfig, {"ema": -0.1}),
        (OptimizerConfig, {"precise_norms": -1}),
        (OptimizerConfig, {"precise_norms": 1}),
        (ScheduleConfig, {"warmup": -1.0}),
        (ScheduleConfig, {"warmup": nan}),
        (ScheduleConfig, {"every": 0}),
        (ScheduleConfig, {"factor": 0.0}),
        (ScheduleConfig, {"factor": 1.0}),
        (ScheduleConfig, {"patience": 0}),
        (Strength, {"blur": -0.1}),
        (Strength, {"blur": nan}),
        (TrainConfig, {"epochs": 0}),
        (TrainConfig, {"batch_size": 0}),
        (TrainConfig, {"stop_after": -1}),
        (TrainConfig, {"seed": -1}),
        (TrainConfig, {"seed": 2**63}),
        (TrainConfig, {"epochs": 3, "schedule": ScheduleConfig(warmup=3)}),
        (DataConfig, {"picture_rate": 1.9}),
        (Strength, {"flip": 5.0}),
    ],
    ids=lambda value: (
        value.__name__ if isinstance(value, type) else " ".join(f"{k}={v}" for k, v in value.items())
    ),
)
def test_what_lies_out_of_range_is_refused(kind: type, values: dict[str, Any]) -> None:
    with pytest.raises(SeqferError) as error:
        kind(**values)
    assert next(iter(values)).partition("_")[0].rstrip("s") in str(error.value)  # it names what it is about
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("epochs", "seen"), [(1, 0), (2, 1), (3, 2), (10, 8), (200, 160)])
def test_the_last_epoch_shows_whole_crops(epochs: int, seen: int) -> None:
    assert WindowConfig(40, 0.8).epochs_of(epochs) == seen
    assert WindowConfig().epochs_of(epochs) == 0


def test_changed_settings_are_checked_too() -> None:
    with pytest.raises(OptionError, match="epochs"):
        replace(TrainConfig(), epochs=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": DataConfig(with_validation=True)}, "what is learnt from cannot choose"),
        ({"select": "last", "stop_after": 3}, "go by the figure that select names"),
        ({"select": "last", "schedule": ScheduleConfig("plateau")}, "go by the figure that select names"),
    ],
    ids=["joined", "stop", "plateau"],
)
def test_nothing_is_chosen_by_what_is_not_there(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        TrainConfig(**changes)
    assert TrainConfig(data=DataConfig(with_validation=True), select="last").select == "last"
