"""Training a head on clips of stills: it gains over frames read alone, and goes on where it was stopped."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seqfer.datasets.fer2013 import StillSet
from seqfer.errors import ModelError
from seqfer.models.checkpoint import Checkpoint, Provenance, load_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.ensemble import ensemble_of
from seqfer.models.heads import BiLSTMHead, SequenceOutput
from seqfer.training.augmentation import Strength, draw, still_noise
from seqfer.training.clips import Clips, ClipStyle
from seqfer.training.disturbing import disturb
from seqfer.training.head import HeadRecipe, HeadReport, _loss, frames_alone, train_head, with_head
from seqfer.training.state import RunState

CPU = torch.device("cpu")
SMALL = {"stem_width": 8, "widths": (16, 16), "blocks": (1, 1)}


def stripes(count: int, seed: int) -> StillSet:
    """Noisy pictures whose label is the direction and width of their stripes."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 7
    y, x = np.mgrid[0:48, 0:48]
    angles, widths = labels % 4 * np.pi / 4, 4 + 4 * (labels // 4)
    waves = np.stack(
        [np.sin((np.cos(a) * x + np.sin(a) * y) * 2 * np.pi / w) for a, w in zip(angles, widths, strict=True)]
    )
    images = 128 + 70 * waves + generator.normal(0, 40, waves.shape)
    return StillSet(images.clip(0, 255).astype(np.uint8), labels.astype(np.int64))


TRAIN, VALIDATION = stripes(210, 0), stripes(70, 1)


@pytest.fixture(scope="module")
def encoder() -> SequenceClassifier:
    """A model that reads single frames, and has learnt to."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = SequenceClassifier(Architecture(encoder_settings=SMALL, head="mean"))
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    preprocess, alone = model.architecture.preprocess, torch.ones(30, dtype=torch.int64)
    planes, labels = preprocess.planes(torch.from_numpy(TRAIN.images)[..., None]), torch.from_numpy(TRAIN.labels)
    for _ in range(4):
        for batch in torch.split(torch.randperm(len(TRAIN), generator=generator), 30):
            images = disturb(planes[batch], draw(Strength(), still_noise(len(batch), generator)), generator)
            logits = model(preprocess.scale(images)[:, None], alone).clip_logits
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, labels[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model.eval()


RECIPE = HeadRecipe(
    steps=80,
    frames_per_step=400,
    longest=30,
    peak_rate=1e-2,
    report_every=40,
    validation_clips=60,
    style=ClipStyle(changes=0.4),
)
SHORT = replace(RECIPE, steps=16, report_every=8, validation_clips=30)


def run(
    encoder: SequenceClassifier, recipe: HeadRecipe, folder: Path, stop_after: int = 99, width: int = 16
) -> list[HeadReport]:
    torch.manual_seed(0)
    model = with_head(encoder, "bilstm", width=width)
    reports = []
    for report in train_head(model, TRAIN, VALIDATION, recipe, folder, CPU, {}):
        reports.append(report)
        if len(reports) == stop_after:
            break
    return reports


def test_an_ensembles_new_head_reads_the_mean_of_its_members_logits(encoder: SequenceClassifier) -> None:
    torch.manual_seed(3)
    other = SequenceClassifier(Architecture(encoder_settings=SMALL, head="mean")).eval()
    members = [Checkpoint(name, model, "", Provenance()) for name, model in (("one", encoder), ("other", other))]
    ensemble, _ = ensemble_of(members)
    ensemble.head.soften(2.0)  # type: ignore[operator]
    clips, lengths = torch.rand(2, 3, 1, 48, 48), torch.tensor([3, 3])
    with torch.inference_mode():
        own = [model(clips, lengths).frame_logits for model in (encoder, other)]
        read = with_head(ensemble, "bilstm", width=16).eval()(clips, lengths)
    torch.testing.assert_close(read.frame_logits, (own[0] + own[1]) / 2 / 2)


def test_a_new_head_reads_as_the_old_one(encoder: SequenceClassifier) -> None:
    model = with_head(encoder, "bilstm", width=16).eval()
    assert isinstance(model.head, BiLSTMHead)
    clips, lengths = torch.randn(2, 5, 1, 48, 48), torch.tensor([5, 3])
    with torch.inference_mode():
        assert torch.allclose(model(clips, lengths).frame_logits, encoder(clips, lengths).frame_logits, atol=1e-5)
        without = frames_alone(model).eval()
        assert torch.equal(without(clips, lengths).frame_logits, encoder(clips, lengths).frame_logits)
    with pytest.raises(ModelError, match="each frame alone"):
        with_head(model, "bilstm")
    with pytest.raises(ModelError, match="beside its neighbours"):
        frames_alone(encoder)


def test_it_gains_over_frames_read_alone(encoder: SequenceClassifier, tmp_path: Path) -> None:
    reports = run(encoder, RECIPE, tmp_path)
    assert [report.step for report in reports] == [40, 80]
    figures = reports[-1].validation
    assert figures.clips > 10
    assert figures.frame_accuracy > figures.frame_accuracy_alone
    assert 0 < figures.frame_ece < 0.5
    assert figures.changes_per_s < 0.6 * figures.changes_per_s_alone
    chosen = load_checkpoint(tmp_path / "best")
    assert chosen.model.architecture.head == "bilstm"
    original, kept = encoder.encoder.state_dict(), chosen.model.encoder.state_dict()
    for name, value in original.items():  # the encoder stayed as it was, but for its stored precision
        assert torch.allclose(value.float(), kept[name].float(), rtol=2e-3, atol=1e-4), name


def test_killed_before_its_first_report_it_goes_on(
    encoder: SequenceClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = RunState.save

    def killed_later(state: RunState, done: int, best: float = 0.0) -> None:
        if done:
            raise KeyboardInterrupt
        save(state, done, best)

    with monkeypatch.context() as patched:
        patched.setattr(RunState, "save", killed_later)
        with pytest.raises(KeyboardInterrupt):
            run(encoder, SHORT, tmp_path)
    assert (tmp_path / "best").is_dir()
    assert [report.step for report in run(encoder, SHORT, tmp_path)] == [8, 16]


def test_clips_at_another_rate_are_refused(encoder: SequenceClassifier, tmp_path: Path) -> None:
    recipe = replace(RECIPE, style=ClipStyle(frame_rate=12.5))
    with pytest.raises(ModelError, match=r"of 12\.5 frames per second; the model reads 25"):
        next(train_head(with_head(encoder, "bilstm"), TRAIN, VALIDATION, recipe, tmp_path, CPU, {}))


def test_a_loss_that_is_no_number_ends_the_run(encoder: SequenceClassifier, tmp_path: Path) -> None:
    model = with_head(encoder, "bilstm", width=16)
    model.head.get_submodule("norm").weight.data.fill_(float("nan"))  # type: ignore[operator]
    with pytest.raises(ModelError, match="step 1: the loss is no number"):
        next(train_head(model, TRAIN, VALIDATION, RECIPE, tmp_path, CPU, {}))


def test_stopped_and_started_again_it_ends_the_same(encoder: SequenceClassifier, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    reports = run(encoder, SHORT, whole)
    assert [report.loss for report in reports] == [
        report.loss for report in run(encoder, SHORT, parts, stop_after=1) + run(encoder, SHORT, parts)
    ]
    assert load_checkpoint(whole / "best").sha256 == load_checkpoint(parts / "best").sha256
    assert run(encoder, SHORT, whole) == []
    with pytest.raises(ModelError, match="begun with another head;"):
        run(encoder, SHORT, whole, width=8)


def test_it_learns_what_the_encoder_says_not_the_labels(encoder: SequenceClassifier, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = with_head(encoder, "bilstm", width=16)
    recipe = replace(RECIPE, steps=20, validation_clips=30)
    mislabelled = StillSet(TRAIN.images, (TRAIN.labels + 1) % 7)
    (report,) = train_head(model, mislabelled, VALIDATION, recipe, tmp_path, CPU, {})
    assert report.validation.frame_accuracy > report.validation.frame_accuracy_alone


def test_the_step_of_the_lowest_loss_is_kept_and_the_rate_ends_at_nothing(
    encoder: SequenceClassifier, tmp_path: Path
) -> None:
    recipe = replace(SHORT, report_every=4, peak_rate=0.05)
    torch.manual_seed(0)
    model = with_head(encoder, "bilstm", width=16)
    reports = list(train_head(model, TRAIN, VALIDATION, recipe, tmp_path, CPU, {}))
    losses = [report.validation.log_loss for report in reports]
    assert [report.best for report in reports] == [
        loss < min(losses[:k], default=math.inf) for k, loss in enumerate(losses)
    ]
    chosen = reports[losses.index(min(losses))].step
    assert load_checkpoint(tmp_path / "best").provenance.training["chosen_step"] == chosen
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0, abs=1e-6)
    assert isinstance(model.head, BiLSTMHead)
    assert model.head.dropout.p == recipe.dropout


def test_a_head_learns_frames_and_steady_clips() -> None:
    torch.manual_seed(0)
    output = SequenceOutput(torch.randn(2, 3, 2), torch.randn(2, 2), torch.ones(2, 3) / 3)
    targets = torch.rand(2, 3, 2).softmax(2)
    everywhere, steady = torch.ones(2, 3, dtype=torch.bool), torch.tensor([True, False])
    clips = Clips(np.zeros((2, 3, 4, 4), np.uint8), targets, everywhere, steady)
    frames = -(targets * output.frame_logits.log_softmax(2)).sum(2).mean()
    clip = -(targets[0, 0] * output.clip_logits[0].log_softmax(0)).sum()
    torch.testing.assert_close(_loss(output, clips), frames + clip)
