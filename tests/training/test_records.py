"""A run's records: one line of figures for each epoch, and a picture of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from seqfer.errors import ModelError
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.training.config import TrainConfig
from seqfer.training.records import CURVES, METRICS, Records, plot_curves, write_figures


def history(epochs: int, best: int = 1) -> list[dict[str, Any]]:
    """Entries as the loop makes them; the epochs up to `best` get better and better."""
    return [
        {
            "epoch": epoch,
            "step": 6 * epoch,
            "loss": 2 / epoch,
            "rate": 0.001,
            "validation": {"clips": 24, "accuracy": 0.1 * epoch, "uar": 0.3, "macro_f1": 0.2, "log_loss": 1.5},
            "best": epoch <= best,
            "seconds": 0.25,
        }
        for epoch in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("epochs", [1, 7])
def test_figures_and_curves_of_all_epochs_are_written(epochs: int, tmp_path: Path) -> None:
    made = history(epochs)
    write_figures(tmp_path, made)
    assert [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()] == made
    with Image.open(tmp_path / CURVES) as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 20
        assert min(picture.size) > 400


def test_a_tensorboard_that_does_not_import_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where its protobuf is not MediaPipe's."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    write_figures(tmp_path, history(1))
    assert {path.name for path in tmp_path.iterdir()} == {METRICS, CURVES}


def test_later_epochs_replace_what_was_written_of_them(tmp_path: Path) -> None:
    for epochs in (5, 2, 3):  # a run that was stopped goes on from an earlier epoch
        write_figures(tmp_path, history(epochs))
        lines = (tmp_path / METRICS).read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == list(range(1, epochs + 1))
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_records_stand_when_models_are_whole_and_the_last_epoch_is_among_the_figures(tmp_path: Path) -> None:
    model = SequenceClassifier(Architecture("vgg", {"widths": [4], "convolutions": [1]}, "mean", {}))
    records = Records(tmp_path, TrainConfig(), {"start": "scratch"}, {})
    assert not records.stand(history(1))
    with pytest.raises(ModelError, match="best: missing, and cannot be made again"):
        records.write(history(2), model, finished=False)
    for epochs in (1, 2):
        records.write(history(epochs), model, finished=False)
    assert [records.stand(history(epochs)) for epochs in (1, 2, 3)] == [False, True, False]
    assert not records.stand(history(2, best=2))
    (tmp_path / "best" / "model.json").unlink()
    assert not records.stand(history(2))


def test_curves_are_left_when_they_are_not_wanted(tmp_path: Path) -> None:
    write_figures(tmp_path, history(2), draw=False)
    assert not (tmp_path / CURVES).exists()
    write_figures(tmp_path, history(2))
    drawn = (tmp_path / CURVES).read_bytes()
    write_figures(tmp_path, history(3), draw=False)
    assert (tmp_path / CURVES).read_bytes() == drawn
    assert len((tmp_path / METRICS).read_text().splitlines()) == 3


def test_curves_show_every_figure_and_the_epoch_that_was_chosen() -> None:
    upper, middle, lower = plot_curves(history(7, best=4)).axes
    assert [list(line.get_xdata()) for line in upper.lines] == [list(range(1, 8))] * 2
    assert list(upper.lines[0].get_ydata()) == pytest.approx([2 / epoch for epoch in range(1, 8)])
    assert list(middle.lines[0].get_ydata()) == pytest.approx([10 * epoch for epoch in range(1, 8)])
    assert "kept: epoch 4" in [text.get_text() for text in middle.get_legend().get_texts()]
    assert len(lower.lines) == 1


def test_every_curve_shows_its_own_figure() -> None:
    made = history(7, best=4)
    for entry in made:
        entry["validation"] |= {"uar": 0.05 * entry["epoch"], "log_loss": 3 / entry["epoch"]}
        entry["rate"] = 0.001 * entry["epoch"]
    upper, middle, lower = plot_curves(made).axes
    epochs = range(1, 8)
    assert list(upper.lines[1].get_ydata()) == pytest.approx([3 / k for k in epochs])
    assert list(middle.lines[1].get_ydata()) == pytest.approx([5 * k for k in epochs])
    assert list(lower.lines[0].get_ydata()) == pytest.approx([0.001 * k for k in epochs])
