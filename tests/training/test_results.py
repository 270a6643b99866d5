"""What is kept of an epoch: norms with statistics from frames as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from seqfer.datasets.packed import draw_frames
from seqfer.models.checkpoint import load_checkpoint
from seqfer.training.loop import Trainer
from seqfer.training.results import with_precise_norms
from tests.training.striped_clips import small_config, split_of, striped_clips

CPU = torch.device("cpu")
CLIPS = striped_clips()


def trainer(folder: Path, **changes: object) -> Trainer:
    config = small_config(epochs=2, augmentation__gamma=0.9, augmentation__noise=0.3, loss__mixup=0.5, **changes)
    return Trainer(config, CLIPS, split_of(CLIPS, "train"), split_of(CLIPS, "validation"), folder, CPU)


def statistics(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items() if "running" in name}


def test_a_run_keeps_models_whose_norms_fit_frames_as_they_are(tmp_path: Path) -> None:
    run = trainer(tmp_path, optimizer__precise_norms=10_000, optimizer__ema=0.9)
    list(run.run())
    kept = load_checkpoint(tmp_path / "last").model
    frames = draw_frames(split_of(CLIPS, "train"), 10_000, 0)
    images = kept.architecture.preprocess(torch.from_numpy(CLIPS.frames[frames]))
    convolution, norm = next(iter(kept.encoder.stages()[0].children()))  # type: ignore[operator]
    maps = convolution(images).detach().transpose(0, 1).flatten(1)
    torch.testing.assert_close(norm.running_mean, maps.mean(1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(norm.running_var, maps.var(1), atol=1e-4, rtol=1e-4)
    ran_along = statistics(run._average.module)  # type: ignore[union-attr]
    assert any(not torch.allclose(value, ran_along[name], rtol=0.05) for name, value in statistics(kept).items())


@pytest.mark.parametrize("frozen", [(), (0,), (0, 2)])
def test_frozen_stages_keep_their_norms(tmp_path: Path, frozen: tuple[int, ...]) -> None:
    model = trainer(tmp_path).model
    before = statistics(model)
    frames = draw_frames(split_of(CLIPS, "train"), 50, 0)
    precise = with_precise_norms(model, CLIPS, frames, CPU, frozen)
    assert all(torch.equal(value, before[name]) for name, value in statistics(model).items())
    for number, (old, new) in enumerate(zip(model.encoder.stages(), precise.encoder.stages(), strict=True)):  # type: ignore[operator]
        olds, news = statistics(old), statistics(new)
        same = [torch.equal(olds[name], news[name]) for name in olds]
        assert all(same) if number in frozen else not any(same)


def test_draw_frames_draws_from_all_clips_without_repeats() -> None:
    clips = split_of(CLIPS, "train")
    total = sum(clip.length for clip in clips)
    drawn = draw_frames(clips, total // 2, seed=1)
    assert len(drawn) == len(set(drawn)) == total // 2
    assert np.array_equal(np.sort(draw_frames(clips, 10_000, 1)), np.arange(total))
    assert not np.array_equal(drawn, np.sort(drawn))
    assert np.array_equal(drawn, draw_frames(clips, total // 2, seed=1))
    assert len(draw_frames(clips, 0, 1)) == 0
