"""Learning rates over time, against PyTorch's own schedules where it has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from seqfer.training.config import ScheduleConfig
from seqfer.training.schedule import rate_factor, without_gain

EPOCHS = 40


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [
        (ScheduleConfig("constant"), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        (ScheduleConfig("step", every=7, factor=0.3), lambda o: lr_scheduler.StepLR(o, 7, 0.3)),
        (ScheduleConfig("cosine"), lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS)),
        (
            ScheduleConfig("cosine_restarts", every=3),
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2),
        ),
    ],
    ids=lambda value: value.name if isinstance(value, ScheduleConfig) else "",
)
def test_rates_are_those_of_pytorch(schedule: ScheduleConfig, theirs: Callable[[Any], Any]) -> None:
    own = optimizer()
    scheduler = theirs(own)
    for epoch in range(EPOCHS + 1):
        assert rate_factor(schedule, epoch, EPOCHS) == pytest.approx(own.param_groups[0]["lr"], abs=1e-9), epoch
        own.step()
        scheduler.step()


def test_restarts_within_an_epoch_are_those_of_pytorch() -> None:
    own = optimizer()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(own, T_0=3, T_mult=2)
    for epoch in np.arange(0, 30, 0.25):
        scheduler.step(float(epoch))
        factor = rate_factor(ScheduleConfig("cosine_restarts", every=3), float(epoch), 30)
        assert factor == pytest.approx(own.param_groups[0]["lr"], abs=1e-9), epoch


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_a_plateau_is_what_pytorch_takes_for_one(patience: int) -> None:
    own = optimizer()
    # PyTorch's patience counts the epochs that are let pass, ours those that are waited for.
    scheduler = lr_scheduler.ReduceLROnPlateau(own, "max", 0.5, patience - 1, threshold=0, eps=0)
    schedule = ScheduleConfig("plateau", factor=0.5, patience=patience)
    # Few values, so that many are equal, and getting better on the whole.
    figures = np.round(np.random.default_rng(0).normal(np.linspace(0, 3, 60), 1.0)).tolist()
    seen = set()
    for epoch in range(1, len(figures) + 1):
        scheduler.step(figures[epoch - 1])
        merits = [(figure,) for figure in figures[:epoch]]
        factor = rate_factor(schedule, epoch, EPOCHS, merits)
        assert factor == pytest.approx(own.param_groups[0]["lr"], rel=1e-9), epoch
        seen.add(factor)
    assert len(seen) > 3


@pytest.mark.parametrize(
    ("merits", "reductions"),
    [
        ([], 0),
        ([(0.5,)], 0),
        ([(0.5,), (0.5,), (0.5,)], 1),
        ([(0.5, -1.0), (0.5, -0.9), (0.5, -0.8)], 0),  # the same figure, but less and less loss
        ([(0.5, -1.0), (0.5, -1.1), (0.4, -0.1)], 1),
        ([(-2.0,), (-1.0,), (-1.0,), (-1.0,), (-0.5,), (-0.6,), (-0.7,)], 2),
    ],
)
def test_a_plateau_is_left_by_whatever_is_better(merits: list[tuple[float, ...]], reductions: int) -> None:
    schedule = ScheduleConfig("plateau", factor=0.5, patience=2)
    assert rate_factor(schedule, len(merits), EPOCHS, merits) == 0.5**reductions


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("constant", {0: 0.01, 0.5: 0.25, 1: 0.5, 2: 1, 10: 1}),
        ("cosine", {0: 0.01, 0.01: 0.01, 1: 0.5, 2: 1, 6: 0.5, 10: 0}),
        ("step", {1: 0.5, 2: 1, 5.9: 1, 6: 0.1, 9.9: 0.1, 10: 0.01}),
        ("cosine_restarts", {1: 0.5, 2: 1, 4: 0.5, 6: 1, 10: 0.5, 14: 1}),
        ("plateau", {1: 0.5, 2: 1}),
        ("one_cycle", {0: 0.04, 1: 0.52, 2: 1, 6: 0.5, 10: 0}),
    ],
)
def test_rates_climb_first_and_then_begin_at_their_peak(name: Any, factors: dict[float, float]) -> None:
    schedule = ScheduleConfig(name, warmup=2, every=4)
    assert {epoch: rate_factor(schedule, epoch, 10) for epoch in factors} == pytest.approx(factors, abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(["constant", "step", "plateau", "cosine", "cosine_restarts", "one_cycle"]),
    warmup=st.floats(0, 300),
    every=st.integers(1, 50),
    factor=st.floats(1e-6, 1, exclude_max=True),
    patience=st.integers(1, 10),
    epochs=st.integers(1, 200),
    done=st.floats(0, 1),
    figures=st.lists(st.tuples(st.floats(0, 1), st.floats(-3, 0)), max_size=50),
)
def test_every_rate_is_a_share_of_the_one_that_was_set(
    name: Any,
    warmup: float,
    every: int,
    factor: float,
    patience: int,
    epochs: int,
    done: float,
    figures: list[tuple[float, ...]],
) -> None:
    schedule = ScheduleConfig(name, warmup, every, factor, patience)
    assert 0 <= rate_factor(schedule, done * epochs, epochs, figures) <= 1


@pytest.mark.parametrize(
    ("merits", "epochs"),
    [
        ([], 0),
        ([(0.1,)], 0),
        ([(0.1,), (0.2,), (0.3,)], 0),
        ([(0.3,), (0.2,), (0.1,)], 2),
        ([(0.1,), (0.3,), (0.2,), (0.3,)], 2),  # as good is not better
        ([(0.3, -1.0), (0.3, -0.9), (0.2, -0.1)], 1),
        ([(-1.0,), (-2.0,)], 1),
    ],
)
def test_epochs_since_the_best_are_counted(merits: list[tuple[float, ...]], epochs: int) -> None:
    assert without_gain(merits) == epochs
