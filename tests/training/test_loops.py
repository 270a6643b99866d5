"""The two training loops: they learn, choose on validation, and go on where they were stopped."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from seqfer.datasets.fer2013 import StillSet
from seqfer.errors import ModelError, OptionError
from seqfer.models.checkpoint import load_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.heads import BiLSTMHead
from seqfer.training.clips import ClipStyle
from seqfer.training.encoder import EncoderRecipe, one_cycle, train_encoder
from seqfer.training.head import HeadRecipe, train_head, with_head

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


def encoder_model() -> SequenceClassifier:
    torch.manual_seed(0)
    return SequenceClassifier(Architecture(encoder_settings=SMALL, head="mean", head_settings={"dropout": 0.2}))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> SequenceClassifier:
    folder = tmp_path_factory.mktemp("encoder")
    recipe = EncoderRecipe(epochs=8, batch_size=30, peak_rate=0.05)
    list(train_encoder(encoder_model(), TRAIN, VALIDATION, recipe, folder, CPU, {}))
    return load_checkpoint(folder / "best").model


class TestEncoder:
    RECIPE = EncoderRecipe(epochs=4, batch_size=30, peak_rate=0.05)

    def run(self, folder: Path, recipe: EncoderRecipe = RECIPE, stop_after: int = 99) -> list:
        reports = []
        for report in train_encoder(encoder_model(), TRAIN, VALIDATION, recipe, folder, CPU, {"data": "stripes"}):
            reports.append(report)
            if len(reports) == stop_after:
                break
        return reports

    def test_it_learns_and_keeps_the_best_epoch(self, tmp_path: Path) -> None:
        reports = self.run(tmp_path)
        assert [report.epoch for report in reports] == [1, 2, 3, 4]
        best = max(report.validation.accuracy for report in reports)
        assert best > 0.5  # chance is 0.14
        chosen = next(report.epoch for report in reports if report.validation.accuracy == best)
        training = load_checkpoint(tmp_path / "best").provenance.training
        assert training["chosen_epoch"] == chosen
        assert training["data"] == "stripes"
        assert training["recipe"]["peak_rate"] == 0.05

    @pytest.mark.parametrize("stop_after", [1, 3])
    def test_stopped_and_started_again_it_ends_with_the_same_weights(
        self, tmp_path: Path, stop_after: int
    ) -> None:
        whole = self.run(tmp_path / "whole")
        first = self.run(tmp_path / "parts", stop_after=stop_after)
        rest = self.run(tmp_path / "parts")
        assert [r.loss for r in first + rest] == [r.loss for r in whole]
        states = [torch.load(tmp_path / run / "state.pt", weights_only=True) for run in ("whole", "parts")]
        for name, value in states[0]["model"].items():
            assert torch.equal(value, states[1]["model"][name]), name
        assert (
            load_checkpoint(tmp_path / "whole" / "best").sha256 == load_checkpoint(tmp_path / "parts/best").sha256
        )

    def test_a_run_goes_on_only_under_its_own_recipe(self, tmp_path: Path) -> None:
        self.run(tmp_path, stop_after=1)
        with pytest.raises(ModelError, match="another recipe"):
            self.run(tmp_path, EncoderRecipe(epochs=5, batch_size=30))

    def test_a_loss_that_is_no_number_ends_it(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="the loss of epoch 1 is nan; lower peak_rate"):
            self.run(tmp_path, EncoderRecipe(epochs=1, batch_size=30, peak_rate=1e30))

    def test_impossible_recipes_are_refused(self) -> None:
        with pytest.raises(OptionError):
            EncoderRecipe(epochs=0)
        with pytest.raises(OptionError):
            EncoderRecipe(warmup=1.0)


def test_one_cycle_climbs_and_falls() -> None:
    rates = [one_cycle(step / 100, 0.2) for step in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert max(rates) == rates[20] == 1
    assert rates[100] == pytest.approx(0)
    assert all(a <= b for a, b in pairwise(rates[:21]))
    assert all(a >= b for a, b in pairwise(rates[20:]))


class TestHead:
    RECIPE = HeadRecipe(
        steps=80,
        frames_per_step=400,
        longest=30,
        peak_rate=1e-2,
        report_every=40,
        validation_clips=60,
        style=ClipStyle(changes=0.4),
    )

    def run(self, encoder: SequenceClassifier, folder: Path, stop_after: int = 99) -> list:
        torch.manual_seed(0)
        model = with_head(encoder, "bilstm", width=16)
        reports = []
        for report in train_head(model, TRAIN, VALIDATION, self.RECIPE, folder, CPU, {}):
            reports.append(report)
            if len(reports) == stop_after:
                break
        return reports

    def test_a_new_head_reads_as_the_old_one(self, encoder: SequenceClassifier) -> None:
        model = with_head(encoder, "bilstm", width=16).eval()
        assert isinstance(model.head, BiLSTMHead)
        clips, lengths = torch.randn(2, 5, 1, 48, 48), torch.tensor([5, 3])
        with torch.inference_mode():
            assert torch.allclose(
                model(clips, lengths).frame_logits, encoder(clips, lengths).frame_logits, atol=1e-5
            )
        with pytest.raises(ModelError, match="each frame alone"):
            with_head(model, "bilstm")

    def test_it_gains_over_frames_read_alone(self, encoder: SequenceClassifier, tmp_path: Path) -> None:
        reports = self.run(encoder, tmp_path)
        assert [report.step for report in reports] == [40, 80]
        figures = reports[-1].validation
        assert figures.clips > 10
        assert figures.frame_accuracy > figures.frame_accuracy_alone
        assert figures.changes_per_s < 0.6 * figures.changes_per_s_alone
        chosen = load_checkpoint(tmp_path / "best")
        assert chosen.model.architecture.head == "bilstm"
        original, kept = encoder.encoder.state_dict(), chosen.model.encoder.state_dict()
        for name, value in original.items():  # the encoder stayed as it was, but for its stored precision
            assert torch.allclose(value.float(), kept[name].float(), rtol=2e-3, atol=1e-4), name

    def test_stopped_and_started_again_it_ends_the_same(self, encoder: SequenceClassifier, tmp_path: Path) -> None:
        whole = self.run(encoder, tmp_path / "whole")
        parts = self.run(encoder, tmp_path / "parts", stop_after=1) + self.run(encoder, tmp_path / "parts")
        assert [r.loss for r in parts] == [r.loss for r in whole]
        assert load_checkpoint(tmp_path / "whole/best").sha256 == load_checkpoint(tmp_path / "parts/best").sha256
