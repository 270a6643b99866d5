"""What a run leaves for its reader: models, a line of figures for each epoch, curves, TensorBoard's files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from seqfer.errors import ModelError
from seqfer.files import write_whole
from seqfer.models.checkpoint import load_checkpoint, save_checkpoint
from seqfer.models.classifier import SequenceClassifier
from seqfer.training.config import TrainConfig
from seqfer.training.results import on_disk, provenance_of

BEST, LAST, METRICS, CURVES, TENSORBOARD = "best", "last", "metrics.jsonl", "curves.png", "tensorboard"
FILES = (BEST, LAST, METRICS, CURVES, TENSORBOARD)
DRAW_EVERY_S = 10.0


class Records:
    """Writes into a run's folder what an epoch leaves."""

    def __init__(self, run: Path, config: TrainConfig, given: dict[str, str], data: dict[str, Any]) -> None:
        """
        Args:
            run: the folder.
            config, given, data: where the run's models come from (`provenance_of`).
        """
        self._run, self._origin = run, (config, given, data)
        self._drawn = perf_counter()

    def write(self, history: Sequence[dict[str, Any]], model: SequenceClassifier, finished: bool) -> None:
        """Write the last epoch's model, also as the best one if it is that, and the figures of all epochs.

        Args:
            history: an entry for each epoch.
            model: as it is after the last of them.
            finished: whether no epoch is to follow; else curves are drawn only from time to time.

        Raises:
            ModelError: an earlier epoch's model, which is the best one, is gone.
            OutputError: the folder cannot be written.
        """
        entry = history[-1]
        provenance = provenance_of(*self._origin, entry)
        with on_disk(self._run):
            for name in (BEST, LAST) if entry["best"] else (LAST,):
                save_checkpoint(self._run / name, model, provenance)
            draw = finished or perf_counter() - self._drawn > DRAW_EVERY_S
            write_figures(self._run, history, draw)
            self._drawn = perf_counter() if draw else self._drawn
        if not (self._run / BEST).is_dir():
            raise ModelError(f"{self._run / BEST}: missing, and cannot be made again; choose another folder")

    def stand(self, history: Sequence[dict[str, Any]]) -> bool:
        """Whether `write` came to its end with these epochs; its models may have been calibrated since."""
        try:
            for name in (BEST, LAST):
                load_checkpoint(self._run / name)
            written = (self._run / METRICS).read_text(encoding="utf-8")
        except (ModelError, FileNotFoundError, UnicodeDecodeError):
            return False
        return written == _lines(history)


def write_figures(run: Path, history: Sequence[dict[str, Any]], draw: bool = True) -> None:
    """Write the figures of all epochs done into a run's folder, and if wanted draw their curves anew."""
    if draw:
        with write_whole(run / CURVES) as place:
            plot_curves(history).savefig(place)
    _write_tensorboard(run / TENSORBOARD, history[-1])
    with write_whole(run / METRICS) as place:  # last, so that it says that all the rest was written
        place.write_text(_lines(history), encoding="utf-8")


def _lines(history: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in history)


def plot_curves(history: Sequence[dict[str, Any]]) -> Any:
    """Losses, validation figures and learning rate over the epochs, as a matplotlib figure."""
    from matplotlib.figure import Figure

    epochs = [entry["epoch"] for entry in history]
    figure = Figure(figsize=(7.2, 6.4), dpi=120, layout="constrained")
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=[3, 3, 1])
    style = {"linewidth": 1.5, "marker": "o", "markersize": 3}
    upper.plot(epochs, [entry["loss"] for entry in history], color="#4477AA", label="training", **style)
    upper.set_ylabel("loss")
    # Runs that learn from all clips have none to be validated by.
    measured = [entry["validation"] for entry in history if entry["validation"]]
    if measured:
        losses = [figures["log_loss"] for figures in measured]
        upper.plot(epochs, losses, color="#EE6677", label="validation, without smoothing or mixing", **style)
        for name, label, colour in (("accuracy", "accuracy", "#228833"), ("uar", "UAR", "#AA3377")):
            shares = [100 * figures[name] for figures in measured]
            middle.plot(epochs, shares, color=colour, label=f"validation {label}", **style)
        chosen = max(entry["epoch"] for entry in history if entry["best"])
        middle.axvline(chosen, color="#888888", linestyle="--", linewidth=1, label=f"kept: epoch {chosen}")
    middle.set_ylabel("%" if measured else "no validation")
    lower.plot(epochs, [entry["rate"] for entry in history], color="#222222", **style)
    lower.set(ylabel="rate", xlabel="epoch")
    lower.xaxis.get_major_locator().set_params(integer=True)
    for axes in (upper, middle) if measured else (upper,):
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    return figure


def _write_tensorboard(folder: Path, entry: dict[str, Any]) -> None:
    """Write an epoch's figures for TensorBoard, where that is installed and fits the other packages."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return
    epoch = entry["epoch"]
    # Epochs that are done again after a stop replace what was written of them.
    writer = SummaryWriter(str(folder), purge_step=epoch)
    writer.add_scalar("loss/training", entry["loss"], epoch)
    writer.add_scalar("rate", entry["rate"], epoch)
    for name, value in (entry["validation"] or {}).items():
        writer.add_scalar(f"validation/{name}", value, epoch)
    writer.close()
