from __future__ import annotations

import numpy as np
import pytest

from seqfer.evaluation.steadiness import label_changes, onset_s

TIMES = np.arange(10) / 25


def leading(*labels: int) -> np.ndarray:
    return np.eye(3)[list(labels)] * 0.6 + 0.1


@pytest.mark.parametrize(
    ("times", "labels", "changes", "seconds"),
    [
        ([0.0, 0.04, 0.08], (0, 0, 0), 0, 0.08),
        ([0.0, 0.04, 0.08], (0, 2, 0), 2, 0.08),
        ([0.0, 0.04, 9.0, 9.04], (0, 0, 1, 2), 1, 0.08),  # whoever was away is not said to have changed
        ([0.0, 0.5], (0, 1), 1, 0.5),
        ([3.0], (1,), 0, 0.0),
    ],
    ids=["steady", "flickering", "away", "slow", "one frame"],
)
def test_changes_between_neighbouring_frames_are_counted(
    times: list[float], labels: tuple[int, ...], changes: int, seconds: float
) -> None:
    found = label_changes(np.array(times), leading(*labels))
    assert found[0] == changes
    assert found[1] == pytest.approx(seconds)


@pytest.mark.parametrize("step", [1, 4, 9])
def test_a_clean_step_sets_in_where_it_is(step: int) -> None:
    time, rise = onset_s(TIMES, np.where(np.arange(10) < step, 0.2, 0.9))
    assert time == TIMES[step]
    assert rise == pytest.approx(0.7)


def test_flickering_hardly_moves_an_onset() -> None:
    rng = np.random.default_rng(0)
    times = np.arange(400) / 25
    steps = [onset_s(times, (times >= 6) * 0.5 + rng.uniform(0, 0.5, 400))[0] for _ in range(20)]
    assert np.abs(np.array(steps) - 6).max() < 0.2


def test_what_only_falls_never_sets_in() -> None:
    assert onset_s(TIMES, np.linspace(1, 0, 10))[1] == 0
