from __future__ import annotations

import numpy as np
import pytest
import torch

from seqfer.datasets.fer2013 import StillSet
from seqfer.errors import OptionError
from seqfer.training.augmentation import NOTHING, Strength
from seqfer.training.clips import Clips, ClipStyle, make_clips

# Grey level tells the label.
STILLS = StillSet(
    np.stack([np.full((48, 48), 30 * k + 20, np.uint8) for k in range(7)]), np.arange(7, dtype=np.int64)
)


def clips(frames: int, changes: float, strength: Strength = NOTHING, seed: int = 0) -> Clips:
    style = ClipStyle(changes=changes, strength=strength)
    chosen = torch.arange(7).repeat(20)
    return make_clips(STILLS, chosen, frames, torch.eye(7), style, torch.Generator().manual_seed(seed))


def test_steady_clips_show_their_still_throughout() -> None:
    made = clips(30, changes=0.0)
    assert made.frames.shape == (140, 30, 48, 48)
    assert made.steady.all()
    for row, still in enumerate(np.tile(np.arange(7), 20)):
        assert (made.targets[row, :, still] == 1).all()
        assert np.abs(made.frames[row].astype(int) - (30 * still + 20)).max() <= 1


def test_passages_are_labelled_as_they_look() -> None:
    made = clips(60, changes=1.0)
    assert torch.allclose(made.targets.sum(2), torch.ones(140, 60), atol=1e-5)
    grey = made.frames.mean((2, 3))
    expected = (made.targets.numpy() * (30 * np.arange(7) + 20)).sum(2)
    assert np.abs(grey - expected).max() < 1.0
    passing = (made.targets.amax(2) < 1).float().mean()
    assert 0.03 < passing < 0.4
    assert made.targets[:, 0].argmax(1).tolist() != made.targets[:, -1].argmax(1).tolist()


def test_half_of_the_clips_that_change_go_on_to_a_third_still() -> None:
    made = clips(200, changes=1.0)
    shown = [len(set(row[pure].argmax(1).tolist())) for row, pure in zip(made.targets, made.pure, strict=True)]
    # The third may be the first again, or come at a clip's very end.
    assert 0.3 < np.mean([count == 3 for count in shown]) < 0.55


def test_passages_are_of_every_length_that_is_allowed() -> None:
    style = ClipStyle(changes=1.0, fade_s=(0.2, 1.0), strength=NOTHING)
    generator = torch.Generator().manual_seed(0)
    made = make_clips(STILLS, torch.arange(7).repeat(40), 150, torch.eye(7), style, generator)
    two = ((made.targets > 0).any(1).sum(1) == 2) & (made.targets[:, 0] != made.targets[:, -1]).any(1)
    ends = made.pure[:, 0] & made.pure[:, -1]
    lengths = (~made.pure[two & ends]).sum(1).numpy() / 25  # seconds of a single whole passage
    assert lengths.min() == pytest.approx(0.2, abs=0.08)
    assert lengths.max() == pytest.approx(1.0, abs=0.08)
    assert lengths.mean() == pytest.approx(0.6, abs=0.08)


def test_targets_are_what_is_to_be_said_of_the_stills() -> None:
    answers = torch.rand(7, 3, generator=torch.Generator().manual_seed(0)).softmax(1)
    chosen = torch.arange(7).repeat(20)
    style = ClipStyle(changes=0.5, strength=NOTHING)
    made = make_clips(STILLS, chosen, 20, answers, style, torch.Generator().manual_seed(0))
    assert made.targets.shape == (140, 20, 3)
    torch.testing.assert_close(made.targets[made.steady], answers[chosen[made.steady], None].expand(-1, 20, -1))
    torch.testing.assert_close(made.targets.sum(2), torch.ones(140, 20))


def test_some_clips_change_and_some_do_not() -> None:
    made = clips(50, changes=0.5)
    assert 0.3 < made.steady.float().mean() < 0.75
    assert (made.targets[made.steady].amax(2) == 1).all()


def test_a_single_frame_cannot_pass() -> None:
    made = clips(1, changes=1.0)
    assert made.steady.all()
    assert (made.targets.amax(2) == 1).all()


def test_disturbance_hangs_together_over_time() -> None:
    made = clips(50, changes=0.0, strength=Strength(gamma=0.8, shade=0.5, blur=0, noise=0, occlusion=0))
    frames = made.frames.astype(float)
    assert np.abs(frames[:, 1:] - frames[:, :-1]).mean() < 0.5 * np.abs(frames[:, 25:] - frames[:, :25]).mean()


def test_every_clip_has_its_own_share_of_the_disturbances() -> None:
    def moved(calmest: float) -> np.ndarray:
        style = ClipStyle(changes=0.0, strength=Strength(gamma=0.8, noise=0, occlusion=0), calmest=calmest)
        made = make_clips(
            STILLS, torch.arange(7).repeat(20), 20, torch.eye(7), style, torch.Generator().manual_seed(0)
        ).frames.astype(float)
        return np.abs(made - made[:, :1]).mean((1, 2, 3))

    troubled, mixed = moved(1.0), moved(0.0)
    assert np.median(mixed) < 0.7 * np.median(troubled)
    assert mixed.max() > 0.5 * troubled.max()
    assert mixed.min() < 0.3 * troubled.min()


def test_some_clips_are_not_disturbed_at_all() -> None:
    style = ClipStyle(changes=0.0, strength=Strength(flip=0), undisturbed=0.3)
    made = make_clips(
        STILLS, torch.arange(7).repeat(30), 10, torch.eye(7), style, torch.Generator().manual_seed(0)
    )
    as_they_are = np.tile(STILLS.images, (30, 1, 1))[:, None]
    calm = (np.abs(made.frames.astype(int) - as_they_are) <= 1).all((1, 2, 3))
    assert 0.2 < calm.mean() < 0.4


def test_the_same_seed_gives_the_same_clips() -> None:
    assert (clips(20, 0.5, Strength(), 3).frames == clips(20, 0.5, Strength(), 3).frames).all()


def test_impossible_styles_are_refused() -> None:
    with pytest.raises(OptionError):
        ClipStyle(changes=1.5)
    with pytest.raises(OptionError):
        ClipStyle(fade_s=(0.5, 0.1))
    with pytest.raises(OptionError, match="calmest and undisturbed must lie in"):
        ClipStyle(calmest=-0.1)


def test_pure_frames_show_one_still_alone() -> None:
    made = clips(60, changes=1.0)
    assert (made.pure == (made.targets.amax(2) == 1)).all()
    assert not made.pure.all()


def test_a_clip_that_changes_shows_another_expression_afterwards() -> None:
    style = ClipStyle(changes=1.0, strength=NOTHING)
    chosen = torch.zeros(400, dtype=torch.int64)
    made = make_clips(STILLS, chosen, 100, torch.eye(7), style, torch.Generator().manual_seed(0))
    kept = (made.targets[~made.steady][:, :, 0] == 1).all(1)
    assert kept.float().mean() < 0.02  # those whose change lies at the clip's very end
