#!/usr/bin/env python
"""How much of the network's own speed the training loop keeps.

    seqfer manifest fer2013 FER2013 -o fer2013.csv
    python benchmarks/train_speed.py --data fer2013.csv

Samples per second of the real loop (clips drawn from the cache on disk, disturbed, mixed, learnt, reported)
against the same model, optimiser and batch size fed with one batch of network input that lies in memory. Both
take turns of several seconds, so that a noisy machine disturbs them alike. Validation is counted in neither, nor
are the batches that the loop has drawn ahead while the other had its turn.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Generator
from pathlib import Path
from time import perf_counter

import torch
import torch.nn.functional as F
from rich.console import Console

from seqfer.machine import usable_cores
from seqfer.models.inference import DEVICES, choose_device
from seqfer.training import loop
from seqfer.training.config import TrainConfig
from seqfer.training.config_file import read_config
from seqfer.training.optimizers import make_optimizer
from seqfer.training.reader import Reader, autocast_type
from seqfer.training.reports import EpochReport, StepReport
from seqfer.training.run import open_run
from seqfer.training.start import starting_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a manifest of FER-2013")
    parser.add_argument("--config", default="compact", help="settings")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each turn")
    options = parser.parse_args()
    whole = ("window.side=0", "window.share=0")  # crops as they are, in both
    config, device = read_config(options.config, whole), choose_device(options.device)
    loop.REPORT_EVERY_S = 0.0  # each step
    with tempfile.TemporaryDirectory() as folder:
        trainer = open_run(config, options.data, folder, device=device)
        reports = trainer.run()
        reference = Reference(config, trainer.model.architecture.labels, device)
        clips = trainer.data["clips"]
        turn(reports, clips, 1.0)  # warm up
        reference.clips_per_s(1.0)
        real, memory = [], []
        for _ in range(options.turns):
            real.append(turn(reports, clips, options.seconds))
            memory.append(reference.clips_per_s(options.seconds))
        reports.close()
    ratios = sorted(a / b for a, b in zip(real, memory, strict=True))
    precision = str(autocast_type(config.precision, device)).removeprefix("torch.")
    console = Console()
    console.print(
        f"{options.config}, batches of {config.batch_size}, {usable_cores()} cores, {device}, {precision}"
    )
    console.print(
        f"real loop:              {statistics.median(real):.0f} samples per second (median of {len(real)})"
    )
    console.print(f"from a batch in memory: {statistics.median(memory):.0f}")
    console.print(
        f"ratio: [bold]{statistics.median(ratios):.3f}[/bold] (median; {ratios[0]:.3f} to {ratios[-1]:.3f})"
    )


def turn(reports: Generator[StepReport | EpochReport], clips: int, seconds: float) -> float:
    """Samples per second of the real loop within an epoch of `clips`, in steps of like size.

    A turn that an epoch's end cuts short begins anew.
    """
    # Steps that count for nothing: of the batches drawn ahead during the other's turn, and of the one on the way.
    passed_over, steps, start = loop.BATCHES_AHEAD + 1, 0, perf_counter()
    for report in reports:
        if isinstance(report, EpochReport):
            passed_over, steps = 1, 0  # nothing is drawn ahead of an epoch
            continue
        if passed_over:
            passed_over -= 1
        else:
            steps += 1
        if not steps:
            start = perf_counter()
        elif perf_counter() - start >= seconds:
            return steps * clips / report.steps / (perf_counter() - start)
    raise SystemExit("error: no turn fits into an epoch; take fewer --seconds")


class Reference:
    """The same network and optimiser, fed with the same batch in memory again and again."""

    def __init__(self, config: TrainConfig, labels: object, device: torch.device) -> None:
        model = starting_model(config, labels).model  # type: ignore[arg-type]
        self.model = model.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.reader = Reader(self.model, autocast_type(config.precision, device))
        self.optimizer = make_optimizer(self.model, config.optimizer, config.start.stage_rates)
        count, preprocess = config.batch_size, model.architecture.preprocess
        images = torch.randn(count, preprocess.input_planes, preprocess.size, preprocess.size, device=device)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.lengths = torch.ones(count, dtype=torch.int64)
        self.labels = torch.randint(len(model.architecture.labels), (count,), device=device)

    def clips_per_s(self, seconds: float) -> float:
        start, steps = perf_counter(), 0
        while perf_counter() - start < seconds:
            loss = F.cross_entropy(self.reader(self.images, self.lengths).clip_logits, self.labels)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            float(loss.detach())
            steps += 1
        return steps * len(self.labels) / (perf_counter() - start)


if __name__ == "__main__":
    main()
