"""Following a training run on the screen: a live line for what goes on, a lasting one for each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seqfer.cli.console import out, remark_line, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from seqfer.training.loop import Trainer
    from seqfer.training.reports import EpochReport, StepReport


def follow(trainer: Trainer, title: str = "") -> None:
    """Train to the end, and show how it goes: live on a terminal, a line per epoch elsewhere."""
    from seqfer.training.reports import StepReport

    quiet = not trainer.team.leads
    if trainer.not_learnt and not quiet:
        remark_line(f"{title}no training clip shows {', '.join(trainer.not_learnt)}; it will not be recognised")
    if trainer.new_head and not trainer.history and not quiet:
        given = trainer.config.start.weights
        remark_line(f"{title}begins with the encoder of {given}; labels or sizes differ, so the head is a new one")
    with _live(trainer, title) as show:
        for report in trainer.run():
            if isinstance(report, StepReport):
                show(report)
            elif not quiet:
                say(title + epoch_line(report, trainer.config.epochs))


def epoch_line(report: EpochReport, epochs: int) -> str:
    """An epoch's figures; a star marks the best one so far."""
    line = f"epoch {report.epoch:{len(str(epochs))}d}/{epochs}  loss {report.loss:.4f}  "
    if report.validation:
        accuracy, uar, loss = (report.validation[name] for name in ("accuracy", "uar", "log_loss"))
        line += f" validation: UAR {100 * uar:5.1f} %  accuracy {100 * accuracy:5.1f} %  loss {loss:.4f} "
        line += "* " if report.best else "  "
    return f"{line} {report.seconds:.1f} s"


@contextmanager
def _live(trainer: Trainer, title: str) -> Iterator[Callable[[StepReport], None]]:
    if not out.is_terminal or not trainer.team.leads:
        yield lambda report: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("step {task.fields[step]}"),
        TextColumn("loss {task.fields[loss]}", style="yellow"),
        TextColumn("{task.fields[speed]} clips/s", style="cyan"),
        TimeRemainingColumn(),
    )
    epochs = trainer.config.epochs
    with Progress(*columns, console=out, refresh_per_second=8, transient=True) as bars:
        bar = bars.add_task(f"{title}starting", total=None, step="–", loss="–", speed="–")

        def show(report: StepReport) -> None:
            bars.update(
                bar,
                description=f"{title}epoch {report.epoch}/{epochs}",
                completed=(report.epoch - 1) * report.steps + report.step,
                total=epochs * report.steps,
                step=f"{report.step}/{report.steps}",
                loss=f"{report.loss:.4f}",
                speed=f"{report.clips_per_s:.0f}" if report.clips_per_s >= 10 else f"{report.clips_per_s:.1f}",
            )

        yield show
