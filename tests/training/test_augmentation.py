from __future__ import annotations

import pytest
import torch

from seqfer.errors import OptionError
from seqfer.training.augmentation import Drawn, Strength, wander


def test_wandering_is_uniform_overall_and_smooth_in_time() -> None:
    paths = wander(100, 25.0, torch.Generator().manual_seed(0), clips=400)
    assert paths.shape == (400, 100, len(Drawn))
    values = paths[:, :, :16].flatten()
    assert values.mean() == pytest.approx(0.5, abs=0.02)
    assert torch.histc(values, 5, 0, 1).div(values.numel()).numpy() == pytest.approx(0.2, abs=0.02)
    step = (paths[:, 1:, :16] - paths[:, :-1, :16]).abs().mean()
    apart = (paths[1:, :, :16] - paths[:-1, :, :16]).abs().mean()
    assert step < 0.3 * apart
    assert (paths[:, :, 16] == paths[:, :1, 16]).all()  # mirrored throughout or not at all


def test_wandering_does_not_depend_on_the_frame_rate() -> None:
    slow = wander(50, 10.0, torch.Generator().manual_seed(0), clips=500)[:, :, :16]
    fast = wander(250, 50.0, torch.Generator().manual_seed(1), clips=500)[:, ::5, :16]
    assert (slow[:, 1:] - slow[:, :-1]).abs().mean() == pytest.approx(
        float((fast[:, 1:] - fast[:, :-1]).abs().mean()), rel=0.05
    )


@pytest.mark.parametrize("values", [{"blur": -0.1}, {"compression": 1.5}, {"turn_deg": 90.0}])
def test_impossible_strengths_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(values))):
        Strength(**values)
